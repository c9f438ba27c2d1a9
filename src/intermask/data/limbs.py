"""Arms and legs as chains of two bones: reaching, staying above the floor, moving without pops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from intermask.skeleton import SMPL22
from intermask.timeline import smoothstep

LEGS = tuple(
    SMPL22.indices(*(f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "foot")))
    for side in ("left", "right")
)
ARMS = tuple(
    SMPL22.indices(*(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist")))
    for side in ("left", "right")
)

SOFT_REACH = 0.015
"""Share of a limb's length over which it eases into being straight."""


def calm_limbs(
    pose: Tensor, lengths: Tensor, fps: float, reference: Tensor | None = None
) -> Tensor:
    """Limbs of a pose (p, t, 22, 3) without pops; bones keep the ``lengths`` (22).

    Where a limb accelerates far more than the ``reference`` (the same shape; without one, than
    people do), the directions of its bones are smoothed over some frames. The rest stays.
    """
    if pose.shape[1] < 3:
        return pose
    smoothing = 0.1 * fps
    calm = pose.clone()
    for chain in ARMS + LEGS:
        joints = list(chain[1:])
        excess = acceleration(pose[:, :, joints], fps)
        if reference is None:
            excess = excess - 40.0
        else:
            usual = acceleration(reference[:, :, joints], fps)
            excess = excess - 1.5 * functional.max_pool1d(usual, 9, stride=1, padding=4)
        mask = ramp(functional.max_pool1d(excess, 11, stride=1, padding=5), 20.0, 50.0)
        mask = smooth_in_time(mask[..., None], 0.05 * fps)
        for parent, child in pairwise(chain):
            bone = pose[:, :, child] - pose[:, :, parent]
            eased = functional.normalize(bone.lerp(smooth_in_time(bone, smoothing), mask), dim=-1)
            calm[:, :, child] = calm[:, :, parent] + lengths[child] * eased
    return calm


def acceleration(positions: Tensor, fps: float) -> Tensor:
    """(p, t) largest acceleration (m/s²) among joints (p, t, j, 3); the ends repeat."""
    second = positions[:, 2:] - 2 * positions[:, 1:-1] + positions[:, :-2]
    size = second.norm(dim=-1).amax(-1) * fps**2
    return functional.pad(size[:, None], (1, 1), mode="replicate")[:, 0]


def two_bone(
    start: Tensor, target: Tensor, pole: Tensor, upper: float, lower: float
) -> tuple[Tensor, Tensor]:
    """Middle and end joints of a two-bone limb that reaches from ``start`` for ``target``.

    All are (..., 3) metres; ``pole`` points to the side the middle joint bends to. A target out of
    reach is approached along the same line; the last share of the reach is eased so that a limb
    does not snap straight.
    """
    span = target - start
    distance = span.norm(dim=-1).clamp_min(1e-6)
    along = span / distance[..., None]
    longest, ease = upper + lower, SOFT_REACH * (upper + lower)
    over = ((distance - (longest - ease)) / ease).clamp_min(0.0)
    distance = torch.where(over > 0, longest - ease * torch.exp(-over), distance).clamp_min(
        abs(upper - lower) + 0.3 * min(upper, lower)
    )
    across = pole - (pole * along).sum(-1, keepdim=True) * along
    across = functional.normalize(across, dim=-1)
    forward = (upper**2 - lower**2 + distance**2) / (2 * distance)
    sideways = (upper**2 - forward**2).clamp_min(0.0).sqrt()
    middle = start + forward[..., None] * along + sideways[..., None] * across
    return middle, start + distance[..., None] * along


def turned_up(start: Tensor, end: Tensor, lowest: Tensor) -> Tensor:
    """Ends (..., 3) of bones turned upwards about their start until none is below ``lowest``."""
    bone = end - start
    length = bone.norm(dim=-1)
    rise = torch.maximum(bone[..., 1], lowest - start[..., 1])
    rise = torch.minimum(rise, 0.99 * length)
    level = bone * bone.new_tensor((1.0, 0.0, 1.0))
    width = (length**2 - rise**2).clamp_min(0.0).sqrt()[..., None]
    level = functional.normalize(level, dim=-1) * width
    raised = start + level + rise[..., None] * bone.new_tensor((0.0, 1.0, 0.0))
    return torch.where((end[..., 1] < lowest)[..., None], raised, end)


def smooth_in_time(values: Tensor, deviation: float) -> Tensor:
    """Gaussian filter of (p, t, ...) over t, ``deviation`` in frames; ends are held."""
    reach = int(np.ceil(3 * deviation))
    if reach == 0 or values.shape[1] < 2:
        return values
    steps = torch.arange(-reach, reach + 1, dtype=values.dtype)
    kernel = torch.exp(-0.5 * (steps / deviation) ** 2)
    flat = values.flatten(2) if values.ndim > 2 else values[..., None]
    padded = functional.pad(flat.transpose(1, 2), (reach, reach), mode="replicate")
    channels = padded.shape[1]
    weights = (kernel / kernel.sum()).expand(channels, 1, -1)
    filtered = functional.conv1d(padded, weights, groups=channels).transpose(1, 2)
    return filtered.reshape(values.shape)


def ramp(values: Tensor, zero_at: float, one_at: float) -> Tensor:
    """Smooth step from 0 at ``zero_at`` to 1 at ``one_at``."""
    return smoothstep((values - zero_at) / (one_at - zero_at))
