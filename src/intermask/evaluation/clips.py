"""Real clips as an evaluation sees them: features of whole clips, and all their captions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from intermask import geometry, representation, representation_smplx
from intermask.conventions import FloorRule
from intermask.data.batching import (
    ClipEncoder,
    InteractionSampler,
    Source,
    Variant,
    canonical_people,
    read_split,
    with_captions,
)

FRAME_MULTIPLE = 4
"""Lengths are rounded down to it: the frames of a token column (method, section 6)."""


@dataclass(frozen=True)
class EvaluationClip:
    """One real clip of two people."""

    name: str
    captions: tuple[str, ...]
    """One or more sentences about it."""
    features: Tensor
    """(2, t, f) float32, unnormalised; t is a multiple of `FRAME_MULTIPLE`. f is 262 for
    InterHuman's layout, canonical as `representation.canonicalise_pair` has it, and 336 for
    Inter-X's."""

    @property
    def frames(self) -> int:
        """t: what a generated motion is as long as."""
        return self.features.shape[1]


def read_clips(
    folder: Path,
    split: str,
    floor: FloorRule,
    max_frames: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[EvaluationClip]:
    """All usable clips of a split, in the order of its list, the same at every call.

    Nothing is augmented: of a clip longer than ``max_frames`` the beginning is taken, people are
    not exchanged. Clips without captions, or too short, are left out and named in the log.

    Args:
        folder: a dataset in InterHuman's or Inter-X's layout.
        split: ``train``, ``val`` or ``test``.
        floor: how features place people above the floor (the model's rule); Inter-X has none.
        max_frames: most frames of a clip.
        progress: called with clips done and clips in all.

    Raises:
        FileNotFoundError: no such dataset or split.
        UserError: not one usable clip, or single people.
    """
    source = with_captions(read_split(Source(folder), split))
    encode: ClipEncoder
    if source.dataset == "interx":
        encode = representation_smplx.encode_pair
    else:
        encode = partial(canonical_people, floor=floor)
    whole = InteractionSampler((source,), max_frames, FRAME_MULTIPLE, encode, mirror=False, seed=0)
    clips = []
    for number, clip in enumerate(source.clips):
        features = whole.features(Variant(0, number, 0, mirror=False, swap=False))
        clips.append(EvaluationClip(clip.name, clip.captions, features))
        if progress is not None:
            progress(number + 1, len(source.clips))
    return clips


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
