"""Stage 2: hidden tokens of two people predicted from text (method, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from intermask.config import TransformerTraining
from intermask.conventions import FloorRule
from intermask.data.batching import (
    InteractionSampler,
    SourceClips,
    Variant,
    step_generator,
    torch_generator,
)
from intermask.masking import corrupt, mask_id
from intermask.models.autoencoder import MotionAutoencoder
from intermask.models.text_head import TextHead
from intermask.models.transformer import InterMTransformer
from intermask.representation import Normaliser, to_joint_grid
from intermask.text import TextFeatures
from intermask.text.features import FrozenTextEncoder
from intermask.training.token_losses import masked_cross_entropy, step_unroll_targets

VALIDATION_RATIOS = (0.2, 0.5, 0.8, 1.0)
"""Mask ratios at which validation measures the accuracy of tokens."""
VALIDATION_CLIPS = 64


class ConditionalTransformer(nn.Module):
    """The trained half of stage 2: the transformer and the head on the frozen text features."""

    def __init__(self, training: TransformerTraining) -> None:
        super().__init__()
        self.transformer = InterMTransformer(training.model)
        self.text_head = TextHead(training.text)


@dataclass(frozen=True)
class TokenBatch:
    """Tokens of several interactions of different lengths."""

    tokens: Tensor
    """(b, p, s, n); what stands in invalid columns does not matter."""
    valid: Tensor
    """(b, n) bool."""
    captions: tuple[str, ...]


class TransformerStage:
    """Losses and validation of the transformer on a frozen tokenizer's tokens.

    Tokens and text features are computed when they are first met and kept: both are functions of
    frozen weights.
    """

    best_metric = "cross_entropy"

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
    ) -> None:
        self.training, self.device = training, device
        self.tokenizer = tokenizer.to(device).eval()
        self.normaliser = normaliser.to(device)
        self.encoder = encoder.to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.run.seed)
            self.model = ConditionalTransformer(training).to(device)
        self.train = InteractionSampler(
            train, training.max_frames, tokenizer.stride, floor, training.mirror
        )
        self.validation = InteractionSampler(
            validation, training.max_frames, tokenizer.stride, floor, mirror=False
        )
        self._tokens: dict[tuple[bool, Variant], Tensor] = {}
        self._text: dict[str, tuple[Tensor, int]] = {}

    def losses(self, step: int) -> dict[str, Tensor]:
        """Cross entropy on hidden tokens, then on what one sampling step leaves hidden."""
        config = self.training
        rng = step_generator(config.run.seed, step, "interactions")
        batch = self.batch(self.train, self.train.draw(rng, config.optimiser.batch_size))
        generator = torch_generator(step_generator(config.run.seed, step, "masks"))
        codes = config.model.codebook_size
        corruption = corrupt(batch.tokens, batch.valid, generator, config.masking, codes)
        condition = self.model.text_head(self.text(batch.captions))

        logits = self._predict(corruption.inputs, condition, batch.valid, generator)
        first = masked_cross_entropy(logits, corruption.targets, mask_id(codes))
        result = {"cross_entropy": first.loss, "accuracy": first.accuracy}
        loss = first.loss
        if config.masking.unroll_weight:
            unrolled = step_unroll_targets(
                corruption.inputs, logits.detach(), corruption.targets, codes
            )
            logits = self._predict(unrolled.inputs, condition, batch.valid, generator)
            second = masked_cross_entropy(logits, unrolled.targets, mask_id(codes))
            loss = loss + config.masking.unroll_weight * second.loss
            result["unrolled_cross_entropy"] = second.loss
        return {"loss": loss, **result}

    def _predict(
        self, inputs: Tensor, condition: Tensor, valid: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Logits, with the text hidden from a random share of the batch."""
        keep = torch.rand(len(inputs), 1, generator=generator).to(self.device)
        keep = (keep >= self.training.masking.condition_dropout).to(condition.dtype)
        logits: Tensor = self.model.transformer(inputs, condition * keep, valid)
        return logits

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
                generator = torch.Generator().manual_seed(1000 * begin + row)
                hidden = torch.rand(batch.tokens.shape, generator=generator).to(self.device)
                hidden = (hidden < ratio) & batch.valid[:, None, None, :]
                inputs = batch.tokens.masked_fill(hidden, unknown)
                targets = batch.tokens.masked_fill(~hidden, unknown)
                logits = model.transformer(inputs, condition, batch.valid)
                result = masked_cross_entropy(logits, targets, unknown)
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

    def _validation_items(self) -> list[tuple[Variant, str]]:
        """Held-out clips, evenly spread, each whole and with its first caption."""
        items = [
            (Variant(source, clip, 0, mirror=False, swap=False), each.clips[clip].captions[0])
            for source, each in enumerate(self.validation.sources)
            for clip in range(len(each.clips))
        ]
        return items[:: max(1, -(-len(items) // VALIDATION_CLIPS))]

    def batch(
        self, sampler: InteractionSampler, items: Sequence[tuple[Variant, str]]
    ) -> TokenBatch:
        """Tokens of variants with their captions, padded to the longest."""
        maps = [self._tokens_of(sampler, variant) for variant, _ in items]
        columns = max(each.shape[-1] for each in maps)
        tokens = torch.zeros(len(maps), *maps[0].shape[:-1], columns, dtype=torch.long)
        valid = torch.zeros(len(maps), columns, dtype=torch.bool)
        for row, each in enumerate(maps):
            tokens[row, ..., : each.shape[-1]] = each
            valid[row, : each.shape[-1]] = True
        captions = tuple(caption for _, caption in items)
        return TokenBatch(tokens.to(self.device), valid.to(self.device), captions)

    def _tokens_of(self, sampler: InteractionSampler, variant: Variant) -> Tensor:
        key = (sampler is self.train, variant)
        if key not in self._tokens:
            features = self.normaliser.normalise(sampler.features(variant).to(self.device))
            with torch.no_grad():
                tokens = self.tokenizer.tokenize(to_joint_grid(features))
            self._tokens[key] = tokens.to("cpu", torch.int16)
        return self._tokens[key].long()

    def text(self, captions: Sequence[str]) -> TextFeatures:
        """Frozen text features of captions, from memory where they were met before."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._text]
        for caption in new:
            # One at a time: in a batch the last bits would depend on its other captions, and a
            # resumed run meets them in other batches than an undisturbed one.
            with torch.no_grad():
                encoded = self.encoder.encode([caption])
            own = encoded.features[0]
            if encoded.mask is not None:
                own = own[: int(encoded.mask[0].sum())]
            self._text[caption] = (own.to("cpu", torch.float32), int(encoded.ends[0]))
        found = [self._text[caption] for caption in captions]
        longest = max(len(features) for features, _ in found)
        features = torch.zeros(len(found), longest, found[0][0].shape[1])
        mask = torch.zeros(len(found), longest, dtype=torch.bool)
        for row, (own, _) in enumerate(found):
            features[row, : len(own)] = own
            mask[row, : len(own)] = True
        ends = torch.tensor([end for _, end in found])
        hidden = None if bool(mask.all()) else mask.to(self.device)
        return TextFeatures(features.to(self.device), ends.to(self.device), hidden)
