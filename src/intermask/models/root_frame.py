"""The pelvis's motion apart from the pose: a code then means a pose however it lies in the world.

Not part of the paper: its tokenizer sees world positions. Here the network sees two things at
every joint: where the pelvis is, moves and points, and where the joint is when seen from the
pelvis. Losses and features outside the network stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intermask.geometry import matrix_to_rot6d, orthonormalise, rot6d_to_matrix
from intermask.skeleton import SMPL22

ROOT_CHANNELS = 12
"""Position, velocity and 6D orientation of the pelvis."""
CHANNELS = 2 * ROOT_CHANNELS
"""... and the joint's own position, velocity and rotation."""

_HIPS = SMPL22.indices("left_hip", "right_hip")
_SPINE = SMPL22.index("spine1")


def split_root(grid: Tensor) -> Tensor:
    """Pelvis's motion and pose (..., 22, 24) of a normalised joint grid (..., 22, 12).

    The first 12 channels are the pelvis's position, velocity and orientation, the same at all
    joints: any row of the token map can carry them. The other 12 are the joint's position and
    velocity relative to the pelvis in the pelvis's axes, and its rotation.

    Needs a normaliser in which all joints share the mean and the deviation of positions and of
    velocities, as `representation.fit_normaliser` makes it.
    """
    pelvis = grid[..., :1, :6]
    left, right = (grid[..., hip, :3] for hip in _HIPS)
    root = orthonormalise(left - right, grid[..., _SPINE, :3] - (left + right) / 2)
    relative = (grid[..., :6] - pelvis).unflatten(-1, (2, 3))
    seen = torch.einsum("...ki,...jck->...jci", root, relative).flatten(-2)
    shared = torch.cat((pelvis, matrix_to_rot6d(root)[..., None, :]), -1)
    shared = shared.expand(*grid.shape[:-1], ROOT_CHANNELS)
    return torch.cat((shared, seen, grid[..., 6:]), -1)


def join_root(split: Tensor) -> Tensor:
    """Inverse of `split_root`, for any decoded (..., 22, 24): all joints vote on the pelvis."""
    shared = split[..., :ROOT_CHANNELS].mean(-2, keepdim=True)
    root = rot6d_to_matrix(shared[..., 0, 6:])
    seen = split[..., 1:, ROOT_CHANNELS : ROOT_CHANNELS + 6].unflatten(-1, (2, 3))
    limbs = torch.einsum("...ik,...jck->...jci", root, seen).flatten(-2)
    places = F.pad(limbs, (0, 0, 1, 0)) + shared[..., :6]
    return torch.cat((places, split[..., ROOT_CHANNELS + 6 :]), -1)


class RootFrame(nn.Module):
    """`split_root` and `join_root` with every joint's channels at mean 0 and deviation 1."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(SMPL22.joint_count, CHANNELS))
        self.register_buffer("std", torch.ones(SMPL22.joint_count, CHANNELS))

    @torch.no_grad()
    def fit(self, grids: Iterable[Tensor]) -> None:
        """Take the statistics of normalised joint grids (t, 22, 12)."""
        every = torch.cat([split_root(grid) for grid in grids]).double()
        self.mean.copy_(every.mean(0))
        std = every.std(0)
        self.std.copy_(torch.where(std < 1e-3, torch.ones_like(std), std))

    def split(self, grid: Tensor) -> Tensor:
        """(..., 22, 12) to (..., 22, 24), in float32 whatever surrounds it."""
        with torch.autocast(grid.device.type, enabled=False):
            return (split_root(grid.float()) - self.mean) / self.std

    def join(self, split: Tensor) -> Tensor:
        """(..., 22, 24) to (..., 22, 12), in float32 whatever surrounds it."""
        with torch.autocast(split.device.type, enabled=False):
            return join_root(split.float() * self.std + self.mean)
