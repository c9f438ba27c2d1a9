"""What every network of an evaluator can do, and the motions it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from torch import Tensor, nn

from intermask.models.transformer import PEOPLE


class Sizes(Protocol):
    """Configuration of a network."""

    @property
    def embedding(self) -> int:
        """Numbers that a caption or a motion becomes."""
        ...


class MotionEmbedding(nn.Module, ABC):
    """A network with one space for motions and captions; how it reads captions is its own matter.

    Attributes:
        config: its sizes.
    """

    config: Sizes

    @abstractmethod
    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (b, q) of features (b, p, t, f), not normalised, and lengths (b,) in frames.

        Raises:
            ValueError: another shape, or lengths that the features do not have.
        """


def check_features(features: Tensor, width: int) -> None:
    """Raises:
    ValueError: not the motions of two people, (b, p, t, width).
    """
    if features.ndim != 4 or (features.shape[1], features.shape[3]) != (PEOPLE, width):
        raise ValueError(
            f"expected features of shape (b, {PEOPLE}, t, {width}); got {tuple(features.shape)}"
        )
