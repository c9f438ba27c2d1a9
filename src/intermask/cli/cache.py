"""``data cache``: what trainings keep for later ones, and how to make room."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intermask.cli.console import print_columns, working

if TYPE_CHECKING:
    from intermask.data.cache_entries import CacheEntry

OLD = 30.0
"""Days after which an entry that nobody asked for is removed."""
SECONDS_A_DAY = 86400.0


def cache(
    clean: Annotated[
        bool,
        typer.Option(
            "--clean",
            help="Remove entries that nobody asked for in the last --unused days, and what "
            "interrupted commands left behind.",
        ),
    ] = False,
    unused: Annotated[
        float | None,
        typer.Option(
            "--unused",
            metavar="DAYS",
            help="Only entries that nobody asked for in so many days.  Default: all are listed, "
            f"{OLD:.0f} days to be removed; --clean --unused 0 removes everything.",
            min=0,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            metavar="DIR",
            help="The folder.  Default: the user's cache folder, or $INTERMASK_CACHE.",
        ),
    ] = None,
) -> None:
    """List the clips, text features and tokens that trainings keep, or remove old ones.

    Nothing is lost with them: what is needed again is computed again.
    """
    from intermask.data.cache import default_cache
    from intermask.data.cache_entries import cache_entries, remove_entry

    place = folder or default_cache()
    days = unused if unused is not None else OLD if clean else 0.0
    with working("looking through the cache"):
        found = cache_entries(place, days * SECONDS_A_DAY)
    if not clean:
        _print(place, found)
        return
    with working("removing"):
        gone = [entry for entry in found if remove_entry(entry)]
    typer.echo(f"removed {_total(gone)} from {place}")
    if len(gone) < len(found):
        typer.echo(f"{len(found) - len(gone)} are in use by other processes and stay")


def _print(place: Path, found: list[CacheEntry]) -> None:
    if not found:
        typer.echo(f"{place} holds no such entries")
        return
    rows = [
        (each.kind, each.of, str(each.count), _size(each.bytes), _ago(each.used), each.path.name)
        for each in found
    ]
    print_columns(("kind", "of", "holds", "size", "last used", "name"), rows)
    typer.echo(f"{_total(found)} in {place}; intermask data cache --clean removes old ones")


def _total(entries: list[CacheEntry]) -> str:
    word = "entry" if len(entries) == 1 else "entries"
    return f"{len(entries)} {word}, {_size(sum(entry.bytes for entry in entries))}"


def _ago(when: float) -> str:
    days = int((time.time() - when) / SECONDS_A_DAY)
    return "today" if days < 1 else "1 day ago" if days == 1 else f"{days} days ago"


def _size(count: float) -> str:
    """Bytes in words: ``3.2 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
