"""The trainable end of the text branch: token features of a frozen encoder to one condition vector.

Shapes: `b` batch, `l` text token, `w` text width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
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
