"""What commands show: progress on stderr, results on stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

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
    with Progress(*columns, console=messages(), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def working(description: str) -> Iterator[None]:
    """A moving sign beside work of unknown length."""
    with messages().status(description):
        yield


class TrainingView:
    """A bar with speed, time left and losses, and a line for every validation."""

    def __init__(self, stage: str) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.console = messages()
        self._progress = Progress(
            TextColumn(stage),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=self.console,
        )
        self._task = self._progress.add_task(stage, total=None, speed="", losses="")
        self._seconds = 0.0
        self.step = 0
        """The last step that was done."""

    def __enter__(self) -> TrainingView:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_step(self, progress: Any) -> None:
        """Show a `training.loop.Progress`."""
        self.step = progress.step
        before = self._seconds or progress.seconds_per_step
        self._seconds = 0.9 * before + 0.1 * progress.seconds_per_step
        self._progress.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            speed=f"{1 / max(self._seconds, 1e-9):.2f} steps/s",
            losses=figures(progress.losses, 4),
        )

    def on_validation(self, step: int, metrics: Mapping[str, float]) -> None:
        """A line that stays."""
        text = f"step {step}: validation {figures(metrics, 8)}"
        self.console.print(text, highlight=False, soft_wrap=True)


def figures(numbers: Mapping[str, float], most: int) -> str:
    """``name 1.23`` of the first few numbers."""
    return "  ".join(f"{name} {value:.4g}" for name, value in list(numbers.items())[:most])


def print_table(rows: Sequence[tuple[str, str]], title: str = "") -> None:
    """Labels and values; values are never cut, so that they can be copied."""
    if title:
        typer.echo(title)
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        typer.echo(f"  {label:<{width}}  {value}".rstrip())
