"""``runs list`` and ``runs plot``: training runs at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intermask.cli.console import print_columns, working
from intermask.cli.options import examples
from intermask.errors import UserError

runs_app = typer.Typer(no_args_is_help=True, help="Look at training runs: a table, and curves.")


@runs_app.command(
    "plot",
    epilog=examples(
        "intermask runs plot runs/a runs/b -o curves.png",
        "intermask runs plot runs/a -o curves.png --metric loss --metric salsa/mpjpe_mm",
    ),
)
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Training runs.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.png", help="The picture to write.")
    ] = Path("curves.png"),
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", help="loss or a validation metric; may be repeated. Default: all."
        ),
    ] = None,
) -> None:
    """Draw the curves of several runs into one picture, one panel a metric."""
    if output.suffix.lower() != ".png":
        raise UserError(f"the picture is written as PNG; call it {output.with_suffix('.png')}")
    with working("drawing"):
        from intermask.files import check_can_write
        from intermask.training.curves import draw_curves

        check_can_write(output)
        draw_curves(runs, output, metric or ())
    typer.echo(str(output))


@runs_app.command("list", epilog=examples("intermask runs list runs/"))
def list_runs(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that holds training runs.")
    ] = Path("runs"),
) -> None:
    """List the runs in a folder: stage, steps, the best validation, the data."""
    from intermask.training.describe import run_table

    header, rows = run_table(folder)
    print_columns(header, rows)
