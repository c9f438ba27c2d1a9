"""People who turn head over heels, so that they stand, lie and hang upside down."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from intermask.geometry import axis_angle_to_matrix
from intermask.motion import Motion


def tumbling(motion: Motion) -> Motion:
    """The motion in a world that turns once about x."""
    angles = torch.linspace(0, 2 * math.pi, motion.frames)
    turn = axis_angle_to_matrix(torch.stack((angles, 0 * angles, 0 * angles), -1))
    return replace(
        motion,
        positions=motion.positions @ turn.transpose(-1, -2),
        root_rotations=turn @ motion.root_rotations,
    )
