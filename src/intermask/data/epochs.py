"""Which item comes when: several sources mixed by their shares, each in its own shuffled epochs.

The order is an endless stream of which any stretch can be asked for, as a pure function of the
seed. So a resumed run goes on exactly, and processes can share a batch, without any state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLOTS = 10_000
"""Length of the pattern in which sources take turns; shares are kept to one part of it."""

Integers = NDArray[np.int64]


class Turn(NamedTuple):
    """One item of one source, in the epoch of that source."""

    source: int
    epoch: int
    item: int


@dataclass(frozen=True)
class EpochOrder:
    """The endless stream.

    Every source shows each of its items once in each of its epochs. A source with little data and a
    large share is in a later epoch than the others.

    Args:
        sizes: items of each source; a source without any is passed over.
        shares: above 0, relative to each other.
        seed: of the order within epochs.
    """

    sizes: tuple[int, ...]
    shares: tuple[float, ...]
    seed: int

    def __post_init__(self) -> None:
        if len(self.sizes) != len(self.shares) or not any(self.sizes):
            raise ValueError(
                f"expected a share for each source and at least one item, got sizes {self.sizes} "
                f"and shares {self.shares}"
            )

    def between(self, first: int, stop: int) -> list[Turn]:
        """Items ``first`` to ``stop - 1`` of the stream."""
        pattern, rank, counts = self._pattern
        places = np.arange(first, stop)
        slots = places % SLOTS
        sources = pattern[slots]
        numbers = places // SLOTS * counts[sources] + rank[slots]
        return [
            self._turn(source, number)
            for source, number in zip(sources.tolist(), numbers.tolist(), strict=True)
        ]

    def _turn(self, source: int, number: int) -> Turn:
        size = self.sizes[source]
        epoch, place = divmod(number, size)
        return Turn(source, epoch, int(_shuffled(self.seed, source, epoch, size)[place]))

    @cached_property
    def _pattern(self) -> tuple[Integers, Integers, Integers]:
        """For each slot its source and how many slots of that source come before; slots of each."""
        counts = _slots_of(self.sizes, self.shares)
        when = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count])
        source = np.repeat(np.arange(len(counts)), counts)
        rank = np.concatenate([np.arange(count) for count in counts])
        order = np.argsort(when, kind="stable")
        return source[order], rank[order], counts


def _slots_of(sizes: Sequence[int], shares: Sequence[float]) -> Integers:
    """Slots of each source: its share of all, at least one if it has any item."""
    wanted = np.array([share if size else 0.0 for size, share in zip(sizes, shares, strict=True)])
    exact = wanted / wanted.sum() * SLOTS
    counts = np.where(wanted > 0, np.maximum(1, np.floor(exact)), 0).astype(np.int64)
    missing = SLOTS - int(counts.sum())
    for source in np.argsort(counts - exact, kind="stable")[: max(missing, 0)]:
        counts[source] += 1
    counts[counts.argmax()] += SLOTS - int(counts.sum())
    return counts


@lru_cache(maxsize=32)
def _shuffled(seed: int, source: int, epoch: int, size: int) -> Integers:
    return np.random.default_rng((seed, source, epoch, *b"order")).permutation(size)
