"""Which clips of a dataset on disk are of which family, scene and take."""

from __future__ import annotations

import json

from intermask.data.layout import InterHumanFolder
from intermask.errors import UserError


def family_of(folder: InterHumanFolder, name: str) -> str | None:
    """The family of a clip; None for a clip without ground truth in a dataset that has it."""
    truths = folder.root / "ground_truth"
    if not truths.is_dir():
        return take_of(name)
    path = truths / f"{name}.json"
    if not path.is_file():
        return None
    try:
        return str(json.loads(path.read_text("utf-8"))["family"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} tells no family ({error}); make the dataset again") from error


def clips_by_family(folder: InterHumanFolder) -> dict[str, list[str]]:
    """Clip names of all splits by family, in alphabetical order."""
    found: dict[str, list[str]] = {}
    for name in sorted(all_names(folder)):
        family = family_of(folder, name)
        if family is not None:
            found.setdefault(family, []).append(name)
    return dict(sorted(found.items()))


def all_names(folder: InterHumanFolder) -> list[str]:
    """Clips of all splits, whatever these are called."""
    lists = sorted(path.stem for path in (folder.root / "split").glob("*.txt"))
    splits = [name for name in lists if name != "ignore_list"]
    if not splits:
        folder.names("train")  # says what is missing
    return list(dict.fromkeys(name for split in splits for name in folder.names(split)))


def take_of(name: str) -> str:
    """``salsa_01`` of ``salsa_01_007``: the take that a clip was cut from, or its family."""
    stem, _, number = name.rpartition("_")
    return stem if stem and number.isdigit() else name


def scene_of(name: str) -> str:
    """Clips of a minimal pair are one scene."""
    stem, _, letter = name.rpartition("_")
    return stem if letter in ("a", "b") else name
