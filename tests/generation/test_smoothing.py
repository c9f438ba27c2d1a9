"""Laws of smoothing over time."""

from __future__ import annotations

import math

import roma
import torch

from intermask.generation.smoothing import (
    BURST_JERK,
    calm_bursts,
    fade_weights,
    smooth_positions,
    smooth_rotations,
)
from intermask.geometry import axis_angle_to_matrix, geodesic_angle
from walking import walking_pair


def test_straight_motion_is_unchanged_even_at_the_ends() -> None:
    time = torch.arange(20, dtype=torch.float64)
    positions = (time[:, None, None] * torch.tensor([0.01, 0.0, -0.02])).expand(2, 20, 22, 3)
    torch.testing.assert_close(smooth_positions(positions, 1.5), positions)


def test_no_lag_and_less_jitter() -> None:
    time = torch.arange(90, dtype=torch.float64)
    wave = torch.sin(2 * math.pi * time / 45)[None, :, None, None].expand(1, 90, 1, 3)
    noise = 0.1 * torch.randn(1, 90, 1, 3, generator=torch.Generator().manual_seed(0))
    smooth = smooth_positions(wave + noise, 1.0)
    assert (smooth - wave).norm() < 0.75 * noise.norm()
    centred = [(smooth[:, 5 + lag : 85 + lag] * wave[:, 5:85]).sum() for lag in range(-3, 4)]
    assert centred.index(max(centred)) == 3


def test_zero_sigma_and_single_frames_pass() -> None:
    positions = torch.randn(2, 1, 22, 3)
    assert torch.equal(smooth_positions(positions, 1.0), positions)
    positions = torch.randn(2, 9, 22, 3)
    assert torch.equal(smooth_positions(positions, 0.0), positions)


def test_rotations_stay_rotations() -> None:
    turn = axis_angle_to_matrix(
        torch.linspace(0, 2, 30, dtype=torch.float64)[:, None].expand(30, 3)
    )
    rotations = turn[None, :, None]
    smooth = smooth_rotations(rotations, 1.0)
    assert roma.is_rotation_matrix(smooth, 1e-9)
    assert geodesic_angle(smooth, rotations)[:, 3:-3].max() < 1e-6
    assert geodesic_angle(smooth, rotations).max() < 0.15


def test_a_burst_is_calmed_and_the_rest_stays() -> None:
    walk = walking_pair(90).positions
    bent = walk.clone()
    bent[0, 40:44, :, 0] += 0.3  # four frames, as a wrong column of codes does
    calm = calm_bursts(bent, 30.0)

    def jerk(positions: torch.Tensor) -> torch.Tensor:
        return (positions.diff(n=3, dim=1) * 30.0**3).norm(dim=-1).mean(-1)

    assert jerk(bent).max() > 10 * BURST_JERK
    assert jerk(calm).max() < BURST_JERK
    assert torch.equal(calm[1], bent[1])
    assert torch.equal(calm[0, :20], bent[0, :20])
    assert torch.equal(calm[0, 65:], bent[0, 65:])


def test_motion_without_bursts_is_not_touched() -> None:
    walk = walking_pair(90).positions
    assert torch.equal(calm_bursts(walk, 30.0), walk)
    assert torch.equal(calm_bursts(walk[:, :3], 30.0), walk[:, :3])


def test_fade_around_kept_frames() -> None:
    keep = torch.zeros(2, 30, dtype=torch.bool)
    keep[0, :10] = True
    weights = fade_weights(keep, 6)
    assert (weights[1] == 1).all()
    assert (weights[0, :10] == 0).all() and (weights[0, 16:] == 1).all()
    assert (weights[0, 9:16].diff() > 0).all()
