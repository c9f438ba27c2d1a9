"""Random decisions with names: changing one leaves all the others as they were.

A decision is a function of a seed and its name, not of how many were made before. So a scene can
be drawn again with one fact fixed, and everything that does not depend on it stays: a minimal
pair. Hashing is the same on every machine and in every version of every library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

T = TypeVar("T")

_HIGHEST = 2**62


@dataclass(frozen=True)
class Dice:
    """Decisions of one seed."""

    seed: int
    path: str = ""

    @staticmethod
    def thrown(generator: torch.Generator) -> Dice:
        """Dice whose seed is the generator's next number."""
        return Dice(int(torch.randint(_HIGHEST, (1,), generator=generator)))

    def under(self, name: str | int) -> Dice:
        """Dice for decisions about one thing, independent of those about others."""
        return Dice(self.seed, f"{self.path}/{name}")

    def share(self, name: str) -> float:
        """A number from 0 up to 1."""
        text = f"{self.seed}:{self.path}/{name}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / 2**56

    def between(self, name: str, low: float, high: float) -> float:
        """A number from ``low`` up to ``high``, all alike likely."""
        return low + (high - low) * self.share(name)

    def sign(self, name: str) -> int:
        """-1 or 1."""
        return 1 if self.share(name) < 0.5 else -1

    def one_of(self, name: str, choices: Sequence[T]) -> T:
        """One of several, all alike likely."""
        return choices[int(self.share(name) * len(choices))]

    def weighted(self, name: str, weights: Mapping[T, float]) -> T:
        """One of the keys, as likely as its weight says."""
        rest = self.share(name) * sum(weights.values())
        for choice, weight in weights.items():
            rest -= weight
            if rest < 0:
                return choice
        return choice  # rounding of the sum may leave a trace

    def shuffled(self, name: str, items: Sequence[T]) -> list[T]:
        """All items in a random order."""
        return sorted(items, key=lambda item: self.share(f"{name}/{item}"))
