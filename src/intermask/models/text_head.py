"""The trainable end of the text branch: token features of a frozen encoder to one condition vector.

Shapes: `b` batch, `l` text token, `w` text width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from intermask.config import TextConfig
from intermask.models.encoder_layer import EncoderLayer

if TYPE_CHECKING:
    from intermask.text.features import TextFeatures


class TextHead(nn.Module):
    """Transformer layers over the token features, a layer norm, and the feature at the text's end.

    Where the encoder gives a mask, padding is hidden, and the result does not depend on how long
    the batch's longest text is. Where it gives none (CLIP), all positions take part: the released
    weights rely on the features of the padding behind the text.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(
                config.width, config.head_heads, config.head_feedforward, config.head_dropout
            )
            for _ in range(config.head_layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, text: TextFeatures) -> Tensor:
        """Features (b, l, w), ends (b,), mask (b, l), True at tokens, or None -> (b, w)."""
        features = text.features
        visible = None if text.mask is None else rearrange(text.mask, "b l -> b 1 1 l")
        for layer in self.layers:
            features = layer(features, visible)
        at_ends = features[torch.arange(len(features), device=features.device), text.ends]
        condition: Tensor = self.norm(at_ends)
        return condition


class SentenceHead(nn.Module):
    """The mean of a caption's token features, standardised over the training captions.

    Not part of the paper. A frozen sentence encoder sets captions of one kind of motion close
    together: most of a feature says what they share. Standardised, they differ from the first
    step, and the null condition (zeros) is the average caption. Nothing here is trained: a small
    model that can, finds it easiest to give all captions the same vector.
    """

    FARTHEST = 3.0
    """Deviations at which a channel is cut: sentences from elsewhere stay within what was seen."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(config.width))
        self.register_buffer("std", torch.ones(config.width))

    @torch.no_grad()
    def fit(self, text: TextFeatures) -> None:
        """Take the statistics of captions, features (b, l, w)."""
        sentences = _sentences(text)
        self.mean.copy_(sentences.mean(0))
        self.std.copy_(sentences.std(0).clamp_min(1e-4))

    def forward(self, text: TextFeatures) -> Tensor:
        """Features (b, l, w), ends (b,), mask (b, l), True at tokens, or None -> (b, w)."""
        standard: Tensor = (_sentences(text) - self.mean) / self.std
        return standard.clamp(-self.FARTHEST, self.FARTHEST)


class WordsHead(SentenceHead):
    """The standardised sentence, and what single words add to it.

    Not part of the paper. The mean of a caption's features tells the interaction well and its
    details badly: whose hand, which side. Several queries look for the words that tell them. What
    they find is added, and is nothing at the start.
    """

    QUERIES = 8

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self.standard = nn.LayerNorm(config.width, elementwise_affine=False)
        self.words = nn.Linear(config.width, self.QUERIES)
        self.meanings = nn.Linear(config.width, config.width)
        self.added = nn.Linear(config.width, config.width)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)

    def forward(self, text: TextFeatures) -> Tensor:
        """Features (b, l, w), ends (b,), mask (b, l), True at tokens, or None -> (b, w)."""
        words = self.standard(text.features.float())
        scores = self.words(words)
        if text.mask is not None:
            scores = scores.masked_fill(~text.mask[..., None], torch.finfo(scores.dtype).min)
        meanings = rearrange(self.meanings(words), "b l (q c) -> b l q c", q=self.QUERIES)
        found = (scores.softmax(1)[..., None] * meanings).sum(1)
        sentence: Tensor = super().forward(text)
        return sentence + self.added(F.gelu(rearrange(found, "b q c -> b (q c)")))


class PhrasesHead(SentenceHead):
    """The standardised sentence, and which phrases it contains.

    Not part of the paper. Whose hand, which side, how often, and who begins is told by a few words
    next to each other. Filters over neighbouring words find them (Kim 2014, "Convolutional Neural
    Networks for Sentence Classification"), and may ask where in the caption they stand: of two
    acts, one is told first. What they find is added, and is nothing at the start.
    """

    FILTERS = 384
    WORDS = 5
    """Length of a phrase in text tokens."""
    CHANNELS = 128

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config)
        self.standard = nn.LayerNorm(config.width, elementwise_affine=False)
        self.words = nn.Linear(config.width, self.CHANNELS)
        self.places = nn.Linear(2 * len(_WAVES), self.CHANNELS)
        self.phrases = nn.Conv1d(self.CHANNELS, self.FILTERS, self.WORDS, padding=self.WORDS // 2)
        self.added = nn.Linear(self.FILTERS, config.width)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)

    def forward(self, text: TextFeatures) -> Tensor:
        """Features (b, l, w), ends (b,), mask (b, l), True at tokens, or None -> (b, w)."""
        words = self.words(self.standard(text.features.float())) + self.places(_places(text))
        if text.mask is not None:
            words = words.masked_fill(~text.mask[..., None], 0.0)
        found = F.gelu(self.phrases(words.mT))
        if text.mask is not None:
            found = found.masked_fill(~text.mask[:, None], torch.finfo(found.dtype).min)
        sentence: Tensor = super().forward(text)
        return sentence + self.added(found.amax(-1))


def _sentences(text: TextFeatures) -> Tensor:
    """Unit vectors (b, w): the mean over a caption's tokens, as sentence encoders are trained."""
    features = text.features.float()
    if text.mask is None:
        return F.normalize(features.mean(1), dim=-1)
    return F.normalize((features * text.mask[..., None]).sum(1), dim=-1)


_WAVES = (0.25, 0.5, 1.0, 2.0)
"""How often waves that tell a place rise and fall along a caption."""


def _places(text: TextFeatures) -> Tensor:
    """Where tokens stand between the begin (0) and the end (1) of their captions: (b, l, waves)."""
    length = text.features.shape[1]
    place = torch.arange(length, device=text.features.device, dtype=torch.float32)
    waves = torch.tensor(_WAVES, device=place.device) * (2 * torch.pi)
    angles = (place / text.ends.clamp_min(1)[:, None])[..., None] * waves
    return torch.cat([angles.cos(), angles.sin()], -1)


def text_head(config: TextConfig) -> TextHead | SentenceHead:
    """The head that a configuration names, not yet trained."""
    if config.pooling == "end":
        return TextHead(config)
    heads = {"mean": SentenceHead, "words": WordsHead, "phrases": PhrasesHead}
    return heads[config.pooling](config)
