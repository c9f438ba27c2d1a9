"""From joint rotations to joint positions and back, for any number of frames at once.

All functions take any batch dimensions ``(...)`` and are written joint by joint, so a clip costs
as much as a frame. Offsets are rest positions relative to the parent, (j, 3) metres; batch
dimensions before the joint broadcast with the frames (two bodies: (2, 1, j, 3)). The root's offset
is not used: the root position is the pelvis joint itself. Rotations are parent-relative and do not
include the root, which comes separately: identity everywhere is the T-pose that faces +z.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import roma
import torch
from torch import Tensor

from intermask.geometry import rotation_between
from intermask.skeleton import SMPL22, Skeleton

MIN_BONE_LENGTH = 1e-4
"""Metres below which a bone has no direction: its joint then keeps its predicted rotation."""

_PRIOR = 1e-7
"""Square metres with which a joint with several children leans on its predicted rotation.

Small against the bones (5 to 12 cm long, so 1e-2 square metres): it only decides turns that they
leave open, as when all of them collapse onto one line.
"""


class BodyRotations(NamedTuple):
    """Orientation of a body: ``root_rotations`` (..., 3, 3), ``rotations`` (..., j-1, 3, 3)."""

    root_rotations: Tensor
    rotations: Tensor


def global_rotations(
    root_rotations: Tensor, rotations: Tensor, parents: Sequence[int] = SMPL22.parents
) -> Tensor:
    """Orientation of every joint in the world.

    Args:
        root_rotations: (..., 3, 3).
        rotations: (..., j-1, 3, 3), parent-relative, without the root.
        parents: (j) parent of each joint, -1 for the root, which comes first.

    Returns:
        (..., j, 3, 3).
    """
    world = [root_rotations]
    for joint in range(1, len(parents)):
        world.append(world[parents[joint]] @ rotations[..., joint - 1, :, :])
    return torch.stack(world, -3)


def forward_kinematics(
    offsets: Tensor,
    root_positions: Tensor,
    root_rotations: Tensor,
    rotations: Tensor,
    parents: Sequence[int] = SMPL22.parents,
) -> Tensor:
    """Joint positions of a body with rigid bones.

    Args:
        offsets: (j, 3) or (..., j, 3) rest offsets from the parent, metres.
        root_positions: (..., 3) metres.
        root_rotations: (..., 3, 3).
        rotations: (..., j-1, 3, 3), parent-relative.
        parents: (j) parent of each joint, -1 for the root, which comes first.

    Returns:
        (..., j, 3) metres.
    """
    world = global_rotations(root_rotations, rotations, parents)
    positions = [root_positions]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        bone = _turn(world[..., parent, :, :], offsets[..., joint, :])
        positions.append(positions[parent] + bone)
    return torch.stack(torch.broadcast_tensors(*positions), -2)


def fit_rotations(positions: Tensor, offsets: Tensor) -> BodyRotations:
    """Rotations of the 22 SMPL joints from their positions alone.

    A joint with several children (pelvis, spine3) is turned to fit them together (Kabsch); a joint
    with one child swings along its bone and twists no more than its parent does; a joint without
    children moves with its parent. Bone lengths need not agree with the offsets.

    Args:
        positions: (..., 22, 3) metres.
        offsets: (22, 3) or (..., 22, 3) rest offsets, metres.
    """
    identity = torch.eye(3, dtype=positions.dtype, device=positions.device)
    batch = positions.shape[:-2]
    return correct_rotations(
        positions,
        offsets,
        identity.expand(*batch, 3, 3),
        identity.expand(*batch, SMPL22.joint_count - 1, 3, 3),
    )


def correct_rotations(
    positions: Tensor, offsets: Tensor, root_rotations: Tensor, rotations: Tensor
) -> BodyRotations:
    """Rotations turned as little as possible until the bones point at the positions.

    Each joint keeps the twist it was given. Where bones have the lengths of the offsets and the
    pelvis and chest are rigid, `forward_kinematics` then returns the positions.

    Args:
        positions: (..., 22, 3) metres.
        offsets: (22, 3) or (..., 22, 3) rest offsets, metres.
        root_rotations: (..., 3, 3), a first guess.
        rotations: (..., 21, 3, 3) parent-relative, a first guess.
    """
    parents = SMPL22.parents
    world: list[Tensor] = []
    local: list[Tensor] = []
    for joint, children in enumerate(_CHILDREN):
        if joint == 0:
            predicted = root_rotations
        else:
            predicted = world[parents[joint]] @ rotations[..., joint - 1, :, :]
        corrected = _aim(predicted, joint, children, positions, offsets)
        world.append(corrected)
        if joint > 0:
            local.append(world[parents[joint]].transpose(-1, -2) @ corrected)
    return BodyRotations(world[0], torch.stack(local, -3))


def bone_offsets(
    positions: Tensor,
    root_rotations: Tensor,
    rotations: Tensor,
    parents: Sequence[int] = SMPL22.parents,
) -> Tensor:
    """Rest offsets (..., j, 3) of each body, metres: the median over its frames.

    The bone of every frame is turned back into the frame of its parent joint; for a motion that
    came out of `forward_kinematics` these agree and the offsets are exact.

    Args:
        positions: (..., t, j, 3) metres.
        root_rotations: (..., t, 3, 3).
        rotations: (..., t, j-1, 3, 3) parent-relative.
        parents: (j) parent of each joint, -1 for the root, which comes first.
    """
    world = global_rotations(root_rotations, rotations, parents)
    above = list(parents[1:])
    bones = positions[..., 1:, :] - positions[..., above, :]
    turned_back = _turn(world[..., above, :, :].transpose(-1, -2), bones)
    # quantile, unlike median, averages the middle two of an even number of frames
    offsets = torch.quantile(turned_back, 0.5, dim=-3)
    return torch.cat((torch.zeros_like(offsets[..., :1, :]), offsets), -2)


def bone_length_drift(positions: Tensor, skeleton: Skeleton = SMPL22) -> Tensor:
    """How much each bone stretches (..., j-1): deviation of its length over time, over its mean.

    Args:
        positions: (..., t, j, 3) metres.
        skeleton: whose bones; joint 1's bone comes first.
    """
    parents, children = zip(*skeleton.bones, strict=True)
    lengths = (positions[..., list(children), :] - positions[..., list(parents), :]).norm(dim=-1)
    return lengths.std(-2, correction=0) / lengths.mean(-2).clamp_min(MIN_BONE_LENGTH)


def _aim(
    predicted: Tensor, joint: int, children: tuple[int, ...], positions: Tensor, offsets: Tensor
) -> Tensor:
    """The predicted world rotation (..., 3, 3) of a joint, turned to its observed bones."""
    if not children:
        return predicted
    rest = offsets[..., list(children), :]
    bones = positions[..., list(children), :] - positions[..., joint : joint + 1, :]
    if len(children) == 1:
        return _swing(predicted, rest[..., 0, :], bones[..., 0, :])
    rest = rest.expand(bones.shape)
    scatter = bones.transpose(-1, -2) @ rest  # sum over children of bone x rest
    return roma.special_procrustes(scatter + _PRIOR * predicted)


def _swing(predicted: Tensor, rest: Tensor, bone: Tensor) -> Tensor:
    """Turn a world rotation the short way until the rest vector points along the bone."""
    expected = _turn(predicted, rest)
    expected, bone = torch.broadcast_tensors(expected, bone)
    usable = (expected.norm(dim=-1) > MIN_BONE_LENGTH) & (bone.norm(dim=-1) > MIN_BONE_LENGTH)
    ahead = torch.zeros_like(bone)
    ahead[..., 1] = 1.0
    swing = rotation_between(
        torch.where(usable[..., None], torch.nn.functional.normalize(expected, dim=-1), ahead),
        torch.where(usable[..., None], torch.nn.functional.normalize(bone, dim=-1), ahead),
    )
    return swing @ predicted


def _turn(rotations: Tensor, vectors: Tensor) -> Tensor:
    """Vectors (..., 3) turned by matrices (..., 3, 3)."""
    return (rotations @ vectors[..., None])[..., 0]


_CHILDREN = tuple(
    tuple(child for child, parent in enumerate(SMPL22.parents) if parent == joint)
    for joint in range(SMPL22.joint_count)
)


def joint_errors(made: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Distances (..., j) between joints (..., j, 3) in the world, and relative to the root."""
    relative = (made - made[..., :1, :]) - (true - true[..., :1, :])
    return (made - true).norm(dim=-1), relative.norm(dim=-1)
