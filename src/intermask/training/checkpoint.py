"""Checkpoints: everything a run needs to go on bit for bit, in one file that is whole or absent."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from intermask.errors import UserError
from intermask.files import atomic_path

LAST = "last.pt"
PREVIOUS = "previous.pt"
"""The checkpoint before the last one."""
BEST = "best.pt"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and strings in nested dictionaries; atomic, and safely on the disk.

    Raises:
        UserError: it could not be written; what was there before is still there, and is named.
    """
    with _naming_the_last_good(path), atomic_path(path) as temporary:
        _write(temporary, state)


def save_last(folder: Path, state: dict[str, Any]) -> None:
    """Write a run's last checkpoint and keep the one before it as `PREVIOUS`.

    Raises:
        UserError: it could not be written; the last good checkpoint stays and is named.
    """
    last = folder / LAST
    with _naming_the_last_good(last), atomic_path(last) as temporary:
        _write(temporary, state)
        if last.is_file():  # only now that its successor is whole
            _keep(last, folder / PREVIOUS)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote, on the CPU, executing nothing from the file.

    Raises:
        FileNotFoundError: no such file.
        UserError: the file is corrupt; a whole checkpoint beside it is named.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; is this the folder of a training run?")
    try:
        return _read(path)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise UserError(
            f"{path} is not a readable checkpoint: {error}{_instead_of(path)}"
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what a run that was killed while it saved has left half-written."""
    for name in (LAST, PREVIOUS, BEST):
        stem, suffix = Path(name).stem, Path(name).suffix
        for path in folder.glob(f".{stem}-*{suffix}"):
            path.unlink(missing_ok=True)


@contextmanager
def naming_the_last_good(folder: Path) -> Iterator[None]:
    """Turn the full disk that anything in a run meets into a sentence with the last checkpoint.

    Raises:
        UserError: in place of the `OSError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f"{error.filename}: " if error.filename else f"writing into {folder} failed: "
        raise UserError(f"{where}{error.strerror}. {_how_to_go_on(folder)}") from error


@contextmanager
def _naming_the_last_good(path: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (OSError, RuntimeError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__  # torch hides the disk's answer behind its own
        reason = error if cause is None else cause.strerror or cause
        raise UserError(
            f"{path} could not be written: {reason}. {_how_to_go_on(path.parent)}"
        ) from error


def _write(path: Path, state: dict[str, Any]) -> None:
    with path.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # a power cut must not leave a new name on missing content


def _read(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as content:
        damaged = content.testzip()  # torch itself does not look at check sums
    if damaged is not None:
        raise zipfile.BadZipFile(f"the check sum of {damaged} is wrong")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise TypeError(f"it holds {type(state).__name__}, expected a dictionary")
    return state


def _keep(last: Path, previous: Path) -> None:
    with atomic_path(previous) as temporary:
        temporary.unlink()
        with suppress(OSError):
            os.link(last, temporary)
            return
        last.replace(temporary)  # no hard links here: for a moment there is only `previous`


def _step_of(path: Path) -> int | None:
    """The step of a checkpoint; None if it is not whole."""
    try:
        return int(_read(path)["step"])
    except Exception:  # torch raises many kinds for a damaged file
        return None


def _how_to_go_on(folder: Path) -> str:
    for name in (LAST, PREVIOUS):
        step = _step_of(folder / name)
        if step is not None:
            move = "" if name == LAST else f", rename it to {LAST}"
            return (
                f"The last good checkpoint is {folder / name} (step {step}); free some space"
                f"{move} and give the same command with --resume"
            )
    return "No checkpoint was saved yet; free some space and start again"


def _instead_of(path: Path) -> str:
    """What to do without a damaged checkpoint, if another one is whole."""
    others = {LAST: PREVIOUS, BEST: LAST}
    if path.name not in others:
        return ""
    other = path.with_name(others[path.name])
    step = _step_of(other)
    if step is None:
        return ""
    if path.name == LAST:
        return f". The last good checkpoint is {other} (step {step}); rename it to {LAST} to go on"
    return f". {other} (step {step}) is whole, and is taken once {path.name} is removed"
