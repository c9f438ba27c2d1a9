"""People as BVH files of other programs: other names, rest poses, units, and joints in between."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.export.bvh import euler_angles
from intermask.geometry import axis_angle_to_matrix
from intermask.joint_names import NAMINGS
from intermask.kinematics import bone_offsets, global_rotations
from intermask.motion import Motion
from intermask.skeleton import SMPL22

Array = NDArray[np.float64]

ORDER = "Zrotation Xrotation Yrotation"
PLACE = "Xposition Yposition Zposition"


@dataclass(frozen=True)
class Rig:
    """How a program writes a body.

    naming: of `NAMINGS`. metres: of one unit. swings: rotation vectors (degrees) that turn joints'
    bones from our T-pose to the file's rest pose, SMPL joint -> (3), each in the world about that
    joint, with all that hangs on it. axes: (3, 3) turn of the whole rest pose and, if ``turned``,
    of the world. laid: every bone of the rest pose along one axis, as in LAFAN1. above: a node
    above the hips.
    """

    naming: str
    metres: float = 0.01
    prefix: str | None = None
    swings: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    axes: tuple[tuple[float, ...], ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    turned: bool = False
    laid: bool = False
    above: str = ""


def bvh_of(rig: Rig, motion: Motion, person: int) -> str:
    """One person (0 or 1) of a motion as this program writes them."""
    naming = NAMINGS[rig.naming]
    prefix = naming.prefix if rig.prefix is None else rig.prefix
    positions = motion.positions[person].double()
    root, local = motion.root_rotations[person].double(), motion.rotations[person].double()
    offsets = bone_offsets(positions, root, local).numpy()
    world = global_rotations(root, local).numpy()  # identity is our T-pose
    turn = np.array(rig.axes, dtype=float)
    rest_turns = np.stack([turn @ each for each in _rest_turns(rig, offsets)])
    rest = np.zeros((22, 3))
    for joint in range(1, 22):
        rest[joint] = rest_turns[SMPL22.parents[joint]] @ offsets[joint]
    if rig.turned:
        world, positions = turn @ world, positions @ torch.tensor(turn).T
    # A file's rotations are identity in its own rest pose.
    theirs = world @ np.swapaxes(rest_turns, -1, -2)
    kept = [joint for joint, name in enumerate(SMPL22.names) if name in naming.joints]
    tracks = [positions[:, 0].numpy() / rig.metres]
    lines: list[str] = []
    _write_joint(lines, tracks, 0, kept, rig, prefix, rest, theirs)
    if rig.above:
        tracks.insert(0, np.zeros((motion.frames, 3)))
        lines[0] = lines[0].replace("ROOT", "JOINT")
        head = [f"ROOT {rig.above}", "{", "OFFSET 0 0 0", f"CHANNELS 3 {ORDER}"]
        lines = [*head, *lines, "}"]
    values = np.concatenate(tracks, 1)
    lines = ["HIERARCHY", *lines]
    lines += ["MOTION", f"Frames: {motion.frames}", f"Frame Time: {1 / motion.fps:.6f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in values]
    return "\n".join(lines) + "\n"


def _rest_turns(rig: Rig, offsets: Array) -> Array:
    """(22, 3, 3): orientation of each joint's bones in the file's rest pose, from our T-pose."""
    turns = np.tile(np.eye(3), (22, 1, 1))
    if rig.laid:
        return _laid(offsets)
    for joint, name in enumerate(SMPL22.names):
        above = np.eye(3) if joint == 0 else turns[SMPL22.parents[joint]]
        swing = np.radians(np.array(rig.swings.get(name, (0.0, 0.0, 0.0))))
        turns[joint] = axis_angle_to_matrix(torch.tensor(swing)).numpy() @ above
    return turns


def _laid(offsets: Array) -> Array:
    """Bones along +x, and limbs turned about themselves in some way that only the motion tells."""
    turns = np.tile(np.eye(3), (22, 1, 1))
    upright = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])  # up is x, ahead is y, left is z
    random = np.random.default_rng(4)
    for joint, name in enumerate(SMPL22.names):
        children = [child for child, parent in enumerate(SMPL22.parents) if parent == joint]
        sided = name.startswith(("left", "right"))
        if sided and len(children) == 1:
            bone = offsets[children[0]] / np.linalg.norm(offsets[children[0]])
            turns[joint] = _onto_x(bone, random.uniform(0, 2 * np.pi))
        elif sided:
            turns[joint] = turns[SMPL22.parents[joint]]
        else:
            turns[joint] = upright
    return turns


def _onto_x(bone: Array, about: float) -> Array:
    side = np.cross(bone, (0.3, 0.5, 0.8))
    side /= np.linalg.norm(side)
    frame = np.stack((bone, side, np.cross(bone, side)))
    c, s = np.cos(about), np.sin(about)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ frame


def _write_joint(
    lines: list[str],
    tracks: list[Array],
    joint: int,
    kept: list[int],
    rig: Rig,
    prefix: str,
    rest: Array,
    theirs: Array,
) -> None:
    """One joint and all below it, depth first; offsets and turns relative to the kept parent."""
    above = _kept_above(joint, kept)
    offset = np.zeros(3) if above is None else _path(joint, above, rest) / rig.metres
    lines += [
        f"{'ROOT' if above is None else 'JOINT'} {prefix}"
        + NAMINGS[rig.naming].joints[SMPL22.names[joint]],
        "{",
        f"OFFSET {_three(offset)}",
        f"CHANNELS {f'6 {PLACE}' if above is None else 3} {ORDER}",
    ]
    local = theirs[:, joint]
    if above is not None:
        local = np.swapaxes(theirs[:, above], -1, -2) @ local
    tracks.append(euler_angles(local[:, None])[:, 0])
    children = [child for child in kept if _kept_above(child, kept) == joint]
    for child in children:
        _write_joint(lines, tracks, child, kept, rig, prefix, rest, theirs)
    if not children:
        lines += ["End Site", "{", f"OFFSET {_three(_tip(joint, rest) / rig.metres)}", "}"]
    lines.append("}")


def _three(vector: Array) -> str:
    return " ".join(f"{value:.6f}" for value in vector)


def _kept_above(joint: int, kept: list[int]) -> int | None:
    parent = SMPL22.parents[joint]
    while parent >= 0 and parent not in kept:
        parent = SMPL22.parents[parent]
    return None if parent < 0 else parent


def _path(joint: int, above: int, rest: Array) -> Array:
    total = np.zeros(3)
    while joint != above:
        total, joint = total + rest[joint], SMPL22.parents[joint]
    return total


def _tip(joint: int, rest: Array) -> Array:
    """The end of the last bone: a foot joint that the file lacks, or something short."""
    below = [child for child, parent in enumerate(SMPL22.parents) if parent == joint]
    return rest[below[0]] if below else 0.5 * rest[joint]
