"""Writing motions, as commands do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from intermask.cli.console import progress_bar

if TYPE_CHECKING:
    from intermask.motion import Motion


def usable_formats(text: str) -> tuple[str, ...]:
    """Formats of a list that this installation can write; what it cannot write costs a sentence.

    Raises:
        UserError: an unknown format.
        MissingExtra: none of them can be written.
    """
    from intermask.export.writing import missing_extra, parse_formats

    usable = []
    errors = []
    for name in parse_formats(text):
        error = missing_extra(name)
        if error is None:
            usable.append(name)
        else:
            errors.append((name, error))
    if not usable:
        raise errors[0][1]
    for name, error in errors:
        typer.echo(f"no {name} is written: {error}", err=True)
    return tuple(usable)


def save(motion: Motion, stem: Path, formats: tuple[str, ...], names: str = "smpl") -> None:
    """Write all formats of a motion and print the files' names, one a line.

    ``names``: of the joints in files for other programs.
    """
    from intermask.export.writing import write_all

    with progress_bar("drawing") as update:
        files = write_all(motion, stem, formats, names=names, on_frame=update)
    for path in files:
        typer.echo(str(path))


def stem_in(output: str | None, name: str) -> Path:
    """Where one motion goes: the stem given, or a name (in a folder, if one is given)."""
    from intermask.export.writing import plain_stem

    if output is None:
        return Path(name)
    if output.endswith(("/", "\\")) or Path(output).is_dir():
        return Path(output) / name
    return plain_stem(output)
