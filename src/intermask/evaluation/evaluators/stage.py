"""Training of an evaluator as the training loop sees it: batches, losses, validation.

A contrastive loss is no sum over clips: every clip of a batch is compared with all others. So when
several processes or micro-batches share a batch, each of them first embeds its part without
gradients, all parts are gathered, and each computes the loss of the whole batch with gradients
through its own part only. These add up to the gradient of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from intermask.config import DataSet, EvaluatorTraining, TextConfig
from intermask.data.augment import mirror_caption
from intermask.data.batching import (
    InteractionSampler,
    SourceClips,
    Variant,
    step_generator,
    with_captions,
)
from intermask.data.cache import Watch
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.data import LAYOUTS
from intermask.evaluation.evaluators.contrastive import (
    SEEN,
    ContrastiveEvaluator,
    contrastive_losses,
)
from intermask.evaluation.evaluators.evaluator import TrainedEvaluator
from intermask.text.features import FrozenTextEncoder
from intermask.training.frozen_features import FrozenText, fit_sentences
from intermask.training.representations import representation_of
from intermask.training.shares import Share, fractions

FRAME_MULTIPLE = 4
"""Lengths are multiples of it, as those of tokenized motions are."""
FITTED_CLIPS = 512
"""How many training clips, evenly spread over all, statistics of features are taken from."""
FITTED_CAPTIONS = 2048
VALIDATION_CLIPS = 1024
CLIPS_AT_ONCE = 64
"""Held-out clips whose features are in memory together."""
VALIDATION_ROUNDS = 8
"""Orders of the held-out clips, with a caption drawn for each, over which figures are means."""

Item = tuple[Variant, str]


@dataclass(frozen=True)
class ContrastivePart:
    """Part of a step's clips, and which texts of the whole batch tell of which of its motions."""

    features: Tensor
    """(b, p, t, f) unnormalised, padded with zeros."""
    lengths: Tensor
    """(b,) frames."""
    captions: tuple[str, ...]
    rows: slice
    """Where the part lies in the batch."""
    ignored: Tensor
    """(whole batch, whole batch) bool; see `told_of`."""
    seed: int
    """Of dropout: both passes over a part must drop the same."""

    @property
    def entries(self) -> Mapping[str, Tensor]:
        """The means of the losses run over clips."""
        return {"clips": torch.tensor(len(self.captions))}


class EvaluatorStage:
    """Losses and validation of an evaluator on a frozen encoder's text features."""

    best_metric = "r_precision_3"
    metrics = (
        *(f"r_precision_{top}" for top in range(1, metrics.TOP + 1)), "mm_dist", "cross_entropy"
    )  # fmt: skip
    """Names of all numbers of `validate`."""

    def __init__(
        self,
        training: EvaluatorTraining,
        encoder: FrozenTextEncoder,
        train: Sequence[SourceClips],
        validation: Sequence[SourceClips],
        device: torch.device,
        *,
        fresh: bool = True,
    ) -> None:
        """`fresh`: the weights are to start here, and will not be loaded from elsewhere.

        Raises:
            UserError: another layout than the configuration's, single people, a text encoder of
                another width, or too few held-out clips for a pool.
        """
        _check_layout(training.model.dataset, [*train, *validation])
        check_text_width(training.text, encoder)
        self.training, self.device = training, device
        self.best_metric = training.run.best_metric or self.best_metric
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.run.seed)
            self.model = ContrastiveEvaluator(training.model, training.text).to(device)
        self.train, self.validation = (
            InteractionSampler(
                [with_captions(each) for each in clips],
                training.max_frames,
                FRAME_MULTIPLE,
                representation_of(training.model, training.floor).encode,
                mirror,
                training.run.seed,
            )
            for clips, mirror in ((train, training.mirror), (validation, False))
        )
        self.text = FrozenText(encoder.to(device), device)
        self._held_out = _every_clip(self.validation, VALIDATION_CLIPS)
        if len(self._held_out) < training.pool:
            raise UserError(
                f"the split val has {len(self._held_out)} clips with captions; validation "
                f"searches pools of {training.pool}: set a smaller one (--set "
                f"pool={len(self._held_out)}), or give more held-out clips"
            )
        self._gathered: tuple[Tensor, Tensor] | None = None
        if fresh:
            self._fit_statistics()

    def networks(self) -> tuple[nn.Module, ...]:
        """What is worth compiling."""
        return (self.model.motion,)

    def draw(self, step: int, share: Share) -> ContrastivePart:
        """The clips of a step that belong to a share; features are only made for these."""
        config = self.training
        size, seed = config.optimiser.batch_size, config.run.seed
        items = self.train.draw(step, size)
        cuts = step_generator(seed, step, "crops").random((size, 2))
        rows = share.of(size)
        motions = [
            self._crop(items[row][0], *cuts[row].tolist()) for row in range(rows.start, rows.stop)
        ]
        padded = pad_sequence([motion.transpose(0, 1) for motion in motions], batch_first=True)
        return ContrastivePart(
            padded.transpose(1, 2).to(self.device),
            torch.tensor([motion.shape[1] for motion in motions], device=self.device),
            tuple(caption for _, caption in items[rows]),
            rows,
            told_of(self.train, items).to(self.device),
            int(step_generator(seed, step, f"dropout {share.index}").integers(2**62)),
        )

    def prepare(self, parts: Sequence[ContrastivePart], gather: Callable[[Tensor], Tensor]) -> None:
        """Embed what every part is compared with, unless the batch is one part."""
        self._gathered = None
        if len(parts[0].captions) == len(parts[0].ignored):
            return
        with torch.no_grad():
            embedded = [self._embed(part) for part in parts]
            texts, motions = (torch.cat(each) for each in zip(*embedded, strict=True))
            self._gathered = gather(texts), gather(motions)

    def losses(self, part: ContrastivePart, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A part's share of the batch's cross entropy and accuracy; see the module's top."""
        worth = fractions(part.entries, whole)["clips"].to(self.device)
        texts, motions = self._embed(part)
        if self._gathered is not None:
            texts, motions = (
                torch.cat((known[: part.rows.start], own, known[part.rows.stop :]))
                for known, own in zip(self._gathered, (texts, motions), strict=True)
            )
        entropy, accuracy = contrastive_losses(texts, motions, part.ignored)
        contribution = entropy.detach() * worth
        return {
            # The value is the part's, the gradient that of the whole batch through this part.
            "loss": contribution + (entropy - entropy.detach()),
            "cross_entropy": contribution,
            "accuracy": accuracy * worth,
            "scale": self.model.length.detach()[0] * worth,
        }

    def finish(self, step: int, gather: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Nothing moves by a batch here."""
        return {}

    @torch.inference_mode()
    def validate(self, model: ContrastiveEvaluator) -> dict[str, float]:
        """R-precision, distance and cross entropy of held-out clips, the same every time."""
        judge = TrainedEvaluator(
            network=model,
            device=self.device,
            name="in training",
            protocol=protocol_of(self.training),
            read=self.text,
        )
        chunks = [
            self._held_out[start : start + CLIPS_AT_ONCE]
            for start in range(0, len(self._held_out), CLIPS_AT_ONCE)
        ]
        motions = torch.cat(
            [judge.embed_motions([self.validation.features(e) for e in each]) for each in chunks]
        )
        rounds = [
            self._validation_round(judge, motions, number) for number in range(VALIDATION_ROUNDS)
        ]
        return {name: float(np.mean([each[name] for each in rounds])) for name in self.metrics}

    def keep(self, cache: Path, watch: Watch) -> None:
        """Compute the features of all captions once for all runs, or find them in a cache."""
        captions = self.train.captions() | self.validation.captions()
        with watch("reading captions") as progress:
            self.text.keep(captions, cache, progress)

    def _embed(self, part: ContrastivePart) -> tuple[Tensor, Tensor]:
        """Embeddings (b, q) of a part's texts and motions."""
        torch.manual_seed(part.seed)  # inside the loop's fork of the generators
        texts = self.model.embed_text(self.text(part.captions))
        return texts, self.model.embed_motions(part.features, part.lengths)

    def _crop(self, variant: Variant, how_long: float, where: float) -> Tensor:
        """Features (2, t, f) of a piece of a clip, seen from its own first frame.

        Args:
            variant: of the longest piece.
            how_long: in [0, 1), from the shortest crop to all of it.
            where: in [0, 1), from its beginning to its end.
        """
        frames = self.train.frames(variant.source, variant.clip)
        shortest = self.training.shortest_crop
        wanted = round(frames * (shortest + (1 - shortest) * how_long))
        length = max(wanted // FRAME_MULTIPLE, 1) * FRAME_MULTIPLE
        start = variant.start + int(where * (frames - length + 1))
        loaded = self.train.sources[variant.source].clips[variant.clip].loaded
        piece = loaded[:, start : start + length + 1]
        return self.train.encode(piece, mirror=variant.mirror, swap=variant.swap)

    def _fit_statistics(self) -> None:
        """What the network must know of the data before it sees any."""
        clips = _every_clip(self.train, FITTED_CLIPS)
        seen = SEEN[self.training.model.dataset]
        found = seen.fit([seen.placed(self.train.features(each)).flatten(0, 1) for each in clips])
        self.model.normaliser.load_state_dict(found.state_dict())
        fit_sentences(self.model.caption, self.train.captions(), self.text, FITTED_CAPTIONS)

    def _validation_round(
        self, judge: TrainedEvaluator, motions: Tensor, number: int
    ) -> dict[str, float]:
        rng = step_generator(0, number, "validation")  # of no run: figures of runs compare
        order = rng.permutation(len(motions))
        chosen = [self._held_out[clip] for clip in order]
        items = [(each, _draw_caption(self.validation, each, rng)) for each in chosen]
        texts, found = judge.embed_captions([text for _, text in items]), motions[order]
        pool = self.training.pool
        result = metrics.matching(texts, found, pool)
        entropies = [
            contrastive_losses(
                texts[start : start + pool],
                found[start : start + pool],
                told_of(self.validation, items[start : start + pool]),
            )[0]
            for start in range(0, pool * result.pools, pool)
        ]
        precision = {
            f"r_precision_{top}": value for top, value in enumerate(result.r_precision, start=1)
        }
        return {
            **precision,
            "mm_dist": result.distance,
            "cross_entropy": float(torch.stack(entropies).mean()),
        }


def protocol_of(training: EvaluatorTraining) -> metrics.Protocol:
    """Pool and scales of a trained evaluator: embeddings are taken as they are."""
    return metrics.Protocol(pool=training.pool, embedding_scale=1.0, spread_divisor=1.0)


def told_of(sampler: InteractionSampler, items: Sequence[Item]) -> Tensor:
    """Which texts tell of which clips of a batch (b, b), rows are texts.

    Short captions are shared by many clips ("Two people dance."), and one clip may come twice.
    Such a text is not wrong for the other clip, whichever of its captions was drawn there.
    """
    known = [_captions_of(sampler, variant) for variant, _ in items]
    return torch.tensor([[text in texts for texts in known] for _, text in items])


def check_text_width(text: TextConfig, encoder: FrozenTextEncoder) -> None:
    """Raises:
    UserError: the configuration expects other text features than the encoder gives.
    """
    if encoder.width != text.width:
        raise UserError(
            f"features of the text encoder {encoder.name!r} are {encoder.width} wide, text.width "
            f"is {text.width}; set text.width={encoder.width}"
        )


def _captions_of(sampler: InteractionSampler, variant: Variant) -> set[str]:
    captions = sampler.sources[variant.source].clips[variant.clip].captions
    return {mirror_caption(text) for text in captions} if variant.mirror else set(captions)


def _draw_caption(sampler: InteractionSampler, variant: Variant, rng: np.random.Generator) -> str:
    captions = sampler.sources[variant.source].clips[variant.clip].captions
    return captions[int(rng.integers(len(captions)))]


def _every_clip(sampler: InteractionSampler, most: int) -> list[Variant]:
    """Clips from their beginning, as they are; evenly spread over all, if these are more."""
    every = [
        Variant(source, clip, 0, mirror=False, swap=False)
        for source, each in enumerate(sampler.sources)
        for clip in range(len(each.clips))
    ]
    return every[:: -(-len(every) // most)]


def _check_layout(dataset: DataSet, sources: Sequence[SourceClips]) -> None:
    for each in sources:
        if each.dataset != dataset:
            raise UserError(
                f"{each.source.root} has {LAYOUTS[each.dataset]}'s layout, but this evaluator "
                f"reads {LAYOUTS[dataset]}'s; an evaluator is trained on folders of one layout"
            )
