"""Clips of other datasets that go along: real salsa, and grappling that was drawn by hand."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intermask.data.layout import PROVENANCE, SPLITS, InterHumanFolder
from intermask.errors import UserError
from intermask.files import atomic_path

SALSA_SHARE = 0.08
"""Share of the dataset that is salsa, if there is enough of it."""
GRAPPLING_SHARE = 0.10
"""Share of the dataset that is chained grappling."""


@dataclass(frozen=True)
class SourceClips:
    """What is taken from one folder.

    kind: what it is, "salsa" or "grappling". wanted: clips that its share asks for; a folder that
    has fewer gives all it has, none of them twice. names: by split, which are kept as they were.
    """

    kind: str
    folder: Path
    wanted: int
    names: dict[str, tuple[str, ...]]
    source: str
    licence: str
    checksum: str

    @property
    def clips(self) -> int:
        """Number of clips that are taken."""
        return sum(map(len, self.names.values()))

    def facts(self) -> dict[str, Any]:
        """For the provenance; names no folder of this machine."""
        return {
            "source": self.source,
            "licence": self.licence,
            "sha256": self.checksum,
            "clips_wanted": self.wanted,
            "clips": {split: len(names) for split, names in self.names.items()},
        }


def choose_clips(kind: str, folder: Path, wanted: int, seed: int) -> SourceClips:
    """Clips of a dataset folder, the same for the same folder and seed.

    Args:
        kind: what they are.
        folder: a dataset of two people in InterHuman's layout.
        wanted: how many.
        seed: which ones.

    Raises:
        FileNotFoundError: the folder is no such dataset.
        UserError: its clips are of one person, or not listed in any split.
    """
    dataset = InterHumanFolder(folder)
    if dataset.people != 2:
        raise UserError(f"{folder} has clips of one person; {kind} needs two people")
    listed = [split for split in SPLITS if (folder / "split" / f"{split}.txt").is_file()]
    there = {split: dataset.names(split) for split in listed}
    total = sum(map(len, there.values()))
    if not total:
        raise UserError(f"{folder / 'split'} names no clip; expected lists such as train.txt")
    share = min(1.0, wanted / total)
    chosen = {
        split: _some(names, round(share * len(names)), seed) for split, names in there.items()
    }
    return SourceClips(
        kind,
        folder,
        wanted,
        chosen,
        *_named(folder),
        _checksum(dataset, [name for names in chosen.values() for name in names]),
    )


def copy_clips(
    clips: SourceClips, out: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Copy the clips; those that are there from an earlier time stay."""
    dataset = InterHumanFolder(clips.folder)
    names = [name for members in clips.names.values() for name in members]
    for done, name in enumerate(names, 1):
        for file in _files(dataset, name):
            goal = out / file.relative_to(clips.folder)
            if not goal.exists():
                with atomic_path(goal) as temporary:
                    shutil.copyfile(file, temporary)
        if progress is not None:
            progress(done, len(names))


def _some(names: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    def luck(name: str) -> str:
        return hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).hexdigest()

    return tuple(sorted(sorted(names, key=luck)[:count]))


def _named(folder: Path) -> tuple[str, str]:
    """Public source and licence of a dataset, as its importer wrote them down."""
    path = folder / PROVENANCE
    facts = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return facts.get("source", "not stated"), facts.get("licence", "not stated")


def _checksum(dataset: InterHumanFolder, names: Sequence[str]) -> str:
    """sha256 of the names and files of clips."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode())
        for file in _files(dataset, name):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(dataset: InterHumanFolder, name: str) -> tuple[Path, ...]:
    return (*dataset.motion_files(name), dataset.root / "annots" / f"{name}.txt")
