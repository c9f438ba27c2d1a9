"""Which motions are made of a model, and what is asked of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from intermask.adherence.truth import CaptionTruth, ClipTruth, read_truth
from intermask.choreography.prompt_sets import Prompt, free_prompts, outside_prompts
from intermask.conventions import MIN_FRAMES
from intermask.data.clip_motion import motion_of
from intermask.data.layout import Clip, InterHumanFolder
from intermask.errors import UserError
from intermask.motion import Motion

HELD_OUT = ("test", "test_combinations", "test_shapes")
PAIRS = "test_pairs"

Kind = Literal["clip", "shuffled", "pair", "free", "outside"]

Part = Literal["held-out", "pairs", "free", "outside"]
PARTS: tuple[Part, ...] = ("held-out", "pairs", "free", "outside")
"""What can be asked for itself; what the others are held against is read anyway."""


@dataclass(frozen=True)
class ClipQuestion:
    """A clip that the model has not seen, and the one of its captions that it is asked for."""

    truth: ClipTruth
    caption: CaptionTruth
    clip: Clip

    @property
    def name(self) -> str:
        """Of the clip."""
        return self.truth.name

    @property
    def frames(self) -> int:
        """Of the clip."""
        return self.clip.loaded.shape[1]

    def motion(self) -> Motion:
        """The clip itself."""
        return motion_of(self.clip)


@dataclass(frozen=True)
class Trial:
    """One motion to be made.

    kind and name: together unlike those of all others. seconds: None is estimated from the prompt.
    """

    kind: Kind
    name: str
    prompt: str
    frames: int | None = None

    @property
    def key(self) -> str:
        """``clip/open_00042``."""
        return f"{self.kind}/{self.name}"

    def seed(self, seed: int) -> int:
        """Seed of this motion alone, whatever else is made."""
        return hashed(f"{seed}/{self.key}")


@dataclass(frozen=True)
class Questions:
    """Everything that one measurement asks.

    held_out: clips whose captions ask for a contact. lenders: of each of them, whose caption the
    shuffled row takes. pairs: clips of minimal pairs.
    """

    held_out: tuple[ClipQuestion, ...]
    lenders: tuple[int, ...]
    pairs: tuple[ClipQuestion, ...]
    free: tuple[Prompt, ...]
    outside: tuple[Prompt, ...]
    parts: tuple[Part, ...] = PARTS

    def trials(self) -> list[Trial]:
        """All motions that are to be made."""
        by_part = {
            "held-out": [
                *(_of_clip("clip", each, each.caption.text) for each in self.held_out),
                *(
                    _of_clip("shuffled", each, self.held_out[lender].caption.text)
                    for each, lender in zip(self.held_out, self.lenders, strict=True)
                ),
            ],
            "pairs": [_of_clip("pair", each, each.caption.text) for each in self.pairs],
            "free": [Trial("free", f"{n:03d}", each.text) for n, each in enumerate(self.free)],
            "outside": [
                Trial("outside", f"{n:03d}", each.text) for n, each in enumerate(self.outside)
            ],
        }
        return [trial for part in self.parts for trial in by_part[part]]


def read_questions(
    data: Path,
    prompts: int,
    seed: int,
    max_frames: int,
    is_pair: Callable[[ClipTruth], bool],
    parts: Sequence[str] = PARTS,
    progress: Callable[[int, int], None] | None = None,
) -> Questions:
    """Questions about a dataset of `data make open`, and those that need none.

    Args:
        data: the dataset.
        prompts: most held-out clips, and most clips of pairs.
        seed: decides which clips and captions, the same ones for every model.
        max_frames: longest motion of the model; longer clips are left out.
        is_pair: which clips of minimal pairs can be asked about.
        parts: of `PARTS`.
        progress: called with clips read, and clips to read.

    Raises:
        UserError: a dataset without ground truth, with fewer than two clips to ask about, or a
            part that there is not.
    """
    asked_parts = tuple(part for part in PARTS if part in parts)
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not asked_parts:
        raise UserError(
            f"asked was {', '.join(parts) or 'nothing'}; choose from {', '.join(PARTS)}, with "
            "commas"
        )
    folder = InterHumanFolder(data)
    if not (data / "ground_truth").is_dir():
        raise UserError(
            f"{data} has no ground_truth folder: contacts are only known of the open dataset; make "
            "one with `intermask data make open`"
        )
    longest = range(MIN_FRAMES, max_frames + 1)
    held_out = [truth for split in HELD_OUT for truth in _truths(folder, split) if truth.touches]
    pairs = [truth for truth in _truths(folder, PAIRS) if is_pair(truth)]
    chosen = _chosen(held_out, prompts, seed)
    asked = _both_of_each(_chosen(pairs, prompts, seed), pairs)
    found: list[ClipQuestion | None] = []
    for truth in (*chosen, *asked):
        found.append(_question(folder, truth, seed, longest))
        if progress is not None:
            progress(len(found), len(chosen) + len(asked))
    held_out_questions = tuple(each for each in found[: len(chosen)] if each is not None)
    if len(held_out_questions) < 2:
        raise UserError(
            f"{data} has {len(held_out_questions)} held-out clips with a contact that the model "
            "can make; give a larger dataset (about one clip in twelve is held out)"
        )
    return Questions(
        held_out_questions,
        _lenders([each.name for each in held_out_questions], seed),
        tuple(each for each in found[len(chosen) :] if each is not None),
        free_prompts(),
        outside_prompts(),
        asked_parts,
    )


def hashed(text: str) -> int:
    """A number below 2**56 that only the text decides."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest())


def _truths(folder: InterHumanFolder, split: str) -> list[ClipTruth]:
    try:
        names = folder.names(split)
    except FileNotFoundError:
        return []
    found = (read_truth(folder.root, name) for name in names)
    return [truth for truth in found if truth is not None]


def _chosen(truths: Sequence[ClipTruth], most: int, seed: int) -> list[ClipTruth]:
    """So many, in an order that does not hang on how many clips there are."""
    return sorted(truths, key=lambda truth: hashed(f"{seed}/choose/{truth.name}"))[:most]


def _both_of_each(chosen: Sequence[ClipTruth], pairs: Sequence[ClipTruth]) -> list[ClipTruth]:
    """Whole pairs only."""
    by_name = {truth.name: truth for truth in pairs}
    names: dict[str, None] = {}
    for truth in chosen:
        if truth.pair_other in by_name and len(names) < len(chosen):
            names |= dict.fromkeys((truth.name, truth.pair_other))
    return [by_name[name] for name in names]


def _question(
    folder: InterHumanFolder, truth: ClipTruth, seed: int, frames: range
) -> ClipQuestion | None:
    """None of a clip that is longer or shorter than what the model makes."""
    clip = folder.read(truth.name)
    if clip.loaded.shape[1] not in frames:
        return None
    # The two of a pair are asked for in the same sentence shape.
    scene = min(truth.name, truth.pair_other or truth.name)
    caption = truth.captions[hashed(f"{seed}/caption/{scene}") % len(truth.captions)]
    return ClipQuestion(truth, caption, clip)


def _lenders(names: Sequence[str], seed: int) -> tuple[int, ...]:
    """Of every clip another one, each once: the next in a shuffled circle."""
    circle = sorted(range(len(names)), key=lambda place: hashed(f"{seed}/lend/{names[place]}"))
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    return tuple(following[place] for place in range(len(names)))


def _of_clip(kind: Kind, question: ClipQuestion, prompt: str) -> Trial:
    return Trial(kind, question.name, prompt, question.frames)
