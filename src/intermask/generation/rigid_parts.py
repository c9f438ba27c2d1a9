"""Pelvis and chest as rigid bodies: how they are turned, also where the joints do not say.

The best turn of a part (Procrustes) is not defined where a decoder puts its joints on a line, and
flips by half a turn for a frame where left and right change places. Frames whose turn cannot be
trusted take it from the trusted frames around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import roma
import torch
from torch import Tensor

from intermask.geometry import (
    axis_angle_to_matrix,
    geodesic_angle,
    matrix_to_axis_angle,
)
from intermask.skeleton import SMPL22

PARTS = tuple(
    (joint, *(child for parent, child in SMPL22.bones if parent == joint))
    for joint in SMPL22.indices("pelvis", "spine3")
)
"""Joints of the rigid parts, the one that the others hang on first."""

_CLEAR = 0.2
"""A fit is clear if its second and (signed) third singular value are together this share of the
rest shape's: their sum is what a half turn about the longest axis would cost."""
_LARGEST_TURN = pi / 3
"""Radians a frame that nobody turns in: 1800 degrees a second."""
_SHORTEST_RUN = 12
"""Frames between two larger turns that are believed; fewer are a flip."""
_PRIOR = 0.02
"""Weight of the turn found before, as a share of the rest shape's first singular value."""


@dataclass(frozen=True)
class RigidPart:
    """One part of each person over a clip, ready to be fitted again and again.

    Attributes:
        joints: indices of its joints.
        rest: (p, 1, n, 3) its rest shape around its centre, metres.
        prior: (p, t, 3, 3) how it is turned, continuous over time; weighted.
        trust: (p, t) 1 where the joints tell the turn, 0 where only `prior` does.
    """

    joints: tuple[int, ...]
    rest: Tensor
    prior: Tensor
    trust: Tensor

    def placed(self, part: Tensor) -> Tensor:
        """The rest shape moved and turned onto the joints (p, t, n, 3)."""
        centre = part.mean(-2, keepdim=True)
        scatter = (part - centre).mT @ self.rest.expand(part.shape)
        turn = roma.special_procrustes(self.trust[..., None, None] * scatter + self.prior)
        return centre + self.rest @ turn.mT


def rigid_part(positions: Tensor, offsets: Tensor, joints: tuple[int, ...]) -> RigidPart:
    """A part of bodies with positions (p, t, 22, 3) and rest offsets (p, 1, 22, 3), metres."""
    rest = torch.cat((torch.zeros_like(offsets[..., :1, :]), offsets[..., list(joints[1:]), :]), -2)
    rest = rest - rest.mean(-2, keepdim=True)
    part = positions[..., list(joints), :]
    scatter = (part - part.mean(-2, keepdim=True)).mT @ rest.expand(part.shape)
    own = torch.linalg.svdvals(rest.mT @ rest)
    turns, values = roma.special_procrustes(scatter, return_singular_values=True)
    clear = values[..., 1] + values[..., 2] > _CLEAR * (own[..., 1] + own[..., 2])
    priors, trust = [], []
    for person in range(len(part)):
        trusted = _without_flips(turns[person], clear[person])
        if bool(trusted.any()):
            priors.append(_bridged(turns[person], trusted))
        else:
            whole = roma.special_procrustes(scatter[person].sum(0))
            priors.append(whole.expand(turns.shape[1:]))
        trust.append(trusted)
    weight = _PRIOR * own[..., :1, None]
    return RigidPart(
        joints, rest, weight * torch.stack(priors), torch.stack(trust).to(positions.dtype)
    )


def _without_flips(turns: Tensor, clear: Tensor) -> Tensor:
    """Which clear frames (t) of turns (t, 3, 3) are believed.

    Large turns part the clear frames into runs. Long runs are believed, and short ones that go on
    where a believed run before them ended, or end where the next long one begins.
    """
    frames = clear.nonzero()[:, 0]
    trusted = torch.zeros_like(clear)
    if not len(frames):
        return trusted
    apart = geodesic_angle(turns[frames[1:]], turns[frames[:-1]])
    jump = apart > _LARGEST_TURN * (frames[1:] - frames[:-1])
    runs = frames.tensor_split((jump.nonzero()[:, 0] + 1).cpu())
    shortest = min(_SHORTEST_RUN, max(map(len, runs)))
    ahead = [run for run in runs if len(run) >= shortest]
    behind: Tensor | None = None
    for run in runs:
        if ahead and run is ahead[0]:
            ahead.pop(0)
        elif not (
            (behind is not None and _goes_on(turns, behind[-1], run[0]))
            or (ahead and _goes_on(turns, run[-1], ahead[0][0]))
        ):
            continue
        trusted[run] = True
        behind = run
    return trusted


def _goes_on(turns: Tensor, frame: Tensor, later: Tensor) -> bool:
    apart = float(geodesic_angle(turns[frame], turns[later]))
    return apart < min(_LARGEST_TURN * int(later - frame), pi / 2)


def _bridged(turns: Tensor, trusted: Tensor) -> Tensor:
    """Turns (t, 3, 3) with a steady turn between the trusted (t) frames around the others."""
    good = trusted.nonzero()[:, 0]
    time = torch.arange(len(turns), device=turns.device)
    before = good[(torch.searchsorted(good, time, right=True) - 1).clamp_min(0)]
    after = good[torch.searchsorted(good, time).clamp_max(len(good) - 1)]
    share = (time - before) / (after - before).clamp_min(1)
    between = matrix_to_axis_angle(turns[before].mT @ turns[after])
    return turns[before] @ axis_angle_to_matrix(share[:, None].to(between) * between)
