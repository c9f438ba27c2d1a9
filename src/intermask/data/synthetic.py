"""Two people who sway about, made by formulas: data in memory where only its sizes matter."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from intermask.config import DataSet
from intermask.data.batching import Source, SourceClips
from intermask.data.layout import Clip
from intermask.geometry import axis_angle_to_matrix, matrix_to_rot6d
from intermask.kinematics import forward_kinematics
from intermask.motion import FPS
from intermask.representation import y_up_to_z_up
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, SMPLX55

PEOPLE = 2
_SWAY_RADIANS = 0.25
_SWAY_HERTZ = (0.2, 0.8)


def synthetic_clips(
    dataset: DataSet, count: int, frames: int, captions: int, seed: int = 0
) -> SourceClips:
    """Clips of one length, as they would be read from a folder of a dataset.

    Args:
        dataset: whose arrays they are made of.
        count: number of clips.
        frames: of every clip, as on disk: one more than there are features.
        captions: number of captions of every clip, all different.
        seed: of poses and speeds.
    """
    generator = torch.Generator().manual_seed(seed)
    make = _interhuman_frames if dataset == "interhuman" else _interx_frames
    clips = tuple(
        Clip(
            f"synthetic_{number}",
            make(frames, generator).float(),
            tuple(f"Two people sway in manner {number}, as told by {n}." for n in range(captions)),
        )
        for number in range(count)
    )
    return SourceClips(Source(Path("synthetic")), PEOPLE, clips, (), dataset)


def write_synthetic_body(path: Path) -> None:
    """A file with the tree of SMPL-X and rest joints a hand apart, in the place of the real one."""
    joints = SMPLX55.joint_count
    rest = np.zeros((joints, 3))
    for joint, parent in enumerate(SMPLX55.parents[1:], start=1):
        rest[joint] = rest[parent] + 0.1 * np.array((math.cos(joint), 1.0, math.sin(joint)))
    tree = np.stack((np.array((0, *SMPLX55.parents[1:])), np.arange(joints)))
    np.savez(path, J_regressor=np.eye(joints), v_template=rest, kintree_table=tree)


def _interhuman_frames(frames: int, generator: torch.Generator) -> Tensor:
    """(people, t, 192), z up."""
    turns = _sway(frames, SMPL22.joint_count, generator)
    rotations = axis_angle_to_matrix(turns)
    positions = forward_kinematics(
        torch.tensor(MEAN_ADULT_OFFSETS, dtype=turns.dtype),
        _places(frames, generator),
        rotations[:, :, 0],
        rotations[:, :, 1:],
    )
    sixes = matrix_to_rot6d(rotations[:, :, 1:])
    return torch.cat((y_up_to_z_up(positions).flatten(2), sixes.flatten(2)), -1)


def _interx_frames(frames: int, generator: torch.Generator) -> Tensor:
    """(people, t, 56, 3): rotation vectors, and the translation."""
    turns = _sway(frames, SMPLX55.joint_count, generator)
    return torch.cat((turns, _places(frames, generator)[:, :, None]), 2)


def _sway(frames: int, joints: int, generator: torch.Generator) -> Tensor:
    """Rotation vectors (people, t, joints, 3), each with its own direction, speed and phase."""
    shape = (PEOPLE, 1, joints, 1)
    low, high = _SWAY_HERTZ
    hertz = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
    phase = torch.rand(shape, generator=generator, dtype=torch.float64)
    axis = torch.randn((PEOPLE, 1, joints, 3), generator=generator, dtype=torch.float64)
    seconds = torch.arange(frames, dtype=torch.float64)[:, None, None] / FPS
    return _SWAY_RADIANS * axis * torch.sin(2 * math.pi * (hertz * seconds + phase))


def _places(frames: int, generator: torch.Generator) -> Tensor:
    """Root positions (people, t, 3) in metres: apart, and slowly on the move."""
    step = 0.02 * torch.randn((PEOPLE, frames, 3), generator=generator, dtype=torch.float64)
    places = step.cumsum(1)
    places[..., 1] = 0.95
    places[1, :, 2] += 1.0
    return places
