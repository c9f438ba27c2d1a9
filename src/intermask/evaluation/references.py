"""What a model is measured beside: embeddings of real motion, its reconstruction and captions.

They are the same in all replications, but for clips that are longer than an evaluation looks at:
of those every replication takes another part, as the released evaluation does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from intermask.evaluation.clips import EvaluationClip, exchange_people
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.evaluation.physical_rows import Bodies
from intermask.evaluation.replications import Measured
from intermask.evaluation.store import Store
from intermask.generation.coding import CODED_TOGETHER, FeatureCoder

NAME = "references"

_PHYSICS = "physics."

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class References:
    """Embeddings of m clips as one replication sees them, and their physical metrics."""

    truth: Tensor
    """(m, q) real motion."""
    exchanged: Tensor
    """(m, q) the same with its people exchanged."""
    reconstruction: Tensor
    """(m, q) real motion through the tokenizer and back."""
    captions: Tensor
    """(all captions, q) of the first clip, then of the second, ..."""
    first_caption: Tensor
    """(m) where each clip's captions begin."""
    physics: dict[str, Tensor]
    """``truth`` and ``reconstruction``: rows (m, metrics) of `Bodies.rows`; or nothing."""

    def texts(self, clips: Tensor, captions: Tensor) -> Tensor:
        """Embeddings (k, q) of one caption of each of k clips, by their numbers (k)."""
        return self.captions[self.first_caption[clips] + captions]

    def real(self, clips: Tensor, exchanged: Tensor) -> Tensor:
        """Embeddings (k, q) of k real clips; ``exchanged`` (k) says whose people change places."""
        return torch.where(exchanged[:, None], self.exchanged[clips], self.truth[clips])


class ReferenceRows:
    """Embeds what a model is measured beside, once, and keeps it.

    Args:
        measured: clips and what is drawn of them.
        coder: the model's tokenizer.
        evaluator: embeds them.
        store: keeps the result.
        bodies: for physical metrics; None: they are not measured.
    """

    def __init__(
        self,
        measured: Measured,
        coder: FeatureCoder,
        evaluator: Evaluator,
        store: Store,
        bodies: Bodies | None = None,
    ) -> None:
        self.measured, self.store = measured, store
        self._coder, self._evaluator, self._bodies = coder, evaluator, bodies
        clips = measured.clips
        self._longer = [number for number, clip in enumerate(clips) if clip.parts > 1]
        self._fixed = [number for number, clip in enumerate(clips) if clip.parts == 1]
        counts = [len(clip.captions) for clip in clips]
        self._first_caption = torch.tensor([0, *itertools.accumulate(counts)][:-1])

    def make(self, progress: Progress = lambda done, total: None) -> None:
        """Embed what is not stored yet; progress is called with clips done and clips in all."""
        replications = range(self.measured.plan.replications) if self._longer else ()
        missing = [number for number in replications if not self.store.has(_part_name(number))]
        total = len(missing) * len(self._longer)
        done = 0
        if not self.store.has(NAME):
            total += len(self._fixed)
            fixed = [self.measured.clips[number] for number in self._fixed]
            rows = self._embedded(fixed, partial(_further, progress, 0, total))
            done = len(fixed)
            texts = [text for clip in self.measured.clips for text in clip.captions]
            self.store.save(NAME, {**rows, "captions": self._evaluator.embed_captions(texts)})
        for number in missing:
            seen = self.measured.seen(number)
            parts = [seen[clip] for clip in self._longer]
            found = self._embedded(parts, partial(_further, progress, done, total))
            self.store.save(_part_name(number), found)
            done += len(parts)

    def of(self, replication: int) -> References:
        """As one replication sees the clips; all of them must be there (`make`)."""
        found = self.store.load(NAME)
        captions = found.pop("captions")
        if self._longer:
            parts = self.store.load(_part_name(replication))
            found = {
                name: self._together(found.get(name), values) for name, values in parts.items()
            }
        physics = {
            name.removeprefix(_PHYSICS): rows
            for name, rows in found.items()
            if name.startswith(_PHYSICS)
        }
        return References(
            found["truth"],
            found["exchanged"],
            found["reconstruction"],
            captions,
            self._first_caption,
            physics,
        )

    def _together(self, fixed: Tensor | None, parts: Tensor) -> Tensor:
        """Rows of all clips, of those that stay the same and of the parts of longer ones."""
        rows = parts.new_zeros(len(self.measured.clips), *parts.shape[1:])
        rows[self._longer] = parts
        if fixed is not None:
            rows[self._fixed] = fixed
        return rows

    def _embedded(
        self, clips: Sequence[EvaluationClip], progress: Callable[[int], None]
    ) -> dict[str, Tensor]:
        """Rows of each kind of clips; nothing of no clips."""
        parts = []
        for begin in range(0, len(clips), CODED_TOGETHER):
            chosen = clips[begin : begin + CODED_TOGETHER]
            parts.append(self._batch([clip.features for clip in chosen]))
            progress(begin + len(chosen))
        names = parts[0] if parts else ()
        return {name: torch.cat([part[name] for part in parts]) for name in names}

    def _batch(self, real: list[Tensor]) -> dict[str, Tensor]:
        evaluator = self._evaluator
        decoded = self._coder.decode(self._coder.encode(real, CODED_TOGETHER), CODED_TOGETHER)
        made = [one[:, : each.shape[1]] for one, each in zip(decoded, real, strict=True)]
        truth = evaluator.embed_motions(real)
        # Inter-X is scored where it was captured, and its released evaluation exchanges nobody.
        exchanged = (
            evaluator.embed_motions([exchange_people(each) for each in real])
            if evaluator.dataset == "interhuman"
            else truth
        )
        found = {
            "truth": truth,
            "exchanged": exchanged.clone(),
            "reconstruction": evaluator.embed_motions(made),
        }
        if self._bodies is not None:
            found[f"{_PHYSICS}truth"] = self._bodies.rows(real)
            found[f"{_PHYSICS}reconstruction"] = self._bodies.rows(made)
        return found


def _further(progress: Progress, before: int, total: int, made: int) -> None:
    progress(before + made, total)


def _part_name(replication: int) -> str:
    return f"{NAME}/{replication:03d}"
