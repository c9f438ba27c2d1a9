"""Real clips as an evaluation sees them: their features, and all their captions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from intermask import geometry, representation, representation_smplx
from intermask.config import DataSet
from intermask.conventions import FloorRule
from intermask.data.batching import (
    ClipEncoder,
    Source,
    canonical_people,
    read_split,
    with_captions,
)
from intermask.data.layout import Clip

FRAME_MULTIPLE = 4
"""Lengths are rounded down to it, whatever a model's token columns are: clips stay the same."""


@dataclass(frozen=True)
class Recording:
    """A clip with more frames than an evaluation looks at, of which it may take any part."""

    loaded: Tensor
    """(2, t, ...) as stored."""
    most: int
    """Stored frames of a part."""
    encode: ClipEncoder

    @property
    def parts(self) -> int:
        """How many there are: one from every frame that leaves enough behind it."""
        return self.loaded.shape[1] - self.most + 1

    def features(self, start: int) -> Tensor:
        """Features (2, t, f) of the part that begins with a stored frame."""
        return _features(self.loaded[:, start : start + self.most], self.encode)


@dataclass(frozen=True)
class EvaluationClip:
    """One real clip of two people, or a part of it."""

    name: str
    captions: tuple[str, ...]
    """One or more sentences about it."""
    features: Tensor
    """(2, t, f) float32, unnormalised; t is a multiple of `FRAME_MULTIPLE`. f is 262 for
    InterHuman's layout, canonical as `representation.canonicalise_pair` has it, and 336 for
    Inter-X's."""
    recording: Recording | None = None
    """All of a clip that is longer; ``features`` are then those of a part."""

    @property
    def frames(self) -> int:
        """t: what a generated motion is as long as; the same for all parts."""
        return self.features.shape[1]

    @property
    def parts(self) -> int:
        """How many parts there are to choose from; 1: the clip is looked at as it is."""
        return 1 if self.recording is None else self.recording.parts

    def part(self, start: int) -> EvaluationClip:
        """The part of a longer clip that begins with a stored frame."""
        if self.recording is None:
            return self
        return replace(self, features=self.recording.features(start))


def read_clips(
    folder: Path,
    split: str,
    floor: FloorRule,
    max_frames: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[EvaluationClip]:
    """All usable clips of a split, in the order of its list, the same at every call.

    Nothing is augmented: people are not exchanged, and of a clip with more stored frames than
    ``max_frames`` the features are those of its beginning. In InterHuman's layout such a clip also
    holds its other parts (`EvaluationClip.part`), for the released evaluation takes one at random.
    Clips without captions, or too short, are left out and named in the log.

    Args:
        folder: a dataset in InterHuman's or Inter-X's layout.
        split: ``train``, ``val`` or ``test``.
        floor: how features place people above the floor (the model's rule); Inter-X has none.
        max_frames: most stored frames of a clip, or of its part.
        progress: called with clips done and clips in all.

    Raises:
        FileNotFoundError: no such dataset or split.
        UserError: not one usable clip, or single people.
    """
    source = with_captions(read_split(Source(folder), split))
    encode = encoder_of(source.dataset, floor)
    clips = []
    for number, clip in enumerate(source.clips):
        clips.append(_evaluation_clip(clip, encode, max_frames, parts=source.dataset != "interx"))
        if progress is not None:
            progress(number + 1, len(source.clips))
    return clips


def encoder_of(dataset: DataSet, floor: FloorRule) -> ClipEncoder:
    """What makes features of a dataset's stored frames; Inter-X has no floor rule."""
    if dataset == "interx":
        return representation_smplx.encode_pair
    return partial(canonical_people, floor=floor)


def _evaluation_clip(clip: Clip, encode: ClipEncoder, most: int, *, parts: bool) -> EvaluationClip:
    beginning = _features(clip.loaded[:, :most], encode)
    longer = clip.loaded.shape[1] > most
    recording = Recording(clip.loaded, most, encode) if longer and parts else None
    return EvaluationClip(clip.name, clip.captions, beginning, recording)


def _features(loaded: Tensor, encode: ClipEncoder) -> Tensor:
    """Features (2, t, f) of stored frames: without the last, and a multiple of columns."""
    frames = (loaded.shape[1] - 1) // FRAME_MULTIPLE * FRAME_MULTIPLE
    return encode(loaded[:, : frames + 1])


def exchange_people(features: Tensor) -> Tensor:
    """The same two people with the second one first, canonical again; InterHuman's layout.

    What `representation.canonicalise_pair` makes of the clip with its people exchanged.

    Args:
        features: (2, t, 262) canonical, unnormalised.
    """
    return canonical_again(features.flip(0))


def canonical_again(features: Tensor) -> Tensor:
    """Two people moved and turned together; the first then starts at the origin and faces +z.

    Args:
        features: (2, t, 262) unnormalised, InterHuman's layout; they are left as they are.
    """
    result = features.clone()
    positions = representation.decode_positions(result)
    ahead = geometry.facing_direction(positions[0, 0])
    turn = geometry.yaw_matrix(-torch.atan2(ahead[0], ahead[2]))
    start = positions[0, 0, 0] * positions.new_tensor((1.0, 0.0, 1.0))
    steps = result[..., representation.VELOCITIES].unflatten(-1, (-1, 3))
    result[..., representation.POSITIONS] = ((positions - start) @ turn.T).flatten(-2)
    result[..., representation.VELOCITIES] = (steps @ turn.T).flatten(-2)
    return result
