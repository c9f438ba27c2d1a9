"""The InterHuman folder layout: the one format behind the door.

```
DIR/motions_processed/person1/NAME.npy   (t, 492) float32, z up, metres, 30 fps
DIR/motions_processed/person2/NAME.npy   (absent for single-person data)
DIR/annots/NAME.txt                      one caption a line
DIR/split/{train,val,test}.txt           clip names, one a line
DIR/split/ignore_list.txt                names to leave out (optional)
DIR/provenance.json                      where the clips came from (ours; optional)
```

Importers write the 22 body joints and their 21 rotations; the other slots of a row are zero and
identity. Nothing reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intermask import geometry, representation
from intermask.errors import UserError
from intermask.files import atomic_path, write_json

PROVENANCE = "provenance.json"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """One clip as it lies on disk."""

    name: str
    loaded: Tensor
    """(people, t, 192) z up; see `representation`. People is 2, or 1 for single-person data.
    Of Inter-X (2, t, 56, 3); see `representation_smplx`."""
    captions: tuple[str, ...]
    known_facts: Tensor | None = None
    """(people, t, 3) `frame_facts`, if they were found before."""

    @cached_property
    def frame_facts(self) -> Tensor:
        """What placing a crop of the clip needs, see `representation.frame_facts`."""
        if self.known_facts is not None:
            return self.known_facts
        return representation.frame_facts(self.loaded)


def encode_raw(positions: Tensor, rotations: Tensor) -> NDArray[np.float32]:
    """Raw array (t, 492) of y-up positions (t, 22, 3) and rotations (t, 21, 3, 3) to parents."""
    frames = len(positions)
    slots = representation.RAW_POSITIONS
    places = torch.zeros(frames, slots, 3)
    places[:, : representation.JOINTS] = representation.y_up_to_z_up(positions)
    turns = torch.eye(3).repeat(frames, representation.RAW_ROTATIONS, 1, 1)
    turns[:, : representation.ROTATED] = rotations
    raw = torch.cat((places.flatten(1), geometry.matrix_to_rot6d(turns).flatten(1)), 1)
    return raw.numpy().astype(np.float32)


def write_clip(
    root: str | Path,
    name: str,
    positions: Tensor,
    rotations: Tensor,
    captions: Sequence[str],
) -> None:
    """Write one clip of one or two people.

    Args:
        root: the dataset folder; made if missing.
        name: clip name, used as file name.
        positions: (people, t, 22, 3) metres, y up, floor at 0, 30 fps.
        rotations: (people, t, 21, 3, 3) parent-relative.
        captions: English sentences; none for single-person data.
    """
    root = Path(root)
    for person in range(len(positions)):
        path = root / "motions_processed" / f"person{person + 1}" / f"{name}.npy"
        with atomic_path(path) as temporary:
            np.save(temporary, encode_raw(positions[person].cpu(), rotations[person].cpu()))
    if captions:
        write_lines(root / "annots" / f"{name}.txt", captions)


def write_split(root: str | Path, split: str, names: Sequence[str]) -> None:
    """Write the list of one split."""
    write_lines(Path(root) / "split" / f"{split}.txt", names)


def write_provenance(root: str | Path, facts: dict[str, Any]) -> None:
    """Write ``provenance.json``: source, licence, nature and how captions were made."""
    write_json(Path(root) / PROVENANCE, facts)


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write lines of text as UTF-8, one a line, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), "utf-8")


class InterHumanFolder:
    """Reads a dataset in this layout; it opens files only when asked for a clip.

    Raises:
        FileNotFoundError: the folder has no ``motions_processed/person1``.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.motions = self.root / "motions_processed"
        if not (self.motions / "person1").is_dir():
            raise FileNotFoundError(
                f"{self.root} is not a dataset folder: {self.motions / 'person1'} is missing. "
                "Expected the InterHuman layout; `intermask data import --help` makes one."
            )

    @property
    def people(self) -> int:
        """2, or 1 for single-person data (tokenizer training only)."""
        return 2 if (self.motions / "person2").is_dir() else 1

    def ignored(self) -> tuple[str, ...]:
        """Names in ``split/ignore_list.txt`` (or ``ignore_list.txt`` beside ``split``)."""
        for path in (self.root / "split" / "ignore_list.txt", self.root / "ignore_list.txt"):
            if path.is_file():
                return tuple(read_lines(path))
        return ()

    def names(self, split: str) -> tuple[str, ...]:
        """Clip names of a split, ignored ones left out, in the file's order.

        Raises:
            FileNotFoundError: the list is missing.
        """
        path = self.root / "split" / f"{split}.txt"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing; it lists the clips of the split {split!r}, one name a line"
            )
        ignored = set(self.ignored())
        return tuple(name for name in read_lines(path) if name not in ignored)

    def read(self, name: str) -> Clip:
        """Read one clip; both people are cut to the shorter one.

        Raises:
            FileNotFoundError: a file is missing.
            UserError: a file is corrupt, has a wrong shape, or holds a NaN; it is named.
        """
        people = [self._read_person(path) for path in self.motion_files(name)]
        frames = min(len(person) for person in people)
        return Clip(name, torch.stack([person[:frames] for person in people]), self.captions(name))

    def motion_files(self, name: str, split: str = "") -> tuple[Path, ...]:
        """The files of a clip's people, whatever its split."""
        people = range(1, self.people + 1)
        return tuple(self.motions / f"person{person}" / f"{name}.npy" for person in people)

    def captions(self, name: str) -> tuple[str, ...]:
        """Captions of a clip; empty if it has none."""
        path = self.root / "annots" / f"{name}.txt"
        return tuple(read_lines(path)) if path.is_file() else ()

    @staticmethod
    def _read_person(path: Path) -> Tensor:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing (one file a clip and person)")
        try:
            raw = np.load(path, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise UserError(f"{path} cannot be read as a .npy array: {error}") from error
        try:
            loaded = representation.load_raw(torch.from_numpy(np.asarray(raw, dtype=np.float32)))
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: {error}") from error
        if not bool(torch.isfinite(loaded).all()):
            bad = int((~torch.isfinite(loaded)).any(1).sum())
            raise UserError(
                f"{path} holds NaN or infinite numbers in {bad} of {len(loaded)} frames"
            )
        return loaded


def read_lines(path: Path) -> list[str]:
    """Lines of a text file that are not empty, stripped.

    Lines end as on Linux, Windows or old Macs. Text that is not UTF-8 is read as Windows-1252, in
    which captions typed on Windows come; bytes that are neither are replaced, not fatal.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    # Not splitlines: it also splits a caption at odd characters that only look like line ends.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [line.strip() for line in lines if line.strip()]
