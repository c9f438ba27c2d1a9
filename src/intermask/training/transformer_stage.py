"""Stage 2: hidden tokens of two people predicted from text (method, section 4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from intermask.config import TransformerTraining
from intermask.conventions import FloorRule
from intermask.data.batching import (
    InteractionSampler,
    SourceClips,
    Variant,
    step_generator,
    torch_generator,
    with_captions,
)
from intermask.data.cache import Watch
from intermask.data.stated_facts import stated_facts
from intermask.masking import corrupt, mask_id
from intermask.models.autoencoder import MotionAutoencoder
from intermask.models.code_geometry import CodeGeometry, GeometryLoss, geometry_loss
from intermask.models.text_head import text_head
from intermask.models.transformer import InterMTransformer, Prediction, condition_channels
from intermask.representation import Normaliser
from intermask.text.features import FrozenTextEncoder
from intermask.training.frozen_features import FrozenText, FrozenTokens, fit_sentences
from intermask.training.hearing import StatedFacts, all_heard, learn_to_hear, misheard
from intermask.training.representations import check_same_dataset, representation_of
from intermask.training.shares import Share, fractions
from intermask.training.state import hearing_parameters
from intermask.training.token_losses import (
    masked_cross_entropy,
    soft_targets,
    step_unroll_targets,
    unrolled_count,
)

logger = logging.getLogger(__name__)

VALIDATION_RATIOS = (0.2, 0.5, 0.8, 1.0)
"""Mask ratios at which validation measures the accuracy of tokens."""
VALIDATION_CLIPS = 64
FITTED_CLIPS = 100
"""How many clips the places of codes are taken from."""
FITTED_CAPTIONS = 512
"""How many captions, evenly spread over all, a sentence head takes its statistics from."""


class ConditionalTransformer(nn.Module):
    """The trained half of stage 2: the transformer and the head on the frozen text features.

    Where it is known what captions state, a linear layer that tells it is trained beside them;
    nobody needs it to generate.
    """

    TRAINING_ONLY = "tells."
    """How the names of weights begin that a finished model does without."""

    def __init__(self, training: TransformerTraining, facts: int = 0) -> None:
        super().__init__()
        self.transformer = InterMTransformer(training.model)
        self.text_head = text_head(training.text)
        self.tells = None
        if facts:
            self.tells = nn.Linear(condition_channels(training.model), facts)
            nn.init.zeros_(self.tells.weight)
            nn.init.zeros_(self.tells.bias)

    def generator(self) -> nn.ModuleDict:
        """What a finished model consists of."""
        return nn.ModuleDict({"transformer": self.transformer, "text_head": self.text_head})

    def told(self, condition: Tensor) -> Tensor:
        """Logits (b, f) of facts, told from what the blocks read of a condition (b, w).

        Before it is normalised: how sure a fact is may be said loudly.
        """
        assert self.tells is not None
        told: Tensor = self.tells(F.silu(self.transformer.condition_projection(condition)))
        return told


@dataclass(frozen=True)
class TokenBatch:
    """Tokens of several interactions of different lengths."""

    tokens: Tensor
    """(b, p, s, n); what stands in invalid columns does not matter."""
    valid: Tensor
    """(b, n) bool."""
    captions: tuple[str, ...]


@dataclass(frozen=True)
class InteractionPart:
    """Part of a step's interactions with hidden tokens, and how many labels its means run over."""

    inputs: Tensor
    """(b, p, s, n), padded to the longest of the whole batch."""
    targets: Tensor
    """(b, p, s, n)."""
    valid: Tensor
    """(b, n) bool."""
    captions: tuple[str, ...]
    keep: tuple[Tensor, ...]
    """For each pass (b, 1): 1 where the text is shown, 0 where it is hidden."""
    entries: Mapping[str, Tensor]


class TransformerStage:
    """Losses and validation of the transformer on a frozen tokenizer's tokens.

    Tokens and text features are computed when they are first met, or once for all runs (`keep`).
    """

    best_metric = "cross_entropy"
    metrics = (
        "cross_entropy", "accuracy", *(f"accuracy_at_{ratio:g}" for ratio in VALIDATION_RATIOS)
    )  # fmt: skip
    """Names of all numbers of `validate`."""

    def __init__(
        self,
        training: TransformerTraining,
        tokenizer: MotionAutoencoder,
        normaliser: Normaliser,
        floor: FloorRule,
        encoder: FrozenTextEncoder,
        train: Sequence[SourceClips],
        validation: Sequence[SourceClips],
        device: torch.device,
        *,
        fresh: bool = True,
    ) -> None:
        """`fresh`: the weights are to start here, and will not be loaded from elsewhere."""
        self.training, self.floor, self.device = training, floor, device
        self.best_metric = training.run.best_metric or self.best_metric
        self.tokenizer = tokenizer.to(device).eval()
        self.normaliser = normaliser.to(device)
        self.encoder = encoder.to(device)
        self.facts = self._stated_facts(train)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.run.seed)
            self.model = ConditionalTransformer(training, len(self.facts.names)).to(device)
        if fresh and training.start_from_codes:
            self.model.transformer.start_from_codes(tokenizer.codebook.codebook)
        self.soft = None
        if training.masking.soft_targets:
            codebooks = tokenizer.codebook.codebook.detach().float().to(device)
            by_row = codebooks if codebooks.ndim == 3 else codebooks.expand(tokenizer.rows, -1, -1)
            self.soft = soft_targets(by_row, training.masking.soft_targets)
        check_same_dataset(tokenizer.config, [*train, *validation])
        self.representation = representation_of(tokenizer.config, floor)
        self.train, self.validation = (
            InteractionSampler(
                [with_captions(each) for each in clips],
                training.max_frames,
                tokenizer.stride,
                self.representation.encode,
                mirror,
                training.run.seed,
                midway,
            )
            for clips, mirror, midway in (
                (train, training.mirror, training.midway_probability),
                (validation, False, 0.0),
            )
        )
        self.text = FrozenText(self.encoder, device)
        if fresh:
            fit_sentences(self.model.text_head, self.train.captions(), self.text, FITTED_CAPTIONS)
        self.tokens = {
            sampler is self.train: FrozenTokens(
                sampler, self.tokenizer, self.normaliser, self.representation.to_grid, device
            )
            for sampler in (self.train, self.validation)
        }

        if fresh and self.model.transformer.geometry is not None:
            self._fit_geometry(self.model.transformer.geometry)

    def _stated_facts(self, train: Sequence[SourceClips]) -> StatedFacts:
        """What captions state, where that is known and there is a use for it."""
        facts: dict[str, frozenset[str]] = {}
        if self.training.hearing_steps or self.training.hearing_weight:
            for each in train:
                facts |= stated_facts(each.source.root, [clip.name for clip in each.clips])
            if not facts:
                logger.info("no data folder has ground_truth/: texts are heard from motion alone")
        return StatedFacts(facts, self.device)

    @torch.no_grad()
    def _fit_geometry(self, geometry: CodeGeometry) -> None:
        """What columns of codes tell about joints, from training clips, evenly spread."""
        every = [
            Variant(source, clip, 0, mirror=False, swap=False)
            for source, each in enumerate(self.train.sources)
            for clip in range(len(each.clips))
        ]
        tokens, positions = [], []
        for variant in every[:: -(-len(every) // FITTED_CLIPS)]:
            joints = self.representation.positions(self.train.features(variant))
            positions.append(
                rearrange(joints, "p (n t) j d -> (p n) t j d", t=self.tokenizer.stride)
            )
            tokens.append(rearrange(self.tokens[True](variant), "p s n -> (p n) s"))
        geometry.fit(
            self.tokenizer.codebook.codebook.float(),
            torch.cat(tokens).to(self.device),
            torch.cat(positions).to(self.device),
        )

    def networks(self) -> tuple[nn.Module, ...]:
        """What is worth compiling."""
        return self.model.transformer, self.model.text_head

    def draw(self, step: int, share: Share) -> InteractionPart:
        """The interactions of a step that belong to a share, with their tokens hidden.

        Masks are drawn for the whole batch at its full length, so that they do not depend on how
        it is shared; tokens are only computed for the share.
        """
        config = self.training
        size, codes = config.optimiser.batch_size, config.model.codebook_size
        part = share.of(size)
        batch = self.batch(self.train, self.train.draw(step, size), part)
        generator = torch_generator(step_generator(config.run.seed, step, "masks"))
        corruption = corrupt(batch.tokens, batch.valid, generator, config.masking, codes)
        keep = torch.rand(2, size, 1, generator=generator) >= config.masking.condition_dropout
        inputs, targets = corruption.inputs[part], corruption.targets[part]
        return InteractionPart(
            inputs.to(self.device),
            targets.to(self.device),
            batch.valid[part].to(self.device),
            batch.captions[part],
            tuple(keep[:, part].to(self.device, torch.float32)),
            {
                "labels": (targets != mask_id(codes)).sum(),
                "unrolled_labels": unrolled_count(inputs, targets, codes),
                "facts": torch.tensor(len(self.facts.known(batch.captions[part]))),
            },
        )

    def prepare(self, parts: Sequence[InteractionPart], gather: Callable[[Tensor], Tensor]) -> None:
        """Nothing starts from a batch here."""

    def finish(self, step: int, gather: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Nothing moves by a batch here."""
        return {}

    def losses(self, part: InteractionPart, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a part contributes to the batch's losses and accuracies.

        Cross entropy on hidden tokens, then on what one sampling step leaves hidden; beside them,
        how far expected places are from the truth, and which stated facts are misheard.
        """
        masking, codes = self.training.masking, self.training.model.codebook_size
        worth = fractions(part.entries, whole)
        condition = self.model.text_head(self.text(part.captions))
        shown, shown_again = (condition * keep.to(condition.dtype) for keep in part.keep)

        prediction = self.model.transformer.predict(part.inputs, shown, part.valid)
        logits = prediction.logits
        first = masked_cross_entropy(logits, part.targets, mask_id(codes), self.soft)
        loss = first.loss * worth["labels"]
        result = {"cross_entropy": loss, "accuracy": first.accuracy * worth["labels"]}
        if self.training.geometry_weight:
            missed = self._geometry_loss(part, prediction)
            result["expected_codes"] = missed.codes * worth["labels"]
            result["expected_reach"] = missed.reach * worth["labels"]
            expectations = result["expected_codes"] + result["expected_reach"]
            loss = loss + self.training.geometry_weight * expectations
        if self.training.hearing_weight and self.model.tells is not None:
            known = self.facts.known(part.captions)
            stated = self.facts.of([part.captions[place] for place in known])
            told = self.model.told(condition[known])
            result["misheard"] = misheard(told, stated) * worth["facts"]
            result["heard"] = all_heard(told, stated) * worth["facts"]
            loss = loss + self.training.hearing_weight * result["misheard"]
        if masking.unroll_weight:
            unrolled = step_unroll_targets(part.inputs, logits.detach(), part.targets, codes)
            logits = self.model.transformer(unrolled.inputs, shown_again, part.valid)
            again = masked_cross_entropy(logits, unrolled.targets, mask_id(codes), self.soft)
            second = again.loss * worth["unrolled_labels"]
            loss = loss + masking.unroll_weight * second
            result["unrolled_cross_entropy"] = second
        return {"loss": loss, **result}

    def _geometry_loss(self, part: InteractionPart, prediction: Prediction) -> GeometryLoss:
        """Of tokens that are hidden without exception."""
        geometry = self.model.transformer.geometry
        assert geometry is not None
        unknown = mask_id(self.training.model.codebook_size)
        truth = geometry.vectors(torch.where(part.targets == unknown, part.inputs, part.targets))
        hidden = rearrange(part.inputs == unknown, "b p s n -> b p n s")
        with torch.autocast(self.device.type, enabled=False):
            return geometry_loss(geometry, prediction.expected, truth, hidden, part.valid)

    @torch.inference_mode()
    def validate(self, model: ConditionalTransformer) -> dict[str, float]:
        """Cross entropy and accuracy of held-out clips under fixed masks, by mask ratio."""
        model.eval()
        sums = np.zeros((len(VALIDATION_RATIOS), 3))
        chosen = self._validation_items()
        size = self.training.optimiser.batch_size
        unknown = mask_id(self.training.model.codebook_size)
        for begin in range(0, len(chosen), size):
            batch = self.batch(self.validation, chosen[begin : begin + size])
            condition = model.text_head(self.text(batch.captions))
            for row, ratio in enumerate(VALIDATION_RATIOS):
                hidden = self._hidden_in_validation(batch, begin, row, ratio)
                inputs = batch.tokens.masked_fill(hidden, unknown).to(self.device)
                targets = batch.tokens.masked_fill(~hidden, unknown).to(self.device)
                logits = model.transformer(inputs, condition, batch.valid.to(self.device))
                result = masked_cross_entropy(logits, targets, unknown, self.soft)
                count = int(hidden.sum())
                sums[row] += (float(result.loss) * count, float(result.accuracy) * count, count)
        means = sums[:, :2] / sums[:, 2:]
        metrics = {
            f"accuracy_at_{ratio:g}": float(means[row, 1])
            for row, ratio in enumerate(VALIDATION_RATIOS)
        }
        return {
            "cross_entropy": float(means[:, 0].mean()),
            "accuracy": float(means[:, 1].mean()),
            **metrics,
        }

    def _hidden_in_validation(
        self, batch: TokenBatch, first: int, row: int, ratio: float
    ) -> Tensor:
        """What (b, p, s, n) is hidden of the clips from ``first`` on: always the same of each clip,
        whatever else is in its batch."""
        hidden = torch.zeros_like(batch.tokens, dtype=torch.bool)
        for place, columns in enumerate(batch.valid.sum(1).tolist()):
            generator = torch.Generator().manual_seed(1000 * row + first + place)
            own = hidden[place, ..., :columns]
            own.copy_(torch.rand(own.shape, generator=generator) < ratio)
        return hidden

    def _validation_items(self) -> list[tuple[Variant, str]]:
        """Held-out clips, evenly spread, each whole and with its first caption."""
        items = [
            (Variant(source, clip, 0, mirror=False, swap=False), each.clips[clip].captions[0])
            for source, each in enumerate(self.validation.sources)
            for clip in range(len(each.clips))
        ]
        return items[:: max(1, -(-len(items) // VALIDATION_CLIPS))]

    def batch(
        self,
        sampler: InteractionSampler,
        items: Sequence[tuple[Variant, str]],
        part: slice = slice(None),
    ) -> TokenBatch:
        """Tokens of variants with their captions, on the CPU, padded to the longest.

        Only those of a part are computed, if one is given; the others stay 0.
        """
        frames = [sampler.frames(each.source, each.clip, each.start) for each, _ in items]
        columns = torch.tensor(frames) // self.tokenizer.stride
        valid = torch.arange(int(columns.max())) < columns[:, None]
        tokens = torch.zeros(len(items), 2, self.tokenizer.rows, valid.shape[1], dtype=torch.long)
        for place in range(len(items))[part]:
            own = self.tokens[sampler is self.train](items[place][0])
            tokens[place, ..., : own.shape[-1]] = own
        return TokenBatch(tokens, valid, tuple(caption for _, caption in items))

    def learn_to_hear(self, watch: Watch) -> None:
        """Let the text head learn what captions of the clips state, where that is known."""
        steps, model = self.training.hearing_steps, self.model
        if not steps or model.tells is None:
            return
        trained = [*hearing_parameters(model), *model.tells.parameters()]
        generator = torch_generator(step_generator(self.training.run.seed, 0, "hearing"))
        with watch("learning what captions state") as progress:
            right = learn_to_hear(
                lambda text: model.told(model.text_head(text)),
                trained,
                self.text,
                self.facts,
                steps,
                generator,
                progress,
            )
        logger.info("the text head names all that is stated of %.0f %% of captions", 100 * right)

    def keep(self, cache: Path, watch: Watch) -> None:
        """Compute text features and tokens once for all runs, or find them in a cache.

        Tokens of clips that are cropped at random are computed when they are met.
        """
        captions = {caption for _, caption in self._validation_items()}
        captions |= self.train.captions()
        with watch("reading captions") as progress:
            self.text.keep(captions, cache, progress)
        validated = [variant for variant, _ in self._validation_items()]
        for in_training, variants in ((True, self.train.fixed_variants()), (False, validated)):
            with watch("tokenizing clips") as progress:
                self.tokens[in_training].keep(variants, {"floor": self.floor}, cache, progress)
