"""Fills unknown motion tokens over several rounds, the surest first (InterMask, section 3.4).

One sampler serves everything: generation starts from unknown tokens only, a reaction from one
known person, completion from known columns. Known tokens never change.

Shapes: `b` batch, `p` person (2), `s` token row, `n` token column, `k` code, `w` text width;
inside, `l` = p s n counts a sample's tokens in this order, and `m` the hidden ones of the whole
batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from intermask.config import SamplingConfig, TieOrder
from intermask.masking import mask_count, mask_id, mask_ratio, padding_id

REVISED_SHARE = 0.25
"""Share of the new tokens that a revision hides: three quarters then say what belongs there."""

LogitsFn = Callable[[Tensor, Tensor], Tensor]
"""Tokens (b, p, s, n), the mask id where unknown, and valid (b, n) -> logits (b, p, s, n, k)."""

OnStep = Callable[[int, int, Tensor], None]
"""Called after each round with its number (from 1), the number of rounds, and the tokens so far."""


def guided(transformer: nn.Module, condition: Tensor, scale: float) -> LogitsFn:
    """Logits under classifier-free guidance: null + scale * (conditioned - null).

    `condition` is (b, w); the null condition is zeros. Both run as one batch of twice the size; at
    scale 1 the null half would cancel, so it is not computed.
    """
    if scale == 1:
        return lambda tokens, valid: transformer(tokens, condition, valid)
    both = torch.cat([condition, torch.zeros_like(condition)])

    def logits(tokens: Tensor, valid: Tensor) -> Tensor:
        twice = repeat(tokens, "b p s n -> (two b) p s n", two=2)
        conditioned, null = transformer(
            twice, both, repeat(valid, "b n -> (two b) n", two=2)
        ).chunk(2)
        guided_logits: Tensor = null + scale * (conditioned - null)
        return guided_logits

    return logits


@dataclass(frozen=True)
class Draw:
    """Sampled codes (m,) and the probability (m,) that the unfiltered logits gave each of them."""

    codes: Tensor
    probabilities: Tensor


@dataclass(frozen=True)
class _Task:
    """A batch to be filled: what stays the same in all rounds."""

    valid: Tensor
    rows: int
    logits_fn: LogitsFn
    generators: Sequence[torch.Generator]

    def maps(self, sequence: Tensor) -> Tensor:
        """(b, l) to token maps (b, p, s, n)."""
        return rearrange(sequence, "b (p s n) -> b p s n", s=self.rows, n=self.valid.shape[1])

    def logits(self, sequence: Tensor) -> Tensor:
        """(b, l, k) of a sequence (b, l)."""
        return rearrange(
            self.logits_fn(self.maps(sequence), self.valid), "b p s n k -> b (p s n) k"
        )


class MaskedSampler:
    """Iterative decoding of masked tokens, by confidence.

    In every round, the least sure tokens are hidden again, fewer each time along a cosine, and
    drawn anew from the model's logits. A token that a round leaves in place is final, but for
    revisions: rounds at the end that draw some of the new tokens once more.
    """

    def __init__(self, config: SamplingConfig, codebook_size: int) -> None:
        self.config = config
        self.codebook_size = codebook_size
        self.mask_id = mask_id(codebook_size)
        self.padding_id = padding_id(codebook_size)

    def sample(
        self,
        tokens: Tensor,
        valid: Tensor,
        logits_fn: LogitsFn,
        generators: Sequence[torch.Generator],
        on_step: OnStep | None = None,
        *,
        steps: int | None = None,
    ) -> Tensor:
        """Fill in what is unknown.

        `tokens` (b, p, s, n) holds codes where they are known and `mask_id` where not; `valid` (b,
        n) is False behind a sample's end. Each sample draws from its own generator, in an order
        that neither padding nor the rest of the batch can change. `steps` replaces the configured
        number of rounds (reactions have their own). Returns (b, p, s, n) codes, `padding_id` where
        invalid.
        """
        self._check(tokens, valid, generators)
        padded = tokens.masked_fill(rearrange(~valid, "b n -> b 1 1 n"), self.padding_id)
        task = _Task(valid, tokens.shape[2], logits_fn, generators)
        sequence = rearrange(padded, "b p s n -> b (p s n)")
        editable = sequence == self.mask_id
        if not bool(editable.any()):
            return padded
        rounds = steps or self.config.steps
        all_rounds = rounds + self.config.revisions
        for number, filled in enumerate(self._rounds(task, sequence, editable, rounds), start=1):
            if on_step is not None:
                on_step(number, all_rounds, task.maps(filled))
        return task.maps(filled)

    def _rounds(
        self, task: _Task, sequence: Tensor, editable: Tensor, rounds: int
    ) -> Iterator[Tensor]:
        """The sequence (b, l) after each round that fills it, then each that revises it."""
        counts = editable.sum(dim=1)
        confidence = torch.full(sequence.shape, math.inf, device=sequence.device)
        confidence = confidence.masked_fill(editable, 0.0)
        for progress in torch.linspace(0, 1, rounds):
            numbers = mask_count(mask_ratio(progress).to(counts.device), counts)
            hidden = least_confident(confidence, numbers, self.config.tie_order)
            draw = self._drawn(task, sequence, hidden, self.config.temperature)
            sequence = sequence.masked_scatter(hidden, draw.codes)
            confidence = confidence.masked_fill(~hidden, math.inf)
            sureness = draw.probabilities
            if self.config.confidence_noise:
                scale = self.config.confidence_noise * (1 - float(progress))
                sureness = _noisy(sureness, scale, _uniforms(hidden, task.generators))
            confidence = confidence.masked_scatter(hidden, sureness)
            yield sequence

        for _ in range(self.config.revisions):
            chosen = _uniforms(editable, task.generators) < REVISED_SHARE
            hidden = torch.zeros_like(editable).masked_scatter(editable, chosen)
            draw = self._drawn(task, sequence, hidden, self.config.revision_temperature)
            sequence = sequence.masked_scatter(hidden, draw.codes)
            yield sequence

    def _drawn(self, task: _Task, sequence: Tensor, hidden: Tensor, temperature: float) -> Draw:
        """Codes for the hidden tokens, from logits that see all others of the sequence."""
        logits = task.logits(sequence.masked_fill(hidden, self.mask_id))
        uniforms = _uniforms(hidden, task.generators)
        return self._draw(logits[hidden].float(), uniforms, temperature)

    def _draw(self, logits: Tensor, uniforms: Tensor, temperature: float) -> Draw:
        """Sample one code for each row of logits (m, k), by uniform numbers (m,) in [0, 1).

        Only the best codes are kept; of these, the code is the first whose cumulative probability
        is above the uniform number. One number a token, drawn where the generator lives, so that a
        seed means the same on any device.
        """
        greedy = temperature == 0
        kept = 1 if greedy else math.ceil(self.config.keep_fraction * self.codebook_size)
        # In the order of codes: a sum in the order of logits would depend on how ties are sorted.
        best = logits.topk(kept, dim=-1, sorted=False).indices.sort(dim=-1).values
        chosen = logits.gather(-1, best)
        tempered = chosen.double() / (1.0 if greedy else temperature)
        cumulative = tempered.softmax(dim=-1).cumsum(dim=-1)
        targets = uniforms.double().unsqueeze(-1) * cumulative[:, -1:]
        place = torch.searchsorted(cumulative, targets, right=True)
        codes = best.gather(-1, place)
        probabilities = (chosen.gather(-1, place) - logits.logsumexp(dim=-1, keepdim=True)).exp()
        return Draw(codes=codes.squeeze(-1), probabilities=probabilities.squeeze(-1))

    def _check(self, tokens: Tensor, valid: Tensor, generators: Sequence[torch.Generator]) -> None:
        if tokens.dim() != 4 or valid.shape != (tokens.shape[0], tokens.shape[3]):
            raise ValueError(
                "The sampler expects tokens (batch, person, row, column), valid (batch, column), "
                f"but was given {tuple(tokens.shape)} and {tuple(valid.shape)}."
            )
        if len(generators) != len(tokens):
            raise ValueError(
                f"The sampler needs one random generator a sample: {len(tokens)} samples came with "
                f"{len(generators)} generators."
            )
        known = tokens[repeat(valid, "b n -> b p s n", p=tokens.shape[1], s=tokens.shape[2])]
        if known.numel() and not 0 <= int(known.min()) <= int(known.max()) <= self.mask_id:
            raise ValueError(
                f"Token ids must be codes 0 to {self.codebook_size - 1}, or {self.mask_id} where "
                f"unknown, but reach from {int(known.min())} to {int(known.max())}. "
                "Do they come from another tokenizer?"
            )


def least_confident(confidence: Tensor, numbers: Tensor, ties: TieOrder = "position") -> Tensor:
    """Which `numbers` (b,) of each sample's tokens have the lowest confidence (b, l): bool (b, l).

    Infinite confidence is never among them. Ties are common: while nothing is known, a place has
    the same logits in both people.
    """
    ranks = confidence.argsort(dim=1, stable=ties == "position").argsort(dim=1)
    return (ranks < rearrange(numbers, "b -> b 1")) & confidence.isfinite()


def _noisy(probabilities: Tensor, scale: float, uniforms: Tensor) -> Tensor:
    """Probabilities (m,) times exp(scale x Gumbel noise), made from uniform numbers (m,)."""
    noise = -(-uniforms.clamp(1e-9, 1 - 1e-7).log()).log()
    return probabilities * (scale * noise).exp()


def _uniforms(hidden: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """A number in [0, 1) for every hidden token of (b, l): (m,), each from its own generator."""
    draws = [
        torch.rand(number, generator=generator, device=generator.device)
        for generator, number in zip(generators, hidden.sum(dim=1).tolist(), strict=True)
    ]
    return torch.cat([draw.to(hidden.device) for draw in draws])
