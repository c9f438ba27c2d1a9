"""Losses of the transformer: cross entropy on hidden tokens, and the step-unrolled second pass.

Paper section 3.3; method, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from intermask.masking import inverse_mask_ratio, lowest_ranks, mask_count, mask_id, mask_ratio
from intermask.models.quantizer import nearest_squares

UNROLL_STEP = 1 / 21
"""How far along the schedule the second pass lies: one of the sampler's 20 rounds."""


@dataclass(frozen=True)
class TokenLoss:
    """Mean over the labelled tokens of a batch; both 0 where nothing is labelled.

    Attributes:
        loss: () cross entropy in nats, differentiable; of soft targets where there are some.
        accuracy: () share of labelled tokens whose likeliest code is the label.
    """

    loss: Tensor
    accuracy: Tensor


def soft_targets(codebooks: Tensor, reach: float) -> Tensor:
    """Which codes (s, k, k) pass for each code of codebooks (s, k, c): rows of a sum of 1.

    Not part of the paper. Codes lie close, and which of two neighbours a pose falls to is chance:
    that the other one is nearly right need not be learned from examples.

    Args:
        codebooks: of every row.
        reach: the Gaussian's deviation, as a multiple of how far a code is from its nearest.
    """
    square = torch.cdist(codebooks, codebooks).square()
    usual = nearest_squares(codebooks).mean(-1)
    return (-0.5 * square / (reach**2 * usual[:, None, None])).softmax(-1)


def masked_cross_entropy(
    logits: Tensor, targets: Tensor, ignore: int, soft: Tensor | None = None
) -> TokenLoss:
    """Cross entropy of logits (b, p, s, n, k) at labelled targets (b, p, s, n).

    Args:
        logits: unnormalised scores of the k codes.
        targets: codes, or ``ignore`` where no answer is asked for.
        ignore: the MASK id.
        soft: (s, k, k) from `soft_targets`, to be aimed at in place of single codes.
    """
    labelled = targets != ignore
    chosen = logits[labelled].float()
    labels = targets[labelled]
    if labels.numel() == 0:
        # Not a bare zero: the result keeps its place in the graph.
        return TokenLoss(logits.float().sum() * 0.0, logits.new_zeros((), dtype=torch.float32))
    accuracy = (chosen.detach().argmax(-1) == labels).float().mean()
    if soft is None:
        return TokenLoss(F.cross_entropy(chosen, labels), accuracy)
    rows = torch.arange(targets.shape[2], device=targets.device)[:, None].expand_as(targets)
    return TokenLoss(F.cross_entropy(chosen, soft[rows[labelled], labels]), accuracy)


def unrolled_count(inputs: Tensor, targets: Tensor, codebook_size: int) -> Tensor:
    """How many labels () `step_unroll_targets` will leave; it does not depend on the guesses.

    Args:
        inputs: (b, p, s, n) ids of the first pass; what is MASK there has a label.
        targets: (b, p, s, n) its labels.
        codebook_size: fixes the MASK id.
    """
    hidden = inputs == mask_id(codebook_size)
    many = hidden.flatten(1).sum(1)
    revealed = many - torch.minimum(_remaining(hidden), many)
    return (targets != mask_id(codebook_size)).sum() - revealed.sum()


def _remaining(hidden: Tensor) -> Tensor:
    """How many (b,) of the hidden tokens (b, p, s, n) stay hidden one step further."""
    positions = hidden.flatten(1).shape[1]
    share = hidden.flatten(1).sum(1).double() / positions
    # Float64, so that no rounding of the share moves the count over a half.
    later = (inverse_mask_ratio(share) + UNROLL_STEP).clamp_max(1.0)
    return mask_count(mask_ratio(later), torch.full_like(later, positions))


@dataclass(frozen=True)
class UnrolledStep:
    """The second pass: inputs and targets (b, p, s, n), as in `masking.Corruption`."""

    inputs: Tensor
    targets: Tensor


def step_unroll_targets(
    inputs: Tensor, logits: Tensor, targets: Tensor, codebook_size: int
) -> UnrolledStep:
    """Let the model take one sampling step, and ask again for what it leaves hidden.

    Of a sample's S token positions, m are MASK. One step further along the schedule n of them
    stay hidden, those with the least probable best guess; the others take that guess and lose
    their label. Padding counts in S, as released. Visible tokens keep what they had, label
    included.

    Args:
        inputs: (b, p, s, n) ids of the first pass.
        logits: (b, p, s, n, k) its result; no gradient flows through the guesses.
        targets: (b, p, s, n) its labels.
        codebook_size: fixes the MASK id.
    """
    hidden_id = mask_id(codebook_size)
    hidden = inputs == hidden_id
    remaining = _remaining(hidden)

    best = logits.detach().float().softmax(-1).max(-1)
    confidence = best.values.masked_fill(~hidden, float("inf"))
    ranks = lowest_ranks(confidence.flatten(1)).view_as(inputs)
    stays = hidden & (ranks < remaining[:, None, None, None])
    revealed = hidden & ~stays
    return UnrolledStep(
        inputs=torch.where(revealed, best.indices, inputs),
        targets=targets.masked_fill(revealed, hidden_id),
    )
