"""Which BVH files of a folder belong together, and which takes are held out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from intermask.data.bvh import BvhPair
from intermask.errors import UserError

_ENDING = re.compile(r"\.bvh(\.gz)?$", re.IGNORECASE)
_PERSON_LAST = re.compile(r"^(.+)[_\-. ]([12ab])$", re.IGNORECASE)  # dance_1, dance_2
_PERSON_FIRST = re.compile(r"^([^_\-. ]+)[_\-. ](.+)$")  # 60_01, 61_01

_ADVICE = (
    "name them TAKE_1.bvh and TAKE_2.bvh, or list them in a CSV file with the columns "
    "name,file_a,file_b,caption,split and give that file (--pairs)"
)


def pairs_in_folder(
    folder: str | Path, validation: Sequence[str] = (), test: Sequence[str] = ()
) -> list[BvhPair]:
    """Pairs of ``.bvh`` or ``.bvh.gz`` files by their names, in the order of the takes' names.

    Two ways of naming are known: the person last (``dance_1.bvh``, ``dance_2.bvh``, also ``a`` and
    ``b``), and the person first (``60_01.bvh``, ``61_01.bvh``: two subjects, the same trial).

    Args:
        folder: with the files.
        validation: names of takes that are held out to validate. If neither these nor test takes
            are named and there are three takes, the last but one validates and the last tests.
        test: names of takes that are held out to test.

    Raises:
        FileNotFoundError: there are no BVH files.
        UserError: files that pair with none, or names of takes that are not there.
    """
    files = {
        _ENDING.sub("", path.name): path
        for path in sorted(Path(folder).glob("*"))
        if _ENDING.search(path.name)
    }
    if not files:
        raise FileNotFoundError(f"there are no .bvh files in {folder}; expected two for each take")
    readings = [takes for takes in (_by_last(files), _by_first(files)) if takes is not None]
    if len(readings) != 1:  # none, or a_1 a_2 b_1 b_2, which can be read in two ways
        names = ", ".join(sorted(files)[:4])
        raise UserError(f"it is not clear which files of {folder} are pairs ({names}); {_ADVICE}")
    (takes,) = readings
    splits = splits_of_takes(sorted(takes), validation, test)
    return [BvhPair(name, *takes[name], split=splits[name]) for name in sorted(takes)]


def _by_last(files: dict[str, Path]) -> dict[str, tuple[Path, Path]] | None:
    takes: dict[str, dict[str, Path]] = defaultdict(dict)
    for name, path in files.items():
        match = _PERSON_LAST.match(name)
        if match is None:
            return None
        person = {"a": "1", "b": "2"}.get(match[2].lower(), match[2])
        takes[match[1]][person] = path
    if any(set(people) != {"1", "2"} for people in takes.values()):
        return None
    return {name: (people["1"], people["2"]) for name, people in takes.items()}


def _by_first(files: dict[str, Path]) -> dict[str, tuple[Path, Path]] | None:
    takes: dict[str, list[Path]] = defaultdict(list)
    for name, path in sorted(files.items()):
        match = _PERSON_FIRST.match(name)
        if match is None:
            return None
        takes[match[2]].append(path)
    if any(len(people) != 2 for people in takes.values()):
        return None
    return {f"take_{name}": (people[0], people[1]) for name, people in takes.items()}


def splits_of_takes(
    names: Sequence[str], validation: Sequence[str], test: Sequence[str]
) -> dict[str, str]:
    """Split of each take, whole takes held out: as named, else the last two of three or more."""
    unknown = [name for name in (*validation, *test) if name not in names]
    if unknown:
        raise UserError(f"there is no take {unknown[0]!r}; the takes are {', '.join(names)}")
    if not validation and not test and len(names) >= 3:
        validation, test = names[-2:-1], names[-1:]
    return {
        name: "val" if name in validation else "test" if name in test else "train" for name in names
    }
