"""Schedules against golden numbers; the corruption's laws, counted over many draws."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from golden_files import golden
from intermask.config import MaskingConfig
from intermask.masking import (
    Corruption,
    corrupt,
    inverse_mask_ratio,
    lowest_ranks,
    mask_count,
    mask_id,
    mask_ratio,
    padding_id,
    separator_id,
)

CODES = 64
MASK, PAD = mask_id(CODES), padding_id(CODES)


def test_special_tokens_follow_the_codes() -> None:
    assert (mask_id(16), padding_id(16), separator_id(16)) == (16, 17, 18)


RANDOM_ONLY = MaskingConfig(whole_person_probability=0.0)
WHOLE_ONLY = MaskingConfig(whole_person_probability=1.0)


def _batch(batch: int = 8, columns: int = 10, ragged: bool = True) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(11)
    tokens = torch.randint(CODES, (batch, 2, 5, columns), generator=generator)
    lengths = torch.arange(batch) % columns + 1 if ragged else torch.full((batch,), columns)
    return tokens, torch.arange(columns) < lengths[:, None]


def _draw(seed: int, config: MaskingConfig, tokens: Tensor, valid: Tensor) -> Corruption:
    return corrupt(tokens, valid, torch.Generator().manual_seed(seed), config, CODES)


def test_schedules_match_the_released_code() -> None:
    expected = golden("schedules")
    cosine, inverse = mask_ratio(expected["t"]), inverse_mask_ratio(expected["x"])
    torch.testing.assert_close(cosine, expected["cosine"], atol=1e-5, rtol=0)
    torch.testing.assert_close(inverse, expected["inverse_of_x"], atol=1e-5, rtol=0)


def test_the_inverse_undoes_the_schedule() -> None:
    progress = torch.linspace(0, 1, 33, dtype=torch.float64)
    torch.testing.assert_close(inverse_mask_ratio(mask_ratio(progress)), progress)


def test_counts_round_and_never_reach_zero() -> None:
    ratios, counts = torch.tensor([0.0, 0.26, 0.5, 1.0]), torch.tensor([10, 10, 10, 10])
    assert mask_count(ratios, counts).tolist() == [1, 3, 5, 10]


def test_equal_scores_keep_their_order() -> None:
    assert lowest_ranks(torch.tensor([[2.0, 1.0, 2.0, 0.0, 1.0]])).tolist() == [[3, 1, 4, 0, 2]]


@pytest.mark.parametrize("config", [RANDOM_ONLY, WHOLE_ONLY, MaskingConfig()])
def test_what_is_asked_for_and_what_is_seen(config: MaskingConfig) -> None:
    tokens, valid = _batch()
    usable = valid[:, None, None, :].expand_as(tokens)
    for seed in range(40):
        result = _draw(seed, config, tokens, valid)
        assert not bool((result.selected & ~usable).any()), "padding is never asked for"
        assert bool((result.inputs[~usable] == PAD).all())
        assert not bool((result.inputs[usable] == PAD).any())
        assert torch.equal(result.targets != MASK, result.selected)
        assert torch.equal(result.targets[result.selected], tokens[result.selected])
        seen = usable & ~result.selected
        assert torch.equal(result.inputs[seen], tokens[seen]), "the rest stays as it was"
        assert bool(result.selected.flatten(1).any(1).all()), "every sample is asked something"


def test_random_share_follows_the_cosine_of_a_uniform_draw() -> None:
    # cos(pi u/2) with u uniform: P(share <= x) = 1 - (2/pi) acos(x), mean 2/pi.
    tokens, valid = _batch(batch=500, columns=12)
    usable = valid[:, None, None, :].expand_as(tokens).flatten(1).sum(1)
    selected = [_draw(seed, RANDOM_ONLY, tokens, valid).selected for seed in range(8)]
    shares = torch.cat([chosen.flatten(1).sum(1) / usable for chosen in selected]).double()

    assert shares.mean().item() == pytest.approx(2 / math.pi, abs=0.02)
    for x in (0.25, 0.5, 0.75, 0.95):
        expected = 1 - math.acos(x) * 2 / math.pi
        # Shares are multiples of 1/10 and finer: allow for the rounding of short samples.
        assert (shares <= x).double().mean().item() == pytest.approx(expected, abs=0.04)


def test_random_masking_treats_all_places_alike() -> None:
    tokens, valid = _batch(batch=600, columns=4, ragged=False)
    chosen = torch.stack([_draw(seed, RANDOM_ONLY, tokens, valid).selected for seed in range(10)])
    frequency = chosen.double().mean((0, 1))
    assert float((frequency - 2 / math.pi).abs().max()) < 0.03


def test_samples_of_a_batch_draw_their_own_shares() -> None:
    tokens, valid = _batch(batch=32, ragged=False)
    counts = _draw(0, RANDOM_ONLY, tokens, valid).selected.flatten(1).sum(1)
    assert len(set(counts.tolist())) > 16


def test_one_token_samples_are_still_asked_something() -> None:
    tokens = torch.zeros(4, 2, 1, 1, dtype=torch.long)
    for seed in range(20):
        selected = _draw(seed, RANDOM_ONLY, tokens, torch.ones(4, 1, dtype=torch.bool)).selected
        assert bool(selected.flatten(1).any(1).all())


@pytest.mark.parametrize("batch", [1, 7, 8])
def test_whole_person_hides_one_person_in_equal_shares(batch: int) -> None:
    tokens, valid = _batch(batch=batch)
    usable = valid[:, None, None, :].expand_as(tokens)
    totals = torch.zeros(2)
    for seed in range(100):
        selected = _draw(seed, WHOLE_ONLY, tokens, valid).selected
        people = selected.flatten(2).any(2)
        assert people.sum(1).tolist() == [1] * batch, "exactly one person a sample"
        assert torch.equal(selected, usable & people[:, :, None, None]), "all of the person"
        counts = people.sum(0)
        assert abs(int(counts[0]) - int(counts[1])) <= batch % 2
        totals += counts
    assert totals[0] / totals.sum() == pytest.approx(0.5, abs=0.15 if batch == 1 else 0.03)


def test_whole_person_share_of_batches() -> None:
    tokens, valid = _batch(batch=4, ragged=False)
    whole = 0
    for seed in range(1500):
        selected = _draw(seed, MaskingConfig(), tokens, valid).selected.flatten(2)
        whole += bool((selected.all(2).any(1) & (~selected).all(2).any(1)).all())
    assert whole / 1500 == pytest.approx(0.2, abs=0.035)


@pytest.mark.parametrize("config", [RANDOM_ONLY, WHOLE_ONLY])
def test_bert_noise_shares(config: MaskingConfig) -> None:
    tokens, valid = _batch(batch=400, columns=12)
    result = _draw(3, config, tokens, valid)
    seen = result.inputs[result.selected]
    true = tokens[result.selected]
    masked = (seen == MASK).double().mean().item()
    changed = ((seen != MASK) & (seen != true)).double().mean().item()
    kept = (seen == true).double().mean().item()

    random_wrong = 0.1 * (1 - 1 / CODES)  # a random code is the true one now and then
    assert masked == pytest.approx(0.9 * 0.88, abs=0.015)
    assert changed == pytest.approx(random_wrong, abs=0.01)
    assert kept == pytest.approx(0.9 * 0.12 + 0.1 / CODES, abs=0.01)
    noise = seen[(seen != MASK) & (seen != true)]
    assert noise.min() >= 0 and noise.max() < CODES
    assert len(noise.unique()) == CODES, "every code can appear as noise"


def test_the_generator_alone_decides() -> None:
    tokens, valid = _batch()
    before = tokens.clone()
    first = _draw(5, MaskingConfig(), tokens, valid)
    torch.manual_seed(999)
    again = _draw(5, MaskingConfig(), tokens, valid)
    other = _draw(6, MaskingConfig(), tokens, valid)

    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.selected, again.selected)
    assert not torch.equal(first.inputs, other.inputs)
    assert torch.equal(tokens, before), "the input is left alone"
    state = torch.random.get_rng_state()
    _draw(7, MaskingConfig(), tokens, valid)
    assert torch.equal(torch.random.get_rng_state(), state), "the global generator is not touched"


def test_what_stands_in_padding_does_not_matter() -> None:
    tokens, valid = _batch()
    filled = tokens.masked_fill(~valid[:, None, None, :], PAD)
    for seed in range(5):
        first = _draw(seed, MaskingConfig(), tokens, valid)
        second = _draw(seed, MaskingConfig(), filled, valid)
        assert torch.equal(first.inputs, second.inputs)
        assert torch.equal(first.targets, second.targets)


def test_shapes_that_do_not_fit_are_named() -> None:
    tokens, valid = _batch()
    with pytest.raises(ValueError, match=r"\(b, p, s, n\) and \(b, n\)"):
        _draw(0, RANDOM_ONLY, tokens, valid[:, 1:])
    valid[2] = False
    with pytest.raises(ValueError, match="no valid column"):
        _draw(0, RANDOM_ONLY, tokens, valid)


def test_first_rounds_hide_nearly_all_and_leave_no_noise() -> None:
    tokens, valid = _batch(batch=64, columns=30, ragged=False)
    config = MaskingConfig(whole_person_probability=0.0, first_rounds_probability=1.0)
    result = _draw(0, config, tokens, valid)
    hidden = (result.inputs == MASK).flatten(1).double().mean(1)
    assert bool((hidden > 0.95).all()) and bool((hidden == 1).any())
    assert torch.equal(result.inputs == MASK, result.selected)


def test_first_rounds_of_a_reaction_hide_the_whole_person() -> None:
    tokens, valid = _batch(ragged=False)
    config = MaskingConfig(whole_person_probability=1.0, first_rounds_probability=1.0)
    inputs = _draw(0, config, tokens, valid).inputs
    assert ((inputs == MASK).all((2, 3)).sum(1) == 1).all()
    noisy = _draw(0, WHOLE_ONLY, tokens, valid).inputs
    assert not bool((noisy == MASK).all((2, 3)).any())


def test_a_share_of_the_samples_is_as_in_the_first_rounds() -> None:
    tokens, valid = _batch(batch=2000, columns=10, ragged=False)
    config = MaskingConfig(whole_person_probability=0.0, first_rounds_probability=0.4)
    inputs = _draw(0, config, tokens, valid).inputs
    hidden = (inputs == MASK).flatten(1).double().mean(1)
    assert (hidden > 0.949).double().mean().item() == pytest.approx(0.4, abs=0.04)
