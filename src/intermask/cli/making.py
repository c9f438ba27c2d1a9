"""``data make``: data that the library makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intermask.cli.console import print_table, progress_bar
from intermask.cli.options import examples

make_app = typer.Typer(no_args_is_help=True, help="Make data in place of importing it.")


@make_app.callback()
def make() -> None:
    """Make data in place of importing it."""


@make_app.command(
    "bank",
    epilog=examples("intermask data make bank --single data/single --salsa data/salsa -o my.bank"),
)
def make_bank(
    single: Annotated[
        Path, typer.Option("--single", metavar="DIR", help="CMU clips of single people, imported.")
    ],
    salsa: Annotated[
        Path, typer.Option("--salsa", metavar="DIR", help="CMU's salsa takes, imported.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The motion bank (safetensors).")
    ],
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe", metavar="TOML", help="What to take. Default: the list in the package."
        ),
    ] = None,
) -> None:
    """Distil the motion bank, from which choreographed people are put together, from captures."""
    from intermask.choreography.bank import write_bank
    from intermask.choreography.bank_making import RECIPE_FILE, read_recipe
    from intermask.choreography.bank_making import make_bank as distil
    from intermask.files import check_can_write
    from intermask.motion import FPS

    check_can_write(output)
    entries = read_recipe(recipe or RECIPE_FILE)
    with progress_bar("distilling pieces") as update:
        bank = distil((single, salsa), entries, progress=update)
    write_bank(bank, output)
    print_table(
        [
            ("pieces", f"{len(bank.segments)}, {bank.frames / FPS / 60:.1f} minutes"),
            ("activities", ", ".join(bank.tags)),
            ("size", f"{output.stat().st_size / 1e6:.1f} MB"),
            ("written to", str(output)),
        ]
    )
