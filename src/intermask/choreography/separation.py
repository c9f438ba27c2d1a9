"""How well scores tell two kinds of windows apart: AUC against comparable real windows.

A made window is only compared with real windows of its *cell*: the same held-out part of the data
and the same pace, so that a standing person is not told from real ones by not walking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

RESAMPLES = 200
"""Of the bootstrap, over takes and scenes."""


@dataclass(frozen=True)
class Separation:
    """How well a group of made windows is told from real ones.

    auc: chance that a real window scores above a made one of the same pace: 1 is always told
    apart, 0.5 never. low, high: 95 % interval over other scenes and other takes of the same kinds.
    """

    auc: float
    low: float
    high: float


@dataclass(frozen=True)
class Trial:
    """Which windows are real, how they compare, and what belongs together; n windows.

    Attributes:
        real: (n) bool.
        cell: (n) windows are compared where this is the same.
        cluster: (n) the scene or take that a window is of: these are resampled as one.
        weight: (n) of real windows, how much each counts within its cell.
    """

    real: Tensor
    cell: Tensor
    cluster: Tensor
    weight: Tensor

    def comparable(self) -> Tensor:
        """(n) bool, made windows whose cell has real windows."""
        return ~self.real & torch.isin(self.cell, self.cell[self.real].unique())


def above(scores: Tensor, trial: Trial, weight: Tensor) -> Tensor:
    """Share (n) of real windows in the same cell that score higher, ties half; NaN if none are."""
    result = torch.full_like(scores, float("nan"), dtype=torch.float64)
    for cell in trial.cell.unique():
        inside = trial.cell == cell
        real, made = inside & trial.real, inside & ~trial.real
        counted, order = scores[real].sort()
        mass = weight[real][order].double()
        if float(mass.sum()) == 0 or not bool(made.any()):
            continue
        below = torch.cat((mass.new_zeros(1), mass.cumsum(0)))
        left = torch.searchsorted(counted, scores[made])
        right = torch.searchsorted(counted, scores[made], right=True)
        result[made] = 1 - (below[left] + below[right]) / 2 / below[-1]
    return result


def separations(
    scores: Tensor, trial: Trial, groups: Sequence[Tensor], generator: torch.Generator
) -> list[Separation]:
    """The separation of each group.

    Args:
        scores: (n) higher is more real.
        trial: what is compared.
        groups: (n) bool each, which made windows belong to it.
        generator: of the bootstrap.
    """
    whole = above(scores, trial, trial.weight)
    centres = [_mean(whole, group, torch.ones_like(whole)) for group in groups]
    drawn: list[list[float]] = [[] for _ in groups]
    clusters = int(trial.cluster.max()) + 1
    for _ in range(RESAMPLES):
        # Poisson weights stand for drawing with replacement.
        times = torch.poisson(torch.ones(clusters), generator=generator)[trial.cluster].double()
        shares = above(scores, trial, trial.weight * times)
        for values, group in zip(drawn, groups, strict=True):
            value = _mean(shares, group, times)
            if value == value:
                values.append(value)
    return [
        Separation(centre, *_interval(values))
        for centre, values in zip(centres, drawn, strict=True)
    ]


def auc(scores: Tensor, trial: Trial, group: Tensor) -> float:
    """Chance that a real window scores above one of a group (n) bool; without an interval."""
    whole = above(scores, trial, trial.weight)
    return _mean(whole, group, torch.ones_like(whole))


def _mean(values: Tensor, group: Tensor, times: Tensor) -> float:
    taken = group & ~values.isnan()
    weight = times * taken
    return float((values.nan_to_num() * weight).sum() / weight.sum())


def _interval(values: list[float]) -> tuple[float, float]:
    if not values:
        return float("nan"), float("nan")
    ends = torch.tensor(values).double().quantile(torch.tensor((0.025, 0.975)).double())
    return float(ends[0]), float(ends[1])
