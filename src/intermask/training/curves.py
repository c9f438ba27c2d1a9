"""Training curves of several runs in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from intermask.errors import MissingExtra, UserError
from intermask.files import atomic_path
from intermask.training.history import History, Series, higher_is_better, read_history
from intermask.training.runs import read_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSS = "loss"
"""Panel of the training loss; all others are metrics of the validation."""
PANELS_A_ROW = 3
_PANEL_INCHES = (4.6, 3.1)
_SMOOTHED_FROM = 40
"""Points from which the training loss is drawn twice: as logged, faint, and smoothed."""
_LOG_SCALE_FROM = 20.0
"""Largest over smallest value from which a panel is logarithmic."""


def draw_curves(
    runs: Sequence[Path], path: str | Path, metrics: Sequence[str] = ()
) -> tuple[str, ...]:
    """Draw one panel for each metric with one line for each run, as PNG.

    Args:
        runs: run folders; a line is named after its folder.
        path: the file to write.
        metrics: which validation metrics (and ``loss``, the training's). By default the loss and
            all that are not of a single dataset.

    Returns:
        The names of the panels that were drawn.

    Raises:
        UserError: a folder is no run or has no numbers, or no run knows a metric.
        MissingExtra: matplotlib is not installed.
    """
    for run in runs:
        read_run(run)
    histories = {name: read_history(run) for name, run in _named(runs).items()}
    for name, history in histories.items():
        if not history.last_step:
            raise UserError(f"the run {name} has logged no step yet; there is nothing to draw")
    panels = _panels(histories, metrics)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("plot", "matplotlib") from error
    columns = min(PANELS_A_ROW, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(
        (columns * _PANEL_INCHES[0], rows * _PANEL_INCHES[1] + 0.5), layout="constrained"
    )
    canvas = FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, panel in enumerate(panels):
        _draw_panel(grid[place // columns][place % columns], panel, histories)
    for empty in range(len(panels), rows * columns):
        grid[empty // columns][empty % columns].set_axis_off()
    _add_legend(figure, list(histories))
    with atomic_path(path) as temporary:
        canvas.print_png(temporary)
    return tuple(panels)


def _named(runs: Sequence[Path]) -> dict[str, Path]:
    """Runs by a short name that tells them apart."""
    folders = [run.resolve() for run in runs]
    if len(set(folders)) < len(folders):
        raise UserError("a run was given twice; name every run once")
    depth = 1
    while len({folder.parts[-depth:] for folder in folders}) < len(folders):
        depth += 1
    return {"/".join(folder.parts[-depth:]): folder for folder in folders}


def _panels(histories: dict[str, History], wanted: Sequence[str]) -> list[str]:
    known = [LOSS]
    for history in histories.values():
        known += [name for name in history.validation if name not in known]
    for name in wanted:
        if name not in known:
            raise UserError(
                f"none of these runs has the metric {name!r}; they have {', '.join(known)}"
            )
    return list(dict.fromkeys(wanted)) or [name for name in known if "/" not in name]


def _series(history: History, panel: str) -> Series | None:
    return (history.train if panel == LOSS else history.validation).get(panel)


def _draw_panel(axes: Axes, panel: str, histories: dict[str, History]) -> None:
    drawn: list[float] = []
    for number, history in enumerate(histories.values()):
        series = _series(history, panel)
        if series is None:
            continue
        colour = f"C{number % 10}"
        values = series.values
        if panel == LOSS and len(values) >= _SMOOTHED_FROM:
            axes.plot(series.steps, values, color=colour, alpha=0.25, linewidth=0.8)
            values = _smoothed(values)
        marker = "o" if len(values) < _SMOOTHED_FROM else ""
        axes.plot(series.steps, values, color=colour, marker=marker, markersize=3)
        drawn += values
    if drawn and min(drawn) > 0 and max(drawn) / min(drawn) > _LOG_SCALE_FROM:
        axes.set_yscale("log")
    axes.set_xlim(0, 1.02 * max(history.last_step for history in histories.values()))
    kind = "training" if panel == LOSS else "validation"
    better = "higher is better" if higher_is_better(panel) else "lower is better"
    axes.set_title(f"{kind} {panel}", fontsize=10)
    axes.set_xlabel(f"step ({better})", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)


def _smoothed(values: Sequence[float]) -> list[float]:
    """Moving average that looks back over about a twentieth of the run."""
    keep = 1 - 1 / max(2, len(values) // 20)
    result: list[float] = []
    for value in values:
        result.append(value if not result else keep * result[-1] + (1 - keep) * value)
    return result


def _add_legend(figure: Figure, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=f"C{number % 10}") for number in range(len(names))]
    figure.legend(
        lines,
        names,
        loc="outside upper center",
        ncols=min(len(names), 4),
        fontsize=9,
        frameon=False,
    )
