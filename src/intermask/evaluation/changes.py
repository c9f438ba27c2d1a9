"""Changes of real clips that a person would notice: does an evaluator?

Features are those of an `EvaluationClip`, (2, t, f): 262 in InterHuman's layout, canonical before
and after, or 336 in Inter-X's, where people stay where they were captured.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intermask import representation, representation_smplx
from intermask.config import DataSet
from intermask.evaluation.clips import canonical_again, exchange_people
from intermask.motion import FPS
from intermask.smplx import TRANSLATION_ROW

WANDER = 0.2
"""Metres, root mean square over time, that trajectory noise moves each person across the floor."""

_PERIODS = (2.0, 5.0)
"""Seconds of the slow waves that trajectory noise is made of."""
_WAVES = 4
"""How many of them move a person along each axis."""


def exchanged(features: Tensor, dataset: DataSet) -> Tensor:
    """The first person moves as the second did, and the other way round."""
    return exchange_people(features) if dataset == "interhuman" else features.flip(0)


def wandering(features: Tensor, dataset: DataSet, generator: torch.Generator) -> Tensor:
    """Both people drift across the floor, each their own way, `WANDER` away from where they were.

    Poses, heights and the first frame stay; steps fit the new paths.
    """
    people, frames = features.shape[:2]
    paths = torch.stack([_path(frames + 1, generator) for _ in range(people)]).to(features)
    places, steps = paths[:, :-1], paths.diff(dim=1)
    result = features.clone()
    if dataset == "interhuman":
        joints = (1, 1, representation.JOINTS)
        result[..., representation.POSITIONS] += places.repeat(joints)
        result[..., representation.VELOCITIES] += steps.repeat(joints)
        return result
    grid = representation_smplx.to_joint_grid(result)
    grid[..., TRANSLATION_ROW, :] += torch.cat((places, steps), -1)
    return representation_smplx.from_joint_grid(grid)


def reversed_in_time(features: Tensor, dataset: DataSet) -> Tensor:
    """The clip played backwards; steps are those of the reversed motion.

    What came before the first frame is not known, so that the step of the last one repeats the
    step before it.
    """
    result = features.flip(1)
    back = torch.cat((torch.arange(1, features.shape[1]), torch.tensor([features.shape[1] - 1])))
    if dataset == "interhuman":
        steps = result[..., representation.VELOCITIES]
        result[..., representation.VELOCITIES] = -steps[:, back]
        return canonical_again(result)
    grid = representation_smplx.to_joint_grid(result)
    grid[..., TRANSLATION_ROW, 3:] = -grid[:, back, TRANSLATION_ROW, 3:]
    return representation_smplx.from_joint_grid(grid)


def _path(frames: int, generator: torch.Generator) -> Tensor:
    """Places (t, 3) on a smooth way that begins at the origin; the height stays 0."""
    shape = (2, _WAVES, 1)
    slow, fast = (2 * math.pi / seconds for seconds in reversed(_PERIODS))
    speed = slow + (fast - slow) * torch.rand(shape, generator=generator)
    phase = 2 * math.pi * torch.rand(shape, generator=generator)
    height = torch.randn(shape, generator=generator)
    waves = (height * torch.sin(speed * torch.arange(frames) / FPS + phase)).sum(1)
    waves = waves - waves[:, :1]
    waves = waves * WANDER / waves.square().sum(0).mean().sqrt().clamp_min(1e-9)
    return torch.stack((waves[0], torch.zeros(frames), waves[1]), -1)
