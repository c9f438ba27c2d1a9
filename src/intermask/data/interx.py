"""The Inter-X folder layout, as released.

```
DIR/motions/{train,val,test}.h5        one dataset a clip: (t, 56, 6), see below; 30 fps
DIR/texts_processed/NAME.txt           captions, one a line: caption#word/TAG word/TAG#0.0#0.0
DIR/splits/{train,val,test}.txt        clip names, one a line
DIR/splits/ignore_list.txt             names to leave out (ours; optional)
```

Of the six columns of a clip the first three are person 1, the others person 2. Rows 0..54 are
rotation vectors of the joints of SMPL-X, row 55 the translation in metres. The two numbers behind a
caption are the seconds of the clip that it tells of; ``0.0#0.0`` means all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from intermask.data.layout import SPLITS, Clip, read_lines
from intermask.errors import MissingExtra, UserError
from intermask.representation_smplx import ROWS

COLUMNS = 6
"""Three numbers of a rotation vector or a translation for each of two people."""


@dataclass(frozen=True)
class InterXCaption:
    """One line of a text file."""

    text: str
    words: tuple[tuple[str, str], ...]
    """Words as the evaluator reads them, each with its part of speech; may be empty."""
    part: tuple[float, float]
    """Seconds of the clip that the caption tells of; (0, 0): all of it."""

    @property
    def is_whole(self) -> bool:
        """Whether the caption tells of the whole clip."""
        return self.part == (0.0, 0.0)


def parse_caption(line: str) -> InterXCaption:
    """A line ``caption#word/TAG word/TAG#start#end``; what is missing at its end is empty.

    The caption itself may hold ``#``: fields are counted from the end.
    """
    head, *tail = line.rsplit("#", 3)
    start, end = (_seconds(field) for field in tail[1:]) if len(tail) == 3 else (None, None)
    if start is not None and end is not None:
        return InterXCaption(head.strip(), _words(tail[0]), (start, end))
    head, _, rest = line.partition("#")
    return InterXCaption(head.strip(), _words(rest.partition("#")[0]), (0.0, 0.0))


class InterXFolder:
    """Reads a copy of Inter-X; clips are read when they are asked for.

    Raises:
        FileNotFoundError: the folder has no ``motions/*.h5``.
        MissingExtra: h5py is not installed.
    """

    people = 2

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not is_interx(self.root):
            raise FileNotFoundError(
                f"{self.root} is not a copy of Inter-X: {self.root / 'motions'} with train.h5, "
                "val.h5 and test.h5 is missing"
            )
        try:
            import h5py
        except ImportError as error:
            raise MissingExtra("interx", "h5py") from error
        self._h5py = h5py
        self._files: dict[str, Any] = {}

    def ignored(self) -> tuple[str, ...]:
        """Names in ``splits/ignore_list.txt``, a file that the release does not have."""
        path = self.root / "splits" / "ignore_list.txt"
        return tuple(read_lines(path)) if path.is_file() else ()

    def has_list(self, split: str) -> bool:
        """Whether the list of a split is there."""
        return self._list(split).is_file()

    def names(self, split: str) -> tuple[str, ...]:
        """Clip names of a split, ignored ones left out, in the file's order.

        Raises:
            FileNotFoundError: the list is missing.
        """
        path = self._list(split)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing; it lists the clips of the split {split!r}, one name a line"
            )
        ignored = set(self.ignored())
        return tuple(name for name in read_lines(path) if name not in ignored)

    def stored(self, split: str) -> tuple[str, ...]:
        """Names of the clips in a split's motion file.

        Raises:
            FileNotFoundError: the file is missing.
            UserError: it cannot be read.
        """
        path = self.motion_file(split)
        try:
            return tuple(self._open(split))
        except FileNotFoundError:
            raise
        except (OSError, RuntimeError) as error:
            raise _unreadable(path, error) from error

    def motion_file(self, split: str) -> Path:
        """``motions/SPLIT.h5``."""
        return self.root / "motions" / f"{split}.h5"

    def motion_files(self, name: str, split: str) -> tuple[Path, ...]:
        """The file that holds a clip of a split."""
        return (self.motion_file(split),)

    def text_file(self, name: str) -> Path:
        """``texts_processed/NAME.txt``."""
        return self.root / "texts_processed" / f"{name}.txt"

    def read(self, name: str, split: str) -> Clip:
        """Read one clip of a split; `Clip.loaded` is (2, t, 56, 3).

        Raises:
            FileNotFoundError: the clip or its file is missing.
            UserError: the file is damaged, or the clip has a wrong shape or holds a NaN.
        """
        path = self.motion_file(split)
        try:
            file = self._open(split)
            if name not in file:
                raise FileNotFoundError(f"{path} holds no clip {name}, which splits/ lists")
            raw = file[name][()]
        except FileNotFoundError:
            raise
        except (OSError, RuntimeError, TypeError, AttributeError) as error:
            raise _unreadable(path, error, name) from error
        return Clip(name, _checked(raw, name, path), self.captions(name))

    def captions(self, name: str) -> tuple[str, ...]:
        """Captions of the whole clip; empty if it has none."""
        lines = self.caption_lines(name)
        return tuple(line.text for line in lines if line.text and line.is_whole)

    def caption_lines(self, name: str) -> tuple[InterXCaption, ...]:
        """All lines of a clip's text file; none if it has no file."""
        path = self.text_file(name)
        return tuple(map(parse_caption, read_lines(path))) if path.is_file() else ()

    def _list(self, split: str) -> Path:
        return self.root / "splits" / f"{split}.txt"

    def _open(self, split: str) -> Any:
        if split not in self._files:
            path = self.motion_file(split)
            if not path.is_file():
                raise FileNotFoundError(f"{path} is missing; it holds the motions of the split")
            self._files[split] = self._h5py.File(path, "r")
        return self._files[split]


def is_interx(root: Path) -> bool:
    """Whether a folder looks like Inter-X; nothing is opened."""
    return any((root / "motions" / f"{split}.h5").is_file() for split in SPLITS)


def _checked(raw: Any, name: str, path: Path) -> Tensor:
    """Loaded array (2, t, 56, 3) of a stored one (t, 56, 6)."""
    array = np.asarray(raw)
    if array.ndim != 3 or array.shape[1:] != (ROWS, COLUMNS) or array.dtype.kind not in "fiu":
        raise UserError(
            f"{name} in {path} is {array.dtype} of shape {array.shape}; expected numbers of shape "
            f"(frames, {ROWS}, {COLUMNS})"
        )
    bad = int((~np.isfinite(array)).any((1, 2)).sum())
    if bad:
        raise UserError(
            f"{name} in {path} holds NaN or infinite numbers in {bad} of {len(array)} frames"
        )
    both = torch.from_numpy(array.astype(np.float32))
    return torch.stack((both[..., :3], both[..., 3:]))


def _unreadable(path: Path, error: Exception, name: str = "") -> UserError:
    what = f"{name} in {path}" if name else str(path)
    return UserError(f"{what} cannot be read as HDF5 ({error}); copy the file again")


def _seconds(field: str) -> float | None:
    """A number of seconds; the release writes ``nan`` where none is meant."""
    try:
        value = float(field)
    except ValueError:
        return None
    return 0.0 if np.isnan(value) else value


def _words(field: str) -> tuple[tuple[str, str], ...]:
    pairs = (token.rpartition("/") for token in field.split())
    return tuple((word, tag) for word, slash, tag in pairs if slash and word and tag)
