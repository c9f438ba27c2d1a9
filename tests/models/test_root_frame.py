"""The pelvis's motion apart from the pose."""

from __future__ import annotations

import torch

from intermask.geometry import axis_angle_to_matrix
from intermask.models.root_frame import RootFrame, join_root, split_root


def test_splitting_and_joining_is_the_identity() -> None:
    grid = torch.randn(2, 8, 22, 12)
    assert torch.allclose(join_root(split_root(grid)), grid, atol=1e-4)
    frame = RootFrame()
    frame.fit([torch.randn(300, 22, 12)])
    assert torch.allclose(frame.join(frame.split(grid)), grid, atol=1e-3)


def test_the_same_pose_looks_the_same_wherever_it_lies() -> None:
    grid = torch.randn(2, 8, 22, 12)
    turn = axis_angle_to_matrix(torch.tensor([0.4, -1.1, 0.7]))
    moved = grid.clone()
    moved[..., :3] = grid[..., :3] @ turn.T + torch.tensor([4.0, 1.0, -2.0])
    moved[..., 3:6] = grid[..., 3:6] @ turn.T
    before, after = split_root(grid), split_root(moved)
    assert torch.allclose(before[..., 12:], after[..., 12:], atol=1e-4)
    assert not torch.allclose(before[..., :12], after[..., :12], atol=0.1)


def test_statistics_leave_every_moving_channel_at_unit_deviation() -> None:
    frame, grid = RootFrame(), torch.randn(500, 22, 12) * 3 + 1
    frame.fit([grid])
    seen = frame.split(grid)
    assert torch.allclose(seen.mean(0), torch.zeros(22, 24), atol=1e-3)
    pelvis_from_itself = seen[:, 0, 12:18]
    assert torch.allclose(pelvis_from_itself, torch.zeros_like(pelvis_from_itself), atol=1e-4)
    assert torch.allclose(seen[:, 1:, 12:].std(0), torch.ones(21, 12), atol=0.02)
