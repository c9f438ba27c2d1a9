"""What a run's state holds: the rates of groups of weights."""

from __future__ import annotations

import pytest
import torch

from intermask.config import OptimiserConfig, TransformerConfig
from intermask.models.transformer import InterMTransformer
from intermask.training.loop import set_rates
from intermask.training.state import PACE, TrainingState, hearing_parameters


def _tiny_transformer() -> InterMTransformer:
    config = TransformerConfig(
        codebook_size=8, code_dim=4, width=8, layers=1, heads=2, feedforward=8, condition_width=6
    )
    return InterMTransformer(config)


def test_a_checkpoint_from_before_there_were_groups_can_go_on() -> None:
    config = OptimiserConfig(learning_rate=0.5, warmup_steps=0)
    old = TrainingState(_tiny_transformer(), config).snapshot()
    for group in old["optimiser"]["param_groups"]:
        del group[PACE]
    state = TrainingState(_tiny_transformer(), config)
    state.restore(old)
    set_rates(state.optimiser, config, step=0)
    assert [group["lr"] for group in state.optimiser.param_groups] == [0.5]


@pytest.mark.parametrize("rate", [1.0, 0.25])
def test_weights_that_hear_the_text_have_their_own_rate(rate: float) -> None:
    model = _tiny_transformer()
    config = OptimiserConfig(learning_rate=0.5, text_rate=rate, warmup_steps=0)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimiser = TrainingState(model, config).optimiser
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    set_rates(optimiser, config, step=0)
    optimiser.step()
    hearing = {id(weight) for weight in hearing_parameters(model)}
    assert 0 < len(hearing) < len(before)
    for name, weight in model.named_parameters():
        # Adam's first step is the rate itself, against the sign of the gradient.
        expected = 0.5 * (rate if id(weight) in hearing else 1.0)
        moved = before[name] - weight.detach()
        torch.testing.assert_close(moved, torch.full_like(moved, expected), rtol=1e-4, atol=1e-5)
