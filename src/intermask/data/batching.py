"""From clips to training batches, as pure functions of (seed, step).

A batch depends on nothing but the seed and the number of its step, so that a resumed run sees
exactly what an undisturbed one would have seen, without any state to save. Items are drawn with
replacement; folders are drawn by their share first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from intermask import representation
from intermask.conventions import MIN_FRAMES, FloorRule
from intermask.data.augment import mirror_caption
from intermask.data.layout import Clip, InterHumanFolder
from intermask.errors import UserError


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

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.source.root.name


def read_split(source: Source, split: str) -> SourceClips:
    """Read every usable clip of a split; unusable ones are skipped and named.

    Raises:
        FileNotFoundError: no such dataset or split.
        UserError: not a single usable clip.
    """
    folder = InterHumanFolder(source.root)
    clips, skipped = [], []
    for name in folder.names(split):
        try:
            clip = folder.read(name)
        except (FileNotFoundError, UserError) as error:
            skipped.append(str(error))
            continue
        if clip.loaded.shape[1] <= MIN_FRAMES:
            skipped.append(
                f"{name} has {clip.loaded.shape[1]} frames; {MIN_FRAMES + 1} are needed"
            )
        else:
            clips.append(clip)
    if not clips:
        raise UserError(
            f"{source.root}: the split {split!r} has no usable clip"
            + (f" ({skipped[0]})" if skipped else "")
        )
    return SourceClips(source, folder.people, tuple(clips), tuple(skipped))


def step_generator(seed: int, step: int, purpose: str) -> np.random.Generator:
    """Generator for one purpose at one step; different purposes are independent."""
    return np.random.default_rng((seed, step, *purpose.encode()))


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A torch generator seeded from a numpy one."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def _draw_source(
    sources: Sequence[SourceClips], rng: np.random.Generator, count: int
) -> list[int]:
    shares = np.array([each.source.share for each in sources], dtype=float)
    return [int(i) for i in rng.choice(len(sources), size=count, p=shares / shares.sum())]


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
    floor: FloorRule
    mirror: bool

    def __post_init__(self) -> None:
        if not any(self._starts(clip) for each in self.sources for clip in each.clips):
            raise UserError(
                f"no clip has the {self.window + 1} frames that a window of {self.window} needs"
            )

    def _starts(self, clip: Clip) -> list[int]:
        return list(range(0, clip.loaded.shape[1] - self.window, self.stride))

    def index(self) -> list[list[tuple[int, int]]]:
        """For each source its (clip, window start) pairs."""
        return [
            [(c, start) for c, clip in enumerate(each.clips) for start in self._starts(clip)]
            for each in self.sources
        ]

    def draw(
        self, index: list[list[tuple[int, int]]], rng: np.random.Generator, count: int
    ) -> Tensor:
        """Unnormalised features (count, window, 262)."""
        return torch.stack(
            [self._window(index, which, rng) for which in _draw_source(self.sources, rng, count)]
        )

    def _window(
        self, index: list[list[tuple[int, int]]], which: int, rng: np.random.Generator
    ) -> Tensor:
        clip_index, start = index[which][rng.integers(len(index[which]))]
        stop = start + self.window + 1
        earliest = max(0, stop - 1 - self.max_frames)
        # Half of the crops start as early as they may: inference meets whole clips.
        crop = earliest if rng.random() < 0.5 else int(rng.integers(earliest, start + 1))
        loaded = self.sources[which].clips[clip_index].loaded[:, crop:stop]
        features = canonical_people(
            loaded,
            self.floor,
            mirror=self.mirror and rng.random() < 0.5,
            swap=rng.random() < 0.5,
        )
        return features[rng.integers(len(features)), -self.window :]


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
    floor: FloorRule
    mirror: bool

    def __post_init__(self) -> None:
        for each in self.sources:
            if each.people != 2:
                raise UserError(
                    f"{each.source.root} holds single people; the transformer needs pairs"
                )
            for clip in each.clips:
                if not clip.captions:
                    raise UserError(
                        f"{each.source.root}: the clip {clip.name} has no caption in annots/; "
                        "add one a line, or list the clip in split/ignore_list.txt"
                    )

    def frames(self, source: int, clip: int) -> int:
        """Usable frames of a clip: without the last, at most `max_frames`, a multiple of stride."""
        frames = self.sources[source].clips[clip].loaded.shape[1] - 1
        return min(frames, self.max_frames) // self.stride * self.stride

    def draw(self, rng: np.random.Generator, count: int) -> list[tuple[Variant, str]]:
        """Variants and captions of one batch; clips of similar length come together.

        Four times as many candidates are drawn and sorted by length, and one quarter of them is
        taken, so that little of a batch is padding while all clips stay equally likely.
        """
        candidates = []
        for which in _draw_source(self.sources, rng, 4 * count):
            clip = int(rng.integers(len(self.sources[which].clips)))
            candidates.append((self.frames(which, clip), which, clip))
        candidates.sort(key=lambda item: item[0])
        quarter = int(rng.integers(4)) * count
        return [
            self._variant(which, clip, rng)
            for _, which, clip in candidates[quarter : quarter + count]
        ]

    def _variant(self, which: int, clip: int, rng: np.random.Generator) -> tuple[Variant, str]:
        spare = self.sources[which].clips[clip].loaded.shape[1] - 1 - self.max_frames
        start = int(rng.integers(spare + 1)) if spare > 0 else 0
        mirror = self.mirror and bool(rng.random() < 0.5)
        captions = self.sources[which].clips[clip].captions
        caption = captions[rng.integers(len(captions))]
        variant = Variant(which, clip, start, mirror, swap=bool(rng.random() < 0.5))
        return variant, mirror_caption(caption) if mirror else caption

    def features(self, variant: Variant) -> Tensor:
        """Unnormalised canonical features (2, t, 262); t is a multiple of the stride."""
        frames = self.frames(variant.source, variant.clip)
        clip = self.sources[variant.source].clips[variant.clip]
        loaded = clip.loaded[:, variant.start : variant.start + frames + 1]
        return canonical_people(loaded, self.floor, mirror=variant.mirror, swap=variant.swap)
