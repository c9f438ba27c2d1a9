"""One body out of what a decoder says twice: rigid bones, and rotations that lead to the joints.

Decoded positions and decoded rotations disagree, and bones stretch from frame to frame.
`consolidate` smooths the jitter, gives each person one set of bones, moves the joints as little as
possible until the bones fit (a position-based solver: all constraints in turn, a few rounds),
plants the feet, keeps hands where they were on the partner, and reads the final positions off the
corrected rotations, so that every file format shows the same two people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import roma
import torch
from torch import Tensor

from intermask.generation.footlock import FootLockOptions, foot_contacts, planted_feet
from intermask.generation.smoothing import (
    fade_weights,
    smooth_positions,
    smooth_rotations,
    smoothstep,
)
from intermask.kinematics import (
    bone_offsets,
    correct_rotations,
    fit_rotations,
    forward_kinematics,
)
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, SMPL22


@dataclass(frozen=True, kw_only=True)
class ConsolidationOptions:
    """What is done to a decoded motion. Each part can be switched off."""

    smoothing: float = 1.0
    """Frames of the Gaussian over positions and rotations; 0: none."""
    foot_lock: FootLockOptions | None = field(default_factory=FootLockOptions)
    """How planted feet are held; None: not at all."""
    hand_contact: float = 0.20
    """Metres within which a wrist keeps its place relative to a joint of the partner; 0: never."""
    grounding: float = 0.08
    """A person who hovers or sinks by up to this many metres all the time is set on the floor."""
    rounds: int = 25
    """Rounds of the solver."""

    def __post_init__(self) -> None:
        for name in ("smoothing", "hand_contact", "grounding"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected zero or more")
        if self.rounds < 1:
            raise ValueError(f"rounds is {self.rounds}; expected at least 1")


class Consolidated(NamedTuple):
    """Positions (2, t, 22, 3) metres, root_rotations (2, t, 3, 3), rotations (2, t, 21, 3, 3)."""

    positions: Tensor
    root_rotations: Tensor
    rotations: Tensor


def consolidate(
    positions: Tensor,
    rotations: Tensor,
    *,
    fps: float = 30.0,
    keep: Tensor | None = None,
    root_rotations: Tensor | None = None,
    options: ConsolidationOptions | None = None,
) -> Consolidated:
    """Two people with rigid bones, rotations that agree with positions, and feet that stand.

    Args:
        positions: (2, t, 22, 3) decoded joint positions, metres, y up, floor at y = 0.
        rotations: (2, t, 21, 3, 3) decoded rotations, relative to the parent.
        fps: frames a second.
        keep: (2, t) bool, frames that come back exactly as they are; changes fade in around them,
            and they alone decide the bone lengths of their person.
        root_rotations: (2, t, 3, 3), given back in the kept frames; elsewhere the orientation of
            the pelvis follows from the positions.
        options: what to do; everything by default.
    """
    options = options or ConsolidationOptions()
    kept = torch.zeros(positions.shape[:2], dtype=torch.bool, device=positions.device)
    kept = kept if keep is None else keep
    given = positions.double(), rotations.double()
    known_roots = None if root_rotations is None else root_rotations.double()
    change = fade_weights(kept).double()
    targets = given[0] + change[..., None, None] * (
        smooth_positions(given[0], options.smoothing) - given[0]
    )
    targets = _grounded(targets, kept, options.grounding)
    smooth = smooth_rotations(given[1], options.smoothing)
    turns = torch.where(kept[..., None, None, None], given[1], smooth)

    offsets = person_offsets(given[0], given[1], kept, known_roots)
    relations = hand_relations(targets, options.hand_contact, change)
    solved = project_onto_bones(targets, offsets, kept, relations, rounds=options.rounds)
    if options.foot_lock is not None:
        solved = _with_planted_feet(
            solved, offsets, kept, change, relations, fps, options.foot_lock, options.rounds
        )

    guess = fit_rotations(solved, offsets).root_rotations
    if known_roots is not None:
        guess = torch.where(kept[..., None, None], known_roots, guess)
    corrected = correct_rotations(solved, offsets, guess, turns)
    final = forward_kinematics(offsets, solved[..., 0, :], *corrected)
    roots = corrected.root_rotations
    if known_roots is not None:
        roots = torch.where(kept[..., None, None], known_roots, roots)
    joints = torch.where(kept[..., None, None, None], given[1], corrected.rotations)
    final = torch.where(kept[..., None, None], given[0], final)
    return Consolidated(*(part.to(positions.dtype) for part in (final, roots, joints)))


def person_offsets(
    positions: Tensor, rotations: Tensor, kept: Tensor, root_rotations: Tensor | None = None
) -> Tensor:
    """One set of rest offsets (p, 1, 22, 3) a person, metres.

    Lengths are medians over the clip (over the kept frames, if there are any). Directions are those
    that the rotations imply, unless these are too far from the mean adult's T-pose, as with a model
    that has not learned rotations: then the mean adult's.
    """
    adult = torch.tensor(MEAN_ADULT_OFFSETS, dtype=positions.dtype, device=positions.device)
    people = []
    for person in range(positions.shape[0]):
        chosen = kept[person] if bool(kept[person].any()) else torch.ones_like(kept[person])
        joints, turns = positions[person, chosen], rotations[person, chosen]
        bones = joints[:, 1:] - joints[:, list(SMPL22.parents[1:])]
        lengths = torch.quantile(bones.norm(dim=-1), 0.5, dim=0)
        lengths = torch.cat((lengths.new_zeros(1), lengths))
        if root_rotations is not None and bool(kept[person].any()):
            roots = root_rotations[person, chosen]
        else:
            scaled = _with_lengths(adult, lengths)
            roots = fit_rotations(joints, scaled).root_rotations
        implied = _with_lengths(bone_offsets(joints, roots, turns), lengths)
        expected = _with_lengths(adult, lengths)
        cosine = torch.nn.functional.cosine_similarity(implied, expected, dim=-1)
        believable = (cosine > _PLAUSIBLE_COSINE)[:, None]
        people.append(torch.where(believable, implied, expected))
    return torch.stack(people)[:, None]


class HandRelations(NamedTuple):
    """Where wrists are on the partner.

    ``vectors`` (2, t, 2, 22, 3): from each wrist of a person to each joint of the partner, metres;
    ``weights`` (2, t, 2, 22): how firmly to keep them, 0 to 1.
    """

    vectors: Tensor
    weights: Tensor


def hand_relations(positions: Tensor, reach: float, change: Tensor | None = None) -> HandRelations:
    """Vectors from wrists (p, t, 22, 3) to the partner's joints, firm within half of ``reach``."""
    wrists = positions[..., list(_WRISTS), None, :]
    vectors = positions.flip(0)[..., None, :, :] - wrists
    distance = vectors.norm(dim=-1)
    if reach <= 0:
        return HandRelations(vectors, torch.zeros_like(distance))
    weights = smoothstep((reach - distance) / (0.5 * reach))
    if change is not None:
        weights = weights * torch.maximum(change, change.flip(0))[..., None, None]
    return HandRelations(vectors, weights)


def project_onto_bones(
    positions: Tensor,
    offsets: Tensor,
    fixed: Tensor,
    relations: HandRelations | None = None,
    *,
    heavy: Tensor | None = None,
    rounds: int = 25,
) -> Tensor:
    """The nearest positions (p, t, 22, 3) whose bones have the lengths of ``offsets``.

    Pelvis and chest move as rigid bodies. Hands, feet and head are heavy: the joints between them
    give way first. No joint stays below the floor.

    Args:
        positions: (p, t, 22, 3) metres.
        offsets: (p, 1, 22, 3) rest offsets.
        fixed: (p, t) bool, frames in which nothing moves.
        relations: hands on the partner to keep.
        heavy: (22) bool, joints that do not move at all.
        rounds: rounds over all constraints.
    """
    mobility = positions.new_ones(SMPL22.joint_count)
    mobility[list(_TIPS)] = _TIP_MOBILITY
    if heavy is not None:
        mobility[heavy] = 0.0
    mobility = mobility * (~fixed)[..., None].to(mobility)
    lengths = offsets.norm(dim=-1)
    joints = list(positions.unbind(-2))
    for _ in range(rounds):
        if relations is not None and bool((relations.weights > 0).any()):
            joints = _keep_hands(joints, mobility, relations)
        joints = [_above_floor(joint, mobility[..., i]) for i, joint in enumerate(joints)]
        for cluster in _RIGID:
            _match_shape(joints, offsets, mobility, cluster)
        for parent, child in _LIMB_BONES:
            _set_length(joints, lengths, mobility, parent, child)
    return torch.stack(joints, -2)


_WRISTS = SMPL22.indices("left_wrist", "right_wrist")
_TIPS = (*_WRISTS, *FEET, SMPL22.index("head"))
_TIP_MOBILITY = 0.3
_PLAUSIBLE_COSINE = 0.9  # 26 degrees
_RIGID = tuple(
    (joint, *(child for parent, child in SMPL22.bones if parent == joint))
    for joint in SMPL22.indices("pelvis", "spine3")
)
_LIMB_BONES = tuple(
    bone for bone in SMPL22.bones if bone[0] not in SMPL22.indices("pelvis", "spine3")
)
_FLOOR_MARGIN = 0.01


def _with_planted_feet(
    positions: Tensor,
    offsets: Tensor,
    kept: Tensor,
    change: Tensor,
    relations: HandRelations,
    fps: float,
    foot_lock: FootLockOptions,
    rounds: int,
) -> Tensor:
    """Feet where `planted_feet` wants them, and the body after them."""
    contacts = foot_contacts(positions, fps, foot_lock)
    feet = list(FEET)
    planted = planted_feet(positions, contacts, foot_lock)
    moved = positions[..., feet, :] + change[..., None, None] * (planted - positions[..., feet, :])
    lengths = offsets.norm(dim=-1)
    target = positions.clone()
    target[..., feet, :] = moved
    for ankle, toes in (FEET[:2], FEET[2:]):
        along = torch.nn.functional.normalize(target[..., ankle, :] - target[..., toes, :], dim=-1)
        target[..., ankle, :] = target[..., toes, :] + lengths[..., toes, None] * along
    target = torch.where(kept[..., None, None], positions, target)
    heavy = torch.zeros(SMPL22.joint_count, dtype=torch.bool, device=positions.device)
    heavy[feet] = True
    return project_onto_bones(target, offsets, kept, relations, heavy=heavy, rounds=rounds)


def _grounded(positions: Tensor, kept: Tensor, limit: float) -> Tensor:
    """Set a person who hovers or sinks all the time on the floor, if no frame must be kept."""
    lowest = torch.quantile(positions[..., 1].amin(-1), 0.05, dim=1)
    shift = lowest.clamp_max(_FLOOR_MARGIN) - lowest  # only downwards: the solver lifts feet
    usable = (lowest < limit) & ~kept.any(1)
    result = positions.clone()
    result[..., 1] += torch.where(usable, shift, torch.zeros_like(shift))[:, None, None]
    return result


def _with_lengths(offsets: Tensor, lengths: Tensor) -> Tensor:
    return torch.nn.functional.normalize(offsets, dim=-1) * lengths[:, None]


def _keep_hands(joints: list[Tensor], mobility: Tensor, relations: HandRelations) -> list[Tensor]:
    """One round of pulling wrists and the partner's joints to their relation."""
    positions = torch.stack(joints, -2)
    partner, wrists = positions.flip(0)[..., None, :, :], positions[..., list(_WRISTS), None, :]
    error = partner - wrists - relations.vectors
    own = mobility[..., list(_WRISTS), None]
    other = mobility.flip(0)[..., None, :]
    share = relations.weights / (own + other).clamp_min(1e-9)
    # average over the relations of a joint, or many of them would overshoot
    wrist_pull = (share * own)[..., None] * error
    wrist_sum = relations.weights.sum(-1).clamp_min(1.0)[..., None]
    partner_pull = (share * other)[..., None] * error
    partner_sum = relations.weights.sum(-2).clamp_min(1.0)[..., None]
    result = positions.clone()
    result[..., list(_WRISTS), :] += wrist_pull.sum(-2) / wrist_sum
    result = result - (partner_pull.sum(-3) / partner_sum).flip(0)
    return list(result.unbind(-2))


def _above_floor(joint: Tensor, mobility: Tensor) -> Tensor:
    """A joint (p, t, 3) lifted to the floor where it may move."""
    lifted = joint.clone()
    lifted[..., 1] = torch.where(mobility > 0, joint[..., 1].clamp_min(0.0), joint[..., 1])
    return lifted


def _match_shape(
    joints: list[Tensor], offsets: Tensor, mobility: Tensor, cluster: tuple[int, ...]
) -> None:
    """Move the joints of a rigid part to the best placement of its rest shape, in place."""
    rest = torch.cat(
        (torch.zeros_like(offsets[..., :1, :]), offsets[..., list(cluster[1:]), :]), -2
    )
    rest = rest - rest.mean(-2, keepdim=True)
    part = torch.stack([joints[joint] for joint in cluster], -2)
    centre = part.mean(-2, keepdim=True)
    turn = roma.special_procrustes((part - centre).transpose(-1, -2) @ rest.expand(part.shape))
    goal = centre + rest @ turn.transpose(-1, -2)
    for column, joint in enumerate(cluster):
        movable = (mobility[..., joint] > 0).to(goal)[..., None]
        joints[joint] = joints[joint] + movable * (goal[..., column, :] - joints[joint])


def _set_length(
    joints: list[Tensor], lengths: Tensor, mobility: Tensor, parent: int, child: int
) -> None:
    """Move both ends of a bone along it, each by its mobility, until its length is right."""
    along = joints[child] - joints[parent]
    length = along.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    both = (mobility[..., parent] + mobility[..., child]).clamp_min(1e-9)[..., None]
    correction = along / length * (length - lengths[..., child, None]) / both
    joints[parent] = joints[parent] + mobility[..., parent, None] * correction
    joints[child] = joints[child] - mobility[..., child, None] * correction
