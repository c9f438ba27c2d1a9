"""Masked cross entropy and the step unroll: parity with the released code, and laws."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from golden_files import golden
from intermask.config import TransformerConfig
from intermask.models.transformer import InterMTransformer
from intermask.official import transformer_key
from intermask.training.token_losses import (
    UNROLL_STEP,
    masked_cross_entropy,
    soft_targets,
    step_unroll_targets,
)
from intermask.training.tokenizer_stage import mistaken

CODES = 32
MASK, PAD = CODES, CODES + 1
ROWS = 5


def _people(flat: Tensor) -> Tensor:
    """(b, 2 s n, ...) in the golden order, person 1's map row by row and then person 2's."""
    return flat.unflatten(1, (2, ROWS, flat.shape[1] // (2 * ROWS)))


def _golden_transformer() -> InterMTransformer:
    meta = golden("transformer").meta
    config = TransformerConfig(
        codebook_size=meta["codes"],
        code_dim=meta["code_dim"],
        width=meta["latent"],
        layers=meta["layers"],
        heads=meta["heads"],
        feedforward=meta["ff"],
        condition_width=meta["clip_dim"],
        rows=ROWS,
    )
    named = {transformer_key(name): value for name, value in golden("transformer").weights.items()}
    prefix = "transformer."
    transformer = InterMTransformer(config)
    transformer.load_state_dict(
        {
            key.removeprefix(prefix): value
            for key, value in named.items()
            if key and key.startswith(prefix)
        }
    )
    return transformer.eval()


def test_cross_entropy_matches_the_released_code() -> None:
    expected = golden("transformer_loss")
    logits = _people(golden("transformer")["logits"].transpose(1, 2))
    result = masked_cross_entropy(logits, _people(expected["labels"]), MASK)
    assert result.loss.item() == pytest.approx(expected["ce"].item(), abs=1e-5)
    assert result.accuracy.item() == pytest.approx(expected["acc"].item(), abs=1e-6)


def test_the_unrolled_pass_matches_the_released_code() -> None:
    first, expected = golden("transformer"), golden("transformer_loss")
    transformer = _golden_transformer()
    inputs, labels = _people(first["ids"]), _people(expected["labels_unroll"])
    assert torch.equal(inputs == MASK, _people(expected["prev_mask"]))
    valid = torch.arange(inputs.shape[-1]) < first["lengths"][:, None]

    with torch.no_grad():
        logits = transformer(inputs, first["cond"], valid)
        second = step_unroll_targets(inputs, logits, labels, CODES)
        result = masked_cross_entropy(
            transformer(second.inputs, first["cond"], valid), second.targets, MASK
        )

    # The recorded accuracy is 2/55: 55 labels are left.
    assert int((second.targets != MASK).sum()) == 55
    assert result.loss.item() == pytest.approx(expected["unroll_ce"].item(), abs=1e-5)
    assert result.accuracy.item() == pytest.approx(expected["unroll_acc"].item(), abs=1e-6)


def _logits(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, CODES, generator=torch.Generator().manual_seed(seed))


def test_only_labelled_tokens_carry_gradient() -> None:
    logits = _logits(2, 2, ROWS, 3).requires_grad_()
    targets = torch.full((2, 2, ROWS, 3), MASK)
    targets[0, 1, 2, 1] = 7
    targets[1, 0, 0, 0] = 3
    result = masked_cross_entropy(logits, targets, MASK)
    result.loss.backward()

    assert logits.grad is not None
    assert torch.equal(logits.grad.abs().sum(-1) > 0, targets != MASK)
    expected = F.cross_entropy(
        torch.stack((logits[0, 1, 2, 1], logits[1, 0, 0, 0])), torch.tensor((7, 3))
    )
    torch.testing.assert_close(result.loss, expected)


def test_accuracy_counts_likeliest_codes() -> None:
    targets = torch.arange(20).view(1, 2, ROWS, 2)
    logits = F.one_hot(targets, CODES).float()
    assert masked_cross_entropy(logits, targets, MASK).accuracy.item() == 1.0
    targets = targets.clone()
    targets[0, 0, 0] = 31
    assert masked_cross_entropy(logits, targets, MASK).accuracy.item() == pytest.approx(0.9)


def test_no_labels_cost_nothing_and_break_nothing() -> None:
    logits = _logits(1, 2, ROWS, 2).requires_grad_()
    result = masked_cross_entropy(logits, torch.full((1, 2, ROWS, 2), MASK), MASK)
    result.loss.backward()
    assert result.loss.item() == 0.0
    assert result.accuracy.item() == 0.0


def _first_pass(seed: int, batch: int = 6, columns: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, labels and logits with MASK, noise, visible and padded tokens."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 2, ROWS, columns)
    tokens = torch.randint(CODES, shape, generator=generator)
    valid = torch.arange(columns) < (torch.arange(batch) % columns + 1)[:, None]
    usable = valid[:, None, None, :].expand(shape)
    kind = torch.rand(shape, generator=generator)
    share = torch.rand((batch, 1, 1, 1), generator=generator)
    inputs = tokens.masked_fill(kind < share, MASK).masked_fill(~usable, PAD)
    # Noise: visible, and still asked for.
    noise = usable & (kind >= share) & (kind < share + 0.1)
    inputs = torch.where(noise, (tokens + 1) % CODES, inputs)
    targets = tokens.masked_fill(~((inputs == MASK) | noise), MASK)
    return inputs, targets, _logits(*shape, seed=seed)


@pytest.mark.parametrize("seed", range(8))
def test_unroll_reveals_the_surest_guesses_and_nothing_else(seed: int) -> None:
    inputs, targets, logits = _first_pass(seed)
    second = step_unroll_targets(inputs, logits, targets, CODES)
    hidden = inputs == MASK
    stays = second.inputs == MASK
    revealed = hidden & ~stays
    confidence, guess = logits.softmax(-1).max(-1)

    assert not bool((stays & ~hidden).any()), "masks are nested"
    assert torch.equal(second.inputs[~hidden], inputs[~hidden])
    assert torch.equal(second.targets[~hidden], targets[~hidden])
    assert torch.equal(second.inputs[revealed], guess[revealed])
    assert bool((second.targets[revealed] == MASK).all()), "what was revealed is not asked again"
    assert torch.equal(second.targets[stays], targets[stays])
    for own in range(len(inputs)):
        if bool(stays[own].any()) and bool(revealed[own].any()):
            assert confidence[own][stays[own]].max() <= confidence[own][revealed[own]].min()


@pytest.mark.parametrize("seed", range(8))
def test_unroll_counts_padding_among_the_positions(seed: int) -> None:
    inputs, targets, logits = _first_pass(seed)
    second = step_unroll_targets(inputs, logits, targets, CODES)
    positions = inputs[0].numel()
    for before, after in zip(inputs, second.inputs, strict=True):
        masked = int((before == MASK).sum())
        progress = 2 / math.pi * math.acos(masked / positions) + 1 / 21
        later = max(1, round(positions * math.cos(math.pi / 2 * min(1.0, progress))))
        assert int((after == MASK).sum()) == min(masked, later)


def test_unroll_from_all_hidden_is_the_first_step_of_the_schedule() -> None:
    shape = (1, 2, ROWS, 40)
    inputs = torch.full(shape, MASK)
    second = step_unroll_targets(inputs, _logits(*shape), torch.zeros_like(inputs), CODES)
    left = int((second.inputs == MASK).sum())
    assert left == round(400 * math.cos(math.pi / 2 * UNROLL_STEP))
    assert left < 400


def test_unroll_keeps_the_last_hidden_token_and_minds_none() -> None:
    inputs = torch.zeros(2, 2, ROWS, 4, dtype=torch.long)
    inputs[0, 1, 2, 3] = MASK
    targets = inputs.new_full(inputs.shape, MASK)
    targets[0, 1, 2, 3] = 9
    second = step_unroll_targets(inputs, _logits(*inputs.shape), targets, CODES)
    assert torch.equal(second.inputs, inputs)
    assert torch.equal(second.targets, targets)


def test_no_gradient_flows_through_the_guesses() -> None:
    inputs, targets, logits = _first_pass(0)
    second = step_unroll_targets(inputs, logits.requires_grad_(), targets, CODES)
    assert not second.inputs.requires_grad and not second.targets.requires_grad


def test_soft_targets_prefer_the_code_and_then_its_neighbours() -> None:
    codebooks = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(0))
    soft = soft_targets(codebooks, 0.7)
    assert torch.allclose(soft.sum(-1), torch.ones(3, 20), atol=1e-5)
    assert torch.equal(soft.argmax(-1), torch.arange(20).expand(3, 20))
    for row in range(3):
        order = torch.cdist(codebooks[row], codebooks[row]).argsort(-1)
        ranked = soft[row].gather(-1, order)
        assert bool((ranked.diff(dim=-1) <= 1e-6).all())


def test_soft_targets_of_no_reach_are_the_codes_themselves() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 3, 5, 20, generator=generator)
    targets = torch.randint(0, 21, (2, 2, 3, 5), generator=generator)
    soft = soft_targets(torch.randn(3, 20, 4, generator=generator), 0.02)
    expected = masked_cross_entropy(logits, targets, 20).loss
    assert torch.allclose(masked_cross_entropy(logits, targets, 20, soft).loss, expected, atol=1e-5)


def test_soft_targets_are_those_of_the_token_s_row() -> None:
    codebooks = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(0))
    soft = soft_targets(codebooks, 1.5)
    for row in range(3):
        targets = torch.full((1, 2, 3, 5), 20)
        targets[0, 0, row, 2] = 7
        logits = soft[row, 7].log().expand(1, 2, 3, 5, 20)
        entropy = -(soft[row, 7] * soft[row, 7].log()).sum()
        found = masked_cross_entropy(logits, targets, 20, soft).loss
        assert torch.allclose(found, entropy, atol=1e-5)


def test_mistaken_codes_are_near_ones_and_each_sample_has_its_own() -> None:
    codebooks = torch.arange(6.0)[None, :, None].expand(2, -1, -1)
    nearness = soft_targets(codebooks, 0.5).cumsum(-1)
    tokens = torch.full((3, 2, 500), 2)

    def drawn(*seeds: int) -> torch.Tensor:
        noise = [torch.Generator().manual_seed(seed) for seed in seeds]
        return mistaken(tokens[: len(seeds)], nearness, noise)

    together = drawn(1, 2, 3)
    assert torch.equal(together[1:2], drawn(2))
    changed = torch.cat([drawn(seed) != 2 for seed in range(40)]).flatten(1).any(1)
    assert 12 <= changed.sum() <= 28  # every second sample by chance
    wrong = together[(together != 2).flatten(1).any(1)]
    shares = torch.bincount(wrong.flatten(), minlength=6) / wrong.numel()
    assert torch.allclose(shares, soft_targets(codebooks, 0.5)[0, 2], atol=0.03)
