"""The folder of an evaluation: what was measured so far, so that nothing is measured twice.

```
REPORT/settings.json                     everything that decides the numbers
REPORT/replications/NNN.safetensors      embeddings of one replication's motions
REPORT/multimodality/NNN.safetensors     embeddings of several motions a caption
REPORT/.../NNN.partial.safetensors       the same, so far as it was made before an interruption
REPORT/references.safetensors            embeddings that are the same in all replications
REPORT/references/NNN.safetensors        those of parts of longer clips, which change every time
REPORT/samples/NAME.safetensors          motions of the first replication, to look at
REPORT/report.json, report.md, report.html
```
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from intermask.errors import UserError
from intermask.evaluation.report_tables import told
from intermask.files import atomic_path, write_json

Kind = Literal["replications", "multimodality"]

SETTINGS = "settings.json"

_FREE = ("replications",)
"""Settings that may change from one run to the next: what is there stays true."""


@dataclass(frozen=True, order=True)
class Unit:
    """What is made and stored as a whole: one replication, or its MultiModality."""

    number: int
    kind: Kind

    @property
    def name(self) -> str:
        """``replications/007``."""
        return f"{self.kind}/{self.number:03d}"


@dataclass(frozen=True)
class Shard:
    """One of several processes, or machines, that share an evaluation."""

    index: int = 1
    count: int = 1

    @staticmethod
    def parse(text: str) -> Shard:
        """``2/4``: the second of four.

        Raises:
            UserError: another form.
        """
        index, slash, count = text.partition("/")
        if slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
            return Shard(int(index), int(count))
        raise UserError(f"--shard {text} is no part of a whole; write 1/4 for the first of four")

    def has(self, unit: Unit) -> bool:
        """Whether this process makes it."""
        return unit.number % self.count == self.index - 1


class Store:
    """Reads and writes the folder of one evaluation.

    Args:
        folder: made if missing.
        settings: everything that decides the numbers, as JSON.

    Raises:
        UserError: the folder holds an evaluation with other settings, or something else.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        decisive = {key: value for key, value in settings.items() if key not in _FREE}
        self._mark = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
        self._agree(settings)

    def path(self, name: str) -> Path:
        """A file of safetensors by its name."""
        return self.folder / f"{name}.safetensors"

    def has(self, name: str) -> bool:
        """Whether it was stored."""
        return self.path(name).is_file()

    def save(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Store tensors, whole or not at all."""
        with atomic_path(self.path(name)) as temporary:
            content = {key: value.contiguous() for key, value in tensors.items()}
            save_file(content, temporary, metadata={"settings": self._mark})
            temporary.chmod(0o644)  # safetensors makes private files; shards are put together

    def load(self, name: str) -> dict[str, Tensor]:
        """Stored tensors.

        Raises:
            UserError: a damaged file, or one that was measured with other settings.
        """
        path = self.path(name)
        try:
            with safe_open(path, "pt") as file:
                mark = (file.metadata() or {}).get("settings")
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{path} cannot be read: {error}; remove it, and it is made anew"
            ) from (error)
        if mark != self._mark:
            raise UserError(
                f"{path} was measured with other settings than {self.folder / SETTINGS} names; "
                "remove it, and it is made anew"
            )
        return tensors

    def remove(self, name: str) -> None:
        """Forget what was stored, if it was."""
        self.path(name).unlink(missing_ok=True)

    def _agree(self, settings: Mapping[str, Any]) -> None:
        path = self.folder / SETTINGS
        if path.is_file():
            check_same(self.folder, _read_settings(path), settings)
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise UserError(
                f"{self.folder} is neither new nor an evaluation ({SETTINGS} is missing); give "
                "another folder"
            )
        write_json(path, dict(settings))


def check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Whether measurements with two settings can stand beside each other.

    Raises:
        UserError: they cannot; what differs is named.
    """
    different = [
        f"{name}: {told(before.get(name))} there, {told(now.get(name))} now"
        for name in dict.fromkeys((*before, *now))
        if name not in _FREE and before.get(name) != now.get(name)
    ]
    if different:
        raise UserError(
            f"{folder} holds an evaluation with other settings ({'; '.join(different)}); repeat "
            "those to go on with it, or give a new folder"
        )


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; give another folder") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} was not written by an evaluation; give another folder")
    return content


class Rows:
    """Rows of numbers that are found few at a time, and survive an interruption.

    Args:
        store: keeps what is there so far.
        name: under which the whole is stored.
        count: rows in all.
    """

    def __init__(self, store: Store, name: str, count: int) -> None:
        self.store, self.name = store, name
        self.tensors: dict[str, Tensor] = {}
        self.done = torch.zeros(count, dtype=torch.bool)
        self.seconds = torch.zeros(2, dtype=torch.float64)
        """Spent on making motions, and on scoring them."""
        if store.has(self._partial):
            kept = store.load(self._partial)
            self.done, self.seconds = kept.pop("done"), kept.pop("seconds")
            self.tensors = kept

    @property
    def _partial(self) -> str:
        return f"{self.name}.partial"

    def put(self, rows: list[int], found: Mapping[str, Tensor]) -> None:
        """Rows (k, ...) of each kind of number; those that nobody puts stay NaN."""
        for key, values in found.items():
            if key not in self.tensors:
                shape = (len(self.done), *values.shape[1:])
                self.tensors[key] = values.new_full(shape, math.nan)
            self.tensors[key][rows] = values
        self.done[rows] = True

    def save_partial(self) -> None:
        """Keep what is there so far."""
        self.store.save(self._partial, {**self.tensors, "done": self.done, "seconds": self.seconds})

    def finish(self, more: Mapping[str, Tensor]) -> None:
        """Store the whole, with what else belongs to it."""
        self.store.save(self.name, {**self.tensors, **more, "seconds": self.seconds})
        self.store.remove(self._partial)
