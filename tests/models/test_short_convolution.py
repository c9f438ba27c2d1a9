"""Convolutions by sums and differences end where the plain ones do, and so do their gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from intermask.models import short_convolution
from intermask.models.short_convolution import (
    DOUBLED,
    PLAIN,
    Axis,
    Convolution,
    Grid,
    Scheme,
    convolve_on,
)
from intermask.training.benchmark import count_flops

SIZES = [(5, 4), (11, 7), (1, 1), (4, 6)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("schemes", [(PLAIN, PLAIN), (PLAIN, DOUBLED), (DOUBLED, DOUBLED)])
@pytest.mark.parametrize(("precision", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_the_same_result_and_gradients(
    size: tuple[int, int],
    schemes: tuple[Scheme, Scheme],
    precision: torch.dtype,
    error: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(short_convolution, "_TILES_AT_ONCE", 13)  # in several parts
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=precision).requires_grad_()
        for shape in ((5, 3, *size), (6, 3, 3, 3), (6,))
    )
    grid = Grid(*(Axis(scheme, number) for scheme, number in zip(schemes, size, strict=True)))
    short = convolve_on(grid, x, weight, bias)
    factors = tuple(2.0 if scheme is DOUBLED else 1.0 for scheme in schemes)
    plain = F.conv2d(F.interpolate(x, scale_factor=factors), weight, bias, padding=1)
    _assert_close(short, plain, error)
    direction = torch.randn(plain.shape, generator=generator, dtype=precision)
    ours, expected = (
        torch.autograd.grad(output, (x, weight, bias), direction) for output in (short, plain)
    )
    for mine, theirs in zip(ours, expected, strict=True):
        _assert_close(mine, theirs, error)


def _assert_close(mine: torch.Tensor, theirs: torch.Tensor, error: float) -> None:
    assert mine.shape == theirs.shape
    difference = (mine - theirs).detach().abs().max() / theirs.detach().abs().max()
    assert float(difference) < error


def test_bfloat16_errs_a_few_times_as_much_as_plain_products() -> None:
    """Both against float32; the products' factors and sums are rounded once more each."""
    torch.manual_seed(0)
    convolution = Convolution(64, 64)
    x = torch.randn(2, 64, 8, 8)
    expected = convolution(x)
    grid = Grid(Axis(PLAIN, 8), Axis(PLAIN, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain, short = convolution(x), convolve_on(grid, x, convolution.weight, convolution.bias)
    assert short.dtype == torch.bfloat16
    plain_error, error = ((each - expected).norm() / expected.norm() for each in (plain, short))
    assert error < 4 * plain_error < 0.02
    (gradient,) = torch.autograd.grad(short.float().square().sum(), convolution.weight)
    assert gradient.dtype == torch.float32


def test_wide_convolutions_take_the_short_way() -> None:
    """Counted: 16 products in place of 36 for a square of outputs."""
    convolution = Convolution(256, 256)
    with torch.no_grad(), count_flops() as counter:
        convolution(torch.zeros(8, 256, 16, 16))
    assert counter.get_total_flops() == 2 * 256 * 256 * (8 * 16 * 16) * 16 / 4
