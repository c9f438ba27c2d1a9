"""From GrappleMap's keyframes to motion at 30 fps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from roma import special_procrustes
from torch import Tensor
from torch.nn import functional

from intermask.data.grapplemap_file import KEYFRAME_SECONDS, REST_OFFSETS, SMPL_WEIGHTS, Frames
from intermask.data.limbs import calm_limbs, smooth_in_time, turned_up, two_bone
from intermask.geometry import axis_angle_to_matrix, geodesic_angle, matrix_to_axis_angle
from intermask.kinematics import fit_rotations, forward_kinematics, global_rotations
from intermask.skeleton import SMPL22

FPS = 30.0
MAX_SPEED = 3.5
"""Metres a second; keyframes further apart get more than 0.2 s."""
MAX_TURN = float(np.deg2rad(360.0))
"""Radians a second of the pelvis; the same."""
_PLANTED_SHIFT = 0.06
"""Metres between two keyframes below which a hand or foot counts as resting."""

_TURNING = SMPL22.indices("spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
_LIMBS = tuple(
    (SMPL22.index(anchor), SMPL22.indices(*(f"{side}_{part}" for part in parts)))
    for side in ("left", "right")
    for anchor, parts in (
        ("pelvis", ("hip", "knee", "ankle", "foot")),
        ("spine3", ("shoulder", "elbow", "wrist")),
    )
)
"""(joint whose frame the limb's directions are interpolated in, joints of the limb)."""


def resample(keyframes: Frames) -> Tensor:
    """SMPL's joints (2, t, 22, 3) at 30 fps of keyframes (k, 2, 23, 3), bones of constant length.

    People turn up to half a circle between two keyframes, and joints that went straight there would
    fold the body up. So the trunk's rotations and the limbs' directions within it are interpolated.
    Hands and feet that hardly move between two keyframes then go straight: they stay planted.
    """
    joints = torch.from_numpy(np.einsum("sj,kpjc->pksc", SMPL_WEIGHTS, keyframes))
    rest = torch.from_numpy(REST_OFFSETS)
    root, local = fit_rotations(joints, rest)
    times = key_times(joints, root)
    clock = np.arange(int(np.floor(times[-1] * FPS + 1e-6)) + 1) / FPS
    segment = np.clip(np.searchsorted(times, clock, side="right") - 1, 0, len(times) - 2)
    share = torch.from_numpy((clock - times[segment]) / np.diff(times)[segment])
    straight = _rounded(_monotone(times, joints, clock))

    trunk = [joint - 1 for joint in _TURNING]
    turns = torch.cat((root[:, :, None], local[:, :, trunk]), 2)
    step = matrix_to_axis_angle(turns[:, :-1].transpose(-1, -2) @ turns[:, 1:])
    dense = turns[:, segment] @ axis_angle_to_matrix(share[:, None, None] * step[:, segment])
    dense = special_procrustes(_rounded(dense.flatten(-2)).unflatten(-1, (3, 3)))
    still = torch.eye(3, dtype=rest.dtype).expand(*dense.shape[:2], SMPL22.joint_count - 1, 3, 3)
    body = still.clone()
    body[:, :, trunk] = dense[:, :, 1:]
    pose = forward_kinematics(rest, straight[:, :, 0], dense[:, :, 0], body, SMPL22.parents)
    pose = pose + _lift(pose, straight)

    keyed = global_rotations(root, local, SMPL22.parents)
    frames = global_rotations(dense[:, :, 0], body, SMPL22.parents)
    for anchor, chain in _LIMBS:
        for parent, child in pairwise(chain):
            bone = functional.normalize(joints[:, :, child] - joints[:, :, parent], dim=-1)
            inside = (keyed[:, :, anchor].transpose(-1, -2) @ bone[..., None])[..., 0]
            inside = functional.normalize(_rounded(_monotone(times, inside, clock)), dim=-1)
            along = (frames[:, :, anchor] @ inside[..., None])[..., 0]
            tip = pose[:, :, parent] + rest[child].norm() * along
            lowest = straight[:, :, child, 1].clamp_max(0.05 if child != chain[-1] else 0.02)
            pose[:, :, child] = turned_up(pose[:, :, parent], tip, lowest)
        _plant(pose, straight, joints, segment, chain)
    for _ in range(2):
        pose = calm_limbs(pose, rest.norm(dim=-1), FPS)
    return pose


def key_times(joints: Tensor, root: Tensor) -> NDArray[np.float64]:
    """Seconds (k) of keyframes: 0.2 s apart, more where people would have to be too fast.

    Args:
        joints: (2, k, 22, 3) metres.
        root: (2, k, 3, 3) rotations of the pelvis.
    """
    shift = (joints[:, 1:] - joints[:, :-1]).norm(dim=-1).amax((0, 2))
    turn = geodesic_angle(root[:, 1:], root[:, :-1]).amax(0)
    gaps = torch.maximum(shift / MAX_SPEED, turn / MAX_TURN).clamp_min(KEYFRAME_SECONDS)
    return np.concatenate(([0.0], np.cumsum(gaps.numpy())))


def _monotone(times: NDArray[np.float64], values: Tensor, clock: NDArray[np.float64]) -> Tensor:
    """Values (2, k, ...) at the clock's times; what rests between two keyframes stays at rest."""
    from scipy.interpolate import PchipInterpolator

    return torch.from_numpy(PchipInterpolator(times, values.numpy(), axis=1)(clock))


def _rounded(values: Tensor) -> Tensor:
    """Values (2, t, ...) with the corners at keyframes rounded off."""
    return smooth_in_time(values, deviation=1.5)


def _lift(pose: Tensor, straight: Tensor) -> Tensor:
    """(2, t, 1, 3) metres that keep trunks above the floor while they roll."""
    sides = SMPL22.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    trunk = [0, *_TURNING, *sides]
    missing = straight[:, :, trunk, 1].clamp_max(0.09) - pose[:, :, trunk, 1]
    lift = functional.max_pool1d(missing.amax(2).clamp_min(0.0), 7, stride=1, padding=3)
    up = lift.new_tensor((0.0, 1.0, 0.0))
    return (smooth_in_time(lift[..., None], deviation=3.0) * up)[:, :, None]


def _plant(
    pose: Tensor,
    straight: Tensor,
    joints: Tensor,
    segment: NDArray[np.int64],
    chain: tuple[int, ...],
) -> None:
    """Bend a limb of the pose (2, t, 22, 3), in place, so that a resting end stays at rest."""
    start, middle, end = chain[:3]
    shift = (joints[:, 1:, chain[2:]] - joints[:, :-1, chain[2:]]).norm(dim=-1).amin(-1)
    share = ((_PLANTED_SHIFT - shift) / (0.5 * _PLANTED_SHIFT)).clamp(0.0, 1.0)
    rests = smooth_in_time(share[:, segment][..., None], deviation=2.0)
    target = pose[:, :, end].lerp(straight[:, :, end], rests)
    lengths = [float(np.linalg.norm(REST_OFFSETS[joint])) for joint in (middle, end)]
    pole = pose[:, :, middle] - 0.5 * (pose[:, :, start] + pose[:, :, end])
    bones = [pose[:, :, child] - pose[:, :, end] for child in chain[3:]]
    bent, tip = two_bone(pose[:, :, start], target, pole, *lengths)
    # Limbs without a planted end keep their exact, unsoftened bend.
    pose[:, :, middle] = torch.where(rests > 1e-3, bent, pose[:, :, middle])
    pose[:, :, end] = torch.where(rests > 1e-3, tip, pose[:, :, end])
    for child, bone in zip(chain[3:], bones, strict=True):
        aim = bone.lerp(straight[:, :, child] - straight[:, :, end], rests)
        length = float(np.linalg.norm(REST_OFFSETS[child]))
        pose[:, :, child] = pose[:, :, end] + length * functional.normalize(aim, dim=-1)
