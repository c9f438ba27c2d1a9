"""An evaluator of our own: InterCLIP's motion transformer beside a head on a frozen text encoder.

Whoever lacks the released evaluator trains this one on any data, in InterHuman's layout or in
Inter-X's. As in InterCLIP, both sides end in a vector of a learned length, so that distances mean
something, and training takes products of embeddings as logits.

Shapes: `b` batch, `p` person (2), `t` frame, `f` flat feature (262, of Inter-X 336), `q` embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from intermask import representation, representation_smplx
from intermask.config import DataSet, EvaluatorConfig, TextConfig
from intermask.evaluation.evaluators.interclip import InterClipConfig, MotionEncoder
from intermask.evaluation.evaluators.network import MotionEmbedding, check_features
from intermask.models.text_head import text_head
from intermask.models.transformer import FeedForward
from intermask.representation import Normaliser
from intermask.text.features import TextFeatures

LONGEST = 10.0
"""Most that the learned length comes to: logits of 100, where CLIP stops, too."""


class Seen(NamedTuple):
    """What of a dataset's motion an evaluator sees."""

    features: int
    """Numbers of a person in a frame."""
    columns: slice
    """Those of them that a tokenizer reconstructs."""
    placed: Callable[[Tensor], Tensor]
    """Features (..., p, t, f) in their canonical place: no caption tells where in a room people
    are."""
    fit: Callable[[list[Tensor]], Normaliser]
    """Statistics of features (t, f) of single people."""


SEEN: dict[DataSet, Seen] = {
    "interhuman": Seen(
        representation.FEATURES,
        representation.DECODED,
        lambda features: features,  # they are there already
        representation.fit_normaliser,
    ),
    "interx": Seen(
        representation_smplx.FEATURES,
        slice(0, representation_smplx.FEATURES),
        representation_smplx.from_first_person,
        representation_smplx.fit_normaliser,
    ),
}


class ContrastiveEvaluator(MotionEmbedding):
    """Token features of captions, and motions of two people, in one space.

    Attributes:
        normaliser: statistics of the training motions; part of the weights.
    """

    config: EvaluatorConfig

    def __init__(self, config: EvaluatorConfig, text: TextConfig) -> None:
        super().__init__()
        self.config, self.text = config, text
        seen = SEEN[config.dataset]
        self.normaliser = Normaliser(torch.zeros(seen.features), torch.ones(seen.features))
        self.motion = MotionEncoder(
            InterClipConfig(
                width=config.width,
                layers=config.layers,
                heads=config.heads,
                feedforward=config.feedforward,
                embedding=config.embedding,
                dropout=config.dropout,
            ),
            seen.features,
            seen.columns,
        )
        self.caption = text_head(text)
        self.feedforward = FeedForward(text.width, text.head_feedforward, text.head_dropout)
        self.leave = nn.Linear(text.width, config.embedding)
        self.scale = nn.Parameter(torch.full((1,), config.start_scale))

    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (b, q) of features (b, p, t, f), not normalised, and lengths (b,)."""
        seen = SEEN[self.config.dataset]
        check_features(features, seen.features)
        with torch.autocast(features.device.type, enabled=False):  # half precision is centimetres
            placed = self.normaliser.normalise(seen.placed(features.float()))
        return self._scaled(self.motion(placed, lengths))

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
