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
            help="What to write, with commas: bvh, glb, smplh, smplx, html, mp4, gif, sheet, npz.",
        ),
    ],
    names: Annotated[
        str,
        typer.Option(
            "--names",
            metavar="smpl|mixamo|vrm|ue5",
            help="What joints are called in BVH and GLB files.",
        ),
    ] = "smpl",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="STEM", help="Default: NAME, beside the file."),
    ] = None,
) -> None:
    """Write a motion file for another program, or to look at.

    bvh: two skeletons, NAME_1.bvh and NAME_2.bvh.  glb: two people with skin
    and bones, in one file (needs the extra "glb").  smplh, smplx: a file of
    each person in AMASS's layout.  html: a page to turn, zoom and scrub in
    a browser, offline.  mp4, gif, sheet (a PNG): pictures (need "video").
    docs/formats.md says how to open each in Blender, Unity, Unreal, three.js.
    """
    from intermask.export.naming import check_naming
    from intermask.export.writing import check_output, missing_extra, parse_formats
    from intermask.motion import Motion

    formats = parse_formats(to)
    check_naming(names)
    for name in formats:
        error = missing_extra(name)
        if error is not None:
            raise error
    stem = motion.with_suffix("") if output is None else output
    check_output(stem, formats)
    save(Motion.load(motion), stem, formats, names)
