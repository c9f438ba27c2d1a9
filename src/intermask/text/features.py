"""What a text encoder gives (TextFeatures) and what it must offer (TextEncoder)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class TextFeatures:
    """Token-level features of a batch of captions (paper section 3.3: the text condition).

    Attributes:
        features: ``(b, l, w)`` float32, one row per token position; zero where ``mask`` is False.
        ends: ``(b,)`` int64, the position whose feature stands for the caption after the
            trainable head (CLIP's end-of-text token, MiniLM's closing separator).
        mask: ``(b, l)`` bool, True at a real token; None when every position takes part, as the
            authors' head does with CLIP's padding.
    """

    features: Tensor
    ends: Tensor
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 3:
            raise ValueError(
                f"features must be (b, l, w), three axes; got shape {tuple(self.features.shape)}"
            )
        batch, length, _ = self.features.shape
        if self.ends.shape != (batch,):
            raise ValueError(
                f"ends must have shape ({batch},), one per caption; got {tuple(self.ends.shape)}"
            )
        if self.mask is not None and self.mask.shape != (batch, length):
            raise ValueError(
                f"mask must have shape ({batch}, {length}), one per token; "
                f"got {tuple(self.mask.shape)}"
            )

    def to(self, device: torch.device | str) -> TextFeatures:
        """The same features on another device."""
        mask = None if self.mask is None else self.mask.to(device)
        return TextFeatures(self.features.to(device), self.ends.to(device), mask)


class TextEncoder(Protocol):
    """Captions to token-level features.

    Attributes:
        name: the encoder's name, as a saved configuration states it.
        width: ``w``, the width of a token's feature.
        max_tokens: the longest caption in tokens, the start and end tokens included.
    """

    name: str
    width: int
    max_tokens: int

    def encode(self, captions: Sequence[str]) -> TextFeatures:
        """Features of ``b`` captions; a caption over ``max_tokens`` is cut and keeps its end."""
        ...

    def count_tokens(self, caption: str) -> int:
        """Tokens of the whole caption, start and end included, before any cut."""
        ...


class FrozenTextEncoder(nn.Module, ABC):
    """A text encoder that never trains: no gradients, and always in evaluation mode."""

    name: str
    width: int
    max_tokens: int

    def freeze(self) -> None:
        """Called once by a subclass when its weights are in place."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FrozenTextEncoder:
        """Stays in evaluation mode, whatever the model that holds it does."""
        super().train(False)
        return self

    def forward(self, captions: Sequence[str]) -> TextFeatures:
        """Same as :meth:`encode`."""
        return self.encode(captions)

    @abstractmethod
    def encode(self, captions: Sequence[str]) -> TextFeatures:
        """Features of ``b`` captions; a caption over ``max_tokens`` is cut and keeps its end."""

    @abstractmethod
    def count_tokens(self, caption: str) -> int:
        """Tokens of the whole caption, start and end included, before any cut."""


def checked_captions(captions: Sequence[str]) -> list[str]:
    """The captions as a list; a bare string or an empty batch is a mistake and said so."""
    if isinstance(captions, str):
        raise ValueError(f'expected a list of captions, got the single text "{captions}"')
    if len(captions) == 0:
        raise ValueError("expected at least one caption, got an empty list")
    return list(captions)
