"""A convolution behind nearest-neighbour upsampling, without convolving the same numbers twice.

Upsampling by two repeats every number, so that two of a kernel's three taps meet equal ones. Their
weights are added first: each of the two output phases is a convolution with two taps on the small
grid. For both axes that is 4 products in place of 9, for one axis 6; the result is the same. On
processors even fewer do, see `short_convolution`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from intermask.models.short_convolution import DOUBLED, PLAIN, Axis, Grid, convolve_on, pays

ROWS, COLUMNS = 2, 3


def convolve_upsampled(
    x: Tensor, weight: Tensor, bias: Tensor, factors: tuple[float, float]
) -> Tensor:
    """A 3x3 convolution, padded by 1, of ``x`` after nearest-neighbour upsampling.

    Args:
        x: (b, c, h, w).
        weight: (c', c, 3, 3).
        bias: (c').
        factors: of rows and columns; those of exactly 2 are saved, others done plainly.

    Returns:
        (b, c', h * rows, w * columns), sizes rounded down.
    """
    plain = [1.0 if factor == 2 else factor for factor in factors]
    if plain != [1.0, 1.0]:
        x = F.interpolate(x, scale_factor=plain)
    schemes = (DOUBLED if factor == 2 else PLAIN for factor in factors)
    grid = Grid(*(Axis(scheme, size) for scheme, size in zip(schemes, x.shape[2:], strict=True)))
    if pays(x, weight, grid):
        return convolve_on(grid, x, weight, bias)
    padded = F.pad(x, (1, 1, 1, 1))
    outputs = []
    for row_phase, kernels in enumerate(_phases(weight, ROWS, factors[0])):
        for column_phase, kernel in enumerate(_phases(kernels, COLUMNS, factors[1])):
            height, width = (
                size + kernel.shape[axis] - 1
                for size, axis in zip(x.shape[2:], (ROWS, COLUMNS), strict=True)
            )
            seen = padded[:, :, row_phase:, column_phase:][:, :, :height, :width]
            outputs.append(F.conv2d(seen, kernel, bias))
    rows = len(_phases(weight, ROWS, factors[0]))
    return rearrange(outputs, "(r c) b e h w -> b e (h r) (w c)", r=rows)


def _phases(weight: Tensor, axis: int, factor: float) -> list[Tensor]:
    """Kernels along an axis: two of two taps where it is doubled, else the kernel itself."""
    if factor != 2:
        return [weight]
    first, middle, last = weight.split(1, axis)
    return [torch.cat((first, middle + last), axis), torch.cat((first + middle, last), axis)]
