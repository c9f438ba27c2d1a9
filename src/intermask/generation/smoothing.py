"""Zero-phase smoothing over time: takes out the jitter of tokens without any lag.

Pure functions on clips; time is the axis named ``t`` in the docstrings. Nothing here knows about
bones: `consolidate` puts the skeleton back together afterwards.
"""

from __future__ import annotations

import roma
import torch
import torch.nn.functional as F
from torch import Tensor

from intermask.timeline import smoothstep

BURST_JERK = 600.0
"""m/s³, mean over a person's joints. On held-out takes of salsa, 99% of the frames are below 511
and all below 744; wrong codes reach 5,000."""
_BURST_SIGMA = 3.0  # frames of the Gaussian over a burst
_BURST_REACH = 4  # frames beside a burst that are smoothed, too

FADE_FRAMES = 6
"""Frames over which changes fade in beside frames that must stay as they are (0.2 s)."""


def smooth_positions(positions: Tensor, sigma: float) -> Tensor:
    """Positions (p, t, j, 3) under a Gaussian of ``sigma`` frames.

    Beyond its ends the clip goes on point-reflected, so it neither shrinks nor slows down there.
    """
    return _gaussian(positions, sigma, odd=True)


def smooth_rotations(rotations: Tensor, sigma: float) -> Tensor:
    """Rotations (p, t, ..., 3, 3) under a Gaussian: averaged as matrices, then made orthonormal."""
    if sigma <= 0 or rotations.shape[1] < 2:
        return rotations
    # a point-reflected matrix is no rotation: repeat the frames of the ends instead
    return roma.special_procrustes(_gaussian(rotations, sigma, odd=False))


def calm_bursts(positions: Tensor, fps: float) -> Tensor:
    """Positions (p, t, j, 3) with a stronger Gaussian where a person jerks as no person can.

    A code that its neighbours disagree with bends the body for a few frames; elsewhere, nothing
    changes.
    """
    if positions.shape[1] < 4:
        return positions
    jerk = positions.diff(n=3, dim=1).norm(dim=-1).mean(-1) * fps**3
    bursts = F.pad((jerk > BURST_JERK).to(positions), (1, 2))
    if not bool(bursts.any()):
        return positions
    near = F.max_pool1d(bursts, 2 * _BURST_REACH + 1, stride=1, padding=_BURST_REACH)
    weights = 1 - fade_weights(near > 0).to(positions)
    calm = smooth_positions(positions, _BURST_SIGMA)
    return positions + weights[..., None, None] * (calm - positions)


def fade_weights(keep: Tensor, frames: int = FADE_FRAMES) -> Tensor:
    """How much of a change each frame may take: 0 where kept, rising to 1 away from there.

    Args:
        keep: (p, t) bool, frames that must stay as they are.
        frames: frames after which the weight reaches 1.

    Returns:
        (p, t) in the default floating-point type.
    """
    return smoothstep(frames_away(keep).clamp_max(frames + 1) / (frames + 1))


def frames_away(keep: Tensor) -> Tensor:
    """Frames (p, t) from each frame to the nearest of those of (p, t), 0 there; inf where none."""
    time = torch.arange(keep.shape[1], device=keep.device)
    apart = (time[:, None] - time).abs().to(torch.get_default_dtype())
    return torch.where(keep[:, None], apart, torch.inf).amin(-1)


def _gaussian(values: Tensor, sigma: float, *, odd: bool) -> Tensor:
    frames = values.shape[1]
    if sigma <= 0 or frames < 2:
        return values
    radius = min(max(1, round(3 * sigma)), frames - 1)
    time = torch.arange(-radius, radius + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (time / sigma) ** 2)
    kernel = kernel / kernel.sum()
    head, tail = values[:, 1 : radius + 1].flip(1), values[:, -radius - 1 : -1].flip(1)
    if odd:
        head, tail = 2 * values[:, :1] - head, 2 * values[:, -1:] - tail
    padded = torch.cat((head, values, tail), 1)
    windows = padded.unfold(1, 2 * radius + 1, 1)  # (p, t, ..., 2 radius + 1)
    return windows @ kernel
