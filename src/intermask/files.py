"""Files that are either whole or absent: written under a temporary name, then moved."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intermask.errors import UserError


def _parent_for_writing(target: Path) -> Path:
    parent = target.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write {target}: the folder {parent} cannot be made ({error.strerror}); "
            "choose another output"
        ) from error
    if not os.access(parent, os.W_OK):
        raise UserError(f"cannot write {target}: {parent} is not writable; choose another output")
    return parent


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it replaces ``path``, else it vanishes."""
    target = Path(path)
    parent = _parent_for_writing(target)
    if target.is_dir():
        raise UserError(f"cannot write the file {target}: a folder has that name")
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=parent)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; the result is an ordinary one
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def with_ending(path: str | Path, ending: str) -> Path:
    """A path that has an ending such as ``.npz``; it is added if missing, dots in names stay."""
    path = Path(path)
    return path if path.suffix == ending else path.with_name(f"{path.name}{ending}")


def write_json(path: str | Path, content: Any) -> None:
    """Write indented JSON as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success it becomes ``path``.

    Raises:
        UserError: ``path`` exists and is not an empty folder.
    """
    target = Path(path)
    parent = _parent_for_writing(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} exists already; give a new folder or remove it first")
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=parent))
    temporary.chmod(0o777 & ~_umask())
    try:
        yield temporary
        if target.exists():
            target.rmdir()
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_can_write(path: str | Path) -> None:
    """Say before long work, and without leaving anything behind, that a file cannot be written.

    Raises:
        UserError: a folder has that name, or the folder around it is no folder or not writable.
    """
    target = Path(path)
    if target.is_dir():
        raise UserError(f"cannot write the file {target}: a folder has that name")
    _check_around(target)


def check_new_folder(path: str | Path) -> None:
    """Say before long work, and without leaving anything behind, that a folder cannot be made.

    Raises:
        UserError: something that is not an empty folder has that name, or it cannot be made there.
    """
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} exists already; give a new folder or remove it first")
    _check_around(target)


def _check_around(target: Path) -> None:
    around = target.absolute().parent
    while not around.exists():
        around = around.parent
    if not around.is_dir():
        raise UserError(f"cannot write {target}: {around} is not a folder; choose another output")
    if not os.access(around, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {target}: {around} is not writable; choose another output")


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
