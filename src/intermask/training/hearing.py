"""Before the first step: the text head learns to name what captions state.

Not part of the paper. A caption's details are small in what a text encoder says of it, and their
effect on motion is small beside that of the kind of interaction: from motion alone, a head takes
thousands of steps to hear them. Where data says what its captions state, a minute is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from intermask.data.cache import Progress
from intermask.training.frozen_features import FrozenText

CAPTIONS = 64
"""Captions a step."""
RATE = 2e-3
FEWEST = 5
"""Captions that have to state a fact for it to be learned."""


def learn_to_hear(
    head: nn.Module,
    width: int,
    text: FrozenText,
    facts: Mapping[str, frozenset[str]],
    steps: int,
    generator: torch.Generator,
    progress: Progress,
) -> float:
    """Train a head so that a linear map of what it says tells which facts are stated.

    Args:
        head: text features to conditions (b, w); changed in place.
        width: of a condition.
        text: frozen features of captions.
        facts: what each caption states.
        steps: how many; the rate falls to 0 along them.
        generator: draws the captions.
        progress: told after each step.

    Returns:
        The share of the last steps' captions all of whose facts were named, and no others; 0 if
        no fact is stated often enough to be learned.
    """
    captions = sorted(facts)
    names = sorted({fact for stated in facts.values() for fact in stated})
    names = [name for name in names if sum(name in facts[each] for each in captions) >= FEWEST]
    if not names:
        return 0.0
    device = text.device
    stated = torch.tensor([[name in facts[each] for name in names] for each in captions])
    stated = stated.to(device, torch.float32)
    tells = nn.Linear(width, len(names))
    nn.init.zeros_(tells.weight)
    nn.init.zeros_(tells.bias)
    tells.to(device)
    trained = [*head.parameters(), *tells.parameters()]
    optimiser = torch.optim.AdamW(trained, RATE)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    right: list[float] = []
    for step in range(steps):
        chosen = torch.randint(len(captions), (CAPTIONS,), generator=generator).tolist()
        logits = tells(head(text([captions[each] for each in chosen])))
        loss = F.binary_cross_entropy_with_logits(logits, stated[chosen], reduction="sum")
        optimiser.zero_grad()
        (loss / CAPTIONS).backward()
        optimiser.step()
        rate.step()
        right.append(float(((logits > 0) == stated[chosen].bool()).all(1).float().mean()))
        progress(step + 1, steps)
    last: Sequence[float] = right[-max(1, steps // 10) :]
    return sum(last) / len(last)
