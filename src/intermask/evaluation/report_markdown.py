"""A report as Markdown: the facts of the page, for terminals, issues and model cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from intermask.evaluation import report_tables
from intermask.evaluation.report_tables import Report, Table


def write_markdown(report: Report) -> str:
    """The report as text in GitHub's Markdown, ending with a newline.

    Args:
        report: as in ``report.json``.
    """
    name = report_tables.evaluated_row(report)["name"]
    parts = [
        f"# Evaluation of {_escaped(name)}",
        f"**{report_tables.protocol_sentence(report)}**",
        _list(report_tables.why_not_official(report)),
        *(_escaped(each) for each in report_tables.headline(report)),
        "## Numbers",
        "Means over replications with 95 % intervals. ↑ higher is better, ↓ lower is better, → "
        "nearer to ground truth is better.",
        markdown_table(report_tables.metric_table(report)),
        _list(report_tables.notes(report)),
        *_physics(report),
        *_audit(report),
        *_samples(report),
        *_facts("Tokenizer", report_tables.tokenizer_facts(report.get("tokenizer") or {})),
        *_memorisation(report),
        *_facts("Protocol and speed", report_tables.protocol_facts(report)),
        *(
            part
            for title, facts in report_tables.folded_facts(report)
            for part in _facts(title.capitalize(), facts)
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _physics(report: Report) -> list[str]:
    table = report_tables.physics_table(report)
    if table is None:
        return []
    terms = report_tables.meanings(report_tables.physics_shown(report))
    return [
        "## Physics",
        *report_tables.physics_notes(),
        markdown_table(table),
        _list([f"{title}: {meaning}" for title, meaning in terms]),
    ]


def _audit(report: Report) -> list[str]:
    table = report_tables.audit_table(report)
    if table is None:
        return []
    verdicts = [f"**{each['change']}**: {each['says']}" for each in report["audit"]]
    return [
        "## What the evaluator sees",
        markdown_table(table),
        "\n".join(f"- {v}" for v in verdicts),
    ]


def _samples(report: Report) -> list[str]:
    samples = report.get("samples") or {}
    header = ("", "clip", "distance", "caption")
    rows = [
        (kind, str(each["name"]), f"{float(each['distance']):.3f}", str(each["caption"]))
        for kind in ("worst", "best")
        for each in samples.get(kind) or ()
    ]
    if not rows:
        return []
    return [
        "## Worst and best motions",
        "By the distance between caption and motion, as the evaluator sees it.",
        markdown_table(Table(header, tuple(rows))),
    ]


def _memorisation(report: Report) -> list[str]:
    sentence = report_tables.memorisation_sentence(report)
    if not sentence:
        return []
    nearest = report_tables.nearest_training_clips(report)
    return ["## Memorisation", sentence, _list(nearest)]


def _facts(title: str, facts: Sequence[tuple[str, str]]) -> list[str]:
    return [f"## {title}", markdown_table(Table(("", ""), tuple(facts)))] if facts else []


def markdown_table(table: Table) -> str:
    """A table in GitHub's Markdown; the important row or column is bold."""
    rows = [table.header, tuple("---" for _ in table.header)]
    for row in table.rows:
        cells = tuple(_escaped(cell) for cell in row)
        whole = table.important and row[0] == table.important
        rows.append(
            tuple(
                f"**{cell}**" if whole or column == table.important_column else cell
                for column, cell in enumerate(cells)
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {_escaped(each)}" for each in sentences)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    for sign in "\\|*_<>`":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
