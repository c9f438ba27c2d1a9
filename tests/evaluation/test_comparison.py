"""Comparing evaluations: equal ones do not differ, known shifts do, chance seldom does."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_ind

from example_report import example_report, interval
from intermask.errors import UserError
from intermask.evaluation.comparison import (
    Comparison,
    MetricDifference,
    compare,
    holm,
    read_report,
    welch,
)

MODEL = "salsa-small"


def changed(report: dict[str, Any], key: str, values: list[float]) -> dict[str, Any]:
    """A report whose model scores otherwise in one metric."""
    other = copy.deepcopy(report)
    row = next(each for each in other["rows"] if each["name"] == MODEL)
    row["metrics" if key in row["metrics"] else "physics"][key] = interval(values)
    return other


def by_key(comparison: Comparison) -> dict[str, MetricDifference]:
    return {each.metric: each for each in comparison.metrics}


@pytest.fixture
def report() -> dict[str, Any]:
    return example_report()


def values_of(report: dict[str, Any], key: str) -> list[float]:
    row = next(each for each in report["rows"] if each["name"] == MODEL)
    return list((row["metrics"] | row["physics"])[key]["replications"])


def test_a_report_does_not_differ_from_itself(report: dict[str, Any]) -> None:
    result = compare(report, report)
    assert result.comparable and result.names == (f"A ({MODEL})", f"B ({MODEL})")
    assert len(result.metrics) == 7 + 12
    for each in result.metrics:
        assert each.difference == 0 and each.better is None and "are equal" in each.says
        assert not each.beyond_noise


def test_known_shift_is_beyond_the_noise_and_its_interval_holds_it(report: dict[str, Any]) -> None:
    shifted = changed(report, "fid", [value - 0.5 for value in values_of(report, "fid")])
    fid = by_key(compare(report, shifted, ("old", "new")))["fid"]
    assert fid.difference == pytest.approx(-0.5)
    assert fid.half_width is not None and fid.half_width < 0.1
    assert fid.beyond_noise and fid.better == "second"
    assert "new is lower by 0.500" in fid.says and "new is better" in fid.says
    back = by_key(compare(shifted, report, ("new", "old")))["fid"]
    assert back.better == "first" and back.difference == pytest.approx(0.5)
    higher = [value + 0.1 for value in values_of(report, "r_precision_1")]
    matching = by_key(compare(report, changed(report, "r_precision_1", higher)))["r_precision_1"]
    assert matching.better == "second"


def test_other_metrics_do_not_move_with_one(report: dict[str, Any]) -> None:
    shifted = changed(report, "fid", [value - 0.5 for value in values_of(report, "fid")])
    assert [each.metric for each in compare(report, shifted).metrics if each.beyond_noise] == [
        "fid"
    ]


def test_diversity_is_best_near_ground_truth(report: dict[str, Any]) -> None:
    """Real motion is at 7.95 in both reports: more is not better."""
    truth = report["rows"][0]["metrics"]["diversity"]["mean"]
    draw = random.Random(5)

    def around(mean: float) -> dict[str, Any]:
        return changed(report, "diversity", [draw.gauss(mean, 0.02) for _ in range(20)])

    near, far = around(truth + 0.1), around(truth + 1.0)
    diversity = by_key(compare(near, far, ("near", "far")))["diversity"]
    assert diversity.better == "first" and "near is nearer to ground truth" in diversity.says
    both_sides = by_key(compare(around(truth - 0.5), around(truth + 0.5)))["diversity"]
    assert both_sides.beyond_noise and both_sides.better is None
    assert "neither is nearer" in both_sides.says


def test_welch_agrees_with_scipy() -> None:
    first, second = [1.0, 2.0, 4.0, 3.5], [2.5, 2.6, 2.4, 2.9, 2.2, 2.3]
    expected = ttest_ind(second, first, equal_var=False)
    test = welch(first, second)
    assert test.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert test.difference - test.half_width == pytest.approx(low)
    assert test.difference + test.half_width == pytest.approx(high)


def test_values_without_spread() -> None:
    assert welch([1.0, 1.0], [1.0, 1.0]).p == 1.0
    assert welch([1.0, 1.0], [2.0, 2.0]).p == 0.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_equal_models_seldom_differ_in_any_metric() -> None:
    """At most 5 % of comparisons of equal models may name a metric; 200 of them, 3 deviations."""
    wrong = 0
    for number in range(200):
        pair = [example_report(seed=1 + 2 * number + side) for side in (0, 1)]
        wrong += any(each.beyond_noise for each in compare(*pair).metrics)
    assert wrong <= 10 + 3 * (200 * 0.05 * 0.95) ** 0.5


def test_what_differs_is_said(report: dict[str, Any]) -> None:
    other = copy.deepcopy(report)
    other["hashes"]["evaluator"] = "ffff"
    other["protocol"]["pool"] = 32
    result = compare(report, other)
    assert not result.comparable
    assert result.differing == (
        "the evaluator differs: 34cd and ffff",
        "the pool of R-precision differs: 96 and 32",
    )
    assert json.loads(json.dumps(result.numbers()))["comparable"] is False


def test_another_model_is_comparable(report: dict[str, Any]) -> None:
    other = copy.deepcopy(report)
    other["hashes"]["model"] = "ffff"
    assert compare(report, other).comparable


def test_single_values_leave_the_noise_unknown(report: dict[str, Any]) -> None:
    result = by_key(compare(report, changed(report, "fid", [3.0])))["fid"]
    assert result.half_width is None and result.beyond_noise is None and result.better is None
    assert "the noise is not known" in result.says


def test_physical_metrics_are_tested_too(report: dict[str, Any]) -> None:
    shifted = changed(report, "skate", [value - 1.0 for value in values_of(report, "skate")])
    result = compare(report, shifted, ("old", "new"))
    assert [each.metric for each in result.metrics if each.beyond_noise] == ["skate"]
    skate = by_key(result)["skate"]
    assert skate.difference == pytest.approx(-1.0) and skate.better == "second"


def test_physical_metrics_of_older_reports_are_single_values(report: dict[str, Any]) -> None:
    older = copy.deepcopy(report) | {"schema_version": 1}
    for row in older["rows"]:
        row["physics"] = {key: found["mean"] for key, found in row["physics"].items()}
    for pair in ((older, report), (report, older), (older, older)):
        skate = by_key(compare(*pair))["skate"]
        assert skate.difference == pytest.approx(0.0) and skate.beyond_noise is None
    older["rows"][2]["physics"]["skate"] = None
    assert "skate" not in by_key(compare(older, report))


def test_any_row_can_be_compared(report: dict[str, Any]) -> None:
    assert compare(report, report, row="ground truth").names[0] == "A (ground truth)"
    with pytest.raises(UserError, match=r"there is no row 'truth'.*ground truth, tokenizer"):
        compare(report, report, row="truth")


def test_reading_reports(report: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no report"):
        read_report(tmp_path)
    file = tmp_path / "report.json"
    file.write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        read_report(tmp_path)
    file.write_text('{"kind": "intermask-run"}')
    with pytest.raises(UserError, match="is no report of an evaluation"):
        read_report(file)
    file.write_text(json.dumps(report | {"schema_version": 99}))
    with pytest.raises(UserError, match="schema version 99"):
        read_report(file)
    file.write_text(json.dumps(report))
    assert read_report(tmp_path) == read_report(file) == report
