"""The short way through an upsampled convolution ends where the plain one does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from intermask.models.upsampling import convolve_upsampled


@pytest.mark.parametrize(
    "factors", [(2.2, 2.0), (2.0, 2.0), (3.5, 2.0), (3.3, 2.0), (2.0, 1.5), (3.0, 3.0)]
)
def test_the_same_result_and_gradients(factors: tuple[float, float]) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 3, 5, 4), (6, 3, 3, 3), (6,))
    )
    plain = F.conv2d(F.interpolate(x, scale_factor=factors), weight, bias, padding=1)
    short = convolve_upsampled(x, weight, bias, factors)
    torch.testing.assert_close(short, plain)
    direction = torch.randn(plain.shape, generator=generator, dtype=torch.float64)
    gradients = (
        torch.autograd.grad(output, (x, weight, bias), direction) for output in (short, plain)
    )
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)
