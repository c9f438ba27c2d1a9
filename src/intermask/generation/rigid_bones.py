"""Move joints as little as possible until bones are rigid: a position-based solver.

All constraints are met in turn, a few rounds over: hands stay on the partner, nothing sinks below
the floor, pelvis and chest are rigid bodies, limb bones have their lengths.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from intermask.generation.rigid_parts import PARTS, RigidPart, rigid_part
from intermask.skeleton import FEET, SMPL22
from intermask.timeline import smoothstep

_WRISTS = SMPL22.indices("left_wrist", "right_wrist")
_TIPS = (*_WRISTS, *FEET, SMPL22.index("head"))
_TIP_MOBILITY = 0.3
_LIMB_BONES = tuple(bone for bone in SMPL22.bones if bone[0] not in [joints[0] for joints in PARTS])


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
    parts = [rigid_part(positions, offsets, each) for each in PARTS]
    joints = list(positions.unbind(-2))
    for _ in range(rounds):
        if relations is not None and bool((relations.weights > 0).any()):
            joints = _keep_hands(joints, mobility, relations)
        joints = [_above_floor(joint, mobility[..., i]) for i, joint in enumerate(joints)]
        for part in parts:
            _match_shape(joints, mobility, part)
        for parent, child in _LIMB_BONES:
            _set_length(joints, lengths, mobility, parent, child)
    return torch.stack(joints, -2)


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


def _match_shape(joints: list[Tensor], mobility: Tensor, part: RigidPart) -> None:
    """Move the joints of a rigid part to the best placement of its rest shape, in place."""
    goal = part.placed(torch.stack([joints[joint] for joint in part.joints], -2))
    for column, joint in enumerate(part.joints):
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
