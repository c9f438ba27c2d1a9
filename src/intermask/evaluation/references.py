"""What a model is measured beside: embeddings that are the same in all replications."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.evaluation.clips import EvaluationClip, exchange_people
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.evaluation.physical_rows import physical_rows
from intermask.evaluation.store import Store
from intermask.generation.coding import CODED_TOGETHER, FeatureCoder

NAME = "references"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class References:
    """Embeddings of m clips, and physical metrics of real motion and of its reconstruction."""

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
    """``truth`` and ``reconstruction``: rows (m, metrics) of `physical_rows`; or nothing."""

    def texts(self, clips: Tensor, captions: Tensor) -> Tensor:
        """Embeddings (k, q) of one caption of each of k clips, by their numbers (k)."""
        return self.captions[self.first_caption[clips] + captions]

    def real(self, clips: Tensor, exchanged: Tensor) -> Tensor:
        """Embeddings (k, q) of k real clips; ``exchanged`` (k) says whose people change places."""
        return torch.where(exchanged[:, None], self.exchanged[clips], self.truth[clips])


def references(
    clips: Sequence[EvaluationClip],
    coder: FeatureCoder,
    evaluator: Evaluator,
    store: Store,
    reference_jerk: float | None = None,
    progress: Progress = lambda done, total: None,
) -> References:
    """Embed real clips, their reconstructions and captions, or read what was stored.

    Args:
        clips: that are looked at.
        coder: the model's tokenizer.
        evaluator: embeds them.
        store: keeps the result.
        reference_jerk: of real motion, for physical metrics; None: they are not measured.
        progress: called with clips done and clips in all.
    """
    counts = [len(clip.captions) for clip in clips]
    first = torch.tensor([0, *itertools.accumulate(counts)][:-1])
    if not store.has(NAME):
        parts = []
        for begin in range(0, len(clips), CODED_TOGETHER):
            chosen = clips[begin : begin + CODED_TOGETHER]
            parts.append(_embed(chosen, coder, evaluator, reference_jerk))
            progress(begin + len(chosen), len(clips))
        store.save(NAME, {name: torch.cat([part[name] for part in parts]) for name in parts[0]})
    found = store.load(NAME)
    physics = {
        name: found[f"physics.{name}"]
        for name in ("truth", "reconstruction")
        if f"physics.{name}" in found
    }
    return References(
        found["truth"],
        found["exchanged"],
        found["reconstruction"],
        found["captions"],
        first,
        physics,
    )


def _embed(
    clips: Sequence[EvaluationClip],
    coder: FeatureCoder,
    evaluator: Evaluator,
    reference_jerk: float | None,
) -> dict[str, Tensor]:
    real = [clip.features for clip in clips]
    made = coder.decode(coder.encode(real, CODED_TOGETHER), CODED_TOGETHER)
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
        "captions": evaluator.embed_captions([text for clip in clips for text in clip.captions]),
    }
    if reference_jerk is not None:
        found["physics.truth"] = physical_rows(real, reference_jerk)
        found["physics.reconstruction"] = physical_rows(made, reference_jerk)
    return found
