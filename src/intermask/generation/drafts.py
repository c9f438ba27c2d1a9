"""Several drafts of one motion, and which of them is kept.

A sampler that draws tokens one round at a time cannot take back a bad start: some drafts lean out
of balance, jump, or leave the sentence behind. Drafts are cheap to compare: what bodies cannot do
shows in the decoded joints, and an evaluator tells how near a motion is to a sentence. (What the
transformer itself says of a draft's tokens, with and without the sentence, was found to be a poor
judge: it likes the motion best that it would have made anyway.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from intermask.generation.jumps import JUMP_SPEED
from intermask.generation.smoothing import smooth_positions
from intermask.motion import FPS
from intermask.skeleton import SMPL22
from intermask.solver.flesh import BETWEEN_PEOPLE, overlaps

_DISTANCE_WEIGHT = 8.0
"""Of one between the embeddings of a motion and its sentence: drafts differ by some 0.1 to 1."""
_SOFT = 0.03
"""Metres of overlap that is none."""
_OFF_BALANCE = 0.2
"""Metres by which a centre of mass may be outside of what it stands on."""
_SUPPORT_HEIGHT = 0.12
"""Metres above a person's lowest joint up to which joints support them."""
_LOWEST_SUPPORT = 0.3
"""Metres above the floor from which on nothing supports."""
_LIVELY = 0.25
"""Metres a second of the mean joint below which a person is all but frozen."""
_HEAVY = {name: 3.0 for name in ("pelvis", "spine1", "spine2", "spine3")} | {
    name: 2.0 for name in ("neck", "head")
}


class Critic(Protocol):
    """Motions and sentences in one space, as an evaluator puts them there."""

    @property
    def max_frames(self) -> int:
        """Frames of the longest motion that it reads."""
        ...

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Embeddings (m, q) of m sentences."""
        ...

    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        """Embeddings (m, q) of m motions: unnormalised canonical features (2, t, f)."""
        ...


def draft_seeds(seed: int, number: int) -> list[int]:
    """Seeds of so many drafts; the first one's is the seed itself."""
    return [seed, *(mixed_seed(seed, draft) for draft in range(1, number))]


def mixed_seed(*numbers: int) -> int:
    """One seed from several numbers, which a motion file can hold."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True)
class Flaws:
    """What bodies of a draft do that bodies cannot do."""

    overlap: float
    """Metres of the deepest overlap of the two, on average over frames."""
    hover: float
    """Metres of the lowest joint above the floor, on average."""
    unbalanced: float
    """Share of frames in which a person is out of balance."""
    jumps: int
    """Steps from frame to frame by which a whole body jumps."""
    jerk: float
    """m/s³, mean over joints."""
    stillness: float
    """How frozen the stiller person is: 0 from `_LIVELY` on, 1 without any movement."""

    @property
    def weight(self) -> float:
        """How much they count together: each term is around 1 where it is plain to see."""
        return (
            10.0 * (self.overlap + self.hover)
            + 5.0 * self.unbalanced
            + 0.1 * self.jumps
            + self.jerk / 300.0
            + 3.0 * self.stillness
        )


def flaws(positions: Tensor, fps: float = FPS) -> Flaws:
    """Flaws of decoded positions (2, t, 22, 3), metres, y up, floor at y = 0."""
    smooth = smooth_positions(positions, 1.0)
    steps = positions.diff(dim=1).norm(dim=-1).median(-1).values * fps
    speeds = smooth.diff(dim=1).norm(dim=-1).mean((1, 2)) * fps
    jerks = smooth.diff(n=3, dim=1).norm(dim=-1) * fps**3
    deepest = overlaps(smooth[0], smooth[1], BETWEEN_PEOPLE, _SOFT).amax(-1)
    return Flaws(
        overlap=float(deepest.clamp_min(0.0).mean()),
        hover=float(smooth[..., 1].amin((0, 2)).clamp_min(0.0).mean()),
        unbalanced=float((_off_balance(smooth) > _OFF_BALANCE).float().mean()),
        jumps=int((steps > JUMP_SPEED).sum()),
        jerk=float(jerks.mean()) if jerks.numel() else 0.0,
        stillness=float((1 - speeds.amin() / _LIVELY).clamp_min(0.0)) if steps.numel() else 0.0,
    )


def _off_balance(positions: Tensor) -> Tensor:
    """Metres (p, t) by which centres of mass are outside of the joints that support them."""
    weights = positions.new_tensor([_HEAVY.get(name, 1.0) for name in SMPL22.names])
    centre = (weights[:, None] * positions).sum(-2, keepdim=True) / weights.sum()
    height = positions[..., 1]
    lowest = height.amin(-1, keepdim=True).clamp_max(_LOWEST_SUPPORT)
    supports = (height < lowest + _SUPPORT_HEIGHT)[..., None]
    away = (positions - centre)[..., (0, 2)]
    # A person who is held up has no support of their own, and is not out of balance.
    none = ~supports.any(-2, keepdim=True)
    left = away.masked_fill(~supports, torch.inf).amin(-2).masked_fill(none[..., 0], 0.0)
    right = away.masked_fill(~supports, -torch.inf).amax(-2).masked_fill(none[..., 0], 0.0)
    return torch.maximum(left, -right).clamp_min(0.0).norm(dim=-1)


@dataclass(frozen=True)
class Choice:
    """Which of several drafts of a motion was kept, and what each of them was like."""

    chosen: int
    """Counts from 0."""
    flaws: tuple[float, ...]
    """`Flaws.weight` of each draft, and what else spoke against it."""
    distances: tuple[float, ...] | None
    """From each draft to the sentence, as the critic reads both; None: without a critic."""

    def describe(self) -> str:
        """One sentence."""

        def among(values: tuple[float, ...]) -> str:
            return f"{values[self.chosen]:.2f} ({min(values):.2f} to {max(values):.2f})"

        text = f"draft {self.chosen + 1} of {len(self.flaws)} is kept: flaws {among(self.flaws)}"
        if self.distances is None:
            return f"{text}; there is no evaluator to compare drafts with the text"
        return f"{text}, distance to the text {among(self.distances)}"


OnChoice = Callable[[int, Choice], None]
"""Called with the seed of a motion and what was chosen for it."""


def best_draft(
    drafts: Sequence[Tensor],
    found: Sequence[Flaws],
    sentence: str,
    critic: Critic | None,
    against: Sequence[float] | None = None,
) -> int:
    """Which draft looks like two people and, where a critic is at hand, like its sentence.

    Args:
        drafts: unnormalised canonical features (2, t, f) of each.
        found: their flaws.
        sentence: what they were made of.
        critic: reads motion and sentences; None: flaws alone decide.
        against: what else speaks against each draft, around 1 where it is plain to see.
    """
    return compared(drafts, found, sentence, critic, against).chosen


def compared(
    drafts: Sequence[Tensor],
    found: Sequence[Flaws],
    sentence: str,
    critic: Critic | None,
    against: Sequence[float] | None = None,
) -> Choice:
    """`best_draft` with what led to it."""
    more = against or [0.0] * len(found)
    weights = tuple(each.weight + other for each, other in zip(found, more, strict=True))
    marks, distances = torch.tensor(weights), None
    if critic is not None:
        motions = critic.embed_motions([each[:, : critic.max_frames] for each in drafts])
        away = (motions - critic.embed_captions([sentence])).norm(dim=-1)
        marks = marks + _DISTANCE_WEIGHT * away
        distances = tuple(away.tolist())
    return Choice(int(marks.argmin()), weights, distances)
