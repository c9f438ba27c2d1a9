"""InterCLIP, the evaluator of InterHuman: a transformer for motions and one for captions.

Both end in a vector of length ``scale``, a learned number, so that distances between a caption and
a motion mean something. (Method, section 6; InterGen, Liang et al. 2024, trained the original.)

Shapes: `b` batch, `p` person (2), `t` frame, `f` flat feature (262), `l` text token, `w` width,
`q` embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from intermask.evaluation.evaluators.lengths import checked_lengths, within
from intermask.evaluation.evaluators.network import MotionEmbedding, check_features
from intermask.evaluation.evaluators.sizes import check_sizes
from intermask.models.dropout import Dropout
from intermask.models.encoder_layer import EncoderLayer
from intermask.models.transformer import PEOPLE, sinusoids
from intermask.representation import DECODED, FEATURES
from intermask.text.clip_tokenizer import ClipTokenizer


@dataclass(frozen=True, kw_only=True)
class InterClipConfig:
    """Sizes of an evaluator; the defaults are those of the released one."""

    width: int = 1024
    """Of the motion transformer."""
    layers: int = 8
    heads: int = 8
    feedforward: int = 2048
    text_width: int = 768
    text_layers: int = 8
    text_heads: int = 8
    text_feedforward: int = 2048
    vocabulary: int = 49408
    """Rows of the table of tokens: CLIP's."""
    context: int = 77
    """Tokens of a padded caption: CLIP's."""
    embedding: int = 512
    """Numbers that a caption or a motion becomes."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_sizes(self)
        for heads, width in ((self.heads, self.width), (self.text_heads, self.text_width)):
            if width % heads:
                raise ValueError(f"{heads} heads do not divide the width {width}")
        if self.width % 2:
            raise ValueError(f"width is {self.width}; sines and cosines need an even one")


class MotionEncoder(nn.Module):
    """Two people's motion to one vector: the output at a query token before the frames.

    Positions, velocities and rotations of both people lie side by side, in metres and metres a
    frame; contacts are left out, since a tokenizer does not reconstruct them.

    Args:
        config: its sizes.
        features: numbers of a person in a frame; InterHuman's.
        seen: columns of them that it reads.
    """

    def __init__(
        self, config: InterClipConfig, features: int = FEATURES, seen: slice = DECODED
    ) -> None:
        super().__init__()
        self.features, self.seen = features, seen
        self.query = nn.Parameter(torch.randn(1, config.width))
        self.enter = nn.Linear(PEOPLE * (seen.stop - seen.start), config.width)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(config.width, config.heads, config.feedforward, config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.leave = nn.Linear(config.width, config.embedding)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Features (b, p, t, f), not normalised, and lengths (b,) in frames -> (b, q).

        What lies behind a motion's length changes nothing.

        Raises:
            ValueError: another shape, or lengths that the features do not have.
        """
        check_features(features, self.features)
        lengths = checked_lengths(lengths, features)
        frames = self.enter(rearrange(features[..., self.seen], "b p t f -> b t (p f)"))
        stream = torch.cat((self.query.expand(len(frames), 1, -1), frames), 1)
        count, width = stream.shape[1:]
        stream = self.dropout(stream + sinusoids(count, width, stream.device))
        visible = rearrange(within(lengths + 1, count), "b l -> b 1 1 l")
        for layer in self.layers:
            stream = layer(stream, visible)
        output: Tensor = self.leave(self.norm(stream[:, 0]))
        return output


class CaptionEncoder(nn.Module):
    """Token ids to one vector: a table of tokens, a transformer, the output at the end of the text.

    Nothing is masked: the padding behind a caption takes part, as in the released network.
    """

    def __init__(self, config: InterClipConfig) -> None:
        super().__init__()
        width = config.text_width
        self.tokens = nn.Embedding(config.vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(config.context, width))
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)
        self.layers = nn.ModuleList(
            EncoderLayer(width, config.text_heads, config.text_feedforward, config.dropout)
            for _ in range(config.text_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, config.embedding)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (b, l), padded with 0 to the network's context -> (b, q).

        Raises:
            ValueError: not padded to the context, or ids that the table does not have.
        """
        context, vocabulary = len(self.positions), self.tokens.num_embeddings
        if ids.ndim != 2 or ids.shape[1] != context:
            raise ValueError(
                f"expected ids of shape (b, {context}), padded with 0; got {tuple(ids.shape)}"
            )
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
            raise ValueError(
                f"ids must lie in 0..{vocabulary - 1}; got {int(ids.min())}..{int(ids.max())}"
            )
        ids = ids.to(self.positions.device)
        stream = self.tokens(ids) + self.positions
        for layer in self.layers:
            stream = layer(stream)
        # End of text is the largest id.
        at_ends = self.norm(stream)[torch.arange(len(ids), device=ids.device), ids.argmax(-1)]
        output: Tensor = self.leave(at_ends)
        return output


class InterClip(MotionEmbedding):
    """Captions and motions of two people in one space.

    Attributes:
        config: its sizes.
        scale: (1,), the length of every embedding; learned, and taken as it is.
    """

    config: InterClipConfig

    def __init__(self, config: InterClipConfig, tokenizer: ClipTokenizer | None = None) -> None:
        """Args:
        config: sizes.
        tokenizer: captions to ids; without it only :meth:`embed_ids` works.
        """
        super().__init__()
        self.config = config
        self.motion = MotionEncoder(config)
        self.caption = CaptionEncoder(config)
        self.scale = nn.Parameter(torch.ones(1))
        self._tokenizer = tokenizer

    @property
    def reads_captions(self) -> bool:
        """Whether it has a vocabulary."""
        return self._tokenizer is not None

    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (b, q) of features (b, p, t, 262), not normalised, and lengths (b,)."""
        return self._scaled(self.motion(features, lengths))

    def embed_ids(self, ids: Tensor) -> Tensor:
        """Embeddings (b, q) of token ids (b, l), padded with 0 to the context."""
        return self._scaled(self.caption(ids))

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Embeddings (b, q) of captions; one over the context is cut and keeps its end.

        Raises:
            ValueError: the evaluator was built without a vocabulary.
        """
        if self._tokenizer is None:
            raise ValueError(
                "this evaluator was built without a vocabulary, so it cannot read captions; give "
                "it a ClipTokenizer (vocab.json, merges.txt), or call embed_ids"
            )
        return self.embed_ids(self._tokenizer.encode_padded(captions, self.config.context))

    def _scaled(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1) * self.scale
