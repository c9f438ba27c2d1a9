"""A text head learns to name what captions state, before motion is seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from intermask.config import TextConfig
from intermask.models.text_head import PhrasesHead
from intermask.text.features import FrozenTextEncoder, TextFeatures
from intermask.training.frozen_features import FrozenText
from intermask.training.hearing import learn_to_hear

WORDS = ("one", "person", "the", "other", "left", "right", "hand", "foot", "lifts", "takes")
WIDTH = 16


class _Words(FrozenTextEncoder):
    """A random vector for each word."""

    name, width, max_tokens = "words", WIDTH, 16

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.vectors = nn.Embedding(len(WORDS), WIDTH)
        self.freeze()

    def encode(self, captions: Sequence[str]) -> TextFeatures:
        rows = [[WORDS.index(word) for word in caption.split()] for caption in captions]
        ids = torch.tensor(rows)
        ends = torch.full((len(ids),), ids.shape[1] - 1)
        return TextFeatures(self.vectors(ids), ends, torch.ones_like(ids, dtype=torch.bool))

    def count_tokens(self, caption: str) -> int:
        return len(caption.split())


def _captions() -> dict[str, frozenset[str]]:
    """Of two sides that are named, one counts: that of the hand."""
    facts = {}
    for hand in ("left", "right"):
        for foot in ("left", "right"):
            for who in ("one", "other"):
                for verb in ("lifts", "takes"):
                    words = [f"{hand} hand", f"{foot} foot"]
                    for first, second in (words, words[::-1]):
                        facts[f"{who} person {verb} the {first} {second}"] = frozenset(
                            {f"1.side={hand}"}
                        )
    return facts


def _learned(steps: int, seed: int = 0) -> tuple[PhrasesHead, float]:
    torch.manual_seed(1)
    head = PhrasesHead(TextConfig(width=WIDTH, head_heads=1, pooling="phrases"))
    text = FrozenText(_Words(), torch.device("cpu"))
    facts = _captions()
    head.fit(text(sorted(facts)))
    generator = torch.Generator().manual_seed(seed)
    right = learn_to_hear(head, WIDTH, text, facts, steps, generator, lambda done, total: None)
    return head, right


def test_a_head_hears_whose_side_is_meant() -> None:
    assert _learned(10)[1] < 0.8
    assert _learned(150)[1] > 0.95


def test_the_same_seed_hears_the_same() -> None:
    a, b, c = (_learned(3, seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)
