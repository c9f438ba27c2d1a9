"""From clips to training batches, as pure functions of (seed, step).

A batch depends on nothing but the seed and the number of its step, so that a resumed run sees
exactly what an undisturbed one would have seen, without any state to save. Folders take turns by
their shares, each in its own epochs (`intermask.data.epochs`); how an item is augmented is a
function of (seed, epoch, item).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from intermask import representation
from intermask.config import DataSet
from intermask.conventions import MIN_FRAMES, FloorRule
from intermask.data.augment import mirror_caption
from intermask.data.cache import Progress
from intermask.data.cached_clips import ReadClip, cached_reader
from intermask.data.epochs import EpochOrder, Turn
from intermask.data.interx import InterXFolder, is_interx
from intermask.data.layout import Clip, InterHumanFolder
from intermask.data.placement import Crop
from intermask.errors import UserError

logger = logging.getLogger(__name__)

MOST_NAMED = 10
"""Clips that were left out of a split and are named one by one; of others the number is told."""


LEFT_MIDWAY = 60
"""Frames that are left at least of a clip that is seen from somewhere within it."""
STEPS_SORTED = 4
"""Steps of the transformer whose clips are sorted by length together."""


class ClipEncoder(Protocol):
    """Loaded frames (people, t, ...) to unnormalised features (people, t-1, f)."""

    def __call__(self, loaded: Tensor, *, mirror: bool = False, swap: bool = False) -> Tensor: ...


class WindowEncoder(Protocol):
    """Crops of one length t to unnormalised features (b, t-1, f)."""

    def __call__(self, crops: Sequence[Crop], /) -> Tensor: ...


@dataclass(frozen=True)
class Source:
    """One dataset folder and how much of every batch comes from it."""

    root: Path
    share: float = 1.0


@dataclass(frozen=True)
class SourceClips:
    """The clips of one split of one folder, in memory."""

    source: Source
    people: int
    clips: tuple[Clip, ...]
    skipped: tuple[str, ...]
    """Why clips were left out, one sentence each, with their names."""
    dataset: DataSet = "interhuman"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.source.root.name


def read_split(
    source: Source,
    split: str,
    cache: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> SourceClips:
    """Read every usable clip of a split; unusable ones are skipped, and named in the log once.

    Args:
        source: the folder.
        split: ``train``, ``val`` or ``test``.
        cache: where clips are kept in memory-mapped files; None: they are read into memory.
        progress: called with clips done and clips in all, where the cache has to be made.

    Raises:
        FileNotFoundError: no such dataset or split.
        UserError: not a single usable clip.
    """
    dataset: DataSet = "interx" if is_interx(source.root) else "interhuman"
    folder: InterHumanFolder | InterXFolder
    if dataset == "interx":
        folder = released = InterXFolder(source.root)
        read: ReadClip = partial(released.read, split=split)
    else:
        folder = own = InterHumanFolder(source.root)
        read = own.read
    names = folder.names(split)
    if cache is not None:
        files = {name: folder.motion_files(name, split) for name in names}
        of = f"{source.root.resolve().name}, {split}"
        read = cached_reader(read, folder.captions, files, cache, progress, of)
    clips, skipped = [], []
    for name in names:
        try:
            clip = read(name)
        except (FileNotFoundError, UserError) as error:
            skipped.append(str(error))
            continue
        if clip.loaded.shape[1] <= MIN_FRAMES:
            skipped.append(f"{name} has {clip.loaded.shape[1]} frames; {MIN_FRAMES + 1} are needed")
        else:
            clips.append(clip)
    if not clips:
        raise UserError(
            f"{source.root}: the split {split!r} has no usable clip"
            + (f" ({skipped[0]})" if skipped else "")
        )
    _tell_skipped(source, split, skipped)
    return SourceClips(source, folder.people, tuple(clips), tuple(skipped), dataset)


def with_captions(clips: SourceClips) -> SourceClips:
    """The clips that have a caption; the others are skipped, and named in the log.

    Raises:
        UserError: there is none, or these are single people.
    """
    if clips.people != 2:
        raise UserError(f"{clips.source.root} holds single people; the transformer needs pairs")
    told = [clip for clip in clips.clips if clip.captions]
    silent = [f"{clip.name} has no caption" for clip in clips.clips if not clip.captions]
    if not told:
        raise UserError(f"{clips.source.root}: no clip has a caption; the transformer needs one")
    _tell_skipped(clips.source, "with captions", silent)
    return replace(clips, clips=tuple(told), skipped=(*clips.skipped, *silent))


def _tell_skipped(source: Source, part: str, skipped: Sequence[str]) -> None:
    if not skipped:
        return
    lines = list(skipped[:MOST_NAMED])
    if len(skipped) > MOST_NAMED:
        lines.append(f"and {len(skipped) - MOST_NAMED} more (intermask data check {source.root})")
    named = "".join(f"\n  {line}" for line in lines)
    logger.warning("%s, %s, left out: %d%s", source.root, part, len(skipped), named)


def step_generator(seed: int, step: int, purpose: str) -> np.random.Generator:
    """Generator for one purpose at one step; different purposes are independent."""
    return np.random.default_rng((seed, step, *purpose.encode()))


def augmentation_generator(seed: int, turn: Turn) -> np.random.Generator:
    """Generator that decides how one item of one epoch is seen."""
    return np.random.default_rng((seed, turn.epoch, turn.source, turn.item, *b"augmentation"))


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A torch generator seeded from a numpy one."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def canonical_people(
    loaded: Tensor, floor: FloorRule, *, mirror: bool = False, swap: bool = False
) -> Tensor:
    """Canonical features (people, t-1, 262) of a loaded clip (people, t, 192).

    Mirroring comes first, on the loaded array (method, section 1).
    """
    if mirror:
        loaded = representation.mirror_loaded(loaded)
    if len(loaded) == 1:
        return representation.canonicalise_person(loaded[0])[0][None]
    return representation.canonicalise_pair(loaded.flip(0) if swap else loaded, floor).features


@dataclass(frozen=True)
class WindowSampler:
    """Windows of one person for the tokenizer.

    Every window comes out of a crop of at most ``max_frames`` that starts at or before it, placed
    as that crop's first frame says; this is how the tokenizer meets motion later.
    """

    sources: Sequence[SourceClips]
    window: int
    stride: int
    max_frames: int
    windows: WindowEncoder
    mirror: bool

    seed: int

    def __post_init__(self) -> None:
        if not any(self._items):
            raise UserError(
                f"no clip has the {self.window + 1} frames that a window of {self.window} needs"
            )

    @cached_property
    def _items(self) -> list[list[tuple[int, int]]]:
        """For each source its (clip, window start) pairs."""
        return [
            [
                (number, start)
                for number, clip in enumerate(each.clips)
                for start in range(0, clip.loaded.shape[1] - self.window, self.stride)
            ]
            for each in self.sources
        ]

    @cached_property
    def _order(self) -> EpochOrder:
        shares = tuple(each.source.share for each in self.sources)
        return EpochOrder(tuple(map(len, self._items)), shares, self.seed)

    def draw(self, step: int, count: int, part: slice = slice(None)) -> Tensor:
        """Unnormalised features (count, window, f) of a step's batch, or a part of them."""
        turns = self._order.between(step * count, (step + 1) * count)
        return self.windows([self._crop(turn) for turn in turns[part]])

    def _crop(self, turn: Turn) -> Crop:
        rng = augmentation_generator(self.seed, turn)
        clip, start = self._items[turn.source][turn.item]
        stop = start + self.window + 1
        earliest = max(0, stop - 1 - self.max_frames)
        # Half of the crops start as early as they may: inference meets whole clips.
        anchor = earliest if rng.random() < 0.5 else int(rng.integers(earliest, start + 1))
        mirror = self.mirror and bool(rng.random() < 0.5)
        people = self.sources[turn.source].people
        reference, person = (int(rng.integers(people)) for _ in range(2))
        return Crop(
            self.sources[turn.source].clips[clip], person, reference, anchor, start, stop, mirror
        )


@dataclass(frozen=True, order=True)
class Variant:
    """One way to see one clip; the key of its tokens."""

    source: int
    clip: int
    start: int
    mirror: bool
    swap: bool


@dataclass(frozen=True)
class InteractionSampler:
    """Whole interactions with one caption each, for the transformer."""

    sources: Sequence[SourceClips]
    max_frames: int
    stride: int
    """Frames a token column; lengths are multiples of it."""
    encode: ClipEncoder
    mirror: bool
    seed: int
    midway: float = 0.0
    """Share of the clips that are seen from a random frame on; longer ones than `max_frames` always
    are."""

    def frames(self, source: int, clip: int, start: int = 0) -> int:
        """Usable frames of a clip: without the last, at most `max_frames`, a multiple of stride."""
        frames = self.sources[source].clips[clip].loaded.shape[1] - 1 - start
        return min(frames, self.max_frames) // self.stride * self.stride

    @cached_property
    def _order(self) -> EpochOrder:
        sizes = tuple(len(each.clips) for each in self.sources)
        return EpochOrder(sizes, tuple(each.source.share for each in self.sources), self.seed)

    def draw(self, step: int, count: int) -> list[tuple[Variant, str]]:
        """Variants and captions of a step's batch; clips of similar length come together.

        The clips of four steps are sorted by length and shared out among these steps, so that
        little of a batch is padding while every clip has its turn once an epoch.
        """
        block, place = divmod(step, STEPS_SORTED)
        size = STEPS_SORTED * count
        turns = self._order.between(block * size, (block + 1) * size)
        turns.sort(key=lambda turn: self.frames(turn.source, turn.item))
        shuffled = step_generator(self.seed, block, "lengths").permutation(STEPS_SORTED)
        begin = int(shuffled[place]) * count
        return [self._variant(turn) for turn in turns[begin : begin + count]]

    def _variant(self, turn: Turn) -> tuple[Variant, str]:
        rng = augmentation_generator(self.seed, turn)
        clip = self.sources[turn.source].clips[turn.item]
        start = self._start(clip.loaded.shape[1] - 1, rng)
        mirror = self.mirror and bool(rng.random() < 0.5)
        caption = clip.captions[rng.integers(len(clip.captions))]
        variant = Variant(turn.source, turn.item, start, mirror, swap=bool(rng.random() < 0.5))
        return variant, mirror_caption(caption) if mirror else caption

    def _start(self, frames: int, rng: np.random.Generator) -> int:
        spare = frames - self.max_frames
        # Drawn only where it is asked for, so that trainings without it see what they always saw.
        if self.midway and rng.random() < self.midway:
            spare = max(spare, frames - LEFT_MIDWAY)
        return int(rng.integers(spare + 1)) if spare > 0 else 0

    def fixed_variants(self) -> list[Variant]:
        """All variants, from their first frame on, of the clips that are not longer than they may
        be."""
        mirrors = (False, True) if self.mirror else (False,)
        return [
            Variant(source, clip, 0, mirror, swap)
            for source, each in enumerate(self.sources)
            for clip, own in enumerate(each.clips)
            if own.loaded.shape[1] - 1 <= self.max_frames
            for mirror in mirrors
            for swap in (False, True)
        ]

    def captions(self) -> set[str]:
        """All captions that can be drawn, those of mirror images included."""
        every = {text for each in self.sources for clip in each.clips for text in clip.captions}
        return every | ({mirror_caption(text) for text in every} if self.mirror else set())

    def features(self, variant: Variant) -> Tensor:
        """Unnormalised features (2, t, f); t is a multiple of the stride."""
        frames = self.frames(variant.source, variant.clip, variant.start)
        clip = self.sources[variant.source].clips[variant.clip]
        loaded = clip.loaded[:, variant.start : variant.start + frames + 1]
        return self.encode(loaded, mirror=variant.mirror, swap=variant.swap)
