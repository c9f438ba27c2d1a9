"""``export``: a motion file as other files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intermask.cli.output import save


def export(
    motion: Annotated[Path, typer.Argument(metavar="NAME.npz", help="A motion of ours.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="What to write, with commas: bvh, html (3D, in a browser), mp4, "
            "sheet (a PNG), npz.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="STEM", help="Default: NAME, beside the file."),
    ] = None,
) -> None:
    """Write a motion file as BVH, a page to look at it in 3D, video or contact sheet."""
    from intermask.export.writing import check_output, missing_extra, parse_formats
    from intermask.motion import Motion

    formats = parse_formats(to)
    for name in formats:
        error = missing_extra(name)
        if error is not None:
            raise error
    stem = motion.with_suffix("") if output is None else output
    check_output(stem, formats)
    save(Motion.load(motion), stem, formats)
