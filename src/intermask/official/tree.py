"""A release on disk: which folders it has, its option files, checkpoints and statistics.

```
DIR/checkpoints/interhuman/vq_default/{opt.txt, model/best_fid.tar}
DIR/checkpoints/interhuman/trans_default/{opt.txt, model/best_fid.tar}
DIR/data/stats/{global_mean.npy, global_std.npy}
```

Inter-X trees have ``interx`` for ``interhuman``. The ``.tar`` files are dictionaries written by
``torch.save``; they are read with ``weights_only``, so that no code of theirs runs.
"""

from __future__ import annotations

import ast
import pickle
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from intermask.config import DataSet
from intermask.errors import UserError

DATA_SETS: tuple[DataSet, ...] = ("interhuman", "interx")
CHECKPOINT = Path("model") / "best_fid.tar"
OPTIONS = "opt.txt"

# What a checkpoint holds beside the weights: the state of the training, which an import leaves.
_TRAINING_STATE = ("opt_", "optim", "scheduler", "lr_schedulers", "callbacks", "loops")

T = TypeVar("T")


# --- Options -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """An ``opt.txt``: lines ``key: value`` between dashed lines."""

    path: Path
    values: dict[str, Any]
    """``None``, booleans and numbers (``1e-05`` too) as such, anything else as text."""

    @classmethod
    def read(cls, path: Path) -> Options:
        """Parse an option file.

        Raises:
            UserError: not a file of that form.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not text; expected lines of 'key: value'") from error
        values: dict[str, Any] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("---"):
                continue
            key, colon, value = line.partition(":")
            if not colon:
                raise UserError(
                    f"line {number} of {path} is {line.strip()!r}; expected 'key: value'"
                )
            values[key.strip()] = _literal(value.strip())
        if not values:
            raise UserError(f"{path} states no option; expected lines of 'key: value'")
        return cls(path, values)

    def get(self, key: str, default: T) -> T:
        """An option of the default's type, or the default where the file does not state it.

        Raises:
            UserError: stated, but of another type.
        """
        value = self.values.get(key, default)
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(default):
            raise UserError(f"{self.path} says {key}: {value}; expected a {type(default).__name__}")
        return value

    def require(self, key: str, kind: type[T]) -> T:
        """An option that nothing else tells.

        Raises:
            UserError: not stated, or of another type.
        """
        if key not in self.values:
            raise UserError(f"{self.path} does not state {key}, which no weight tells; add it")
        value = self.values[key]
        if type(value) is not kind:
            raise UserError(f"{self.path} says {key}: {value}; expected a {kind.__name__}")
        return value

    def expect(self, key: str, found: object, where: str) -> None:
        """Make sure that an option, if it is stated, agrees with what was found.

        Raises:
            UserError: it does not; option, value and finding are named.
        """
        stated = self.values.get(key, found)
        if stated != found:
            raise UserError(f"{self.path} says {key}: {stated}, but {where} {found}")


def _literal(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


# --- Runs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One training run of the authors: its options and the checkpoint with the best FID."""

    folder: Path
    checkpoint: Path
    """The file with the weights."""
    options: Options
    weights: dict[str, Tensor]
    """By released name, as stored; the file may still be mapped."""
    frozen: tuple[str, ...]
    """Names of weights that were left out since they belong to the frozen text tower."""
    training_state: dict[str, Any]
    """Other entries of the checkpoint; numbers are kept, tensors are not."""

    def sizes(self, name: str) -> tuple[int, int]:
        """Rows and columns of one weight.

        Raises:
            UserError: the checkpoint does not hold it, or it is no matrix.
        """
        if name not in self.weights:
            raise UserError(f"{self.checkpoint} lacks {name!r}")
        shape = tuple(self.weights[name].shape)
        if len(shape) != 2:
            raise UserError(f"{name!r} in {self.checkpoint} has shape {shape}; expected a matrix")
        return shape

    def count(self, before: str) -> int:
        """How many numbers follow ``before`` in the names, counted from 0."""
        numbers = {
            name[len(before) :].split(".")[0] for name in self.weights if name.startswith(before)
        }
        return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)


def read_run(folder: Path, entries: tuple[str, ...], frozen: str | None = None) -> Run:
    """Read one run.

    Args:
        folder: of the run.
        entries: names that the dictionary of weights may have in the checkpoint.
        frozen: how the names of weights begin that are not read.

    Raises:
        FileNotFoundError: a file is missing.
        UserError: a file cannot be used; the file and what is wrong with it are named.
    """
    for path in (folder, folder / OPTIONS, folder / CHECKPOINT):
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing; a run of the release has {OPTIONS} and {CHECKPOINT}"
            )
    options = Options.read(folder / OPTIONS)
    path = folder / CHECKPOINT
    content = read_checkpoint(path)
    present = [entry for entry in entries if entry in content]
    if not present:
        raise UserError(
            f"{path} holds {_listed(content)}, but not {' or '.join(map(repr, entries))}"
        )
    weights, others = content.pop(present[0]), content
    check_nothing_is_left(others, present[0], path)
    check_weights(weights, present[0], path)
    left = tuple(name for name in weights if frozen and name.startswith(frozen))
    return Run(
        folder=folder,
        checkpoint=path,
        options=options,
        weights={name: value for name, value in weights.items() if name not in left},
        frozen=left,
        training_state={
            str(key): value if isinstance(value, int | float) else None
            for key, value in others.items()
        },
    )


def find_data_set(folder: Path, wanted: DataSet | None = None) -> DataSet:
    """Which data set a release is for.

    Raises:
        FileNotFoundError: no release in the folder.
        UserError: releases for both, and no choice made.
    """
    checkpoints = folder / "checkpoints"
    if not checkpoints.is_dir():
        raise FileNotFoundError(
            f"{folder} has no folder 'checkpoints'; give the folder of the authors' release that "
            "holds checkpoints/ and data/"
        )
    present = [name for name in DATA_SETS if (checkpoints / name).is_dir()]
    if wanted is not None and wanted not in DATA_SETS:
        raise UserError(f"the data set is {wanted!r}; choose one of {', '.join(DATA_SETS)}")
    chosen = [name for name in present if wanted in (None, name)]
    if not chosen:
        raise FileNotFoundError(
            f"{checkpoints} has no folder {' or '.join([wanted] if wanted else DATA_SETS)}; it "
            f"holds {_listed(_folders(checkpoints))}"
        )
    if len(chosen) > 1:
        raise UserError(f"{checkpoints} has both {' and '.join(chosen)}; say which to import")
    return chosen[0]


def find_run(folder: Path, prefix: str, wanted: str | None = None) -> Path:
    """The folder of a run: the one asked for, or the only one whose name begins as given.

    Raises:
        FileNotFoundError: there is none; those at hand are named.
        UserError: several, and no choice made; they are named.
    """
    candidates = [name for name in _folders(folder) if name.startswith(prefix)]
    if wanted is not None:
        if Path(wanted).name != wanted or not (folder / wanted).is_dir():
            raise FileNotFoundError(
                f"{folder} has no run {wanted!r}; it holds {_listed(_folders(folder))}"
            )
        return folder / wanted
    if not candidates:
        raise FileNotFoundError(
            f"{folder / prefix}_default is missing; {folder} holds {_listed(_folders(folder))}"
        )
    if len(candidates) > 1:
        raise UserError(f"{folder} has several runs: {', '.join(candidates)}; say which to import")
    return folder / candidates[0]


def read_statistics(path: Path) -> Tensor:
    """An array of the normaliser's statistics, of whatever size.

    Raises:
        FileNotFoundError: the file is missing.
        UserError: not an array of numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; the release has it beside checkpoints/")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path} is not an array of numbers: {error}") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise UserError(f"{path} is not an array of numbers")
    return torch.from_numpy(values.astype(np.float32))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The dictionary in a file of ``torch.save``; nothing in it can run.

    Raises:
        UserError: damaged, or with more than tensors and numbers.
    """
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} was refused: it is damaged, or holds Python objects that could run code when "
            f"read; expected tensors and numbers only ({_reason(error)})"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged: {_reason(error)}; fetch or unpack it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}; expected a dictionary")
    return content


def _reason(error: Exception) -> str:
    """What torch says is wrong, without its advice."""
    text = str(error)
    for start in ("WeightsUnpickler error: ", "PytorchStreamReader "):
        if start in text:
            text = text.partition(start)[2]
    return text.strip().split("\n")[0].split(". ")[0].strip() or type(error).__name__


def check_nothing_is_left(others: dict[str, Any], entry: str, path: Path) -> None:
    """Make sure that what is not read of a checkpoint is the state of its training.

    Raises:
        UserError: there are weights in an entry that the release does not have.
    """
    for key, value in others.items():
        if not str(key).startswith(_TRAINING_STATE) and _holds_tensors(value):
            raise UserError(f"{path} holds weights in an unknown entry {key!r} beside {entry!r}")


def check_weights(weights: Any, entry: str, path: Path) -> None:
    """Make sure that an entry of a checkpoint is finite tensors by name.

    Raises:
        UserError: it is not; what is wrong is named.
    """
    if not isinstance(weights, dict):
        raise UserError(f"{entry!r} in {path} is a {type(weights).__name__}, not weights by name")
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{name!r} in {path} is a {type(value).__name__}, not a tensor")
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"{name!r} in {path} holds numbers that are not finite")


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_tensors, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_tensors, value))
    return isinstance(value, Tensor)


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "nothing"
