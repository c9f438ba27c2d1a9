"""Whether two evaluations differ by more than their noise.

The noise is that of replications: other motions of the same model for the same clips, other
captions and pools. A model trained again with another seed varies more than that, and so would
other test clips; neither is in these intervals.

Differences are tested by Welch's t-test on replications, and what is called beyond the noise
passes Holm's correction for the number of metrics: all such statements together are wrong in at
most 5 % of comparisons of equal models. Intervals of single differences are not corrected.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from intermask.errors import UserError
from intermask.evaluation.report_tables import (
    Report,
    evaluated_row,
    interval_of,
    row_named,
    told,
    value_of,
)
from intermask.evaluation.terms import GROUND_TRUTH, METRICS, PHYSICS, Term, direction

REPORT = "report.json"
KIND = "intermask-evaluation"
SCHEMA_VERSION = 2
"""1: physical metrics as single numbers, of one replication."""
LEVEL = 0.05
"""Share of comparisons of equal models in which any metric may be said to differ."""

Side = Literal["first", "second"]

# what must be equal, where it stands in a report, and what it is called
_CONDITIONS = (
    ("hashes", "data", "the data"),
    ("hashes", "evaluator", "the evaluator"),
    ("protocol", "task", "the task"),
    ("protocol", "pool", "the pool of R-precision"),
    ("protocol", "clips", "the number of clips"),
    ("protocol", "official", "whether the protocol is official"),
    ("settings", "split", "the split"),
)


@dataclass(frozen=True)
class Welch:
    """Difference of two means with unequal variances."""

    difference: float
    """Second minus first."""
    half_width: float
    """Of its 95 % interval."""
    p: float
    """Chance of a difference at least as large between equal models."""


@dataclass(frozen=True)
class MetricDifference:
    """One metric of two reports."""

    metric: str
    title: str
    better_is: str
    first: float
    second: float
    difference: float
    """Second minus first."""
    half_width: float | None
    """Of the 95 % interval of the difference; None where single values leave the noise unknown."""
    p_corrected: float | None
    """Holm's, over all metrics with an interval."""
    beyond_noise: bool | None
    better: Side | None
    """Which report is better beyond the noise, if either."""
    says: str


@dataclass(frozen=True)
class Comparison:
    """Two reports, metric by metric."""

    names: tuple[str, str]
    differing: tuple[str, ...]
    """What was not the same in both evaluations, a sentence each; empty: they are comparable."""
    metrics: tuple[MetricDifference, ...]

    @property
    def comparable(self) -> bool:
        """Whether differences can be put down to the models."""
        return not self.differing

    def numbers(self) -> dict[str, Any]:
        """Everything as JSON holds it."""
        return {
            "names": list(self.names),
            "comparable": self.comparable,
            "differing": list(self.differing),
            "level": LEVEL,
            "metrics": [asdict(each) for each in self.metrics],
        }


def read_report(path: Path) -> dict[str, Any]:
    """A report from its folder or its ``report.json``.

    Raises:
        FileNotFoundError: there is none.
        UserError: another kind of file, or one of a newer program.
    """
    file = path / REPORT if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no report {file}; `intermask evaluate ... -o FOLDER` writes one"
        )
    try:
        report = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from error
    if not isinstance(report, dict) or report.get("kind") != KIND:
        raise UserError(f"{file} is no report of an evaluation; give the folder of one")
    if report.get("schema_version", 0) > SCHEMA_VERSION:
        raise UserError(
            f"{file} has schema version {report['schema_version']}, this program reads up to "
            f"{SCHEMA_VERSION}; update intermask"
        )
    return report


def compare(
    first: Report,
    second: Report,
    names: tuple[str, str] | None = None,
    row: str | None = None,
) -> Comparison:
    """Compare the models of two reports.

    Args:
        first: as in ``report.json``.
        second: likewise.
        names: what sentences call them; by default the names of their rows.
        row: name of the row to compare in both; by default each report's model.

    Raises:
        UserError: a report has no such row.
    """
    rows = [_row(report, row) for report in (first, second)]
    named = names or (str(rows[0]["name"]), str(rows[1]["name"]))
    if named[0] == named[1]:
        named = (f"A ({named[0]})", f"B ({named[1]})")
    truths = [row_named(report, GROUND_TRUTH) for report in (first, second)]
    pairs = [
        (term, one, other)
        for term in (*METRICS, *PHYSICS)
        if (one := interval_of(rows[0], term)) and (other := interval_of(rows[1], term))
    ]
    tests = [_test(one, other) for _, one, other in pairs]
    corrected = iter(holm([test.p for test in tests if test is not None]))
    differences = [
        _difference(
            term,
            (one["mean"], other["mean"]),
            test,
            None if test is None else next(corrected),
            _truth(truths, term),
            named,
        )
        for (term, one, other), test in zip(pairs, tests, strict=True)
    ]
    return Comparison(named, tuple(what_differs(first, second)), tuple(differences))


def what_differs(first: Report, second: Report) -> list[str]:
    """Conditions that were not the same in two evaluations, a sentence each."""
    sentences = []
    for block, key, title in _CONDITIONS:
        values = [(report.get(block) or {}).get(key) for report in (first, second)]
        if values[0] != values[1]:
            shown = ["not stated" if value is None else told(value) for value in values]
            sentences.append(f"{title} differs: {shown[0]} and {shown[1]}")
    return sentences


def welch(first: Sequence[float], second: Sequence[float]) -> Welch:
    """Welch's t-test of two sets of replications, two or more each."""
    from scipy.stats import t as student

    means = [math.fsum(values) / len(values) for values in (first, second)]
    squares = [
        math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)
        for values, mean in zip((first, second), means, strict=True)
    ]
    difference = means[1] - means[0]
    error = math.sqrt(sum(squares))
    if error == 0.0:
        return Welch(difference, 0.0, 1.0 if difference == 0.0 else 0.0)
    shares = [square / sum(squares) for square in squares]
    freedom = 1 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)
    )
    return Welch(
        difference,
        float(student.ppf(1 - LEVEL / 2, freedom)) * error,
        2 * float(student.sf(abs(difference) / error, freedom)),
    )


def holm(chances: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p-values that may each be held against the level as they are."""
    order = sorted(range(len(chances)), key=lambda number: chances[number])
    corrected = [0.0] * len(chances)
    largest = 0.0
    for place, number in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - place) * chances[number]))
        corrected[number] = largest
    return corrected


def _row(report: Report, name: str | None) -> Mapping[str, Any]:
    if name is None:
        return evaluated_row(report)
    row = row_named(report, name)
    if row is None:
        known = ", ".join(str(each["name"]) for each in report["rows"])
        raise UserError(f"there is no row {name!r} in both reports; one has {known}")
    return row


def _test(first: Mapping[str, Any], second: Mapping[str, Any]) -> Welch | None:
    values = [each.get("replications") or () for each in (first, second)]
    return welch(*values) if min(map(len, values)) >= 2 else None


def _truth(rows: Sequence[Mapping[str, Any] | None], term: Term) -> float | None:
    """Mean over both reports of what real motion scores."""
    values = [value for row in rows if (value := value_of(row, term)) is not None]
    return math.fsum(values) / len(values) if values else None


def _difference(
    term: Term,
    means: tuple[float, float],
    test: Welch | None,
    corrected: float | None,
    truth: float | None,
    names: tuple[str, str],
) -> MetricDifference:
    half_width = None if test is None else test.half_width
    beyond = None if corrected is None else corrected < LEVEL
    better = _better(term, means, half_width, truth) if beyond else None
    return MetricDifference(
        term.key,
        term.label,
        direction(term),
        *means,
        means[1] - means[0],
        half_width,
        corrected,
        beyond,
        better,
        _sentence(term, means, half_width, beyond, better, truth, names),
    )


def _better(
    term: Term, means: tuple[float, float], half_width: float | None, truth: float | None
) -> Side | None:
    """Which side is better, of values that do differ."""
    if term.better == "higher":
        return "second" if means[1] > means[0] else "first"
    if term.better == "lower":
        return "second" if means[1] < means[0] else "first"
    if truth is None or half_width is None:
        return None
    nearer = abs(means[0] - truth) - abs(means[1] - truth)
    if abs(nearer) <= half_width:  # on both sides of real motion, about equally far
        return None
    return "second" if nearer > 0 else "first"


def _sentence(
    term: Term,
    means: tuple[float, float],
    half_width: float | None,
    beyond: bool | None,
    better: Side | None,
    truth: float | None,
    names: tuple[str, str],
) -> str:
    difference = means[1] - means[0]
    better_is = direction(term)
    if term.better == "as real" and truth is not None:
        better_is = f"nearer to ground truth, {term.shown(truth)}, is better"
    opening = f"{term.label} ({better_is}"
    if difference == 0.0:
        return f"{opening}): {names[0]} and {names[1]} are equal."
    word = "higher" if difference > 0 else "lower"
    text = f"{opening}): {names[1]} is {word} by {term.shown(abs(difference))}"
    if half_width is None or beyond is None:
        return f"{text}; single values, so the noise is not known."
    ends = [term.shown(abs(difference) + sign * half_width) for sign in (-1, 1)]
    text += f" (95 % interval {ends[0]} to {ends[1]})"
    if not beyond:
        return f"{text}, within the noise."
    if better is not None:
        winner = names[("first", "second").index(better)]
        nearer = "nearer to ground truth" if term.better == "as real" else "better"
        return f"{text}, beyond the noise: {winner} is {nearer}."
    if truth is None:
        return f"{text}, beyond the noise; without a ground truth nobody can say which is better."
    return f"{text}, beyond the noise, but neither is nearer to ground truth."
