"""Physical metrics of two people, from joint positions alone.

Positions are (..., 2, t, 22, 3): people, frames, SMPL's joints; metres, y up, floor at y = 0. All
functions work on any batch dimensions ``(...)`` and look at every frame at once. Sources by name:
DIGHT (skate, float, jerk), FlowMDM (peak jerk, area under jerk), MAGNet (person correlation).
"""

from __future__ import annotations

import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.geometry import facing_direction
from intermask.motion import FPS
from intermask.skeleton import FEET

MM = 1000.0
"""Millimetres of a metre."""

FOOT_ON_FLOOR = 0.05
"""Metres of height below which an ankle or toe counts as standing (DIGHT)."""

STILL = 1e-4
"""Metres of deviation over time below which a coordinate does not move: it correlates with none."""

JERK_FRAMES = 4
"""Frames that a third difference needs."""


def skate(positions: Tensor, fps: float = FPS) -> Tensor:
    """How far standing feet slide (..., 2), per person, in mm a thirtieth of a second.

    The mean horizontal step of ankles and toes over the frames that they start below
    `FOOT_ON_FLOOR`: sum of g d / max(1, sum of g) over frames and feet (DIGHT). 0 in the air.
    """
    feet = positions[..., list(FEET), :]
    standing = (feet[..., :-1, :, 1] < FOOT_ON_FLOOR).to(feet.dtype)
    steps = feet.diff(dim=-3)[..., (0, 2)].norm(dim=-1) * (fps / FPS)
    return MM * (standing * steps).sum((-1, -2)) / standing.sum((-1, -2)).clamp_min(1.0)


def floating(positions: Tensor) -> Tensor:
    """Mean height (...) of the lowest joint above the floor, over frames and people, mm (DIGHT)."""
    lowest = positions[..., 1].amin(-1)
    return MM * lowest.clamp_min(0.0).mean((-1, -2))


def jerk_magnitudes(positions: Tensor, fps: float = FPS) -> Tensor:
    """Size of the third derivative (..., 2, t - 3, j) of every joint, m/s³.

    Raises:
        UserError: fewer than four frames.
    """
    frames = positions.shape[-3]
    if frames < JERK_FRAMES:
        raise UserError(
            f"a motion of {frames} frames has no jerk; {JERK_FRAMES} or more are needed"
        )
    return positions.diff(n=3, dim=-3).norm(dim=-1) * fps**3


def jerk(positions: Tensor, fps: float = FPS) -> Tensor:
    """Mean jerk (...) over joints, people and frames, m/s³ (DIGHT)."""
    return jerk_magnitudes(positions, fps).mean((-1, -2, -3))


def jerk_curve(positions: Tensor, fps: float = FPS) -> Tensor:
    """Jerk over time (..., t - 3), m/s³: of each frame, of the joint that has most (FlowMDM)."""
    return jerk_magnitudes(positions, fps).amax(-1).amax(-2)


def peak_jerk(curve: Tensor) -> Tensor:
    """PJ: the largest value (...) of a `jerk_curve` (..., t - 3), m/s³ (FlowMDM)."""
    return curve.amax(-1)


def area_under_jerk(curve: Tensor, reference: Tensor | float, fps: float = FPS) -> Tensor:
    """AUJ: area (...) between a `jerk_curve` (..., t - 3) and that of real motion, m/s² (FlowMDM).

    Args:
        curve: (..., t - 3) m/s³.
        reference: the data's mean curve (t - 3), or its mean over time where clips share no
            timeline, m/s³.
        fps: frames a second.
    """
    return (curve - reference).abs().sum(-1) / fps


def person_correlation(features: Tensor) -> Tensor:
    """Mean Pearson correlation over time (...) between two people's features (..., 2, t, f).

    Features that stay still in either person (`STILL`, for features in metres) say nothing and are
    left out; NaN where none is left. Compare with the value of real motion (MAGNet).
    """
    centred = (features - features.mean(-2, keepdim=True)).double()
    deviation = centred.square().mean(-2).sqrt()
    moves = (deviation > STILL).all(-2)
    first, second = centred.unbind(-3)
    covariance = (first * second).mean(-2)
    correlation = covariance / deviation.prod(-2).clamp_min(STILL**2)
    zero = torch.zeros_like(correlation)
    return torch.where(moves, correlation, zero).sum(-1) / moves.sum(-1)


def pose_features(positions: Tensor) -> Tensor:
    """Joints as each person sees them (..., 2, t, 66): metres left, up and ahead of the pelvis.

    They do not change when a person is moved or turned in the world, so that two people who face
    each other and do the same correlate.
    """
    ahead = facing_direction(positions)[..., None, :]
    left = torch.stack((ahead[..., 2], torch.zeros_like(ahead[..., 0]), -ahead[..., 0]), -1)
    relative = positions - positions[..., :1, :]
    own = ((relative * left).sum(-1), relative[..., 1], (relative * ahead).sum(-1))
    return torch.stack(own, -1).flatten(-2)
