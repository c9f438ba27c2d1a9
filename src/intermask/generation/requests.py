"""What callers ask of a generator, checked before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from intermask.config import SamplingConfig
from intermask.conventions import MIN_FRAMES
from intermask.errors import UserError
from intermask.generation.drafts import OnChoice
from intermask.generation.sampler import OnStep
from intermask.motion import FPS, Motion
from intermask.text import TextEncoder

_LARGEST_SEED = 2**63 - 1  # motion files keep seeds as int64


BATCH_SIZE = 16
"""Motions that are sampled together if not said otherwise."""


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """How motions are made, whatever is asked for."""

    sampling: SamplingConfig | None = None
    """How tokens are drawn; None: as the model's configuration says."""
    on_step: OnStep | None = None
    """Progress; starts anew for every batch."""
    on_choice: OnChoice | None = None
    """Told which of several drafts was kept, and why, once a motion."""
    batch_size: int = BATCH_SIZE
    """Most motions that are sampled together."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"the batch size is {self.batch_size}; expected at least 1")


DEFAULT_OPTIONS = GenerationOptions()


@dataclass(frozen=True)
class Request:
    """One motion to make."""

    prompt: str
    frames: int
    seed: int


@dataclass(frozen=True)
class KnownTokens:
    """What is known of a motion before it is made."""

    tokens: Tensor
    """(2, s, n) codes of the whole motion; those of unknown columns are not looked at."""
    columns: Tensor
    """(2, n) bool, which columns of which person are known."""


def checked_requests(
    prompts: Sequence[str],
    seconds: float | Sequence[float] | None,
    seed: int | Sequence[int],
    *,
    encoder: TextEncoder,
    max_frames: int,
    estimate: Callable[[str], float],
) -> list[Request]:
    """One request a prompt; see `InteractionGenerator.__call__` for the arguments.

    Args:
        encoder: counts the tokens of prompts.
        max_frames: longest motion of the model.
        estimate: seconds of a prompt, where none are given.

    Raises:
        UserError: an unusable prompt, duration or seed, or not one of each.
    """
    texts = checked_prompts(prompts, encoder)
    count = len(texts)
    if seconds is None:
        durations = [estimate(text) for text in texts]
    elif isinstance(seconds, Iterable):
        durations = [float(each) for each in seconds]
    else:
        durations = [float(seconds)] * count
    if isinstance(seed, Iterable):
        seeds = [int(each) for each in seed]
    else:
        seeds = [int(seed) + number for number in range(count)]
    for name, values in (("seconds", durations), ("seeds", seeds)):
        if len(values) != count:
            raise UserError(f"{count} prompts came with {len(values)} {name}; give one each")
    return [
        Request(text, checked_frames(duration, max_frames), checked_seed(each))
        for text, duration, each in zip(texts, durations, seeds, strict=True)
    ]


def checked_prompts(prompts: Sequence[str], encoder: TextEncoder) -> list[str]:
    """Prompts without space around them.

    Raises:
        UserError: there is none, or one is empty or longer than the encoder reads.
    """
    if isinstance(prompts, str):
        raise UserError(f"expected a list of prompts, got one text; write [{prompts!r}]")
    texts = [prompt.strip() for prompt in prompts]
    if not texts:
        raise UserError("there is no prompt; give at least one sentence")
    for number, text in enumerate(texts, start=1):
        name = f"prompt {number}" if len(texts) > 1 else "the prompt"
        if not text:
            raise UserError(f"{name} is empty; write what the two people do")
        tokens = encoder.count_tokens(text)
        if tokens > encoder.max_tokens:
            raise UserError(
                f"{name} is too long: it has {tokens} text tokens, but the encoder {encoder.name} "
                f"reads at most {encoder.max_tokens}; shorten it"
            )
    return texts


def checked_frames(seconds: float, max_frames: int) -> int:
    """Frames of a duration.

    Raises:
        UserError: shorter or longer than the model makes.
    """
    frames = round(seconds * FPS) if math.isfinite(seconds) else 0
    if not MIN_FRAMES <= frames <= max_frames:
        raise UserError(
            f"{seconds:g} seconds is out of range: this model makes motions of "
            f"{MIN_FRAMES / FPS:g} to {max_frames / FPS:g} seconds"
        )
    return frames


def checked_seed(seed: int) -> int:
    """A seed that a motion file can hold.

    Raises:
        UserError: it is negative or too large.
    """
    if not 0 <= seed <= _LARGEST_SEED:
        raise UserError(f"the seed is {seed}; expected a whole number from 0 to {_LARGEST_SEED}")
    return int(seed)


def person_index(person: int) -> int:
    """0 or 1 of person 1 or 2.

    Raises:
        UserError: neither.
    """
    if person not in (1, 2):
        raise UserError(f"there is no person {person!r}; choose 1 or 2")
    return person - 1


def check_frame_rate(given: Motion) -> None:
    """Whether a model can read a motion.

    Raises:
        UserError: its frame rate is not the model's.
    """
    if abs(given.fps - FPS) > 1e-3:
        raise UserError(
            f"the given motion has {given.fps:g} frames a second, but models read {FPS:g}; "
            "resample it first"
        )
