"""Physical metrics of many motions as rows of numbers, which can be stored and averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from intermask.evaluation import physics
from intermask.evaluation.measurement import PhysicalMetrics, mean_of, measure
from intermask.motion import FPS
from intermask.representation import decode_positions

_NAMES = [each.name for each in fields(PhysicalMetrics)]


def real_jerk(features: Sequence[Tensor]) -> float:
    """Mean over real clips (2, t, 262) and time of the `physics.jerk_curve`, m/s³."""
    curves = [physics.jerk_curve(decode_positions(each).double(), FPS).mean() for each in features]
    return float(torch.stack(curves).mean())


def physical_rows(features: Sequence[Tensor], reference_jerk: float) -> Tensor:
    """Physical metrics (m, metrics) float64 of motions (2, t, 262); NaN where one has none."""
    rows = []
    for each in features:
        numbers = measure(decode_positions(each), FPS, reference_jerk).numbers()
        rows.append([math.nan if value is None else value for value in numbers.values()])
    return torch.tensor(rows, dtype=torch.float64)


def mean_physics(rows: Tensor) -> dict[str, float | None]:
    """Means over motions of rows of `physical_rows`, by the metric's name."""
    metrics = [
        PhysicalMetrics(
            **{
                name: None if math.isnan(value) else value
                for name, value in zip(_NAMES, row, strict=True)
            }  # type: ignore[arg-type]
        )
        for row in rows.tolist()
    ]
    return mean_of(metrics).numbers()
