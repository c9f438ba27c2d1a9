"""Write a motion as two BVH files, one a person, in one common world.

Units are centimetres (what animation programs assume), y up, the motion's own frame rate. The rest
pose is a T-pose that faces +z with left along +x, and each person keeps their own bone lengths.
Joints have SMPL's names (SMPL-X's, where the motion has hands) or those of another program; all
have three rotation channels, in the order Z X Y, and the pelvis has its position as well. The first
joint is the pelvis, at no offset.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermask.export.naming import written_names
from intermask.export.rig import rig_of
from intermask.files import atomic_path
from intermask.motion import Motion
from intermask.skeleton import Skeleton

CENTIMETRES = 100.0
"""BVH units in a metre."""

EULER_ORDER = "ZXY"
"""Intrinsic: the matrix is Rz Rx Ry. Turning on the spot is then far from gimbal lock."""

_END_SITES = {
    "head": (0.0, 0.17, 0.02),
    "left_foot": (0.0, 0.0, 0.07),
    "right_foot": (0.0, 0.0, 0.07),
    "left_wrist": (0.16, 0.0, 0.0),
    "right_wrist": (-0.16, 0.0, 0.0),
}
"""Metres from the last joints to the tips of the body; they only give the bones a length."""
_LAST_BONE = 0.85  # of the one before, for the tips of fingers

Array = NDArray[np.float64]


def write_bvh(motion: Motion, stem: str | Path, names: str = "smpl") -> tuple[Path, Path]:
    """Write ``STEM_1.bvh`` and ``STEM_2.bvh`` and return their paths.

    A motion whose rotations do not lead to its positions (one that was not consolidated) has its
    rotations corrected on the way, so that the file follows the positions.

    Args:
        motion: any motion; the files have its frames and frame rate.
        stem: path without the ending; ``dance`` and ``dance.bvh`` mean the same.
        names: of the joints: one of `intermask.joint_names.WRITTEN_NAMINGS`.

    Raises:
        UserError: unknown names.
    """
    base = Path(stem)
    if base.suffix == ".bvh":
        base = base.with_suffix("")
    texts = [bvh_text(motion, person, names) for person in range(2)]
    paths = tuple(base.with_name(f"{base.name}_{person + 1}.bvh") for person in range(2))
    for path, text in zip(paths, texts, strict=True):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="ascii")
    return paths[0], paths[1]


def bvh_text(motion: Motion, person: int, names: str = "smpl") -> str:
    """One person (0 or 1) of a motion as the text of a BVH file; see `write_bvh`."""
    rig = rig_of(motion, person)
    tree = _hierarchy(
        motion.skeleton, written_names(motion.skeleton, names), 0, rig.offsets * CENTIMETRES
    )
    lines = ["HIERARCHY", *tree, "MOTION"]
    lines += [f"Frames: {motion.frames}", f"Frame Time: {1.0 / motion.fps:.8f}"]
    angles = euler_angles(rig.rotations)[:, _depth_first(motion.skeleton)].reshape(
        motion.frames, -1
    )
    values = np.concatenate((rig.root_positions * CENTIMETRES, angles), 1)
    lines += [" ".join(f"{value:.6f}" for value in row) for row in values]
    return "\n".join(lines) + "\n"


def euler_angles(matrices: Array) -> Array:
    """Degrees (t, j, 3) in `EULER_ORDER` of rotation matrices (t, j, 3, 3), without jumps.

    Every rotation has two triples of angles, and each angle any number of full turns; the ones
    nearest to the frame before are taken, so that programs that interpolate curves do not spin.
    """
    from scipy.spatial.transform import Rotation

    frames, joints = matrices.shape[:2]
    angles = _without_lock_warning(Rotation.from_matrix(matrices.reshape(-1, 3, 3)))
    angles = angles.reshape(frames, joints, 3)
    for frame in range(1, frames):
        before, first = angles[frame - 1], angles[frame]
        second = first * (1, -1, 1) + 180.0
        nearest = [
            choice + 360.0 * np.round((before - choice) / 360.0) for choice in (first, second)
        ]
        cost = [np.abs(choice - before).sum(-1, keepdims=True) for choice in nearest]
        angles[frame] = np.where(cost[0] <= cost[1], *nearest)
    return angles


def _without_lock_warning(rotations: object) -> Array:
    """Euler angles in degrees; in gimbal lock any of the equal answers will do."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock")
        return rotations.as_euler(EULER_ORDER, degrees=True)  # type: ignore[attr-defined]


def _hierarchy(
    skeleton: Skeleton, names: tuple[str, ...], joint: int, offsets: Array, depth: int = 0
) -> list[str]:
    """Lines of the joint tree below and with ``joint``; ``offsets`` (j, 3) in file units."""
    indent = "\t" * depth
    children = _children(skeleton, joint)
    kind = "ROOT" if joint == 0 else "JOINT"
    rotation_channels = " ".join(f"{axis}rotation" for axis in EULER_ORDER)
    position_channels = "Xposition Yposition Zposition "
    channels = f"6 {position_channels}" if joint == 0 else "3 "
    lines = [
        f"{indent}{kind} {names[joint]}",
        f"{indent}{{",
        f"{indent}\tOFFSET {_triple(offsets[joint])}",
        f"{indent}\tCHANNELS {channels}{rotation_channels}",
    ]
    for child in children:
        lines += _hierarchy(skeleton, names, child, offsets, depth + 1)
    if not children:
        known = _END_SITES.get(skeleton.names[joint])
        tip = _LAST_BONE * offsets[joint] if known is None else np.array(known) * CENTIMETRES
        lines += [
            f"{indent}\tEnd Site",
            f"{indent}\t{{",
            f"{indent}\t\tOFFSET {_triple(tip)}",
            f"{indent}\t}}",
        ]
    return [*lines, f"{indent}}}"]


def _triple(vector: Array) -> str:
    return " ".join(f"{value:.6f}" for value in vector)


def _children(skeleton: Skeleton, joint: int) -> list[int]:
    return [child for child, parent in enumerate(skeleton.parents) if parent == joint]


def _depth_first(skeleton: Skeleton, joint: int = 0) -> list[int]:
    """Joints in the order in which a depth-first file lists them: not SMPL's own."""
    below = (_depth_first(skeleton, child) for child in _children(skeleton, joint))
    return [joint, *itertools.chain.from_iterable(below)]
