"""``data humanness``: how well made motion is told from captured motion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import print_columns, print_table, progress_bar

if TYPE_CHECKING:
    from intermask.choreography.humanness_report import HumannessReport
    from intermask.choreography.separation import Separation

TELLS_SHOWN = 3


def humanness(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The made dataset, in InterHuman's layout.")
    ],
    real: Annotated[
        list[Path],
        typer.Option(
            "--real", metavar="DIR", help="Captured motion, of one person or two; repeatable."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="STEM",
            help="Writes STEM.json and STEM.md. Default: DIR/humanness.",
        ),
    ] = None,
    clips: Annotated[
        int, typer.Option("--clips", help="Clips of a family that are looked at.", min=1)
    ] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Of the judge, and of what it is shown.")] = 0,
) -> None:
    """Is made motion human? A small recurrent judge learns to tell it from captures, by family.

    The AUC is the chance that the judge, who sees two seconds of one person and has learned from
    other clips, finds a captured person the more real one: 1 is told apart always, 0.5 never.
    Beside it stand the single features by which a family differs most from captured people who
    move as fast and hold their arms alike. A DATASHEET.md in DIR gets the result as a section.
    """
    from intermask.choreography.humanness import judge_humanness
    from intermask.choreography.humanness_report import (
        JudgeOptions,
        describe_humanness,
        with_section,
    )
    from intermask.choreography.making import SHEET as DATASHEET
    from intermask.files import atomic_path, check_can_write

    stem = folder / "humanness" if output is None else output
    for suffix in (".json", ".md"):
        check_can_write(stem.with_name(stem.name + suffix))
    with progress_bar("learning to tell made from real") as update:
        report = judge_humanness(folder, real, JudgeOptions(clips=clips, seed=seed), update)
    files = report.write(stem)
    sheet = folder / DATASHEET
    if sheet.is_file():
        told = with_section(sheet.read_text("utf-8"), describe_humanness(report))
        with atomic_path(sheet) as temporary:
            temporary.write_text(told, "utf-8")
        files = (*files, sheet)
    _print_report(report)
    print_table([("written to", ", ".join(str(file) for file in files))])


def _print_report(report: HumannessReport) -> None:
    rows = [
        (
            each.family,
            str(each.clips),
            _shown(each.separation),
            ", ".join(f"{tell.feature} {tell.auc:.2f}" for tell in each.tells[:TELLS_SHOWN]),
        )
        for each in (*report.families, *report.reference)
    ]
    rows.append(("all", "", _shown(report.overall), ""))
    print_columns(("", "clips", "AUC [95 %]", "clearest single features"), rows)
    for source in report.real:
        held = ", ".join(f"{name} {count}" for name, count in source.activities.items())
        typer.echo(f"{source.name}: {source.takes} takes, {source.windows} windows ({held})")
    for tells, told in ((report.tells, "single feature"), (report.hidden, "that the judge lacks")):
        typer.echo(f"clearest {told}: {tells[0].describe()}")


def _shown(separation: Separation) -> str:
    return f"{separation.auc:.2f} [{separation.low:.2f}, {separation.high:.2f}]"
