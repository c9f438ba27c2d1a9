"""Metrics on embeddings: the released code's numbers, and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor

from golden_files import golden, largest_error
from intermask.errors import UserError
from intermask.evaluation.metrics import (
    INTERHUMAN,
    INTERX,
    Interval,
    distance_matrix,
    diversity,
    draw_pairs,
    frechet_distance,
    matching,
    matching_hits,
    mean_interval,
    multimodality,
)

RECORDED = golden("metrics")


def released_pairs(seed: int, count: int, pairs: int) -> Tensor:
    """The draws of the recorded run: numpy's old generator, two choices one after the other."""
    state = np.random.RandomState(seed)
    draws = [state.choice(count, pairs, replace=False) for _ in range(2)]
    return torch.from_numpy(np.stack(draws))


def normal(rows: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator, dtype=torch.float64)


# Parity with the released code.


def test_distances_and_hits_are_the_recorded_ones() -> None:
    texts, motions = RECORDED["g64"][:96], RECORDED["h64"][:96]
    distances = distance_matrix(texts, motions)
    assert largest_error(distances, RECORDED["dist64"]) < 1e-6
    assert matching_hits(distances).tolist() == RECORDED["topk"].tolist()
    scores = matching(texts, motions, INTERHUMAN.pool)
    assert scores.distance == pytest.approx(float(RECORDED["mm_dist64"]), abs=1e-6)
    assert scores.r_precision == pytest.approx([35 / 96, 42 / 96, 54 / 96])


def test_fid_is_the_recorded_one() -> None:
    scale = INTERHUMAN.embedding_scale
    for scaled in (
        frechet_distance(RECORDED["g64"], RECORDED["h64"], scale),
        frechet_distance(RECORDED["g64"] * scale, RECORDED["h64"] * scale),
    ):
        assert scaled == pytest.approx(float(RECORDED["fid64"]), abs=1e-6)


def test_diversity_and_multimodality_are_the_recorded_ones() -> None:
    spread = INTERHUMAN.spread_scale
    pairs = released_pairs(123, 400, INTERHUMAN.diversity_pairs)
    expected = float(RECORDED["diversity64"])
    assert diversity(RECORDED["g64"], pairs, spread) == pytest.approx(expected, abs=1e-6)
    pairs = released_pairs(321, 30, INTERHUMAN.multimodality_pairs)
    expected = float(RECORDED["multimodality64"])
    assert multimodality(RECORDED["mm_act64"], pairs, spread) == pytest.approx(expected, abs=1e-6)


def test_scales_of_the_protocols() -> None:
    assert (INTERHUMAN.pool, INTERX.pool) == (96, 32)
    assert (INTERHUMAN.spread_scale, INTERX.spread_scale) == (3.0, 1.0)


# R-precision and MM Dist.


def test_every_text_finds_its_own_motion() -> None:
    rows = normal(64, 8)
    scores = matching(rows, rows, 32)
    assert scores.r_precision == (1.0, 1.0, 1.0)
    assert scores.distance == 0.0
    assert scores.pools == 2


def test_an_evaluator_that_sees_nothing_gets_chance() -> None:
    rows = torch.ones(32, 4)
    assert matching(rows, rows, 32).r_precision == pytest.approx((1 / 32, 2 / 32, 3 / 32))


def test_hits_of_a_matrix_known_by_hand() -> None:
    distances = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert matching_hits(distances).tolist() == [1.0, 2.0, 3.0]
    tied = torch.tensor([[1.0, 1.0, 3.0], [1.0, 1.0, 1.0], [0.0, 5.0, 1.0]])
    assert matching_hits(tied).tolist() == pytest.approx([1 / 2 + 1 / 3, 1 + 2 / 3 + 1, 3.0])


def test_rows_are_texts() -> None:
    """One motion near all texts spoils every row but its own; the columns would not see it."""
    texts = torch.eye(3, dtype=torch.float64)
    motions = torch.stack((texts.mean(0), 3 * texts[1], 3 * texts[2]))
    assert matching(texts, motions, 3).r_precision[0] == pytest.approx(1 / 3)


def test_what_fills_no_pool_is_left_out() -> None:
    texts, motions = normal(70, 6), normal(70, 6, seed=1)
    assert matching(texts, motions, 32) == matching(texts[:64], motions[:64], 32)


def test_pools_do_not_see_each_other() -> None:
    rows = normal(8, 4)
    twice = torch.cat((rows, rows))  # across pools every motion has a double
    assert matching(twice, twice, 8).r_precision[0] == 1.0
    assert matching(twice, twice, 16).r_precision[0] == 0.5


def test_too_few_clips_for_a_pool_are_refused() -> None:
    with pytest.raises(UserError, match="31 clips do not fill one pool of 32"):
        matching(normal(31, 4), normal(31, 4), 32)


def test_texts_without_motions_are_refused() -> None:
    with pytest.raises(UserError, match="one motion for every text"):
        matching(normal(8, 4), normal(7, 4), 4)


# FID.


def test_fid_of_shifted_and_stretched_sets_known_by_hand() -> None:
    rows = normal(200, 5)
    shift = torch.tensor([3.0, 4.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    assert frechet_distance(rows, rows + shift) == pytest.approx(25.0)
    variance = float(rows.var(0).sum())
    centred = rows - rows.mean(0)
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * variance)


def test_fid_is_a_squared_distance_in_scale() -> None:
    a, b = normal(100, 6), normal(80, 6, seed=1) + 0.5
    assert frechet_distance(a, b, 6.0) == pytest.approx(36 * frechet_distance(a, b))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_fid_agrees_with_the_matrix_root_where_that_is_sound() -> None:
    a, b = normal(300, 12), normal(250, 12, seed=1) @ normal(12, 12, seed=2) + 0.3
    s1, s2 = np.cov(a.numpy(), rowvar=False), np.cov(b.numpy(), rowvar=False)
    root = np.trace(linalg.sqrtm(s1 @ s2).real)
    apart = float((a.mean(0) - b.mean(0)).square().sum())
    expected = apart + np.trace(s1) + np.trace(s2) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("rows", [2, 5, 40])
def test_fid_of_singular_covariances_is_exact(rows: int) -> None:
    """Fewer clips than numbers, and numbers that repeat: the covariance has no full rank."""
    a = normal(rows, 16).repeat(1, 2)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(a, a + 1.0) == pytest.approx(32.0)
    flat = torch.cat((a, torch.zeros_like(a)), 1)
    aside = torch.cat((torch.zeros_like(a), a), 1)  # the two covariances share no direction
    expected = 2 * float(a.var(0).sum()) + 2 * float(a.mean(0).square().sum())
    assert frechet_distance(flat, aside) == pytest.approx(expected)


def test_fid_of_clips_that_are_all_alike() -> None:
    alike = torch.ones(10, 4)
    assert frechet_distance(alike, alike) == 0.0
    assert frechet_distance(alike, alike + 1) == pytest.approx(4.0)


def test_fid_refuses_what_has_no_distribution() -> None:
    with pytest.raises(UserError, match="1 generated"):
        frechet_distance(normal(5, 3), normal(1, 3))
    with pytest.raises(UserError, match="one evaluator"):
        frechet_distance(normal(5, 3), normal(5, 4))
    broken = normal(5, 3)
    broken[2, 1] = math.nan
    with pytest.raises(UserError, match="1 of 5 generated embeddings are NaN"):
        frechet_distance(normal(5, 3), broken)
    with pytest.raises(UserError, match="shape"):
        frechet_distance(normal(5, 3)[0], normal(5, 3))


# Diversity and MultiModality.


def test_pairs_are_two_draws_without_repetition() -> None:
    pairs = draw_pairs(50, 40, torch.Generator().manual_seed(0))
    assert pairs.shape == (2, 40)
    for draw in pairs:
        assert len(set(draw.tolist())) == 40
        assert int(draw.min()) >= 0 and int(draw.max()) < 50
    assert pairs[0].tolist() != pairs[1].tolist()
    again = draw_pairs(50, 40, torch.Generator().manual_seed(0))
    assert torch.equal(pairs, again)


def test_too_few_clips_for_the_pairs_are_refused() -> None:
    with pytest.raises(UserError, match="300 pairs need 300 clips or more, but there are 299"):
        draw_pairs(299, 300, torch.Generator())


def test_diversity_known_by_hand() -> None:
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    pairs = torch.tensor([[0, 0, 1], [1, 2, 1]])
    assert diversity(points, pairs) == pytest.approx(2.0)
    assert diversity(points, pairs, 3.0) == pytest.approx(6.0)


def test_multimodality_looks_within_texts_only() -> None:
    samples = torch.zeros(4, 5, 2)
    samples += torch.arange(4.0)[:, None, None]  # texts differ, samples of one do not
    pairs = draw_pairs(5, 3, torch.Generator().manual_seed(0))
    assert multimodality(samples, pairs) == 0.0
    samples[:, 1] += torch.tensor([3.0, 4.0])
    assert multimodality(samples, torch.tensor([[0, 0], [1, 2]])) == pytest.approx(2.5)


# Intervals.


def test_interval_known_by_hand() -> None:
    interval = mean_interval([1.0, 3.0])
    assert interval.mean == 2.0
    assert interval.half_width == pytest.approx(1.96 / math.sqrt(2))
    assert str(interval) == "2.000 ± 1.386"


def test_interval_of_one_replication_has_no_width() -> None:
    assert mean_interval([0.5]) == Interval(0.5, None)
    assert str(mean_interval([0.5])) == "0.500"
    with pytest.raises(UserError, match="no replication"):
        mean_interval([])


def test_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    trials = normal(2000, 20)
    intervals = [mean_interval(row) for row in trials.tolist()]
    held = sum(abs(each.mean) <= (each.half_width or 0.0) for each in intervals) / len(intervals)
    assert 0.90 < held < 0.96  # 1.96 of 20 deviations is a little short of 95 %
