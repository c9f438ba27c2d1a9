"""Rest poses: what the zero rotations of a file mean on a body whose zero is a T-pose.

Files differ: arms out, arms down, facing away, and some (LAFAN1) lay every bone along one axis, so
that the rest pose is no posture of a person at all. Of those, only motion shows how bones are
turned about themselves: knees and elbows are hinges.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from intermask.data.bvh_file import Array
from intermask.data.limbs import ARMS, LEGS
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions

_STANDING = 0.5
"""Cosine between a thigh or a shank and straight down, above which a rest pose stands."""
_BENT = 0.05
"""Mean sine of an elbow's or a knee's angle, below which it says nothing of its hinge."""


def rest_corrections(rest: Array) -> Array:
    """Rotations ``(22, 3, 3)`` from SMPL's T-pose to the file's rest pose, joint by joint.

    First the body as a whole (a file may rest facing -z), from the hips and the spine; then each
    limb's own swing. End joints take their parent's: a hand follows its forearm.
    """
    ours = rest_positions(MEAN_ADULT_OFFSETS)
    body = _body_frame(rest) @ _body_frame(ours).T
    corrections = np.broadcast_to(body, (len(SMPL22.names), 3, 3)).copy()
    for joint, name in enumerate(SMPL22.names):
        child = _only_child(joint)
        is_limb = name.split("_")[0] in ("left", "right")
        if is_limb and child is not None:
            wanted = body @ (ours[child] - ours[joint])
            corrections[joint] = _swing(wanted, rest[child] - rest[joint]) @ body
        elif is_limb:
            corrections[joint] = corrections[SMPL22.parents[joint]]
    return corrections


def is_standing(rest: Array) -> bool:
    """Whether the legs of a rest pose ``(22, 3)`` point away from the head, as they do in T-poses.

    Arms may point anywhere but up: nobody rests with raised arms.
    """
    up = _body_frame(rest)[:, 1]
    legs = [(leg[i], leg[i + 1]) for leg in LEGS for i in (0, 1)]
    down = [-float(_unit(rest[end] - rest[start]) @ up) for start, end in legs]
    raised = [float(_unit(rest[arm[2]] - rest[arm[0]]) @ up) for arm in ARMS]
    return min(down) > _STANDING and max(raised) < _STANDING


def corrections_by_motion(rest: Array, turned: Array, positions: Array) -> Array:
    """As `rest_corrections`, where the rest pose is no posture, from how the person moves.

    Each bone points where the file says; about itself it is turned so that knees and elbows bend
    as hinges do, on average, and that feet and collars do not twist.

    Args:
        rest: ``(22, 3)`` rest pose.
        turned: ``(t, 22, 3, 3)`` orientation in the world of the file's joints, identity = rest.
        positions: ``(t, 22, 3)`` joints in the world.
    """
    ours = rest_positions(MEAN_ADULT_OFFSETS)
    corrections = rest_corrections(rest)
    for limb in (*ARMS, *LEGS):
        start, middle, end = limb[:3]
        bones = positions[:, middle] - positions[:, start], positions[:, end] - positions[:, middle]
        hinge = np.cross(_unit(bones[0]), _unit(bones[1]))
        bent = np.linalg.norm(hinge, axis=-1).mean() > _BENT
        for joint in (start, middle):
            axis = _hinge_of(limb) if bent else _side_of(limb)
            seen = hinge if bent else _parents_axis(joint, turned, corrections, axis)
            corrections[joint] = _aimed(rest, ours, joint, axis, _seen_from(turned, joint, seen))
        corrections[end] = corrections[middle]
        if limb in LEGS:
            seen = _parents_axis(end, turned, corrections, _side_of(limb))
            corrections[end] = _aimed(
                rest, ours, end, _side_of(limb), _seen_from(turned, end, seen)
            )
            corrections[limb[3]] = corrections[end]
    for arm in ARMS:
        collar, up = SMPL22.parents[arm[0]], np.array([0.0, 1.0, 0.0])
        seen = _parents_axis(collar, turned, corrections, up)
        corrections[collar] = _aimed(rest, ours, collar, up, _seen_from(turned, collar, seen))
    return corrections


def _hinge_of(limb: tuple[int, ...]) -> Array:
    """Axis in SMPL's T-pose about which a limb bends: upper bone x lower bone.

    A knee bends backwards about +x. A left elbow bends forwards about -y, a right one about +y.
    """
    if limb in LEGS:
        return np.array([1.0, 0.0, 0.0])
    return np.array([0.0, -1.0 if SMPL22.names[limb[0]].startswith("left") else 1.0, 0.0])


def _side_of(limb: tuple[int, ...]) -> Array:
    """An axis across a limb's bones in SMPL's T-pose, for limbs that are never bent."""
    return np.array([1.0, 0.0, 0.0]) if limb in LEGS else np.array([0.0, 1.0, 0.0])


def _parents_axis(joint: int, turned: Array, corrections: Array, axis: Array) -> Array:
    """World directions ``(t, 3)`` of an axis of SMPL's T-pose as the joint's parent turns it."""
    parent = SMPL22.parents[joint]
    return np.asarray(turned[:, parent] @ corrections[parent] @ axis)


def _seen_from(turned: Array, joint: int, directions: Array) -> Array:
    """Mean ``(3)`` over time of world directions ``(t, 3)``, as a file's joint sees them."""
    return np.asarray(np.einsum("tji,tj->i", turned[:, joint], directions) / len(turned))


def _aimed(rest: Array, ours: Array, joint: int, axis: Array, seen: Array) -> Array:
    """Rotation that lays our bone along the file's, and ``axis`` as near to ``seen`` as may be."""
    child = _only_child(joint)
    assert child is not None
    return _frame(rest[child] - rest[joint], seen) @ _frame(ours[child] - ours[joint], axis).T


def _frame(bone: Array, across: Array) -> Array:
    """Columns: along a bone, as near to ``across`` as is square to it, and square to both."""
    along = _unit(bone)
    side = across - along * float(across @ along)
    if np.linalg.norm(side) < 1e-6:
        side = np.eye(3)[np.argmin(np.abs(along))]
        side = side - along * float(side @ along)
    side = _unit(side)
    return np.stack([along, side, np.cross(along, side)], axis=-1)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


@lru_cache
def _only_child(joint: int) -> int | None:
    children = [child for child, parent in enumerate(SMPL22.parents) if parent == joint]
    return children[0] if len(children) == 1 else None


def _body_frame(rest: Array) -> Array:
    """Columns: left, up, forward of a rest pose ``(22, 3)``."""
    left = rest[SMPL22.index("left_hip")] - rest[SMPL22.index("right_hip")]
    up = rest[SMPL22.index("neck")] - rest[SMPL22.index("pelvis")]
    left = left / np.linalg.norm(left)
    # The spine leans a little in any rest pose; a file axis near it is what "up" means.
    axis = np.zeros(3)
    axis[np.argmax(np.abs(up))] = np.sign(up[np.argmax(np.abs(up))])
    forward = np.cross(left, axis)
    forward = forward / np.linalg.norm(forward)
    return np.stack([left, np.cross(forward, left), forward], axis=-1)


def _swing(start: Array, end: Array) -> Array:
    """Smallest rotation ``(3, 3)`` that turns one direction onto another."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis, cosine = np.cross(start, end), float(start @ end)
    if cosine < -1 + 1e-9:
        other = np.cross(start, np.eye(3)[np.argmin(np.abs(start))])
        other = other / np.linalg.norm(other)
        return 2 * np.outer(other, other) - np.eye(3)
    skew = np.cross(np.eye(3), axis)
    return np.eye(3) + skew + skew @ skew / (1.0 + cosine)
