"""The text head learns to name what captions state: first alone, then beside learning from motion.

Not part of the paper. A caption's details are small in what a text encoder says of it, and their
effect on motion is small beside that of the kind of interaction: from motion alone, a head takes
thousands of steps to hear them, and forgets them sooner than the network learns to follow. Where
data says what its captions state, a minute is enough to hear, and a second loss to remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intermask.data.cache import Progress
from intermask.text.features import TextFeatures
from intermask.training.frozen_features import FrozenText

CAPTIONS = 64
"""Captions a step."""
RATE = 2e-3
FEWEST = 5
"""Captions that have to state a fact for it to be learned."""


class StatedFacts:
    """Which facts every caption states, as numbers.

    Attributes:
        names: of the facts that are stated often enough to be learned.
        captions: those of which it is known what they state.
    """

    def __init__(self, facts: Mapping[str, frozenset[str]], device: torch.device) -> None:
        """`facts`: what each caption states (`data.stated_facts`)."""
        captions = sorted(facts)
        every = sorted({fact for stated in facts.values() for fact in stated})
        rows = torch.tensor([[name in facts[each] for name in every] for each in captions])
        rows = rows.view(len(captions), len(every)).float()
        often = rows.sum(0) >= FEWEST
        self.names = tuple(name for name, kept in zip(every, often.tolist(), strict=True) if kept)
        self.captions = tuple(captions) if self.names else ()
        self._rows = rows[:, often].to(device)
        self._places = {caption: place for place, caption in enumerate(self.captions)}

    def known(self, captions: Sequence[str]) -> list[int]:
        """Which of some captions, by their places, are among those that are known."""
        return [place for place, caption in enumerate(captions) if caption in self._places]

    def of(self, captions: Sequence[str]) -> Tensor:
        """1 where one of m known captions states one of f facts, else 0: (m, f)."""
        return self._rows[[self._places[caption] for caption in captions]]


def misheard(logits: Tensor, stated: Tensor) -> Tensor:
    """Binary cross entropy () of logits (m, f), summed over facts, averaged over captions."""
    summed = F.binary_cross_entropy_with_logits(logits.float(), stated, reduction="sum")
    return summed / max(1, len(stated))


def all_heard(logits: Tensor, stated: Tensor) -> Tensor:
    """Share () of captions all of whose facts are named, and no others."""
    right = ((logits > 0) == stated.bool()).all(1)
    return right.float().sum() / max(1, len(stated))


def learn_to_hear(
    tells: Callable[[TextFeatures], Tensor],
    trained: Iterable[nn.Parameter],
    text: FrozenText,
    facts: StatedFacts,
    steps: int,
    generator: torch.Generator,
    progress: Progress,
) -> float:
    """Train weights so that facts can be told from what they say of captions.

    Args:
        tells: text features to logits of the facts (b, f).
        trained: the weights that it depends on; changed in place.
        text: frozen features of captions.
        facts: what each caption states; there is at least one.
        steps: how many; the rate falls to 0 along them.
        generator: draws the captions.
        progress: told after each step.

    Returns:
        The share of the last steps' captions all of whose facts were named, and no others.
    """
    optimiser = torch.optim.AdamW(trained, RATE)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    right: list[float] = []
    for step in range(steps):
        drawn = torch.randint(len(facts.captions), (CAPTIONS,), generator=generator).tolist()
        captions = [facts.captions[each] for each in drawn]
        stated = facts.of(captions)
        logits = tells(text(captions))
        optimiser.zero_grad()
        misheard(logits, stated).backward()
        optimiser.step()
        rate.step()
        right.append(float(all_heard(logits, stated)))
        progress(step + 1, steps)
    last = right[-max(1, steps // 10) :]
    return sum(last) / len(last)
