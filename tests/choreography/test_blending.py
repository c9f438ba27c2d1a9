"""Inertial blends have no seam and end where the new clip is."""

from __future__ import annotations

import math

import torch

from intermask.choreography.blending import BLEND_FRAMES, blend_rotations, blend_values
from intermask.geometry import matrix_to_quaternion, yaw_matrix

FRAMES, JUMP = 40, 15


def test_values_go_over_smoothly() -> None:
    time = torch.arange(FRAMES).float()[:, None]
    first, second = 0.02 * time, 1.0 - 0.01 * time
    values = torch.where(time < JUMP, first, second)
    blended = blend_values(values, (JUMP,), lambda jump: second[jump - 2 : jump])
    assert torch.equal(blended[:JUMP], first[:JUMP])
    torch.testing.assert_close(blended[JUMP + BLEND_FRAMES :], second[JUMP + BLEND_FRAMES :])
    assert float(values.diff(n=2, dim=0).abs().max()) > 0.5
    assert float(blended.diff(n=2, dim=0).abs().max()) < 0.1
    # It goes on as fast as it came.
    assert float((blended[JUMP] - blended[JUMP - 1] - 0.02).abs()) < 0.03


def test_rotations_go_over_smoothly() -> None:
    yaw = torch.where(torch.arange(FRAMES) < JUMP, 0.0, math.pi / 2)
    turns = matrix_to_quaternion(yaw_matrix(yaw))[:, None]
    blended = blend_rotations(turns, (JUMP,), lambda jump: turns[JUMP : JUMP + 2])
    angle = 2 * torch.atan2(blended[:, 0, 2], blended[:, 0, 0])
    assert bool((angle.diff() > -1e-5).all())
    assert float(angle.diff().max()) < 0.4
    torch.testing.assert_close(blended[JUMP + BLEND_FRAMES :], turns[JUMP + BLEND_FRAMES :])


def test_blends_may_follow_each_other_closely() -> None:
    values = torch.zeros(FRAMES, 1)
    values[10:13] = 1.0
    blended = blend_values(values, (10, 13), lambda jump: values[jump].expand(2, 1))
    assert float(blended.diff(dim=0).abs().max()) < 0.25
    torch.testing.assert_close(blended[13 + BLEND_FRAMES :], values[13 + BLEND_FRAMES :])
