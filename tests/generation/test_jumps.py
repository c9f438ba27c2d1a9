"""Jumps of a whole body are spread; everything else stays as it was."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intermask.generation.jumps import JUMP_SPEED, SPREAD_FRAMES, spread_jumps
from intermask.geometry import yaw_matrix

FRAMES, AT = 40, 20


def standing() -> Tensor:
    """Two people (2, 40, 22, 3) who stand still, each in a pose of their own."""
    generator = torch.Generator().manual_seed(0)
    pose = 0.4 * torch.randn(2, 1, 22, 3, generator=generator)
    return pose.expand(2, FRAMES, 22, 3).double()


def jumped(people: Tensor, angle: float, metres: float) -> Tensor:
    """Person 1 turned about y and moved along x from frame 20 on."""
    changed = people.clone()
    centre = people[0, AT:].mean(-2, keepdim=True) * torch.tensor([1.0, 0.0, 1.0])
    turn = yaw_matrix(torch.tensor(angle, dtype=torch.float64))
    changed[0, AT:] = (people[0, AT:] - centre) @ turn.T + centre
    changed[0, AT:, :, 0] += metres
    return changed


def test_a_jump_is_spread_and_the_pose_is_kept() -> None:
    people = standing()
    motion = jumped(people, math.pi / 2, 0.5)
    spread = spread_jumps(motion, torch.ones(2, FRAMES), 30.0)
    before, after = (each.diff(dim=1).norm(dim=-1).max() * 30 for each in (motion, spread))
    assert after < 0.25 * before
    assert (spread.diff(dim=1).norm(dim=-1).median(-1).values * 30).max() < JUMP_SPEED
    # Far from the jump, at both ends and of the other person nothing changes.
    assert torch.allclose(spread[0, : AT - SPREAD_FRAMES], motion[0, : AT - SPREAD_FRAMES])
    assert torch.allclose(spread[0, AT + SPREAD_FRAMES :], motion[0, AT + SPREAD_FRAMES :])
    assert torch.equal(spread[1], motion[1])
    # A rigid body stays one: distances between its joints are those of the pose.
    pose = torch.cdist(people[0], people[0])
    assert torch.allclose(torch.cdist(spread[0], spread[0]), pose, atol=1e-9)


def test_what_does_not_jump_comes_back_as_it_was() -> None:
    time = torch.arange(FRAMES, dtype=torch.float64)
    walking = standing() + 0.05 * time[:, None, None] * torch.tensor([1.0, 0.0, 0.0])
    assert spread_jumps(walking, torch.ones(2, FRAMES), 30.0) is walking


def test_kept_frames_and_ends_stay() -> None:
    motion = jumped(standing(), math.pi, 0.3)
    change = torch.ones(2, FRAMES)
    change[:, :AT] = 0.0
    assert torch.equal(spread_jumps(motion, change, 30.0)[:, :AT], motion[:, :AT])
    near_the_end = motion[:, : AT + 2]
    spread = spread_jumps(near_the_end, torch.ones(2, AT + 2), 30.0)
    assert torch.allclose(spread[:, -1], near_the_end[:, -1])
    assert torch.allclose(spread[:, 0], near_the_end[:, 0])
