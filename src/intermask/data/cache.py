"""Arrays that are computed once: memory-mapped files, found again by what they were made from.

```
CACHE/KIND-KEY/index.json    names, shapes, places in the file
CACHE/KIND-KEY/arrays.bin    the numbers, one array after another
CACHE/fingerprints/*.json    hashes of files, with the sizes and times at which they were taken
```

A key is a hash of everything that decides the numbers: the content of files, the configuration
that matters, the version of this package's formats. So an entry is never out of date, only unused,
and the whole folder can be deleted at any time. Entries are written to a temporary folder and
renamed, by one process while others that need them wait (`intermask.data.cache_lock`). When an
index or the hashes were last asked for is their time of change (`intermask.data.cache_entries`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from intermask.config import SCHEMA_VERSION
from intermask.data.cache_lock import one_at_a_time
from intermask.errors import UserError
from intermask.files import atomic_folder, write_json

CACHE_VERSION = 1
"""Goes up when the same key would name other numbers."""

INDEX, _ARRAYS = "index.json", "arrays.bin"
FINGERPRINTS = "fingerprints"
"""Folder of the hashes of files."""

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""
Watch = Callable[[str], AbstractContextManager[Progress]]
"""Shows progress of work with this description."""


@contextmanager
def unwatched(description: str) -> Iterator[Progress]:
    """A `Watch` that shows nothing."""
    yield lambda done, total: None


class Named(NamedTuple):
    """One array to keep, with an optional small fact beside it (anything that JSON can hold)."""

    name: str
    array: Tensor
    note: Any = None


def default_cache() -> Path:
    """``$INTERMASK_CACHE``, or ``intermask`` in the user's cache folder."""
    if "INTERMASK_CACHE" in os.environ:
        return Path(os.environ["INTERMASK_CACHE"])
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".cache") / "intermask"


class ArrayFile(Mapping[str, Tensor]):
    """Named arrays of one type. Nothing is read from the disk before it is looked at.

    Tensors are views of the mapped file; writing to one changes no file.

    Raises:
        ValueError: the folder holds no whole entry.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / INDEX).read_text("utf-8"))
            self._entries: dict[str, tuple[int, list[int], Any]] = {
                name: (offset, shape, note) for name, offset, shape, note in index["arrays"]
            }
            kind, count = np.dtype(index["dtype"]), int(index["count"])
            size = (folder / _ARRAYS).stat().st_size
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder} is not a whole entry of a cache: {error}") from error
        if size != count * kind.itemsize:
            raise ValueError(f"{folder / _ARRAYS} has {size} bytes, not {count * kind.itemsize}")
        numbers = np.zeros(0, dtype=kind)  # an empty file cannot be mapped
        if count:
            numbers = np.memmap(folder / _ARRAYS, dtype=kind, mode="c", shape=(count,))
        self._numbers = torch.from_numpy(numbers)

    def __getitem__(self, name: str) -> Tensor:
        offset, shape, _ = self._entries[name]
        return self._numbers[offset : offset + int(np.prod(shape))].view(shape)

    def note(self, name: str) -> Any:
        """The fact that was kept beside an array."""
        return self._entries[name][2]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def cached_arrays(
    cache: Path,
    kind: str,
    facts: Mapping[str, Any],
    make: Callable[[], Iterable[Named]],
    of: str = "",
) -> ArrayFile:
    """The arrays that ``make`` yields, from the cache if they were made before.

    If another process is making them, they are waited for.

    Args:
        cache: its folder; made if missing.
        kind: of content, a word.
        facts: everything that decides the numbers, as JSON.
        make: yields arrays of one type, with different names.
        of: what they are computed from, in words, for lists of entries.

    Raises:
        UserError: the cache cannot be written.
    """
    target = cache / f"{kind}-{key_of(kind, facts)}"
    found = _entry(target)
    if found is not None:
        return found
    with one_at_a_time(target):
        return _entry(target) or _made(target, make, of)


def _made(target: Path, make: Callable[[], Iterable[Named]], of: str) -> ArrayFile:
    if target.exists():  # damaged from outside: entries appear whole
        shutil.rmtree(target, ignore_errors=True)
    try:
        with atomic_folder(target) as folder:
            _write(folder, make(), of)
    except (OSError, UserError) as error:
        found = _entry(target)  # without a lock, somebody else may have made it meanwhile
        if found is None:
            raise UserError(
                f"the cache in {target.parent} cannot be written ({error}); free some space, "
                "choose another folder (--cache DIR) or train without one (--no-cache)"
            ) from error
        return found
    return ArrayFile(target)


def key_of(kind: str, facts: Mapping[str, Any]) -> str:
    """Hash of a kind of content and everything that decides it."""
    versions = {"cache": CACHE_VERSION, "schema": SCHEMA_VERSION, "kind": kind}
    text = json.dumps([versions, facts], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def module_fingerprint(module: nn.Module) -> str:
    """Hash of all weights and buffers of a network, with their names and types."""
    result = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        numbers = value.detach().cpu().contiguous()
        result.update(f"{name} {numbers.dtype} {tuple(numbers.shape)}\n".encode())
        result.update(numbers.view(-1).view(torch.uint8).numpy().data)
    return result.hexdigest()


def file_fingerprints(
    paths: Sequence[Path], cache: Path, progress: Progress | None = None
) -> list[str]:
    """Hash of each file's content; empty for a file that cannot be read.

    A file whose size and times (of content and of its entry in the file system) are as they were
    is not read again.
    """
    place = hashlib.sha256(str(paths[0].absolute().parent if paths else "").encode()).hexdigest()
    memory = cache / FINGERPRINTS / f"{place[:32]}.json"
    states = {str(path.absolute()): _state(path) for path in paths}
    found = _unchanged(states, read_json(memory))
    if any(state and name not in found for name, state in states.items()):
        with one_at_a_time(memory):
            known = read_json(memory)  # who waited finds the hashes of who was first
            found = _hashes(states, _unchanged(states, known), progress)
            write_json(memory, known | found)
    else:
        _touch(memory)
    return [found.get(name, [""])[-1] for name in (str(path.absolute()) for path in paths)]


def _unchanged(
    states: Mapping[str, list[int]], known: Mapping[str, list[Any]]
) -> dict[str, list[Any]]:
    """What is known of the files that are as they were."""
    return {
        name: known[name]
        for name, state in states.items()
        if state and known.get(name, [])[:-1] == state
    }


def _hashes(
    states: Mapping[str, list[int]], known: Mapping[str, list[Any]], progress: Progress | None
) -> dict[str, list[Any]]:
    """State and hash of each file that can be read."""
    result = dict(known)
    for number, (name, state) in enumerate(states.items(), start=1):
        if state and name not in result:
            with suppress(OSError), Path(name).open("rb") as file:
                result[name] = [*state, hashlib.file_digest(file, "sha256").hexdigest()]
        if progress is not None:
            progress(number, len(states))
    return result


def _state(path: Path) -> list[int]:
    """Size and times of a file; empty if there is none."""
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _entry(folder: Path) -> ArrayFile | None:
    """A whole entry, which thereby was asked for now."""
    try:
        found = ArrayFile(folder)
    except ValueError:
        return None
    _touch(folder / INDEX)
    return found


def _touch(path: Path) -> None:
    with suppress(OSError):  # a cache of somebody else's
        os.utime(path)


def _write(folder: Path, arrays: Iterable[Named], of: str) -> None:
    entries: list[tuple[str, int, list[int], Any]] = []
    kinds: set[np.dtype[Any]] = set()
    count = 0
    with (folder / _ARRAYS).open("wb") as file:
        for name, array, note in arrays:
            numbers = np.ascontiguousarray(array.detach().cpu().numpy())
            kinds.add(numbers.dtype)
            entries.append((name, count, list(numbers.shape), note))
            count += numbers.size
            file.write(numbers.data)
    if len(kinds) > 1:
        raise ValueError(f"arrays of one entry must be of one type, got {sorted(map(str, kinds))}")
    kind = kinds.pop() if kinds else np.dtype(np.float32)
    content = {"of": of, "dtype": kind.str, "count": count, "arrays": entries}
    write_json(folder / INDEX, content)


def read_json(path: Path) -> dict[str, Any]:
    """The table in a file of the cache; empty if there is none, or it is damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
