"""Masking of tokens: the cosine schedule, and the corruption that the transformer is trained on.

Paper section 3.3; method, sections 4 and 5. Tokens are (b, p, s, n): sample, person, row, column.
Ids below the codebook size are codes; the special ids follow them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.config import MaskingConfig

FIRST_ROUNDS = 0.2
"""Share of the sampler's rounds that count as its first ones; 95% are hidden behind them."""


def mask_id(codebook_size: int) -> int:
    """Id of a hidden token; as a label it means "not asked for"."""
    return codebook_size


def padding_id(codebook_size: int) -> int:
    """Id of a token past the end of a sample."""
    return codebook_size + 1


def separator_id(codebook_size: int) -> int:
    """Id of the token between the two people in the transformer's sequence."""
    return codebook_size + 2


def mask_ratio(progress: Tensor) -> Tensor:
    """Share of hidden tokens, cos(pi/2 progress): all at progress 0, none at 1."""
    return torch.cos(progress * (math.pi / 2))


def inverse_mask_ratio(ratio: Tensor) -> Tensor:
    """Progress (...) in [0, 1] at which the share of hidden tokens is ``ratio``."""
    return torch.acos(ratio) * (2 / math.pi)


def mask_count(ratio: Tensor, count: Tensor) -> Tensor:
    """How many of ``count`` tokens a ratio hides: rounded, and never fewer than one."""
    return torch.round(ratio * count).long().clamp_min(1)


@dataclass(frozen=True)
class Corruption:
    """One batch of training inputs, all (b, p, s, n).

    Attributes:
        inputs: what the transformer sees: codes, MASK, and PAD in invalid columns.
        targets: the true code where it is asked for, the MASK id ("ignore") elsewhere.
        selected: where it is asked for.
    """

    inputs: Tensor
    targets: Tensor
    selected: Tensor


def corrupt(
    tokens: Tensor,
    valid: Tensor,
    generator: torch.Generator,
    config: MaskingConfig,
    codebook_size: int,
) -> Corruption:
    """Hide tokens of a batch, as one draw of the training distribution.

    With ``config.whole_person_probability`` the whole batch hides one person a sample (half of
    the samples the first person, half the second; which half is drawn); otherwise each sample
    hides a share cos(pi u/2) of its own valid tokens of both people, u uniform. Of what was
    selected, some become a random code and most of the rest MASK; the remainder stays visible but
    is still asked for (BERT's noise).

    A share ``config.first_rounds_probability`` of the samples looks as in the sampler's first
    rounds: u lies below `FIRST_ROUNDS`, and all that was selected becomes MASK.

    Args:
        tokens: (b, p, s, n) codes; invalid columns may hold anything.
        valid: (b, n) columns that belong to the sample.
        generator: the only source of randomness; the same state gives the same result.
        config: shares of each kind of masking.
        codebook_size: number of codes; fixes the special ids.

    Raises:
        ValueError: shapes that do not belong together, or a sample without a valid column.
    """
    _check_batch(tokens, valid)
    usable = valid[:, None, None, :].expand_as(tokens)
    first_rounds = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
    if config.first_rounds_probability:
        draws = _uniform((len(tokens),), tokens, generator)
        first_rounds = draws < config.first_rounds_probability
    if bool(_uniform((), tokens, generator) < config.whole_person_probability):
        selected = usable & _one_person(tokens, generator)
    else:
        selected = _random_share(usable, first_rounds, generator)

    noisy = ~first_rounds[:, None, None, None]
    random = _uniform(tokens.shape, tokens, generator) < config.random_code_fraction
    to_random = selected & noisy & random
    masked = _uniform(tokens.shape, tokens, generator) < config.mask_fraction
    to_mask = selected & ~to_random & (masked | ~noisy)
    codes = _integers(codebook_size, tokens.shape, tokens, generator)
    ignored = mask_id(codebook_size)
    inputs = torch.where(to_random, codes, tokens).masked_fill(to_mask, ignored)
    return Corruption(
        inputs=inputs.masked_fill(~usable, padding_id(codebook_size)),
        targets=tokens.masked_fill(~selected, ignored),
        selected=selected,
    )


def _random_share(usable: Tensor, first_rounds: Tensor, generator: torch.Generator) -> Tensor:
    """A uniformly drawn subset of each sample's usable tokens, of a size drawn by the schedule."""
    progress = _uniform((len(usable),), usable, generator)
    ratio = mask_ratio(torch.where(first_rounds, FIRST_ROUNDS * progress, progress))
    wanted = mask_count(ratio, usable.flatten(1).sum(1))
    # Padding comes last in the order, and no more than the usable tokens are wanted.
    order = _uniform(usable.shape, usable, generator).masked_fill(~usable, 2.0)
    return (lowest_ranks(order.flatten(1)) < wanted[:, None]).view_as(usable)


def _one_person(tokens: Tensor, generator: torch.Generator) -> Tensor:
    """All tokens of one person a sample (b, p, s, n), the people in equal shares."""
    batch, people = tokens.shape[:2]
    shuffled = torch.randperm(batch, generator=generator, device=generator.device)
    shuffled = shuffled.to(tokens.device)
    # A batch that does not divide evenly gives the one left over to a drawn person.
    first = _integers(people, (), tokens, generator)
    person = (shuffled + first) % people
    chosen = person[:, None] == torch.arange(people, device=tokens.device)
    return chosen[:, :, None, None].expand_as(tokens)


def lowest_ranks(scores: Tensor) -> Tensor:
    """Rank (b, m) of every score in its row, 0 for the lowest; equal scores keep their order."""
    return scores.argsort(dim=-1, stable=True).argsort(dim=-1)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers in [0, 1) from the generator, wherever that lives, on the device of ``like``."""
    return torch.rand(shape, generator=generator, device=generator.device).to(like.device)


def _integers(
    high: int, shape: tuple[int, ...], like: Tensor, generator: torch.Generator
) -> Tensor:
    return torch.randint(high, shape, generator=generator, device=generator.device).to(like.device)


def _check_batch(tokens: Tensor, valid: Tensor) -> None:
    if tokens.ndim != 4 or valid.shape != (tokens.shape[0], tokens.shape[3]):
        raise ValueError(
            f"tokens {tuple(tokens.shape)} and valid {tuple(valid.shape)} do not belong together; "
            "expected (b, p, s, n) and (b, n)"
        )
    if not bool(valid.any(1).all()):
        raise ValueError("a sample has no valid column; drop clips too short for one token")
