"""Physical metrics of many motions as rows of numbers, which can be stored and averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from intermask.bundle import Model
from intermask.evaluation import physics
from intermask.evaluation.measurement import PhysicalMetrics, measure
from intermask.motion import FPS
from intermask.skeleton import SMPL22
from intermask.smplx import RestBody
from intermask.training.representations import representation_of

_NAMES = [each.name for each in fields(PhysicalMetrics)]

Joints = Callable[[Tensor], Tensor]
"""Features (2, t, f) to positions (2, t, 22, 3) of the body's joints, metres, y up."""


def joints_of(model: Model, body: RestBody | None) -> Joints | None:
    """What tells where joints are in a model's features; None where nothing can.

    InterHuman's features say it themselves. Inter-X's say rotations, which need the rest joints of
    SMPL-X's body; its first 22 joints are SMPL's.
    """
    config = model.config
    if config.dataset == "interx" and body is None:
        return None
    positions = representation_of(config.tokenizer, config.floor, body).positions
    return lambda features: positions(features)[..., : SMPL22.joint_count, :]


@dataclass(frozen=True)
class Bodies:
    """People as joints in metres, and what real ones do."""

    joints: Joints
    jerk: float
    """Mean over real clips and time of the `physics.jerk_curve`, m/s³."""

    @staticmethod
    def of(joints: Joints, real: Sequence[Tensor]) -> Bodies:
        """With features (2, t, f) of real clips."""
        curves = [physics.jerk_curve(joints(each).double(), FPS).mean() for each in real]
        return Bodies(joints, float(torch.stack(curves).mean()))

    def rows(self, features: Sequence[Tensor]) -> Tensor:
        """Physical metrics (m, metrics) float64 of motions (2, t, f); NaN where one has none."""
        rows = []
        for each in features:
            numbers = measure(self.joints(each), FPS, self.jerk).numbers()
            rows.append([math.nan if value is None else value for value in numbers.values()])
        return torch.tensor(rows, dtype=torch.float64)


def mean_physics(rows: Tensor) -> dict[str, float]:
    """Means over motions of rows (m, metrics) of `Bodies.rows`, by the metric's name.

    A metric that no motion has is left out; of motions that were not measured all numbers are NaN.
    """
    means = zip(_NAMES, rows.nanmean(0).tolist(), strict=True)
    return {name: value for name, value in means if not math.isnan(value)}
