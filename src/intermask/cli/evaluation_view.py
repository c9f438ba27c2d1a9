"""What `evaluate` shows while it works, and its tables at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from intermask.cli.console import duration, messages

if TYPE_CHECKING:
    from intermask.evaluation.store import Unit
    from intermask.evaluation.terms import Term

_SECONDS_BETWEEN_LINES = 60.0


class EvaluationView:
    """A bar with the time left, and a line for every replication; lines alone in a log file."""

    def __init__(self, replications: int) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self.console = messages()
        self.replications = replications
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            speed_estimate_period=600,
        )
        self._task = self._progress.add_task("generating", total=None)
        self._started = self._told = 0.0
        self._first: float | None = None

    def __enter__(self) -> EvaluationView:
        self._progress.start()
        self._started = self._told = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_progress(self, done: float, total: float) -> None:
        """Frames of motion that are made, of all; what an earlier run made is not counted."""
        if self._first is None:
            self._first = done
            self._progress.reset(self._task, total=total, completed=round(done))
        self._progress.update(self._task, completed=done, total=total)
        if self.console.is_terminal or time.monotonic() - self._told < _SECONDS_BETWEEN_LINES:
            return
        self._told = time.monotonic()
        made = done - self._first
        if made > 0:
            left = (self._told - self._started) * (total - done) / made
            self._line(f"generating: {done / total:.0%}, {duration(left)} left")

    def on_unit(self, unit: Unit) -> None:
        """A line that stays."""
        what = "replication" if unit.kind == "replications" else "MultiModality of replication"
        spent = duration(time.monotonic() - self._started)
        self._line(f"{what} {unit.number + 1} of {self.replications} made, {spent} so far")

    def on_part(self, what: str, done: int, total: int) -> None:
        """Work after the motions are made."""
        self._progress.update(self._task, description=what, completed=done, total=total)

    def _line(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, soft_wrap=True)


def print_report(report: Mapping[str, Any]) -> None:
    """The tables of a report and what a reader must know about them, on stdout."""
    from rich.console import Console

    from intermask.evaluation.report_tables import (
        headline,
        memorisation_sentence,
        metrics_shown,
        physics_shown,
        protocol_sentence,
        why_not_official,
    )

    console = Console(highlight=False)
    console.print(_metric_table(report, metrics_shown(report)))
    if terms := physics_shown(report):
        console.print(_physics_table(report, terms))
    for sentence in headline(report):
        typer.echo(sentence)
    typer.echo(protocol_sentence(report))
    for reason in (*why_not_official(report), *report["protocol"]["notes"]):
        typer.echo(f"  - {reason}")
    if memory := memorisation_sentence(report):
        typer.echo(memory)
    for each in report["audit"] or ():
        typer.echo(f"Audit, {each['change']}: {each['says']}")


def _metric_table(report: Mapping[str, Any], terms: list[Term]) -> Any:
    """Rows by metrics: the mean, and below it the half width of its 95 % interval."""
    from rich import box
    from rich.table import Table

    from intermask.evaluation.report_tables import evaluated_row
    from intermask.evaluation.terms import mark

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.add_column("", overflow="fold")
    for term in terms:
        table.add_column(f"{term.short} {mark(term)}", justify="right", no_wrap=True)
    for row in report["rows"]:
        cells = [_cell(row["metrics"].get(term.key), term) for term in terms]
        bold = "bold" if row is evaluated_row(report) else None
        table.add_row(row["name"], *cells, style=bold)
    return table


def _cell(interval: Mapping[str, Any] | None, term: Term) -> str:
    if interval is None:
        return "–"
    half = interval["half_width"]
    spread = "" if half is None else f"\n[dim]±{term.shown(half)}[/dim]"
    return f"{term.shown(interval['mean'])}{spread}"


def _physics_table(report: Mapping[str, Any], terms: list[Term]) -> Any:
    """Physical metrics by rows of the report: there are more metrics than rows."""
    from rich import box
    from rich.table import Table

    from intermask.evaluation.report_tables import interval_of, interval_text, physical_rows
    from intermask.evaluation.terms import mark

    rows = physical_rows(report)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        table.add_column(row["name"], justify="right", overflow="fold")
    for term in terms:
        cells = [interval_text(interval_of(row, term), term) for row in rows]
        table.add_row(f"{term.label} {mark(term)}", *cells)
    return table
