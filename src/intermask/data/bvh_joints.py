"""From the joints of a BVH file to SMPL's 22 joints: forward kinematics and rest poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intermask.data.bvh_file import POSITION_CHANNELS, ROTATION_CHANNELS, Array, BvhFile, JointTree
from intermask.data.bvh_mapping import resolve_mapping
from intermask.data.bvh_rest import corrections_by_motion, is_standing, rest_corrections
from intermask.data.bvh_units import PLAUSIBLE_HEIGHT_M, TYPICAL_HEIGHT_M, rest_height
from intermask.data.mapping_file import JointMapping
from intermask.errors import UserError
from intermask.skeleton import SMPL22


@dataclass(frozen=True)
class BvhPose:
    """Local motion of every BVH joint: what bridging and resampling work on.

    translations: ``(t, j, 3)`` from the parent, file units (the root's is its position).
    rotations: ``(t, j, 3, 3)`` relative to the parent, identity = the file's rest pose.
    """

    translations: Array
    rotations: Array


@dataclass(frozen=True)
class SmplJoints:
    """One person on SMPL's 22 joints.

    positions: ``(t, 22, 3)`` metres, y-up. root_rotations: ``(t, 3, 3)`` of the pelvis in the
    world. rotations: ``(t, 21, 3, 3)`` relative to the parent, identity = T-pose facing +z.
    """

    positions: Array
    root_rotations: Array
    rotations: Array


def axis_rotation(axis: int, degrees: Array) -> Array:
    """Rotation by angles ``(t,)`` degrees about a coordinate axis -> ``(t, 3, 3)``."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.zeros((*degrees.shape, 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = cosine
    matrix[..., second, second] = cosine
    matrix[..., first, second] = -sine
    matrix[..., second, first] = sine
    return matrix


def bvh_pose(file: BvhFile) -> BvhPose:
    """Channel values to local translations and rotations, in float64.

    Position channels replace the offset (what MotionBuilder, Mixamo and bvhacker write and
    mean); they are not added to it.
    """
    count, joints = len(file.frames), len(file.names)
    translations = np.broadcast_to(file.offsets, (count, joints, 3)).copy()
    rotations = np.broadcast_to(np.eye(3), (count, joints, 3, 3)).copy()
    column = 0
    for joint, channels in enumerate(file.channels):
        for channel in channels:
            values = file.frames[:, column]
            column += 1
            if channel in POSITION_CHANNELS:
                translations[:, joint, POSITION_CHANNELS[channel]] = values
            else:
                turn = axis_rotation(ROTATION_CHANNELS[channel], values)
                rotations[:, joint] = rotations[:, joint] @ turn
    return BvhPose(translations, rotations)


def pose_positions(pose: BvhPose, parents: tuple[int, ...]) -> Array:
    """Forward kinematics: world positions ``(t, j, 3)`` of all file joints, file units."""
    positions = np.empty_like(pose.translations)
    turned = np.empty_like(pose.rotations)
    for joint, parent in enumerate(parents):
        if parent < 0:
            positions[:, joint] = pose.translations[:, joint]
            turned[:, joint] = pose.rotations[:, joint]
        else:
            step = np.einsum("tij,tj->ti", turned[:, parent], pose.translations[:, joint])
            positions[:, joint] = positions[:, parent] + step
            turned[:, joint] = turned[:, parent] @ pose.rotations[:, joint]
    return positions


def rest_joints(file: JointTree, mapping: JointMapping) -> Array:
    """SMPL's 22 joints ``(22, 3)`` of the file's rest pose (all rotations zero), file units."""
    rest = np.zeros_like(file.offsets)
    for joint, parent in enumerate(file.parents):
        if parent >= 0:
            rest[joint] = rest[parent] + file.offsets[joint]
    return _weights(file, mapping) @ rest


def mapped_positions(file: JointTree, pose: BvhPose, mapping: JointMapping) -> Array:
    """Positions ``(t, 22, 3)`` of SMPL's joints, file units."""
    return np.einsum("jk,tkc->tjc", _weights(file, mapping), pose_positions(pose, file.parents))


def bvh_joints(
    file: BvhFile,
    mapping: JointMapping | str | Path | None = None,
    unit_scale: float = 1.0,
    pose: BvhPose | None = None,
) -> SmplJoints:
    """`smpl_joints` of a BVH file; without a pose, of the file's own frames."""
    return smpl_joints(file, bvh_pose(file) if pose is None else pose, mapping, unit_scale)


def smpl_joints(
    file: JointTree,
    pose: BvhPose,
    mapping: JointMapping | str | Path | None = None,
    unit_scale: float = 1.0,
) -> SmplJoints:
    """The 22 SMPL joints of a capture: positions in metres and parent-relative rotations.

    Positions are weighted sums of file joints, rotations products of file rotations, both named
    by the mapping. Files differ in their rest pose (arms down, bent elbows, facing away, no posture
    at all); each joint's rotation is re-based so that identity means SMPL's T-pose facing +z.

    pose: of the file's joints. unit_scale: metres per file unit. Raises UserError when the scale
    gives no person of human size.
    """
    chosen = resolve_mapping(file, mapping)
    rest = rest_joints(file, chosen)
    _check_height(file, rest, unit_scale)
    positions = mapped_positions(file, pose, chosen)
    index = {name: number for number, name in enumerate(file.names)}
    world = np.empty((len(positions), len(SMPL22.names), 3, 3))
    # The file's joints above the mapped root (a "Root" or "Reference" node) turn it as well.
    above = _chain_above(file, chosen)
    for joint, name in enumerate(SMPL22.names):
        parent = SMPL22.parents[joint]
        product = world[:, parent] if parent >= 0 else np.eye(3)
        for source in (*(above if parent < 0 else ()), *chosen.rotations[name]):
            product = product @ pose.rotations[:, index[source]]
        world[:, joint] = product
    standing = is_standing(rest)
    world = world @ (
        rest_corrections(rest) if standing else corrections_by_motion(rest, world, positions)
    )
    local = np.swapaxes(world[:, list(SMPL22.parents[1:])], -1, -2) @ world[:, 1:]
    return SmplJoints(positions * unit_scale, world[:, 0], local)


def _weights(file: JointTree, mapping: JointMapping) -> Array:
    """Position weights as a matrix ``(22, j)``."""
    index = {name: number for number, name in enumerate(file.names)}
    matrix = np.zeros((len(SMPL22.names), len(file.names)))
    for row, joint in enumerate(SMPL22.names):
        for source, weight in mapping.positions[joint].items():
            matrix[row, index[source]] = weight
    return matrix


def _chain_above(file: JointTree, mapping: JointMapping) -> tuple[str, ...]:
    """File joints between the file's root and the joint that turns the pelvis."""
    turning = mapping.rotations["pelvis"]
    if not turning:
        return ()
    chain: list[str] = []
    joint = file.parents[file.names.index(turning[0])]
    while joint >= 0:
        chain.append(file.names[joint])
        joint = file.parents[joint]
    return tuple(reversed(chain))


def _check_height(file: JointTree, rest: Array, unit_scale: float) -> None:
    height = rest_height(rest)
    if height <= 0 or not PLAUSIBLE_HEIGHT_M[0] <= height * unit_scale <= PLAUSIBLE_HEIGHT_M[1]:
        suggestion = f" about {TYPICAL_HEIGHT_M / height:.3g}" if height > 0 else ""
        raise UserError(
            f"{file.source}: with a unit scale of {unit_scale:g} m the person measures "
            f"{height * unit_scale:.3g} m from ankle to head joint; expected "
            f"{PLAUSIBLE_HEIGHT_M[0]} to {PLAUSIBLE_HEIGHT_M[1]} m. State the metres per file "
            f"unit{suggestion} (--scale)."
        )
