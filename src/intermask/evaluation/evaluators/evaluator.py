"""What a measurement asks of an evaluator, and the networks that answer it.

A network sees padded tensors; here captions and motions of any lengths go in, and what comes out
does not depend on the company they were in, up to the rounding of float32.

Shapes: `m` captions or motions, `t` frame, `f` flat feature, `q` embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from intermask.config import DataSet
from intermask.conventions import FloorRule
from intermask.data.cache import module_fingerprint
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.evaluators.contrastive import ContrastiveEvaluator
from intermask.evaluation.evaluators.interclip import InterClip
from intermask.evaluation.evaluators.interx import InterXEvaluator
from intermask.evaluation.evaluators.network import MotionEmbedding
from intermask.evaluation.evaluators.words import TaggedCaptions, WordVectors
from intermask.models.transformer import PEOPLE
from intermask.text.features import TextFeatures, checked_captions

CAPTIONS_AT_ONCE = 128
MOTIONS_AT_ONCE = 32


class Evaluator(Protocol):
    """Captions and motions of two people in one space."""

    @property
    def name(self) -> str:
        """Such as ``interclip``, or the name of the folder that it was loaded from."""
        ...

    @property
    def dataset(self) -> DataSet:
        """Whose motion it reads."""
        ...

    @property
    def protocol(self) -> metrics.Protocol:
        """Pool and scales of its metrics."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of its weights."""
        ...

    @property
    def floor(self) -> FloorRule:
        """Whose lowest point was the floor in the motions it was trained on."""
        ...

    @property
    def max_frames(self) -> int:
        """Frames of the longest motion it was trained on."""
        ...

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Embeddings (m, q) float32 on the CPU of m captions."""
        ...

    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        """Embeddings (m, q) float32 on the CPU of m motions.

        Args:
            motions: unnormalised canonical features (2, t, f), each of its own length.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkEvaluator(ABC):
    """An `Evaluator` around a network: batching by length, order, precision and device."""

    network: MotionEmbedding
    """In evaluation mode, on `device`."""
    device: torch.device
    name: str
    protocol: metrics.Protocol
    floor: FloorRule = "per_person"

    def __post_init__(self) -> None:
        self.network.to(self.device).eval()

    @property
    @abstractmethod
    def dataset(self) -> DataSet:
        """Whose motion it reads."""

    @property
    @abstractmethod
    def max_frames(self) -> int:
        """Frames of the longest motion it was trained on."""

    @abstractmethod
    def _captions(self, captions: Sequence[str]) -> Tensor:
        """Embeddings (m, q) of few captions, on the device."""

    @property
    def embedding(self) -> int:
        """Numbers that a caption or a motion becomes."""
        return self.network.config.embedding

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the network's weights."""
        return module_fingerprint(self.network)

    @torch.inference_mode()
    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Embeddings (m, q) float32 on the CPU of m captions; equal ones are read once.

        Raises:
            ValueError: one text instead of a list.
        """
        wanted = checked_captions(captions) if len(captions) else []
        different = list(dict.fromkeys(wanted))
        result = torch.empty(len(different), self.embedding)
        for batch in _batches(len(different), CAPTIONS_AT_ONCE):
            with _exact():
                result[batch] = self._captions(different[batch]).to("cpu", torch.float32)
        row = {caption: number for number, caption in enumerate(different)}
        return result[torch.tensor([row[caption] for caption in wanted], dtype=torch.long)]

    @torch.inference_mode()
    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        """Embeddings (m, q) float32 on the CPU of m motions (2, t, f); alike lengths go together.

        Raises:
            UserError: a motion of another shape, one with numbers that are not finite, or one
                that the network cannot read.
        """
        for number, motion in enumerate(motions):
            _check_motion(number, motion)
        order = sorted(range(len(motions)), key=lambda number: motions[number].shape[1])
        result = torch.empty(len(motions), self.embedding)
        for batch in _batches(len(motions), MOTIONS_AT_ONCE):
            chosen = order[batch]
            people_last = [motions[number].transpose(0, 1).float() for number in chosen]
            padded = pad_sequence(people_last, batch_first=True).transpose(1, 2).to(self.device)
            lengths = torch.tensor([len(motion) for motion in people_last], device=self.device)
            with _exact():
                embedded = self.network.embed_motions(padded, lengths)
            result[chosen] = embedded.to("cpu", torch.float32)
        return result


@dataclass(frozen=True, kw_only=True, eq=False)
class InterClipEvaluator(NetworkEvaluator):
    """InterHuman's evaluator; see `interclip`."""

    network: InterClip
    name: str = "interclip"
    protocol: metrics.Protocol = metrics.INTERHUMAN
    max_frames: int = 300

    @property
    def dataset(self) -> DataSet:
        """InterHuman's layout."""
        return "interhuman"

    def _captions(self, captions: Sequence[str]) -> Tensor:
        if not self.network.reads_captions:
            raise UserError(
                "InterCLIP reads captions with CLIP's vocabulary, which is not at hand; give a "
                "folder with vocab.json and merges.txt (--text-source DIR)"
            )
        return self.network.embed_captions(captions)


@dataclass(frozen=True, kw_only=True, eq=False)
class InterXPairEvaluator(NetworkEvaluator):
    """Inter-X's evaluator; see `interx`.

    Captions need the word vectors of the dataset, and words with their parts of speech, which
    the dataset has beside each caption.
    """

    network: InterXEvaluator
    name: str = "interx"
    protocol: metrics.Protocol = metrics.INTERX
    vectors: WordVectors | None = None
    tagged: TaggedCaptions = field(default_factory=TaggedCaptions)

    @property
    def dataset(self) -> DataSet:
        """Inter-X's layout."""
        return "interx"

    @property
    def max_frames(self) -> int:
        """As many as every motion is padded to."""
        return self.network.config.frames

    def _captions(self, captions: Sequence[str]) -> Tensor:
        if self.vectors is None:
            raise UserError(
                "this evaluator of Inter-X has no word vectors, so it cannot read captions; import "
                "it with the dataset's folder glove/ (intermask import-evaluator --glove DIR)"
            )
        words = self.vectors.read([self.tagged.words(caption) for caption in captions])
        return self.network.embed_words(
            words.vectors.to(self.device), words.classes.to(self.device), words.lengths
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedEvaluator(NetworkEvaluator):
    """An evaluator that was trained here; see `contrastive`."""

    network: ContrastiveEvaluator
    read: Callable[[Sequence[str]], TextFeatures]
    """Captions to features of the frozen text encoder, on the device."""
    max_frames: int = 300

    @property
    def dataset(self) -> DataSet:
        """That of its training data."""
        return self.network.config.dataset

    def _captions(self, captions: Sequence[str]) -> Tensor:
        return self.network.embed_text(self.read(captions))


def _batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _exact() -> AbstractContextManager[None]:
    """Convolutions and recurrent networks in full float32 on GPUs, too, and always the same."""
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)


def _check_motion(number: int, motion: Tensor) -> None:
    if motion.ndim != 3 or motion.shape[0] != PEOPLE or not motion.shape[1]:
        raise UserError(
            f"motion {number} has shape {tuple(motion.shape)}; expected features of {PEOPLE} "
            "people, (2, frames, features)"
        )
    if not bool(torch.isfinite(motion).all()):
        raise UserError(f"motion {number} holds NaN or infinite numbers; look at where it is from")
