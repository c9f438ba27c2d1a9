"""What commands show: progress on stderr, results on stdout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from intermask.training.loop import Progress as StepProgress

_SECONDS_BETWEEN_LINES = 60.0

Update = Callable[[int, int], None]
"""Called with what is done and what there is to do."""


def messages() -> Console:
    """Rich's console on stderr, for everything that is not a result."""
    from rich.console import Console

    return Console(stderr=True)


@contextmanager
def progress_bar(description: str) -> Iterator[Update]:
    """A bar with the time left; it is gone when the work is done, or where there is no terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = messages()
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def working(description: str) -> Iterator[None]:
    """A moving sign beside work of unknown length."""
    console = messages()
    if console.is_terminal:
        with console.status(description):
            yield
    else:
        yield


class TrainingView:
    """A bar with speed, time left and losses, and a line for every validation.

    Where there is no terminal (a log file), a line from time to time takes the bar's place.
    A quiet one shows nothing: of several processes only one speaks.
    """

    def __init__(self, stage: str, *, quiet: bool = False) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.table import Column

        self.console = messages()
        self.console.quiet = quiet
        self._progress = Progress(
            TextColumn(stage, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[speed]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
            TextColumn(
                "{task.fields[losses]}",
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=self.console,
            expand=True,
            disable=quiet or not self.console.is_terminal,
        )
        self._task = self._progress.add_task(stage, total=None, speed="", losses="")
        self._seconds = 0.0
        self._told = self._started = 0.0
        self.step = 0
        """The last step that was done."""

    @property
    def seconds(self) -> float:
        """Since training began."""
        return time.monotonic() - self._started

    def __enter__(self) -> TrainingView:
        self._progress.start()
        self._told = self._started = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_step(self, progress: StepProgress) -> None:
        """Show what a step did."""
        if not self.step:  # what a resumed run brings along was not done in this time
            self._progress.reset(self._task, total=progress.steps, completed=progress.step - 1)
        self.step = progress.step
        before = self._seconds or progress.seconds_per_step
        self._seconds = 0.9 * before + 0.1 * progress.seconds_per_step
        speed = f"{1 / max(self._seconds, 1e-9):.2f} steps/s"
        losses = figures(progress.losses, 4)
        if self.console.is_terminal:
            self._progress.update(
                self._task,
                completed=progress.step,
                total=progress.steps,
                speed=speed,
                losses=losses,
            )
        elif time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            left = duration(self._seconds * (progress.steps - progress.step))
            self._line(f"step {progress.step} of {progress.steps}, {speed}, {left} left  {losses}")

    def on_validation(self, step: int, metrics: Mapping[str, float]) -> None:
        """A line that stays."""
        self._line(f"step {step}: validation  {figures(metrics, 8)}")

    def _line(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)


def figures(numbers: Mapping[str, float], most: int) -> str:
    """``name 1.23`` of the first few numbers."""
    return "  ".join(f"{name} {value:.4g}" for name, value in list(numbers.items())[:most])


def duration(seconds: float) -> str:
    """Seconds in words, to two units: ``3 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def print_table(rows: Sequence[tuple[str, str]], title: str = "") -> None:
    """Labels and values; values are never cut, so that they can be copied."""
    if title:
        typer.echo(title)
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        typer.echo(f"  {label:<{width}}  {value}".rstrip())


def print_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with titles; columns are as wide as they must be, and nothing is cut."""
    widths = [max(len(row[place]) for row in (header, *rows)) for place in range(len(header))]
    for row in (header, *rows):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo(f"  {'  '.join(cells)}".rstrip())
