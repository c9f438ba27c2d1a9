"""The sampler: parity with the released loop, and the laws that hold whatever the model says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
import torch
from einops import rearrange, repeat
from torch import Tensor

from golden_files import golden, largest_error
from intermask.config import SamplingConfig
from intermask.generation.sampler import LogitsFn, MaskedSampler, guided, least_confident
from released_models import CODES, ROWS, released_transformer

MASK, PADDING = CODES, CODES + 1
LENGTHS = torch.tensor([9, 7, 4])
VALID = torch.arange(9) < LENGTHS[:, None]
SHOWN = repeat(VALID, "b n -> b p s n", p=2, s=ROWS)
RELEASED = [name for name in golden("generate_argmax").arrays if "steps" in name]


def _unknown(batch: int = 3, columns: int = 9) -> Tensor:
    return torch.full((batch, 2, ROWS, columns), MASK)


def _generators(seeds: Sequence[int] = (5, 6, 7)) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _condition() -> Tensor:
    return golden("text_branch")["features"][:3]


def _random_logits(seed: int = 3, spread: float = 2.0) -> LogitsFn:
    """The same logits for every sample, so that they neither know of a batch nor of its padding."""
    table = spread * torch.randn(2, ROWS, 9, CODES, generator=torch.Generator().manual_seed(seed))
    return lambda tokens, valid: repeat(
        table[:, :, : tokens.shape[-1]], "p s n k -> b p s n k", b=len(tokens)
    )


def _recorder(into: list[Tensor]) -> Callable[[LogitsFn], LogitsFn]:
    def wrap(logits_fn: LogitsFn) -> LogitsFn:
        def recording(tokens: Tensor, valid: Tensor) -> Tensor:
            into.append(tokens.clone())
            return logits_fn(tokens, valid)

        return recording

    return wrap


# --- Guidance ------------------------------------------------------------------------------------


@torch.inference_mode()
def test_guided_logits_equal_the_released_ones() -> None:
    recorded = golden("transformer")
    tokens = rearrange(recorded["ids"], "b (p s n) -> b p s n", p=2, s=ROWS)
    for scale, name in {1.0: "logits", 2.0: "logits_cfg2", 0.0: "logits_uncond"}.items():
        logits = guided(released_transformer(), recorded["cond"], scale)(tokens, VALID)
        flat = rearrange(logits, "b p s n k -> b k (p s n)")
        assert largest_error(flat, recorded[name]) < 1e-4


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 3), (2.0, 6)])
@torch.inference_mode()
def test_the_null_half_is_only_computed_where_it_counts(scale: float, expected: int) -> None:
    transformer, sizes = released_transformer(), []
    transformer.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    guided(transformer, _condition(), scale)(_unknown(), VALID)
    assert sizes == [expected]


# --- Parity with the released loop ---------------------------------------------------------------


def _as_released(name: str, tie_order: str) -> Tensor:
    """Repeat a recorded run: (b, p, s, n) with -1 behind the end."""
    kind, steps, scale = name.split("_")
    tokens, rounds = _unknown(), int(steps.removeprefix("steps"))
    if kind == "react":
        tokens[:, 0] = rearrange(
            golden("generate_argmax")["react_person1"], "b (s n) -> b s n", s=ROWS
        )
        rounds //= 2
    config = SamplingConfig(keep_fraction=1 - 0.999, tie_order=tie_order)  # type: ignore[arg-type]
    logits_fn = guided(released_transformer(), _condition(), float(scale.removeprefix("cfg")))
    sampled = MaskedSampler(config, CODES).sample(
        tokens, VALID, logits_fn, _generators(), steps=rounds
    )
    return sampled.where(SHOWN, torch.tensor(-1))


@torch.inference_mode()
@pytest.mark.parametrize("name", RELEASED)
def test_ids_equal_the_released_ones(name: str) -> None:
    """Up to the exchange of a pair: drawn without chance, the two people start as equals.

    A place has the same confidence in both then, and the released sort, which is not stable,
    decides who goes first. Ours takes the first person, on every processor and with any padding.
    """
    recorded = rearrange(golden("generate_argmax")[name], "b (p s n) -> b p s n", p=2, s=ROWS)
    for ours, theirs in zip(_as_released(name, "position"), recorded, strict=True):
        assert torch.equal(ours, theirs) or torch.equal(ours.flip(0), theirs)


def _sorts_ties_as_recorded() -> bool:
    """Whether this processor sorts equal numbers as the one did on which the released code ran."""
    sampled = _as_released("ids_steps4_cfg1", "unstable")
    return torch.equal(
        rearrange(sampled, "b p s n -> b (p s n)"), golden("generate_argmax")["ids_steps4_cfg1"]
    )


@torch.inference_mode()
@pytest.mark.parametrize("name", RELEASED)
def test_ids_equal_the_released_ones_exactly_with_the_released_sort(name: str) -> None:
    if not _sorts_ties_as_recorded():
        pytest.skip("torch sorts equal numbers in another order on this processor")
    ours = rearrange(_as_released(name, "unstable"), "b p s n -> b (p s n)")
    assert torch.equal(ours, golden("generate_argmax")[name])


# --- Laws ----------------------------------------------------------------------------------------


def test_everything_unknown_is_filled_and_the_rest_is_padding() -> None:
    sampled = MaskedSampler(SamplingConfig(), CODES).sample(
        _unknown(), VALID, _random_logits(), _generators()
    )
    assert bool((sampled[SHOWN] < CODES).all())
    assert bool((sampled[~SHOWN] == PADDING).all())


def test_known_tokens_are_never_touched() -> None:
    tokens = torch.randint(0, CODES, (3, 2, ROWS, 9), generator=torch.Generator().manual_seed(0))
    hidden = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    seen: list[Tensor] = []
    given = tokens.masked_fill(hidden, MASK)
    before = given.clone()
    sampled = MaskedSampler(SamplingConfig(), CODES).sample(
        given, VALID, _recorder(seen)(_random_logits()), _generators()
    )
    kept = SHOWN & ~hidden
    assert torch.equal(given, before)
    for state in [*seen, sampled]:
        assert torch.equal(state[kept], tokens[kept])


def test_masks_are_nested_and_follow_the_cosine_of_each_sample() -> None:
    seen: list[Tensor] = []
    MaskedSampler(SamplingConfig(steps=7), CODES).sample(
        _unknown(), VALID, _recorder(seen)(_random_logits()), _generators()
    )
    counts = LENGTHS * 2 * ROWS
    for earlier, later in pairwise(seen):
        assert bool(((earlier == MASK) | (later != MASK)).all())
    for number, state in enumerate(seen):
        ratio = math.cos(math.pi / 2 * number / 6)
        expected = [max(1, round(ratio * count)) for count in counts.tolist()]
        assert (state == MASK).sum(dim=(1, 2, 3)).tolist() == expected


def test_a_final_token_stays() -> None:
    states: list[Tensor] = []
    seen: list[Tensor] = []
    MaskedSampler(SamplingConfig(), CODES).sample(
        _unknown(),
        VALID,
        _recorder(seen)(_random_logits()),
        _generators(),
        on_step=lambda number, rounds, tokens: states.append(tokens),
    )
    for hidden, before, after in zip(seen[1:], states, states[1:], strict=False):
        final = hidden != MASK
        assert torch.equal(before[final], after[final])


def test_the_surest_tokens_are_kept() -> None:
    """With one code per place, its confidence alone says in which order places become final."""
    certainty = torch.linspace(0.0, 5.0, 2 * ROWS * 9)
    logits = torch.zeros(2 * ROWS * 9, CODES)
    logits[:, 3] = certainty
    table = rearrange(logits, "(p s n) k -> 1 p s n k", p=2, s=ROWS)
    seen: list[Tensor] = []
    MaskedSampler(SamplingConfig(temperature=0), CODES).sample(
        _unknown(1), VALID[:1], _recorder(seen)(lambda tokens, valid: table), _generators([0])
    )
    for state in seen:
        hidden = rearrange(state == MASK, "1 p s n -> (p s n)")
        assert bool(hidden[: int(hidden.sum())].all())


@torch.inference_mode()
@pytest.mark.parametrize(("noise", "revisions"), [(0.0, 0), (4.0, 0), (4.0, 3)])
@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_a_sample_is_the_same_alone_and_in_a_padded_batch(
    temperature: float, noise: float, revisions: int
) -> None:
    sampler = MaskedSampler(
        SamplingConfig(
            steps=8,
            temperature=temperature,
            keep_fraction=0.3,
            confidence_noise=noise,
            revisions=revisions,
        ),
        CODES,
    )
    transformer, condition = released_transformer(), _condition()
    together = sampler.sample(_unknown(), VALID, guided(transformer, condition, 2), _generators())
    for index, length in enumerate(LENGTHS.tolist()):
        alone = sampler.sample(
            _unknown(1, length),
            VALID[index : index + 1, :length],
            guided(transformer, condition[index : index + 1], 2),
            [_generators()[index]],
        )
        assert torch.equal(alone[0], together[index, ..., :length])


def test_revisions_bring_tokens_of_one_round_to_agree() -> None:
    """A model of two motions, all tokens 0 or all 1: the majority of what is known is likelier."""

    def logits_fn(tokens: Tensor, valid: Tensor) -> Tensor:
        ones, zeros = ((tokens == code).sum((1, 2, 3)) for code in (1, 0))
        balance = (ones - zeros) / (ones + zeros).clamp_min(1)
        logits = torch.full((*tokens.shape, CODES), -30.0)
        logits[..., 0], logits[..., 1] = 0.0, 20.0 * balance[:, None, None, None]
        return logits

    def minority(revisions: int) -> float:
        config = SamplingConfig(steps=1, keep_fraction=1.0, revisions=revisions)
        sampled = MaskedSampler(config, CODES).sample(
            _unknown(), torch.ones(3, 9).bool(), logits_fn, _generators()
        )
        share = (sampled == 1).float().mean((1, 2, 3))
        return float(torch.minimum(share, 1 - share).max())

    assert minority(0) > 0.3  # one round: every token tosses its own coin
    assert minority(30) == 0


def test_revisions_leave_known_tokens_alone_and_are_counted() -> None:
    known = _unknown()
    known[:, 0] = 3
    config, seen = SamplingConfig(steps=4, revisions=6), []
    sampled = MaskedSampler(config, CODES).sample(
        known,
        VALID,
        _random_logits(),
        _generators(),
        lambda number, of, tokens: seen.append((number, of)),
    )
    assert bool((sampled[:, 0][VALID[:, None].expand(-1, ROWS, -1)] == 3).all())
    assert seen == [(number, 10) for number in range(1, 11)]


def test_a_seed_says_it_all() -> None:
    def sample(seeds: Sequence[int]) -> Tensor:
        sampler = MaskedSampler(SamplingConfig(), CODES)
        return sampler.sample(_unknown(), VALID, _random_logits(), _generators(seeds))

    assert torch.equal(sample((1, 2, 3)), sample((1, 2, 3)))
    assert not torch.equal(sample((1, 2, 3))[0], sample((9, 2, 3))[0])
    assert torch.equal(sample((1, 2, 3))[1:], sample((9, 2, 3))[1:])


def test_only_the_best_codes_are_drawn_in_proportion() -> None:
    """Shares of many independent draws against the filtered, tempered probabilities."""
    logits = torch.linspace(0, 3, CODES)[torch.randperm(CODES, generator=_generators([0])[0])]
    config = SamplingConfig(steps=1, keep_fraction=0.1, temperature=2.0)
    columns = 4000
    sampled = MaskedSampler(config, CODES).sample(
        _unknown(1, columns),
        torch.ones(1, columns, dtype=torch.bool),
        lambda tokens, valid: logits.expand(*tokens.shape, CODES),
        _generators([0]),
    )
    shares = torch.bincount(sampled.flatten(), minlength=CODES) / sampled.numel()
    best = logits.topk(math.ceil(0.1 * CODES))
    expected = torch.zeros(CODES).scatter(0, best.indices, (best.values / 2.0).softmax(dim=0))
    assert bool((shares[expected == 0] == 0).all())
    assert largest_error(shares, expected) < 0.01


def test_temperature_raises_entropy_and_zero_takes_the_best() -> None:
    def entropy(temperature: float) -> float:
        config = SamplingConfig(steps=1, keep_fraction=1.0, temperature=temperature)
        sampled = MaskedSampler(config, CODES).sample(
            _unknown(1, 400),
            torch.ones(1, 400, dtype=torch.bool),
            lambda tokens, valid: torch.linspace(0, 4, CODES).expand(*tokens.shape, CODES),
            _generators([0]),
        )
        shares = torch.bincount(sampled.flatten(), minlength=CODES) / sampled.numel()
        return float(torch.special.entr(shares).sum())

    entropies = [entropy(temperature) for temperature in (0.0, 0.3, 1.0, 3.0)]
    assert entropies[0] == 0
    assert entropies == sorted(entropies) and len(set(entropies)) == 4


def test_noise_lets_less_sure_tokens_settle_first_and_stays_the_samples_own() -> None:
    def rounds(noise: float) -> tuple[Tensor, Tensor]:
        inputs: list[Tensor] = []
        config = SamplingConfig(temperature=0.0, confidence_noise=noise)
        tokens = MaskedSampler(config, CODES).sample(
            _unknown(), VALID, _recorder(inputs)(_random_logits()), _generators()
        )
        return inputs[5], tokens

    (sure, without), (drawn, with_noise) = rounds(0.0), rounds(4.0)
    assert torch.equal(without, with_noise)  # these logits do not depend on what is known
    assert ((sure == MASK) != (drawn == MASK)).sum() > 20
    assert torch.equal((sure == MASK).sum((1, 2, 3)), (drawn == MASK).sum((1, 2, 3)))
    with pytest.raises(ValueError, match="confidence_noise"):
        SamplingConfig(confidence_noise=-1.0)


def test_nothing_to_do_passes_through() -> None:
    tokens = torch.randint(0, CODES, (3, 2, ROWS, 9), generator=torch.Generator().manual_seed(0))
    sampler = MaskedSampler(SamplingConfig(), CODES)

    def no_model(tokens: Tensor, valid: Tensor) -> Tensor:
        raise AssertionError("there is nothing to ask the model for")

    done = sampler.sample(tokens, VALID, no_model, _generators())
    assert torch.equal(done[SHOWN], tokens[SHOWN])

    one_unknown = tokens.clone()
    one_unknown[1] = MASK
    mixed = sampler.sample(one_unknown, VALID, _random_logits(), _generators())
    assert torch.equal(mixed[[0, 2]][SHOWN[[0, 2]]], tokens[[0, 2]][SHOWN[[0, 2]]])
    assert bool((mixed[SHOWN] < CODES).all())


def test_ties_fall_to_the_first_and_the_final_is_left_alone() -> None:
    confidence = torch.tensor([[0.5, 0.2, 0.2, math.inf, 0.2], [math.inf] * 5])
    hidden = least_confident(confidence, torch.tensor([2, 1]))
    assert hidden.tolist() == [[False, True, True, False, False], [False] * 5]


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    MaskedSampler(SamplingConfig(steps=4), CODES).sample(
        _unknown(),
        VALID,
        _random_logits(),
        _generators(),
        on_step=lambda number, rounds, tokens: told.append((number, rounds)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_unusable_input_is_named() -> None:
    sampler = MaskedSampler(SamplingConfig(), CODES)
    with pytest.raises(ValueError, match="3 samples came with 1"):
        sampler.sample(_unknown(), VALID, _random_logits(), _generators([0]))
    with pytest.raises(ValueError, match="another tokenizer"):
        sampler.sample(_unknown() + 5, VALID, _random_logits(), _generators())
    with pytest.raises(ValueError, match="valid"):
        sampler.sample(_unknown(), VALID[:, :3], _random_logits(), _generators())
