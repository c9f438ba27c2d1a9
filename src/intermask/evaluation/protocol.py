"""What the official protocol asks for, and everything that an evaluation draws at random.

Every draw is a function of a seed, a replication and, where it concerns one clip, that clip's name:
the same whichever batch, process or machine makes it, and whichever other clips there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.evaluation.clips import EvaluationClip

Task = Literal["text", "reaction", "inbetweening"]
TASKS: tuple[Task, ...] = ("text", "reaction", "inbetweening")

FEWEST_CLIPS = 3
"""A task of choosing the right motion, and a distribution, need as many."""

_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. Defaults are the official protocol (method, section 6)."""

    task: Task = "text"
    """``text``: motion from a caption alone. ``reaction``: person 1 is given, person 2 is made.
    ``inbetweening``: the first and last quarter of both are given, the middle is made."""
    split: str = "test"
    seed: int = 0
    replications: int = 20
    clips: int | None = None
    """Most clips, evenly spread over the split; None: all."""
    prompts: int = 100
    """Captions of MultiModality; 0: it is not measured."""
    samples: int = 30
    """Motions of each of them."""

    def __post_init__(self) -> None:
        for name, least in (("replications", 1), ("prompts", 0), ("samples", 2)):
            value = getattr(self, name)
            if value < least:
                raise UserError(f"{name} is {value}; expected {least} or more")
        if self.clips is not None and self.clips < FEWEST_CLIPS:
            raise UserError(f"{self.clips} clips are too few; give {FEWEST_CLIPS} or more")
        if self.task not in TASKS:
            raise UserError(f"there is no task {self.task!r}; choose one of {', '.join(TASKS)}")

    def chosen(self, clips: Sequence[EvaluationClip]) -> list[EvaluationClip]:
        """The clips that are looked at.

        Raises:
            UserError: too few.
        """
        if len(clips) < FEWEST_CLIPS:
            raise UserError(
                f"the split {self.split!r} has {len(clips)} usable clips; an evaluation needs "
                f"{FEWEST_CLIPS} or more"
            )
        if self.clips is None or self.clips >= len(clips):
            return list(clips)
        return [clips[number * len(clips) // self.clips] for number in range(self.clips)]

    def departures(self, clips: int, available: int) -> list[str]:
        """How this differs from the official protocol in size and task, a sentence each.

        Args:
            clips: that are looked at.
            available: usable clips of the split.
        """
        official = Plan()
        found = []
        if self.task == "inbetweening":
            found.append("in-betweening has no official protocol")
        if self.split != official.split:
            found.append(f"the split is {self.split}, not {official.split}")
        if clips < available:
            found.append(f"{clips} of {available} clips were looked at")
        if self.replications != official.replications:
            rough = ", so intervals are rough" if self.replications < official.replications else ""
            found.append(f"{self.replications} replications, not {official.replications}{rough}")
        if not self.prompts:
            found.append("MultiModality was not measured")
        elif self.sizes(clips) != (official.prompts, official.samples):
            prompts, samples = self.sizes(clips)
            found.append(
                f"MultiModality of {prompts} captions with {samples} motions each, not "
                f"{official.prompts} with {official.samples}"
            )
        return found

    def sizes(self, clips: int) -> tuple[int, int]:
        """Captions of MultiModality, and motions of each, where there are so many clips."""
        return min(self.prompts, clips), self.samples


QUICK = {"replications": 2, "clips": 96, "prompts": 0}
"""Changes to a `Plan` for a first look."""


@dataclass(frozen=True)
class Draw:
    """What one replication looks at: k clips in whole pools, in the order of their pools."""

    clips: Tensor
    """(k) numbers of clips."""
    captions: Tensor
    """(k) which caption of each."""
    exchanged: Tensor
    """(2, k) bool: whether the people of the real clip are exchanged, in the reference of FID and
    in the row "ground truth". Two draws, as in the released code: FID of real motion against real
    motion is then what chance alone makes of it."""

    def texts(self, clips: Sequence[EvaluationClip]) -> list[str]:
        """The captions themselves."""
        pairs = zip(self.clips.tolist(), self.captions.tolist(), strict=True)
        return [clips[clip].captions[caption] for clip, caption in pairs]


def draw_replication(
    clips: Sequence[EvaluationClip], pool: int, seed: int, replication: int
) -> Draw:
    """Shuffle clips, drop those that fill no pool, choose one caption of each."""
    order = torch.randperm(len(clips), generator=generator_of(seed, "order", replication))
    order = order[: len(clips) // pool * pool]
    captions, exchanged = [], []
    for number in order.tolist():
        clip = clips[number]
        captions.append(seed_of(seed, "caption", replication, clip.name) % len(clip.captions))
        coins = (seed_of(seed, row, replication, clip.name) for row in ("reference", "truth"))
        exchanged.append([coin % 2 == 1 for coin in coins])
    return Draw(order, torch.tensor(captions), torch.tensor(exchanged).T)


def part_start(clip: EvaluationClip, seed: int, replication: int) -> int:
    """The stored frame with which the part of a longer clip begins that a replication looks at."""
    return seed_of(seed, "part", replication, clip.name) % clip.parts


def draw_prompts(
    clips: Sequence[EvaluationClip], prompts: int, seed: int, replication: int
) -> list[tuple[int, int]]:
    """Numbers of clips and of one caption each, of which several motions are made."""
    order = torch.randperm(len(clips), generator=generator_of(seed, "prompts", replication))
    chosen = sorted(order[:prompts].tolist())
    return [
        (number, seed_of(seed, "prompt", replication, clips[number].name)
         % len(clips[number].captions))
        for number in chosen
    ]  # fmt: skip


def other_captions(
    clips: Sequence[EvaluationClip], draw: Draw, seed: int, replication: int
) -> Tensor | None:
    """Which place (k) of the draw lends its caption to each place: never one that is true of it.

    Each caption is lent once, and never to a clip that has the same sentence. None where that
    cannot be, as where one sentence is true of more than half of the clips.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    generator = generator_of(seed, "shuffled captions", replication)
    texts = [_plain(text) for text in draw.texts(clips)]
    own = [{_plain(text) for text in clips[number].captions} for number in draw.clips.tolist()]
    places, lenders = (torch.randperm(len(texts), generator=generator) for _ in range(2))
    offered = [texts[lender] for lender in lenders.tolist()]
    false = [[text not in own[place] for text in offered] for place in places.tolist()]
    chosen = torch.from_numpy(maximum_bipartite_matching(csr_array(false), perm_type="column"))
    if bool((chosen < 0).any()):
        return None
    lent = torch.empty_like(places)
    lent[places] = lenders[chosen.long()]
    return lent


def seed_of(seed: int, purpose: str, replication: int, *which: str | int) -> int:
    """A seed for one purpose, which no other draw can change: 0 to 2⁶³ - 1."""
    key = "\x1f".join(map(str, (seed, purpose, replication, *which)))
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "little") & _LARGEST_SEED


def generator_of(seed: int, purpose: str, replication: int) -> torch.Generator:
    """A generator for one purpose."""
    return torch.Generator().manual_seed(seed_of(seed, purpose, replication))


def _plain(text: str) -> str:
    """A sentence without what does not change its meaning."""
    return " ".join(text.casefold().rstrip(" .!").split())
