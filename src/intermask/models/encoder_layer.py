"""A transformer encoder layer as its inventors drew it, for texts and for motions to be compared.

Shapes: `b` batch, `l` sequence, `w` width.
"""

from __future__ import annotations

from torch import Tensor, nn

from intermask.models.dropout import Dropout
from intermask.models.transformer import Attention, FeedForward


class EncoderLayer(nn.Module):
    """A transformer encoder layer with its norms behind the residuals ("post-norm") and a GELU."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.feedforward = FeedForward(width, feedforward, dropout)
        self.feedforward_norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, features: Tensor, visible: Tensor | None = None) -> Tensor:
        """Features (b, l, w), visible keys (b, 1, 1, l) or None for all -> (b, l, w)."""
        attended = self.attention(features, visible=visible)
        features = self.attention_norm(features + self.dropout(attended))
        changed = self.feedforward(features)
        output: Tensor = self.feedforward_norm(features + self.dropout(changed))
        return output
