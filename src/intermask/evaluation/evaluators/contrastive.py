"""An evaluator of our own: InterCLIP's motion transformer beside a head on a frozen text encoder.

Whoever lacks the released evaluator trains this one on any data in InterHuman's layout. As there,
both sides end in a vector of a learned length, so that distances mean something, and training
takes products of embeddings as logits.

Shapes: `b` batch, `p` person (2), `t` frame, `f` flat feature (262), `q` embedding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intermask.config import EvaluatorConfig, TextConfig
from intermask.evaluation.evaluators.interclip import InterClipConfig, MotionEncoder
from intermask.models.text_head import text_head
from intermask.models.transformer import FeedForward
from intermask.representation import FEATURES, Normaliser
from intermask.text.features import TextFeatures

LONGEST = 10.0
"""Most that the learned length comes to: logits of 100, where CLIP stops, too."""


class ContrastiveEvaluator(nn.Module):
    """Token features of captions, and motions of two people, in one space.

    Attributes:
        normaliser: statistics of the training motions; part of the weights.
    """

    def __init__(self, config: EvaluatorConfig, text: TextConfig) -> None:
        super().__init__()
        self.config, self.text = config, text
        self.normaliser = Normaliser(torch.zeros(FEATURES), torch.ones(FEATURES))
        self.motion = MotionEncoder(
            InterClipConfig(
                width=config.width,
                layers=config.layers,
                heads=config.heads,
                feedforward=config.feedforward,
                embedding=config.embedding,
                dropout=config.dropout,
            )
        )
        self.caption = text_head(text)
        self.feedforward = FeedForward(text.width, text.head_feedforward, text.head_dropout)
        self.leave = nn.Linear(text.width, config.embedding)
        self.scale = nn.Parameter(torch.full((1,), config.start_scale))

    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (b, q) of features (b, p, t, 262), not normalised, and lengths (b,)."""
        return self._scaled(self.motion(self.normaliser.normalise(features), lengths))

    def embed_text(self, text: TextFeatures) -> Tensor:
        """Embeddings (b, q) of captions as a frozen encoder reads them."""
        condition = self.caption(text)  # with the mean of a caption's tokens nothing in it learns
        return self._scaled(self.leave(condition + self.feedforward(condition)))

    @property
    def length(self) -> Tensor:
        """(1,), of every embedding."""
        return self.scale.clamp(max=LONGEST)

    def _scaled(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors.float(), dim=-1) * self.length


def contrastive_losses(texts: Tensor, motions: Tensor, ignored: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric contrastive cross entropy of a batch, and its accuracy.

    Every text is to find its own motion among those of the batch, and every motion its text
    (Radford et al. 2021, "Learning transferable visual models from natural language supervision").

    Args:
        texts: embeddings (b, q).
        motions: embeddings (b, q), row by row those of the texts.
        ignored: (b, b) bool, rows are texts: pairs that go together although they are not each
            other's, and so must not count as wrong. The diagonal is never ignored.

    Returns:
        the cross entropy, and the share of texts whose own motion is the most likely one.
    """
    own = torch.eye(len(texts), dtype=torch.bool, device=texts.device)
    with torch.autocast(texts.device.type, enabled=False):
        logits = (texts.float() @ motions.float().T).masked_fill(ignored & ~own, -torch.inf)
    right = torch.arange(len(texts), device=texts.device)
    entropy = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
    return entropy, (logits.detach().argmax(1) == right).float().mean()
