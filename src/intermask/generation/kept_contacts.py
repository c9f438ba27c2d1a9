"""Where limbs of one person touch the other one, and keeping them there.

A contact is between a point of a limb (a palm, a foot, an elbow) and the partner's flesh: the
nearest of the capsules around the partner's bones and hands. What holds of it is the way from the
place on that bone to the point.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.kinematics import global_rotations
from intermask.motion import Motion
from intermask.skeleton import SMPL22
from intermask.solver.bodies import Posed
from intermask.solver.flesh import CAPSULES, RADII
from intermask.timeline import smoothstep

TOUCH = 0.10
"""Metres from a point to the partner's flesh within which they touch."""
LOOSENED = 0.02
"""Metres by which a contact may open and still be there."""

_PALM = 0.09  # metres from the wrist, along x in the T-pose
_HAND_RADIUS = 0.03
_FADE = 0.04  # metres beyond `TOUCH` over which a contact stops being held
_OPENING = 0.01  # metres by which smoothing alone may open a contact
_SKIN = 0.01  # metres that a point keeps above the partner's flesh

_WRISTS = SMPL22.indices("left_wrist", "right_wrist")
_PALMS = (SMPL22.joint_count, SMPL22.joint_count + 1)  # behind the joints
_POINTS = (
    *_PALMS, *_WRISTS,
    *SMPL22.indices("left_elbow", "right_elbow", "left_knee", "right_knee", "left_ankle",
                    "right_ankle", "left_foot", "right_foot", "head"),
)  # fmt: skip
_STARTS, _ENDS = (
    tuple(column) for column in zip(*CAPSULES, *zip(_WRISTS, _PALMS, strict=True), strict=True)
)
_FLESH = (*RADII, _HAND_RADIUS, _HAND_RADIUS)


def posed(motion: Motion) -> Posed:
    """Body joints and their orientations in the world, float64."""
    joints = SMPL22.joint_count
    turned = motion.rotations[:, :, : joints - 1].double()
    orientations = global_rotations(motion.root_rotations.double(), turned)
    return Posed(motion.positions[:, :, :joints].double(), orientations)


@dataclass(frozen=True)
class Gaps:
    """From each of n points of a person to the partner, in every frame.

    air: (2, t, n) metres to the flesh, negative inside. capsule: (2, t, n) number of the nearest
    of the partner's capsules. place: (2, t, n) where on its bone, from 0 to 1.
    """

    air: Tensor
    capsule: Tensor
    place: Tensor


def body_gaps(bodies: Posed) -> Gaps:
    """How far points of limbs are from the partner."""
    places = _with_palms(bodies)
    points = places[:, :, list(_POINTS), None]
    partner = places.flip(0)
    start, end = partner[:, :, None, list(_STARTS)], partner[:, :, None, list(_ENDS)]
    along = end - start
    place = ((points - start) * along).sum(-1) / along.square().sum(-1).clamp_min(1e-12)
    place = place.clamp(0.0, 1.0)
    nearest = start + place[..., None] * along
    air = (points - nearest).norm(dim=-1) - places.new_tensor(_FLESH)
    found = air.min(-1)
    chosen = found.indices[..., None]
    return Gaps(found.values, found.indices, place.gather(-1, chosen)[..., 0])


@dataclass(frozen=True)
class ContactCount:
    """Frames of contacts of single points: how many there were, and how many are still there."""

    before: int
    kept: int
    worst: float
    """Metres by which the one that suffers most opens; 0 if none does."""


def count_contacts(before: Motion, after: Motion) -> ContactCount:
    """What became of the contacts of a motion.

    A contact is kept if it opens by no more than `LOOSENED`; a limb that was inside of the partner
    may come out to the skin.
    """
    was, now = body_gaps(posed(before)).air, body_gaps(posed(after)).air
    touching = was < TOUCH
    opened = (now - was.clamp_min(0.0))[touching]
    worst = float(opened.max().clamp_min(0.0)) if opened.numel() else 0.0
    return ContactCount(int(touching.sum()), int((opened <= LOOSENED).sum()), worst)


class ContactsKept:
    """Limbs that touch the partner stay where they are on the partner.

    Args:
        original: bodies whose contacts are found.
        wanted: the same, smoother perhaps: where limbs should be on the partner; no contact is
            opened by more than a centimetre for it.
        weight: of a square metre.
    """

    def __init__(self, original: Posed, wanted: Posed, weight: float) -> None:
        gaps = body_gaps(original)
        hold = smoothstep((TOUCH + _FADE - gaps.air) / _FADE)
        # A wrist is held with its palm, or the hand would turn where the arm should move.
        hold[..., 2:4] = torch.maximum(hold[..., 2:4], hold[..., :2])
        person, frame, point = (hold > 0).nonzero(as_tuple=True)
        capsule = gaps.capsule[person, frame, point]
        frames, rows = hold.shape[1], SMPL22.joint_count + len(_PALMS)
        own, partner = ((side * frames + frame) * rows for side in (person, 1 - person))
        self._point = own + torch.tensor(_POINTS)[point]
        self._start = partner + torch.tensor(_STARTS)[capsule]
        self._end = partner + torch.tensor(_ENDS)[capsule]
        self._place = gaps.place[person, frame, point][:, None]
        self._weight = weight * hold[person, frame, point]
        radius = hold.new_tensor(_FLESH)[capsule]
        # Smoothing takes hands that clap apart, and noise leaves others inside of the partner.
        furthest = gaps.air[person, frame, point] + radius + _OPENING
        way = self._ways(wanted)
        length = way.norm(dim=-1).clamp_min(1e-6)
        target = torch.minimum(length, furthest).clamp_min(radius + _SKIN)
        self._way = way * (target / length)[:, None]

    def _ways(self, bodies: Posed) -> Tensor:
        """(m, 3) from the places on the partner's bones to the points."""
        places = _with_palms(bodies).flatten(0, 2)
        start, end = places.index_select(0, self._start), places.index_select(0, self._end)
        on_partner = start + self._place * (end - start)
        return places.index_select(0, self._point) - on_partner

    def __call__(self, posed: Posed) -> Tensor:
        away = self._ways(posed) - self._way
        return (self._weight * away.square().sum(-1)).sum()


def _with_palms(bodies: Posed) -> Tensor:
    """Joints, and behind them both palms: (2, t, 24, 3) metres."""
    sides = bodies.positions.new_tensor((_PALM, -_PALM))
    wrists = list(_WRISTS)
    reach = bodies.orientations[:, :, wrists, :, 0] * sides[:, None]
    return torch.cat((bodies.positions, bodies.positions[:, :, wrists] + reach), 2)
