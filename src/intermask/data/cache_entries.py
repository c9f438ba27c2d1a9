"""What lies in a cache, and how to make room: entries are never out of date, only unused."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intermask.data.cache import FINGERPRINTS, INDEX, read_json
from intermask.data.cache_lock import is_being_made

UNFINISHED = "unfinished"
"""Kind of what a process left behind that was ended while it computed an entry."""

_ENTRY = re.compile(r"(?P<kind>[a-z]+)-[0-9a-f]{32}")
_HASHES = re.compile(r"[0-9a-f]{32}\.json")
_LEFT = re.compile(r"\.(?P<entry>([a-z]+-)?[0-9a-f]{32}(\.json)?)(-.+|\.lock)")


@dataclass(frozen=True)
class CacheEntry:
    """One thing that can be removed."""

    path: Path
    """A folder or a file."""
    kind: str
    """``clips``, ``text``, ``tokens``, ``fingerprints`` or `UNFINISHED`."""
    of: str
    """What it was computed from, in words; may be empty."""
    count: int
    """Arrays, or hashes of files."""
    bytes: int
    used: float
    """When it was last asked for, in seconds since 1970."""


def cache_entries(cache: Path, unused_for: float = 0.0) -> list[CacheEntry]:
    """All entries, the longest unused first; what else lies in the folder is passed over.

    Args:
        cache: its folder, which may be missing.
        unused_for: seconds for which an entry must not have been asked for. What ended processes
            left behind is listed at any age; what one is computing right now is no entry yet.
    """
    before = time.time() - unused_for
    found = [
        each
        for each in (*_arrays(cache), *_hashes(cache / FINGERPRINTS))
        if each.kind == UNFINISHED or each.used <= before
    ]
    return sorted(found, key=lambda each: (each.used, each.path.name))


def remove_entry(entry: CacheEntry) -> bool:
    """Whether it is gone. On Windows, arrays stay that a process has open."""
    if entry.path.is_dir():
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        entry.path.unlink(missing_ok=True)
    return not entry.path.exists()


def _arrays(folder: Path) -> Iterator[CacheEntry]:
    for path in _inside(folder):
        name = _ENTRY.fullmatch(path.name)
        if name and path.is_dir():
            index = read_json(path / INDEX)
            of, count = str(index.get("of", "")), len(index.get("arrays", ()))
            used = _changed(path / INDEX if index else path)
            yield CacheEntry(path, name["kind"], of, count, _size(path), used)
    yield from _left(folder)


def _hashes(folder: Path) -> Iterator[CacheEntry]:
    for path in _inside(folder):
        if _HASHES.fullmatch(path.name):
            count = len(read_json(path))
            yield CacheEntry(path, FINGERPRINTS, "", count, _size(path), _changed(path))
    yield from _left(folder)


def _left(folder: Path) -> Iterator[CacheEntry]:
    for path in _inside(folder):
        name = _LEFT.fullmatch(path.name)
        if name and not is_being_made(folder / name["entry"]):
            yield CacheEntry(path, UNFINISHED, "", 0, _size(path), _changed(path))


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
