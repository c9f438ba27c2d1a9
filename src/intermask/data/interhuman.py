"""Import a copy of InterHuman's release: it has the layout already, so check, copy and say.

What cannot be used (missing, corrupt, NaN, too short, without a caption) goes into the ignore list
of the result, with its reason in the report, so that training never meets it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intermask.conventions import MIN_FRAMES
from intermask.data.layout import (
    SPLITS,
    Clip,
    InterHumanFolder,
    write_lines,
    write_provenance,
    write_split,
)
from intermask.errors import UserError
from intermask.files import atomic_folder
from intermask.motion import FPS


@dataclass(frozen=True)
class InterHumanImport:
    """Report of an import."""

    out: Path
    clips: dict[str, int]
    """Usable clips by split."""
    seconds: dict[str, float]
    ignored: int
    """Clips on the release's own ignore list."""
    unusable: tuple[str, ...]
    """What is wrong with clips that were left out, one sentence each, with their names."""
    unlisted: int
    """Motion files that no split names; they are not copied."""
    ignored_missing: tuple[str, ...] = ()
    """Names on the ignore list without a motion file."""

    def describe(self) -> str:
        """A few lines: clips by split, and what was left out."""
        lines = [
            f"{split:5s} {self.clips[split]:5d} clips, {self.seconds[split] / 60:6.1f} minutes"
            for split in self.clips
        ]
        lines.append(
            f"{self.ignored} on the ignore list, {len(self.unusable)} more that cannot be used, "
            f"{self.unlisted} in no split; written to {self.out}"
        )
        if self.ignored_missing:
            names = ", ".join(self.ignored_missing)
            lines.append(f"on the ignore list, but there is no such clip: {names}")
        return "\n".join([*lines, *(f"left out: {each}" for each in self.unusable)])


def import_interhuman(
    folder: str | Path,
    out: str | Path,
    *,
    link: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> InterHumanImport:
    """Check a release and copy its usable clips into a folder of the same layout.

    Args:
        folder: holds ``motions_processed/``, ``annots/`` and ``split/``.
        out: a new folder; it appears whole or not at all.
        link: hard links in place of copies where the file system has them. Both names are then
            the same file.
        progress: called with clips done and clips in all.

    Raises:
        FileNotFoundError: not a release; what is missing is named.
        UserError: no usable clip, or ``out`` exists.
    """
    release = InterHumanFolder(folder)
    if release.people != 2:
        raise FileNotFoundError(
            f"{release.motions / 'person2'} is missing; a release of InterHuman has two people"
        )
    splits = _listed(release)
    total = sum(map(len, splits.values()))
    clips: dict[str, int] = {}
    seconds: dict[str, float] = {}
    unusable: dict[str, str] = {}
    done = 0
    with atomic_folder(out) as target:
        for split, names in splits.items():
            clips[split], frames = 0, 0
            for name in names:
                try:
                    clip = _usable(release, name)
                except (FileNotFoundError, UserError) as error:
                    unusable[name] = str(error)
                else:
                    _copy_clip(release, target, name, link=link)
                    clips[split] += 1
                    frames += clip.loaded.shape[1]
                done += 1
                if progress is not None:
                    progress(done, total)
            seconds[split] = frames / FPS
            write_split(target, split, names)
        if not any(clips.values()):
            (first, *_) = [*unusable.values(), "the splits name no clip"]
            raise UserError(f"{folder} has no usable clip ({first})")
        ignored = release.ignored()
        there = {path.stem for path in (release.motions / "person1").glob("*.npy")}
        write_lines(target / "split" / "ignore_list.txt", [*ignored, *unusable])
        report = InterHumanImport(
            Path(out),
            clips,
            seconds,
            len(ignored),
            tuple(unusable.values()),
            len(there.difference(ignored, *splits.values())),
            tuple(name for name in dict.fromkeys(ignored) if name not in there),
        )
        write_provenance(target, _facts(report))
    return report


def _listed(release: InterHumanFolder) -> dict[str, tuple[str, ...]]:
    missing = [s for s in SPLITS if not (release.root / "split" / f"{s}.txt").is_file()]
    if "train" in missing or "val" in missing:
        raise FileNotFoundError(
            f"{release.root / 'split'} lacks {' and '.join(f'{s}.txt' for s in missing)}, which "
            "name the clips of each split, one a line; copy them from the release"
        )
    return {split: release.names(split) for split in SPLITS if split not in missing}


def _usable(release: InterHumanFolder, name: str) -> Clip:
    clip = release.read(name)
    if clip.loaded.shape[1] <= MIN_FRAMES:
        raise UserError(f"{name} has {clip.loaded.shape[1]} frames; {MIN_FRAMES + 1} are needed")
    if not clip.captions:
        raise UserError(f"{name} has no caption in {release.root / 'annots'}")
    return clip


def _copy_clip(release: InterHumanFolder, target: Path, name: str, *, link: bool) -> None:
    files = [release.motions / f"person{person}" / f"{name}.npy" for person in (1, 2)]
    for source in (*files, release.root / "annots" / f"{name}.txt"):
        goal = target / source.relative_to(release.root)
        if goal.exists():
            continue  # listed twice
        goal.parent.mkdir(parents=True, exist_ok=True)
        if link:
            try:
                os.link(source.resolve(), goal)
                continue
            except OSError:
                pass  # another file system, or one without links
        shutil.copyfile(source, goal)


def _facts(report: InterHumanImport) -> dict[str, object]:
    return {
        "kind": "InterHuman: motion of two people, captured by cameras, fitted with SMPL",
        "source": "the InterHuman release (InterGen, Liang et al., IJCV 2024)",
        "licence": "that of InterHuman: non-commercial research, not to be passed on",
        "captions": "written by people who watched the motion, three a clip",
        "body": "as released, one body shape a person",
        "clips": report.clips,
        "seconds": {split: round(value, 1) for split, value in report.seconds.items()},
        "left_out": list(report.unusable),
    }
