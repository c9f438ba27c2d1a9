"""Shares of trials, with intervals that hold for few trials and for shares near 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_Z = 1.959964
"""Standard deviations to either side of 95 % of a normal distribution."""


@dataclass(frozen=True)
class Rate:
    """So many of so many."""

    hits: int
    of: int

    @staticmethod
    def over(outcomes: Iterable[bool]) -> Rate:
        """The rate of true outcomes."""
        known = list(outcomes)
        return Rate(sum(known), len(known))

    @property
    def share(self) -> float:
        """Between 0 and 1; NaN of nothing."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share (Wilson, 1927, without continuity correction)."""
        if not self.of:
            return 0.0, 1.0
        weight = _Z**2 / self.of
        middle = (self.share + weight / 2) / (1 + weight)
        half = math.sqrt(weight * (self.share * (1 - self.share) + weight / 4)) / (1 + weight)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def text(self) -> str:
        """``85 % (79–89)``; a dash of nothing."""
        if not self.of:
            return "–"
        low, high = self.interval
        return f"{100 * self.share:.0f} % ({100 * low:.0f}–{100 * high:.0f})"

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, shares with four digits."""
        share = round(self.share, 4) if self.of else None
        return {
            "hits": self.hits,
            "of": self.of,
            "share": share,
            "interval": [round(end, 4) for end in self.interval],
        }
