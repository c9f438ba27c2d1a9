"""Look through a dataset folder: what is there, what training could not use, what to know.

Nothing is changed. Problems (training would skip or refuse the clip) and notes (fine, but worth
knowing) name the clip.
"""

from __future__ import annotations

import logging
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from intermask import geometry, representation
from intermask.conventions import MIN_FRAMES
from intermask.data.layout import SPLITS, Clip, InterHumanFolder
from intermask.errors import UserError
from intermask.motion import FPS
from intermask.skeleton import SMPL22

logger = logging.getLogger(__name__)

LONGEST_FRAMES = 300
"""Longer clips are cropped at random (method, section 1)."""
LONG_CAPTION_WORDS = 75
"""A caption with more words and marks than this is over CLIP's 77 tokens for certain."""
BONE_DRIFT = 0.05
"""Deviation of a bone's length over its mean, over a clip, from which bones stretch visibly."""

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Finding:
    """One thing about one clip (or file)."""

    kind: str
    clip: str
    detail: str
    is_problem: bool


@dataclass(frozen=True)
class SplitFacts:
    """Counts of one split; lengths in frames of its readable clips."""

    name: str
    listed: int
    """Names on the list, ignored ones left out."""
    usable: int
    captions: int
    frames: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """Seconds of all readable clips."""
        return sum(self.frames) / FPS

    @property
    def lengths(self) -> tuple[float, float, float]:
        """Shortest, median and longest clip in seconds; zeros if there is none."""
        if not self.frames:
            return (0.0, 0.0, 0.0)
        low, high = min(self.frames), max(self.frames)
        return (low / FPS, statistics.median(self.frames) / FPS, high / FPS)


@dataclass(frozen=True)
class BoneDrift:
    """How much one bone's length varies within clips, as deviation over mean."""

    bone: str
    mean: float
    worst: float
    worst_clip: str


@dataclass(frozen=True)
class CheckReport:
    """All that `check_dataset` found."""

    root: Path
    people: int
    splits: tuple[SplitFacts, ...]
    bones: tuple[BoneDrift, ...]
    """Bones by their worst clip, the worst bone first."""
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What training would skip or refuse."""
        return tuple(each for each in self.findings if each.is_problem)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is fine but worth knowing."""
        return tuple(each for each in self.findings if not each.is_problem)


@dataclass
class _Bones:
    """Drift of every bone, collected clip by clip."""

    sums: Tensor = field(default_factory=lambda: torch.zeros(len(SMPL22.bones)))
    worst: Tensor = field(default_factory=lambda: torch.zeros(len(SMPL22.bones)))
    clips: list[str] = field(default_factory=lambda: [""] * len(SMPL22.bones))
    count: int = 0

    def add(self, name: str, drift: Tensor) -> None:
        self.sums = self.sums + drift
        self.count += 1
        for bone in torch.nonzero(drift > self.worst).flatten().tolist():
            self.clips[bone] = name
        self.worst = torch.maximum(self.worst, drift)

    def facts(self) -> tuple[BoneDrift, ...]:
        if not self.count:
            return ()
        rows = [
            BoneDrift(_bone_name(i), float(self.sums[i]) / self.count, float(worst), self.clips[i])
            for i, worst in enumerate(self.worst)
        ]
        return tuple(sorted(rows, key=lambda row: -row.worst))


def check_dataset(
    root: str | Path,
    *,
    is_too_long: Callable[[str], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Read every clip of every split of a folder in InterHuman's layout.

    Args:
        root: the dataset folder.
        is_too_long: whether a text encoder would cut a caption; by default the number of its words
            decides (`LONG_CAPTION_WORDS`).
        progress: called with clips done and clips in all.

    Raises:
        FileNotFoundError: not a dataset folder, or none of its splits has a list.
    """
    folder = InterHumanFolder(root)
    too_long = is_too_long or (lambda caption: len(_WORD.findall(caption)) > LONG_CAPTION_WORDS)
    names = _split_names(folder)
    findings = list(_list_findings(folder, names))
    bones = _Bones()
    counts: dict[str, int] = {}
    splits = []
    total, done = sum(map(len, names.values())), 0
    for split, members in names.items():
        frames, usable, captions = [], 0, 0
        for name in members:
            clip, found = _look_at(folder, name, too_long)
            findings += found
            usable += not any(each.is_problem for each in found)
            if clip is not None:
                frames.append(clip.loaded.shape[1])
                captions += len(clip.captions)
                counts[name] = len(clip.captions)
                bones.add(name, _bone_drift(clip))
            done += 1
            if progress is not None:
                progress(done, total)
        splits.append(SplitFacts(split, len(members), usable, captions, tuple(frames)))
    findings += _count_findings(counts)
    return CheckReport(folder.root, folder.people, tuple(splits), bones.facts(), tuple(findings))


def _count_findings(counts: dict[str, int]) -> Iterator[Finding]:
    """Clips with fewer captions than most have."""
    usual = statistics.mode(counts.values()) if counts else 0
    for name, count in counts.items():
        if 0 < count < usual:
            yield Finding("few captions", name, f"{count}; most clips have {usual}", False)


def _split_names(folder: InterHumanFolder) -> dict[str, tuple[str, ...]]:
    listed = [s for s in SPLITS if (folder.root / "split" / f"{s}.txt").is_file()]
    return {split: folder.names(split) for split in listed or SPLITS}  # without any: an error


def _look_at(
    folder: InterHumanFolder, name: str, too_long: Callable[[str], bool]
) -> tuple[Clip | None, list[Finding]]:
    """A clip, if it can be read, and what is to say about it."""
    try:
        clip = folder.read(name)
    except FileNotFoundError as error:
        return None, [Finding("missing file", name, str(error), True)]
    except UserError as error:
        kind = "NaN" if "NaN" in str(error) else "corrupt file"
        return None, [Finding(kind, name, str(error), True)]
    findings = [*_motion_findings(folder, clip), *_caption_findings(folder, clip, too_long)]
    if not clip.loaded.shape[1]:
        return None, findings
    return clip, findings + _drift_findings(name, _bone_drift(clip))


def _list_findings(
    folder: InterHumanFolder, names: dict[str, tuple[str, ...]]
) -> Iterator[Finding]:
    """What the lists of clips say, compared with each other and with the files."""
    for split in ("train", "val"):
        if not names.get(split):
            yield Finding("empty split", split, f"split/{split}.txt names no clip", True)
    for path in sorted((folder.root / "split").glob("*.txt")):
        yield from _text_file_findings(path, path.stem)
    for split, members in names.items():
        for name, count in Counter(members).items():
            if count > 1:
                yield Finding("listed twice", name, f"{count} times in {split}.txt", True)
    for first, second in combinations(names, 2):
        for name in sorted(set(names[first]) & set(names[second])):
            yield Finding("split overlap", name, f"in {first}.txt and {second}.txt", True)
    there = {path.stem for path in (folder.motions / "person1").glob("*.npy")}
    ignored = set(folder.ignored())
    for name in sorted(ignored - there):
        yield Finding("ignored, not there", name, "the ignore list names it", False)
    listed = {name for members in names.values() for name in members}
    for name in sorted(there - listed - ignored):
        yield Finding("in no split", name, "training will not see it", False)


def _motion_findings(folder: InterHumanFolder, clip: Clip) -> Iterator[Finding]:
    frames = clip.loaded.shape[1]
    if frames <= MIN_FRAMES:
        yield Finding("too short", clip.name, f"{frames} frames of {MIN_FRAMES + 1}", True)
    elif frames > LONGEST_FRAMES:
        yield Finding("long", clip.name, f"{frames / FPS:.1f} s; cropped at random", False)
    lengths = [
        len(np.load(folder.motions / f"person{person + 1}" / f"{clip.name}.npy", mmap_mode="r"))
        for person in range(folder.people)
    ]
    if len(set(lengths)) > 1:
        detail = f"{lengths[0]} and {lengths[1]} frames; cut to the shorter"
        yield Finding("unequal lengths", clip.name, detail, False)
    if frames:
        positions = representation.z_up_to_y_up(representation.split_loaded(clip.loaded)[0])
        upright = geometry.hips_are_upright(positions[:, 0])
        for person in torch.nonzero(~upright).flatten().tolist():
            detail = f"person {person + 1} starts lying on a side; the spine tells where they face"
            logger.info("%s: %s", clip.name, detail)
            yield Finding("facing fallback", clip.name, detail, False)


def _caption_findings(
    folder: InterHumanFolder, clip: Clip, too_long: Callable[[str], bool]
) -> Iterator[Finding]:
    path = folder.root / "annots" / f"{clip.name}.txt"
    if folder.people == 1 and not clip.captions:
        return  # single-person data has none
    if not path.is_file():
        yield Finding("no captions", clip.name, f"{path.name} is missing", True)
    elif not clip.captions:
        yield Finding("empty captions", clip.name, f"{path.name} has no text", True)
    else:
        yield from _text_file_findings(path, clip.name)
    for number, caption in enumerate(clip.captions, start=1):
        odd = sorted({each for each in caption if _is_odd(each)})
        if odd:
            detail = f"caption {number} holds {', '.join(map(_character, odd))}"
            yield Finding("odd characters", clip.name, detail, False)
        if too_long(caption):
            detail = f"caption {number} is cut: {caption[:40]}..."
            yield Finding("long caption", clip.name, detail, False)


def _text_file_findings(path: Path, name: str) -> Iterator[Finding]:
    """How a list or a file of captions is written; all of it is read all the same."""
    raw = path.read_bytes()
    if b"\r" in raw:
        yield Finding("Windows line ends", name, f"{path.name} is read all the same", False)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        detail = f"{path.name} is not UTF-8 (byte {error.start}); read as Windows-1252"
        yield Finding("odd characters", name, detail, False)


def _is_odd(character: str) -> bool:
    """Neither plain English text nor a letter of another language: marks that only look alike."""
    if character.isascii():
        return not character.isprintable()
    return not character.isalpha() or unicodedata.normalize("NFKC", character) != character


def _character(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control').lower()}"


def _bone_drift(clip: Clip) -> Tensor:
    """Deviation over mean (21,) of each bone's length, of the worse person."""
    positions = representation.split_loaded(clip.loaded)[0]
    parents, children = zip(*SMPL22.bones, strict=True)
    lengths = (positions[:, :, list(children)] - positions[:, :, list(parents)]).norm(dim=-1)
    drift = lengths.std(1, correction=0) / lengths.mean(1).clamp_min(1e-6)
    return drift.amax(0)


def _drift_findings(name: str, drift: Tensor) -> list[Finding]:
    worst = int(drift.argmax())
    if float(drift[worst]) <= BONE_DRIFT:
        return []
    detail = f"{_bone_name(worst)} varies by {100 * float(drift[worst]):.1f} %"
    return [Finding("bone drift", name, detail, False)]


def _bone_name(bone: int) -> str:
    parent, child = SMPL22.bones[bone]
    return f"{SMPL22.names[parent]} to {SMPL22.names[child]}"
