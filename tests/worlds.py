"""Motion elsewhere in the world, and as the dataset's arrays."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from intermask.geometry import matrix_to_rot6d, yaw_matrix
from intermask.motion import Motion
from intermask.representation import y_up_to_z_up


def moved(motion: Motion, yaw: float, shift: tuple[float, float, float]) -> Motion:
    """The same motion elsewhere in the world."""
    turn = yaw_matrix(torch.tensor(yaw))
    return replace(
        motion,
        positions=motion.positions @ turn.T + torch.tensor(shift),
        root_rotations=turn @ motion.root_rotations,
    )


def loaded(motion: Motion) -> Tensor:
    """Loaded arrays (2, t, 192), z up, of a motion."""
    positions = y_up_to_z_up(motion.positions).flatten(-2)
    return torch.cat((positions, matrix_to_rot6d(motion.rotations).flatten(-2)), -1)
