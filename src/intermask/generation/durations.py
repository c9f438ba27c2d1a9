"""How long a motion should last, read off a sentence: like the training captions nearest to it.

Nearness is the cosine of word counts weighted by rarity (TF-IDF), so that no text encoder has to
be loaded and the answer is the same everywhere.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from intermask.errors import UserError

NEAREST = 8
"""Most captions that have a say."""
RELEVANCE = 0.5
"""A caption has a say if it is at least this share as near as the nearest one."""

_WORD = re.compile(r"[^\W_]+")
_ENDINGS = ("ing", "ed", "es", "s")
_STEM = 3
"""Letters that a word keeps when an ending is taken off."""


@dataclass(frozen=True)
class DurationEstimate:
    """A duration and the captions it comes from."""

    seconds: float
    neighbours: tuple[tuple[str, float], ...]
    """Captions and their seconds, nearest first; empty: no caption shares a word with the text."""


class DurationEstimator:
    """Median duration of the training captions nearest to a text.

    Args:
        durations: training captions and their typical seconds.
    """

    def __init__(self, durations: Mapping[str, float]) -> None:
        self._captions = sorted(durations)
        self._seconds = [float(durations[caption]) for caption in self._captions]
        counts = [Counter(_words(caption)) for caption in self._captions]
        appearances = Counter(word for count in counts for word in count)
        self._rarity = {
            word: math.log(1 + len(counts) / number) for word, number in appearances.items()
        }
        self._index: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for caption, count in enumerate(counts):
            weights = {word: number * self._rarity[word] for word, number in count.items()}
            length = math.sqrt(math.fsum(weight**2 for weight in weights.values()))
            for word, weight in weights.items():
                self._index[word].append((caption, weight / length))

    def estimate(self, text: str) -> DurationEstimate:
        """Typical seconds for a text; the median of all captions if none shares a word with it.

        Raises:
            UserError: the model came without durations of captions.
        """
        if not self._captions:
            raise UserError(
                "this model does not know how long its training motions were; say how many "
                "seconds to make (--seconds)"
            )
        nearness: dict[int, float] = defaultdict(float)
        for word, number in sorted(Counter(_words(text)).items()):
            for caption, weight in self._index.get(word, ()):
                nearness[caption] += number * self._rarity[word] * weight
        ranked = sorted(nearness, key=lambda caption: (-nearness[caption], caption))
        chosen = [
            caption
            for caption in ranked[:NEAREST]
            if nearness[caption] >= RELEVANCE * nearness[ranked[0]]
        ]
        neighbours = tuple((self._captions[each], self._seconds[each]) for each in chosen)
        seconds = [each for _, each in neighbours] or self._seconds
        return DurationEstimate(statistics.median(seconds), neighbours)


def _words(text: str) -> list[str]:
    """Words of a text without endings: "dances", "dancing" and "dance" count as one."""
    return [_stem(word) for word in _WORD.findall(text.casefold())]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            word = word.removesuffix(ending)
            break
    if len(word) > _STEM and (word[-1] == "e" or word[-1] == word[-2]):
        word = word[:-1]  # "dance" as "dancing", "hugging" as "hug"
    return word
