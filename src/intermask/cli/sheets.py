"""``data sheets``: every family of a dataset at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import Update, print_table, progress_bar
from intermask.errors import UserError

if TYPE_CHECKING:
    from intermask.data.layout import InterHumanFolder
    from intermask.export.sheet_page import Pictured


def sheets(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A dataset of two people, in InterHuman's layout.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")],
    clips: Annotated[int, typer.Option("--clips", help="Clips of every family.", min=1)] = 3,
    frames: Annotated[int, typer.Option("--frames", help="Pictures of every clip.", min=1)] = 8,
    families: Annotated[
        str | None, typer.Option("--families", metavar="A,B", help="Only these.")
    ] = None,
) -> None:
    """Draw contact sheets of all families of a dataset on one HTML page, to look at every one.

    Families are told by the ground truth of a made dataset, else by the names of clips up to their
    last underscore. Clips are spread evenly.
    """
    from intermask.choreography.family_clips import clips_by_family
    from intermask.data.layout import InterHumanFolder
    from intermask.export.sheet_page import write_sheet_page
    from intermask.export.writing import missing_extra
    from intermask.files import check_can_write

    lacking = missing_extra("sheet")
    if lacking is not None:
        raise lacking
    check_can_write(output)
    dataset = InterHumanFolder(folder)
    found = clips_by_family(dataset)
    chosen = _chosen(found, families, folder)
    with progress_bar("drawing contact sheets") as update:
        drawn = write_sheet_page(
            output,
            f"{dataset.root.resolve().name}: {len(chosen)} families",
            _pictured(dataset, {name: found[name] for name in chosen}, clips, update),
            frames=frames,
        )
    print_table(
        [
            ("families", str(len(chosen))),
            ("clips", f"{drawn} of {sum(len(found[name]) for name in chosen)}"),
            ("written to", f"{output} ({output.stat().st_size / 1e6:.1f} MB)"),
        ]
    )


def _chosen(found: dict[str, list[str]], families: str | None, folder: Path) -> list[str]:
    if not found:
        raise UserError(f"{folder} lists no clips of any family; make or import a dataset first")
    wanted = list(found) if families is None else [name.strip() for name in families.split(",")]
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise UserError(f"{folder} has no clips of {', '.join(unknown)}; it has {', '.join(found)}")
    return wanted


def _pictured(
    dataset: InterHumanFolder, families: dict[str, list[str]], clips: int, update: Update
) -> Iterator[Pictured]:
    from intermask.data.clip_motion import motion_of
    from intermask.export.sheet_page import Pictured

    spread = {name: _evenly(names, clips) for name, names in families.items()}
    total = sum(len(names) for names in spread.values())
    done = 0
    for family, names in spread.items():
        for name in names:
            clip = dataset.read(name)
            yield Pictured(family, name, motion_of(clip), "; ".join(clip.captions[1:]))
            done += 1
            update(done, total)


def _evenly(names: list[str], count: int) -> list[str]:
    if len(names) <= count:
        return names
    return [names[index * len(names) // count] for index in range(count)]
