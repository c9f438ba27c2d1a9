"""The evaluator of Inter-X: convolutions and a recurrent network for motions, one for words.

(Method, section 6; the networks are those of Guo et al. 2022, "Generating diverse and natural 3D
human motions from text".)

Shapes: `b` batch, `p` person (2), `t` frame, `f` flat feature (336), `m` movement (t/4), `l` word,
`w` width, `q` embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from intermask.evaluation.evaluators.lengths import checked_lengths, within
from intermask.evaluation.evaluators.network import MotionEmbedding, check_features
from intermask.evaluation.evaluators.sizes import check_sizes
from intermask.models.dropout import Dropout
from intermask.models.transformer import PEOPLE
from intermask.representation_smplx import FEATURES, ROW_WIDTH, ROWS, to_joint_grid
from intermask.smplx import TRANSLATION_ROW

FRAMES_PER_MOVEMENT = 4
"""Two convolutions of stride 2."""
LEAK = 0.2
PLACE = slice(0, 3)
"""Columns of the translation's row that the evaluator sees: the place and not its step."""


@dataclass(frozen=True, kw_only=True)
class InterXEvaluatorConfig:
    """Sizes of an evaluator; the defaults are usual ones, and an import takes those it finds."""

    columns: int = PEOPLE * FEATURES
    """Numbers in a frame of two people."""
    movement_hidden: int = 512
    movement: int = 512
    motion_hidden: int = 1024
    word: int = 300
    """Numbers in a word's vector: GloVe's."""
    word_classes: int = 15
    """Parts of speech, and groups of words that matter to motion."""
    text_hidden: int = 512
    embedding: int = 512
    frames: int = 150
    """Every motion is padded with zeros to as many: the convolutions see what follows its end."""
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_sizes(self)


class MovementEncoder(nn.Module):
    """Four frames to one vector, each seeing a few frames around them."""

    def __init__(self, config: InterXEvaluatorConfig) -> None:
        super().__init__()
        self.first = nn.Conv1d(config.columns, config.movement_hidden, 4, stride=2, padding=1)
        self.second = nn.Conv1d(config.movement_hidden, config.movement, 4, stride=2, padding=1)
        self.leave = nn.Linear(config.movement, config.movement)
        self.dropout = Dropout(config.dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (b, t, columns) -> movements (b, m, w)."""
        stream = rearrange(frames, "b t c -> b c t")
        for convolution in (self.first, self.second):
            stream = F.leaky_relu(self.dropout(convolution(stream)), LEAK)
        output: Tensor = self.leave(rearrange(stream, "b w m -> b m w"))
        return output


class SequenceEncoder(nn.Module):
    """A sequence to one vector: a recurrent network in both directions from a learned start."""

    def __init__(self, width: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(2, 1, hidden))
        self.enter = nn.Linear(width, hidden)
        self.recurrent = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.expand = nn.Linear(2 * hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.contract = nn.Linear(hidden, embedding)

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Sequence (b, l, w) and the length (b,) of each -> (b, q); padding changes nothing."""
        packed = pack_padded_sequence(
            self.enter(sequence), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        start = repeat(self.start, "way 1 w -> way b w", b=len(sequence)).contiguous()
        _, ends = self.recurrent(packed, start)
        both = rearrange(ends, "way b w -> b (way w)")
        output: Tensor = self.contract(F.leaky_relu(self.norm(self.expand(both)), LEAK))
        return output


class InterXEvaluator(MotionEmbedding):
    """Captions, as words with their classes, and motions of two people in one space."""

    config: InterXEvaluatorConfig

    def __init__(self, config: InterXEvaluatorConfig) -> None:
        super().__init__()
        self.config = config
        self.movement = MovementEncoder(config)
        self.motion = SequenceEncoder(config.movement, config.motion_hidden, config.embedding)
        self.word_class = nn.Linear(config.word_classes, config.word)
        self.text = SequenceEncoder(config.word, config.text_hidden, config.embedding)

    def embed_motions(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (b, q) of features (b, p, t, 336) and lengths (b,) in frames, 4 at least.

        Every motion ends in zeros up to the same number of frames, so that its embedding does not
        depend on the motions that share its batch.

        Raises:
            ValueError: another shape, lengths that the features do not have, or longer motions.
        """
        frames = side_by_side(features)
        lengths = checked_lengths(lengths, features, shortest=FRAMES_PER_MOVEMENT)
        longest = self.config.frames
        if len(lengths) and int(lengths.max()) > longest:
            raise ValueError(
                f"a motion has {int(lengths.max())} frames; this evaluator knows motions of "
                f"{longest} at most: cut it"
            )
        frames = frames * within(lengths, frames.shape[1])[..., None]
        return self.embed_frames(F.pad(frames, (0, 0, 0, longest - frames.shape[1])), lengths)

    def embed_frames(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (b, q) of padded frames (b, t, 672) as they are; see `side_by_side`."""
        return self.motion(self.movement(frames), lengths // FRAMES_PER_MOVEMENT)

    def embed_words(self, words: Tensor, classes: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (b, q) of captions; what lies behind a caption's length changes nothing.

        Args:
            words: vectors (b, l, 300).
            classes: (b, l, 15), 1 at the word's class and 0 elsewhere.
            lengths: words (b,) of each caption.

        Raises:
            ValueError: shapes that are not these.
        """
        batch, longest = words.shape[:2]
        expected = (batch, longest, self.config.word), (batch, longest, self.config.word_classes)
        if (words.shape, classes.shape, lengths.shape) != (*expected, (batch,)):
            raise ValueError(
                f"expected words {expected[0]}, classes {expected[1]} and lengths ({batch},); got "
                f"{tuple(words.shape)}, {tuple(classes.shape)} and {tuple(lengths.shape)}"
            )
        return self.text(words + self.word_class(classes), lengths)


def side_by_side(features: Tensor) -> Tensor:
    """Frames (b, t, 672) of features (b, p, t, 336): row by row, both people beside each other.

    The steps of the two translations are set to zero, as the released evaluator was trained.

    Raises:
        ValueError: another shape.
    """
    check_features(features, FEATURES)
    seen = features.new_ones(ROWS, ROW_WIDTH)
    seen[TRANSLATION_ROW, PLACE.stop :] = 0
    return rearrange(to_joint_grid(features) * seen, "b p t j d -> b t (j p d)")
