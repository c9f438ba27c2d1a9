"""Dropout keeps the expected share and the mean, repeats itself, and is off when it should be."""

from __future__ import annotations

import pytest
import torch

from intermask.models.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_share_and_mean(share: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(1001, 333)
    y = Dropout(share)(x)
    assert float((y == 0).float().mean()) == pytest.approx(share, abs=0.003)
    assert float(y.mean()) == pytest.approx(1.0, abs=0.005)
    kept = y[y != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - share)), rtol=1e-4, atol=0)


def test_neighbours_are_independent() -> None:
    torch.manual_seed(0)
    kept = Dropout(0.5)(torch.ones(400_000)) != 0
    for distance in (1, 2, 3, 4):
        together = (kept[distance:] & kept[:-distance]).float().mean()
        assert float(together) == pytest.approx(0.25, abs=0.004)


def test_the_seed_decides_and_gradients_follow_the_mask() -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        x = torch.ones(7, 11, requires_grad=True)
        y = Dropout(0.4)(x)
        y.sum().backward()
        assert x.grad is not None
        assert torch.equal(x.grad, y.detach())
        results.append(y.detach())
    assert torch.equal(*results)


def test_off_where_nothing_is_to_be_dropped() -> None:
    x = torch.randn(5, 3)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_half_precision_stays_what_it_is() -> None:
    assert Dropout(0.5)(torch.ones(9, dtype=torch.bfloat16)).dtype == torch.bfloat16
