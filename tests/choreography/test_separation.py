"""AUC against comparable windows, and its interval."""

from __future__ import annotations

import pytest
import torch

from intermask.choreography.separation import Trial, above, auc, separations


def trial(real: int, made: int, cells: int = 1, clusters: int = 20) -> Trial:
    count = real + made
    number = torch.arange(count)
    cluster = number % clusters + clusters * (number >= real)
    return Trial(number < real, number % cells, cluster, torch.ones(count, dtype=torch.float64))


def scores(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def test_auc_counts_pairs() -> None:
    given = trial(30, 40)
    values = (scores(70) * 2).round()  # with ties
    real, made = values[:30], values[30:]
    pairs = (real[:, None] > made).double() + 0.5 * (real[:, None] == made).double()
    assert auc(values, given, ~given.real) == pytest.approx(float(pairs.mean()))


def test_only_windows_of_one_cell_are_compared() -> None:
    given = trial(40, 40, cells=2)
    values = scores(80)
    shifted = values + 100.0 * given.cell  # tells cells, not real from made
    assert auc(shifted, given, ~given.real) == pytest.approx(auc(values, given, ~given.real))


def test_a_cell_without_real_windows_is_left_out() -> None:
    real = torch.tensor([True, True, False, False])
    given = Trial(real, torch.tensor([0, 0, 0, 1]), torch.arange(4), torch.ones(4))
    shares = above(torch.tensor([1.0, 2.0, 0.0, 5.0]), given, given.weight)
    assert float(shares[2]) == 1
    assert bool(shares[[0, 1, 3]].isnan().all())
    assert given.comparable().tolist() == [False, False, True, False]


def test_weights_count() -> None:
    real = torch.tensor([True, True, False])
    given = Trial(real, torch.zeros(3), torch.arange(3), torch.tensor([3.0, 1.0, 0.0]))
    assert auc(torch.tensor([1.0, -1.0, 0.0]), given, ~real) == pytest.approx(0.75)


def test_intervals_hold_the_truth_and_are_wider_for_fewer_scenes() -> None:
    given = trial(300, 300, clusters=100)
    (same,) = separations(scores(600), given, [~given.real], torch.Generator().manual_seed(0))
    assert same.low < 0.5 < same.high
    few = trial(300, 300, clusters=6)
    lumps = scores(600) + 2 * scores(12, 1)[few.cluster]
    (wide,) = separations(lumps, few, [~few.real], torch.Generator().manual_seed(0))
    assert wide.high - wide.low > same.high - same.low
    apart = scores(600) + 9 * given.real
    (told,) = separations(apart, given, [~given.real], torch.Generator().manual_seed(0))
    assert told.auc > 0.999
    assert told.low > 0.99
