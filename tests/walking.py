"""Two people who walk towards each other and stop, made by formulas: motion data for tests."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intermask.geometry import axis_angle_to_matrix, yaw_matrix
from intermask.kinematics import forward_kinematics
from intermask.motion import Motion
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22


def walking_pair(frames: int = 60, seed: int = 0) -> Motion:
    """Person 1 walks along +z, person 2 faces them and walks along -z; float32, 30 fps.

    The arms hang and swing, the legs step and the feet slide (this is no physical walk), the trunk
    turns a little; every person has their own size. Bones are rigid, floor at y = 0.
    """
    bodies = [
        _walker(frames, seed + person, facing) for person, facing in enumerate((0.0, math.pi))
    ]
    positions, roots, rotations = (
        torch.stack(parts).float() for parts in zip(*bodies, strict=True)
    )
    return Motion(positions, rotations, roots, caption="Two people walk towards each other.")


def _walker(frames: int, seed: int, facing: float) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(frames, dtype=torch.float64) / 30.0
    turns = torch.zeros(frames, 22, 3, dtype=torch.float64)
    slow = torch.randn(22, 3, 2, generator=generator, dtype=torch.float64)
    turns += (
        0.06 * slow[..., 0] * torch.sin(2 * math.pi * (0.5 * time[:, None, None] + slow[..., 1]))
    )
    step = 2 * math.pi * 0.9 * time + seed
    for side, sign in (("left", 1.0), ("right", -1.0)):
        index = SMPL22.index
        turns[:, index(f"{side}_hip"), 0] -= sign * 0.4 * torch.sin(step)
        turns[:, index(f"{side}_knee"), 0] += 0.4 - sign * 0.35 * torch.cos(step)
        turns[:, index(f"{side}_shoulder"), 2] -= sign * 1.2
        turns[:, index(f"{side}_elbow"), 1] -= sign * 0.5
        turns[:, index(f"{side}_collar"), 1] += 0.3 * torch.sin(step)
    rotations = axis_angle_to_matrix(turns)
    heading = yaw_matrix(torch.tensor(facing, dtype=torch.float64) + 0.2 * torch.sin(time))
    rotations[:, 0] = heading @ rotations[:, 0]
    root = torch.stack((0.1 * torch.sin(time), 0.93 + 0 * time, -1.2 + 0.5 * time), -1)
    root = root @ yaw_matrix(torch.tensor(facing, dtype=torch.float64)).T
    offsets = torch.tensor(MEAN_ADULT_OFFSETS) * (1.0 + 0.03 * seed)
    positions = forward_kinematics(offsets, root, rotations[:, 0], rotations[:, 1:])
    positions[..., 1] -= positions[..., 1].min()
    return positions, rotations[:, 0], rotations[:, 1:]
