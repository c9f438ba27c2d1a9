"""``data make``: data that the library makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import messages, print_table, progress_bar
from intermask.cli.options import examples

if TYPE_CHECKING:
    from intermask.choreography.making import OpenReport

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


@make_app.command(
    "open",
    epilog=examples(
        "intermask data make open -o data/open --clips 10000 --seed 0 --workers 8",
        "intermask data make open -o data/hugs --clips 50 --families hug,handshake",
    ),
)
def make_open(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="The dataset folder; a stopped one goes on."
        ),
    ],
    clips: Annotated[int, typer.Option("--clips", help="Clips in all.", min=1)] = 10000,
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", help="Processes; the clips are the same.", min=1)
    ] = 1,
    families: Annotated[
        str | None,
        typer.Option("--families", metavar="A,B", help="Only these interactions, and no chains."),
    ] = None,
    salsa: Annotated[
        Path | None,
        typer.Option("--salsa", metavar="DIR", help="CMU's salsa, imported: 8 % of the clips."),
    ] = None,
    grapplemap: Annotated[
        Path | None,
        typer.Option("--grapplemap", metavar="DIR", help="GrappleMap, imported: 10 %."),
    ] = None,
) -> None:
    """Make the open dataset: everyday interactions of two people, with contacts as ground truth.

    Everyone gets the same clips from the same seed. Scenes are put together from captured motion,
    planned around their contacts, and kept only if they pass a gate. DIR is in InterHuman's
    layout, with ground_truth/NAME.json for every clip and a DATASHEET.md.
    """
    from intermask.choreography.making import make_open as make

    chosen = None if families is None else [name.strip() for name in families.split(",")]
    with progress_bar("making clips") as update:
        report = make(
            output,
            clips,
            seed,
            workers=workers,
            families=chosen,
            salsa=salsa,
            grapplemap=grapplemap,
            progress=update,
        )
    _print_report(report)


def _print_report(report: OpenReport) -> None:
    from intermask.choreography.datasheet import pass_rates, reasons_of, weak_families
    from intermask.choreography.making import SHEET

    rates = pass_rates(report.records)
    passed, drawn = (sum(pair[place] for pair in rates.values()) for place in (0, 1))
    reasons = reasons_of(report.records).most_common()
    print_table(
        [
            *((split, f"{clips} clips") for split, clips in report.splits.items()),
            ("passed the gate", f"{passed} of {drawn} scenes"),
            *((f"  {name}", f"{good} of {all_}") for name, (good, all_) in rates.items()),
            ("failed", ", ".join(f"{reason} {number}" for reason, number in reasons) or "none"),
            *((each.kind, f"{each.clips} clips of {each.source}") for each in report.sources),
            ("written to", f"{report.out}, described in {SHEET}"),
        ]
    )
    console = messages()
    given = {each.kind for each in report.sources}
    for kind, option in (("salsa", "--salsa"), ("grappling", "--grapplemap")):
        if kind not in given:
            console.print(f"without {kind}: no folder was given with {option}", highlight=False)
    for name, rate in weak_families(report.records).items():
        console.print(f"warning: {name} passes in only {100 * rate:.0f} %", highlight=False)
    if report.made < report.wanted:
        console.print(
            f"warning: {report.made} of {report.wanted} choreographed clips; too few scenes passed",
            highlight=False,
        )
