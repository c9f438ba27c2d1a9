"""What a report says, as sentences and tables of text: the same in Markdown and on a page.

Reports are dictionaries as `report.json` holds them (``kind: intermask-evaluation``). Parts that a
report does not have give no table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intermask.evaluation.terms import (
    GROUND_TRUTH,
    METRICS,
    PHYSICS,
    RECONSTRUCTION,
    REFERENCE_ROWS,
    SHUFFLED,
    TOKENIZER,
    Term,
    direction,
    mark,
)

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of text; the first column names the rows."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    important: str = ""
    """Name of the row that the report is about."""
    important_column: int | None = None
    """Number of the column that the report is about, where rows of the report are columns."""


def evaluated_row(report: Report) -> Mapping[str, Any]:
    """The row of the model that a report is about: the first that is no reference row.

    Where there is none, the last row.
    """
    rows: Sequence[Mapping[str, Any]] = report["rows"]
    return next((row for row in rows if row["name"] not in REFERENCE_ROWS), rows[-1])


def row_named(report: Report, name: str) -> Mapping[str, Any] | None:
    """A row by its name."""
    return next((row for row in report["rows"] if row["name"] == name), None)


def interval_of(row: Mapping[str, Any], term: Term) -> Mapping[str, Any] | None:
    """Mean, interval and replications of a metric, or a physical metric, of a row, if it has it.

    Older reports have physical metrics of one replication, as numbers.
    """
    for block in ("metrics", "physics"):
        found = (row.get(block) or {}).get(term.key)
        if isinstance(found, Mapping):
            return found
        if found is not None:
            return {"mean": float(found), "half_width": None, "replications": [float(found)]}
    return None


def value_of(row: Mapping[str, Any] | None, term: Term) -> float | None:
    """The mean of a metric, or a physical metric, of a row; None where it has none."""
    interval = None if row is None else interval_of(row, term)
    return None if interval is None else float(interval["mean"])


def interval_text(interval: Mapping[str, Any] | None, term: Term) -> str:
    """``0.449 ± 0.004``; a dash where there is no number."""
    if interval is None or interval.get("mean") is None:
        return "–"
    half = interval.get("half_width")
    spread = "" if half is None else f" ± {term.shown(half)}"
    return term.shown(interval["mean"]) + spread


def metrics_shown(report: Report) -> list[Term]:
    """Metrics that any row has."""
    return _shown(report, METRICS)


def physics_shown(report: Report) -> list[Term]:
    """Physical metrics that any row has."""
    return _shown(report, PHYSICS)


def _shown(report: Report, terms: Sequence[Term]) -> list[Term]:
    return [
        term for term in terms if any(interval_of(row, term) is not None for row in report["rows"])
    ]


def physical_rows(report: Report) -> list[Mapping[str, Any]]:
    """Rows with physical metrics."""
    return [row for row in report["rows"] if row.get("physics")]


def metric_table(report: Report) -> Table:
    """Rows of the report by metrics of the evaluator, with 95 % intervals."""
    terms = metrics_shown(report)
    return Table(
        ("", *(f"{term.short} {mark(term)}" for term in terms)),
        tuple(
            (row["name"], *(interval_text(interval_of(row, term), term) for term in terms))
            for row in report["rows"]
        ),
        evaluated_row(report)["name"],
    )


def physics_table(report: Report) -> Table | None:
    """Physical metrics by rows of the report, with 95 % intervals; None if no row has any.

    There are more metrics than rows, so they are put down the side.
    """
    terms = physics_shown(report)
    if not terms:
        return None
    rows = physical_rows(report)
    return Table(
        ("", *(row["name"] for row in rows)),
        tuple(
            (
                f"{term.label} {mark(term)}",
                *(interval_text(interval_of(row, term), term) for row in rows),
            )
            for term in terms
        ),
        important_column=_place(rows, evaluated_row(report)),
    )


def physics_notes() -> list[str]:
    """How to read physical metrics, a sentence each."""
    return [
        "Measured on joint positions, without any evaluator; means over replications with 95 % "
        "intervals. A motion in which nobody moves has no flaw, so read every number beside "
        "ground truth.",
        "Reconstructions and the model's motion are measured as decoded; `intermask generate` "
        "mends motion before it writes a file.",
    ]


def _place(rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> int | None:
    """Column of a row in a table of rows side by side, behind the column of titles."""
    return rows.index(row) + 1 if row in rows else None


def meanings(terms: Sequence[Term]) -> list[tuple[str, str]]:
    """Title of each number, as its table has it, what it is and which direction is better."""
    return [(_titles(term), f"{term.meaning}; {direction(term)}") for term in terms]


def _titles(term: Term) -> str:
    if term in PHYSICS or term.short == term.title:
        return term.title
    return f"{term.short}: {term.title}"


def audit_table(report: Report) -> Table | None:
    """What happened to the evaluator's metrics when real clips were changed."""
    audit = report.get("audit")
    if not audit:
        return None
    terms = [term for term in METRICS if any(term.key in each["metrics"] for each in audit)]
    seen = {True: "yes", False: "no", None: "–"}
    return Table(
        ("real clips with", *(f"{term.short} {mark(term)}" for term in terms), "seen"),
        tuple(
            (
                each["change"],
                *(interval_text(each["metrics"].get(term.key), term) for term in terms),
                seen[each["sees"]],
            )
            for each in audit
        ),
    )


def headline(report: Report) -> list[str]:
    """The least that a reader should know, a sentence each."""
    name = evaluated_row(report)["name"]
    return [
        sentence
        for sentence in (_fid_sentence(report, name), _matching_sentence(report, name))
        if sentence
    ]


def _fid_sentence(report: Report, name: str) -> str:
    fid = next(term for term in METRICS if term.key == "fid")
    model = value_of(row_named(report, name), fid)
    if model is None:
        return ""
    sentence = f"FID of {name} is {fid.shown(model)}"
    tokenizer = value_of(row_named(report, RECONSTRUCTION), fid)
    real = value_of(row_named(report, GROUND_TRUTH), fid)
    beside = []
    if tokenizer is not None and name != RECONSTRUCTION:
        beside.append(f"its tokenizer alone scores {fid.shown(tokenizer)}")
    if real is not None:
        beside.append(f"real motion against real motion {fid.shown(real)}")
    return f"{sentence}; {', '.join(beside)}." if beside else f"{sentence}."


def _matching_sentence(report: Report, name: str) -> str:
    for key in ("r_precision_3", "r_precision_1"):
        term = next(each for each in METRICS if each.key == key)
        model = value_of(row_named(report, name), term)
        if model is None:
            continue
        sentence = (
            f"For {100 * model:.0f} % of captions the motion of {name} is among the {key[-1]} "
            f"nearest of {report['protocol'].get('pool', 'its pool')}"
        )
        beside = [
            f"{100 * value:.0f} % for {row}"
            for row in (GROUND_TRUTH, SHUFFLED)
            if (value := value_of(row_named(report, row), term)) is not None
        ]
        return f"{sentence}; {', '.join(beside)}." if beside else f"{sentence}."
    return ""


def protocol_sentence(report: Report) -> str:
    """Whether this is the official protocol."""
    if report["protocol"]["official"]:
        return (
            "This is the official protocol: its numbers can stand beside those of papers that "
            "used the same evaluator."
        )
    return (
        "This is not the official protocol: compare its numbers with each other, and with reports "
        "made in the same way, not with papers."
    )


def why_not_official(report: Report) -> list[str]:
    """What differs from the official protocol, a sentence each."""
    if report["protocol"]["official"]:
        return []
    return [str(each) for each in report["protocol"].get("why_not", [])]


def notes(report: Report) -> list[str]:
    """What else must be known of single rows, a sentence each."""
    return [str(each) for each in report["protocol"].get("notes") or ()]


def protocol_facts(report: Report) -> list[tuple[str, str]]:
    """What was measured, and on how much."""
    left_out = ("official", "why_not", "notes")
    facts = [
        (key.replace("_", " "), _plain(value))
        for key, value in report["protocol"].items()
        if key not in left_out
    ]
    speed = report.get("speed") or {}
    return facts + [(key.replace("_", " "), _plain(value)) for key, value in speed.items()]


def folded_facts(report: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    """What it takes to make the report again: settings, versions, seeds, hashes."""
    sections = []
    for key in ("settings", "versions", "seeds", "hashes"):
        facts = list(_flat(report.get(key) or {}))
        if key == "versions":
            facts.insert(0, ("intermask", str(report.get("intermask_version", "unknown"))))
        if facts:
            sections.append((key, facts))
    return sections


def tokenizer_facts(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A tokenizer's numbers (`tokenizer_quality.TokenizerReport.numbers`) by their titles."""
    facts = [
        (f"{term.label} {mark(term)}", term.shown(numbers[term.key]))
        for term in TOKENIZER
        if numbers.get(term.key) is not None
    ]
    for key, title, decimals in (
        ("codes_taken_by_row", "Codes used", 0),
        ("perplexity_by_row", "Perplexity", 1),
    ):
        if numbers.get(key):
            shown = ", ".join(f"{value:.{decimals}f}" for value in numbers[key])
            facts.append((f"{title} by row of the token map", shown))
    if numbers.get("codes") is not None:
        facts.append(("Codes of the codebook", str(numbers["codes"])))
    if numbers.get("worst_clips"):
        facts.append(("Worst clips", ", ".join(numbers["worst_clips"])))
    return facts


def memorisation_sentence(report: Report) -> str:
    """How near motions are to training clips; nothing where that was not measured."""
    found = report.get("memorisation")
    if not found:
        return ""
    return (
        f"Generated motions are {_cm(found['generated_median_m'])} from the nearest training clip "
        f"in the median, real clips that the model has not seen {_cm(found['held_out_median_m'])}. "
        f"Suspiciously near, nearer than all but 5 % of those ({_cm(found['threshold_m'])}): "
        f"{found['suspicious']} of {found['clips']} motions."
    )


def nearest_training_clips(report: Report) -> list[str]:
    """The motions that are nearest to training clips, a phrase each."""
    return list((report.get("memorisation") or {}).get("nearest") or ())


def told(value: Any) -> str:
    """A setting in a few words; of a hash its beginning."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:12]}…" if len(text) == 64 and " " not in text else text


def _cm(metres: float) -> str:
    return f"{100 * metres:.1f} cm"


def _flat(block: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in block.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}, ")
        else:
            yield name, _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Sequence) and len(value) > 8:
        return f"{len(value)} values"
    if isinstance(value, Sequence):
        return ", ".join(_plain(each) for each in value) or "none"
    return json.dumps(value, ensure_ascii=False)
