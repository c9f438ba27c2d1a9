"""A model of random weights that is small enough for tests, and a text encoder without weights."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import torch

from intermask.bundle import Model, build
from intermask.config import (
    ModelConfig,
    SamplingConfig,
    TextConfig,
    TokenizerConfig,
    TransformerConfig,
)
from intermask.data.batching import canonical_people
from intermask.representation import fit_normaliser
from intermask.text import TextFeatures
from walking import walking_pair
from worlds import loaded

CODES = 32
WIDTH = 16
NETWORKS = {
    "transformer": TransformerConfig(
        codebook_size=CODES,
        code_dim=16,
        width=24,
        layers=2,
        heads=2,
        feedforward=32,
        condition_width=WIDTH,
    ),
    "text": TextConfig(width=WIDTH, head_layers=1, head_heads=2, head_feedforward=32),
    "sampling": SamplingConfig(steps=5, reaction_steps=4, keep_fraction=0.5),
}
"""What tiny models of both datasets share, as keys of `ModelConfig`."""


class HashedWords:
    """Every word is a random vector that its letters decide."""

    name, width, max_tokens = "hashed", WIDTH, 12

    def encode(self, captions: Sequence[str]) -> TextFeatures:
        rows = [self._tokens(caption)[: self.max_tokens] for caption in captions]
        longest = max(len(row) for row in rows)
        features = torch.zeros(len(rows), longest, self.width)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for row, words in enumerate(rows):
            for column, word in enumerate(words):
                seed = torch.Generator().manual_seed(zlib.crc32(word.encode()))
                features[row, column] = torch.randn(self.width, generator=seed)
                mask[row, column] = True
        return TextFeatures(features, mask.sum(1) - 1, mask)

    def count_tokens(self, caption: str) -> int:
        return len(self._tokens(caption))

    def _tokens(self, caption: str) -> list[str]:
        return ["<start>", *caption.split(), "<end>"]


def tiny_model(**changes: Any) -> Model:
    """Random weights, a codebook of random codes, and the statistics of two people who walk."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        features = canonical_people(loaded(walking_pair(90)), "per_person")
        values: dict[str, Any] = {
            "name": "tiny",
            "tokenizer": TokenizerConfig(width=WIDTH, codebook_size=CODES),
            **NETWORKS,
        }
        model = build(ModelConfig(**(values | changes)), fit_normaliser(list(features)))
        # modulations start at zero, and the text would not matter
        for weight in model.transformer.parameters():
            torch.nn.init.normal_(weight, std=0.3)
        torch.nn.init.normal_(model.tokenizer.codebook.codebook)
        for weight in model.tokenizer.decoder.parameters():
            weight.data *= 1.3
        model.durations = {"Two people dance salsa.": 4.0, "One person pushes the other.": 2.0}
    return model
