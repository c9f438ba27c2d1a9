"""An evaluator without a network: as quick as tests of whatever measures with one need it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from intermask.config import DataSet
from intermask.conventions import FloorRule
from intermask.evaluation import metrics
from intermask.evaluation.evaluators.evaluator import Evaluator

SMALL = metrics.Protocol(
    pool=4, embedding_scale=1.0, spread_divisor=1.0, diversity_pairs=3, multimodality_pairs=2
)


@dataclass
class FakeEvaluator:
    """A motion's embedding is a fixed random projection of its mean and its spread.

    Args:
        known: captions with the motions that they tell of; their embedding is that motion's, so
            that R-precision is 1. Any other caption has one drawn from its letters.
    """

    known: Mapping[str, Tensor] = field(default_factory=dict)
    name: str = "fake"
    dataset: DataSet = "interhuman"
    protocol: metrics.Protocol = SMALL
    fingerprint: str = "fake"
    floor: FloorRule = "per_person"
    max_frames: int = 300
    width: int = 6

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """(m, q)"""
        return torch.stack([self._caption(caption) for caption in captions])

    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        """(m, q)"""
        return torch.stack([self._motion(motion) for motion in motions])

    def _caption(self, caption: str) -> Tensor:
        if caption in self.known:
            return self._motion(self.known[caption])
        generator = torch.Generator().manual_seed(zlib.crc32(caption.encode()))
        return torch.randn(self.width, generator=generator)

    def _motion(self, motion: Tensor) -> Tensor:
        seen = torch.cat((motion.mean(1).flatten(), motion.std(1).flatten()))
        generator = torch.Generator().manual_seed(0)
        projection = torch.randn(len(seen), self.width, generator=generator)
        return seen @ projection / len(seen) ** 0.5


_: type[Evaluator] = FakeEvaluator
