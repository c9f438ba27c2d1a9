"""What a look through a dataset folder can find, whatever the layout: types, lists and texts."""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from intermask.motion import FPS

LONG_CAPTION_WORDS = 75
"""A caption with more words and marks than this is over CLIP's 77 tokens for certain."""

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
    """All that was found in a folder."""

    root: Path
    people: int
    splits: tuple[SplitFacts, ...]
    bones: tuple[BoneDrift, ...]
    """Bones by their worst clip, the worst bone first."""
    findings: tuple[Finding, ...]
    layout: str = "InterHuman's layout"

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What training would skip or refuse."""
        return tuple(each for each in self.findings if each.is_problem)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is fine but worth knowing."""
        return tuple(each for each in self.findings if not each.is_problem)


def has_many_words(caption: str) -> bool:
    """Whether a caption is certainly too long for a text encoder."""
    return len(_WORD.findall(caption)) > LONG_CAPTION_WORDS


def list_findings(
    lists: Path, names: Mapping[str, Sequence[str]], there: set[str], ignored: set[str]
) -> Iterator[Finding]:
    """What the lists of clips say, compared with each other and with the files.

    Args:
        lists: the folder of the lists.
        names: of each split, ignored ones left out.
        there: names of the clips that have a motion.
        ignored: names on the ignore list.
    """
    for split in ("train", "val"):
        if not names.get(split):
            yield Finding("empty split", split, f"{lists.name}/{split}.txt names no clip", True)
    for path in sorted(lists.glob("*.txt")):
        yield from text_file_findings(path, path.stem)
    for split, members in names.items():
        for name, count in Counter(members).items():
            if count > 1:
                yield Finding("listed twice", name, f"{count} times in {split}.txt", True)
    for first, second in combinations(names, 2):
        for name in sorted(set(names[first]) & set(names[second])):
            yield Finding("split overlap", name, f"in {first}.txt and {second}.txt", True)
    for name in sorted(ignored - there):
        yield Finding("ignored, not there", name, "the ignore list names it", False)
    listed = {name for members in names.values() for name in members}
    for name in sorted(there - listed - ignored):
        yield Finding("in no split", name, "training will not see it", False)


def caption_findings(
    path: Path, name: str, captions: Sequence[str], is_too_long: Callable[[str], bool]
) -> Iterator[Finding]:
    """What there is to say about a clip's text file and the captions that it holds."""
    if not path.is_file():
        yield Finding("no captions", name, f"{path.name} is missing", True)
    elif not captions:
        yield Finding("empty captions", name, f"{path.name} has no text", True)
    else:
        yield from text_file_findings(path, name)
    for number, caption in enumerate(captions, start=1):
        odd = sorted({each for each in caption if _is_odd(each)})
        if odd:
            detail = f"caption {number} holds {', '.join(map(_character, odd))}"
            yield Finding("odd characters", name, detail, False)
        if is_too_long(caption):
            detail = f"caption {number} is cut: {caption[:40]}..."
            yield Finding("long caption", name, detail, False)


def count_findings(counts: dict[str, int]) -> Iterator[Finding]:
    """Clips with fewer captions than most have."""
    usual = statistics.mode(counts.values()) if counts else 0
    for name, count in counts.items():
        if 0 < count < usual:
            yield Finding("few captions", name, f"{count}; most clips have {usual}", False)


def text_file_findings(path: Path, name: str) -> Iterator[Finding]:
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
