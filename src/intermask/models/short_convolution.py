"""Convolutions on processors with fewer products than they have taps.

Neighbouring outputs of a convolution see much the same numbers. Sums and differences of these,
times sums of the taps, give all of them with fewer products: two outputs of three taps with 4
products in place of 6, the two outputs over a repeated number with 3 in place of 6 (Winograd 1980;
Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"). Along both axes the
savings multiply. The results are those of the plain convolution up to rounding, which in bfloat16
errs two to three times as much as there.

On a GPU plain convolutions are faster, because there products are cheap and memory is slow.

Shapes: grids are (b, h, w, c) here; `p` products of an axis, `t` tiles of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

Coefficients = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Scheme:
    """How a tile of outputs is computed: ``writing @ ((reading @ numbers) * (weighing @ taps))``.

    The numbers are a window of the axis, whose first is padding in front of it.
    """

    reading: Coefficients
    """Products from the numbers of a window."""
    weighing: Coefficients
    """Products from the taps."""
    writing: Coefficients
    """Outputs from the products."""
    step: int
    """Numbers from one window to the next."""
    common: int
    """The product that goes into every output once."""


PLAIN = Scheme(
    reading=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
    weighing=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    writing=((1, 1, 1, 0), (0, 1, -1, 1)),
    step=2,
    common=1,
)
"""Two outputs of three taps."""

DOUBLED = Scheme(
    reading=((0, 1, 0), (1, -1, 0), (0, -1, 1)),
    weighing=((1, 1, 1), (1, 0, 0), (0, 0, 1)),
    writing=((1, 1, 0), (1, 0, 1)),
    step=1,
    common=0,
)
"""Two outputs of three taps over an axis on which every number is repeated once."""


@dataclass(frozen=True)
class Axis:
    """A scheme along an axis of a certain size."""

    scheme: Scheme
    size: int

    @property
    def outputs(self) -> int:
        """How many there are; the last tile may cover one more."""
        return 2 * self.size // self.scheme.step

    @property
    def tiles(self) -> int:
        """Pairs of outputs."""
        return math.ceil(self.outputs / 2)

    @property
    def padded(self) -> int:
        """Numbers that all windows see: one in front of the axis, it, and what is beyond."""
        return (self.tiles - 1) * self.scheme.step + len(self.scheme.reading[0])


class Grid(NamedTuple):
    """The two axes of a convolution."""

    rows: Axis
    columns: Axis

    @property
    def tiles(self) -> int:
        """Of one sample."""
        return self.rows.tiles * self.columns.tiles

    @property
    def common(self) -> int:
        """The product that goes into every output once, so that a bias may be added to it."""
        rows, columns = (axis.scheme for axis in self)
        return columns.common * len(rows.reading) + rows.common

    def read(self, x: Tensor) -> Tensor:
        """Numbers (b, h, w, c) to the products' factors (p * p, b * t * t, c)."""
        rows, columns = self
        beyond = (axis.padded - axis.size - 1 for axis in (columns, rows))
        padded = F.pad(x, (0, 0, 1, next(beyond), 1, next(beyond)))
        return _read(_read(padded, rows, 1), columns, 3).flatten(0, 1).flatten(1, 3)

    def read_back(self, gradient: Tensor, batch: int) -> Tensor:
        """The gradient (b, h, w, c) of the numbers, from that of the factors."""
        rows, columns = self
        factors = self._apart(gradient, batch)
        padded = _read_back(_read_back(factors, columns, 3), rows, 1)
        return padded[:, 1 : rows.size + 1, 1 : columns.size + 1]

    def write(self, products: Tensor, batch: int) -> Tensor:
        """Products (p * p, b * t * t, c) to outputs (b, h, w, c)."""
        rows, columns = self
        outputs = _write(_write(self._apart(products, batch), columns.scheme, 4), rows.scheme, 2)
        outputs = rearrange(outputs, "b t i u j c -> b (t i) (u j) c")
        return outputs[:, : rows.outputs, : columns.outputs]

    def write_back(self, gradient: Tensor) -> Tensor:
        """The gradient (p * p, b * t * t, c) of the products, from that of the outputs."""
        rows, columns = self
        beyond = (2 * axis.tiles - axis.outputs for axis in (columns, rows))
        covered = F.pad(gradient, (0, 0, 0, next(beyond), 0, next(beyond)))
        tiles = rearrange(covered, "b (t i) (u j) c -> b t i u j c", i=2, j=2)
        products = _write_back(_write_back(tiles, rows.scheme, 2), columns.scheme, 4)
        return products.flatten(0, 1).flatten(1, 3)

    def weigh(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """Taps (c', c, 3, 3) to the products' other factors (p * p, c', c)."""
        rows, columns = (axis.scheme for axis in self)
        taps = rearrange(weight, "o c h w -> h w o c").contiguous()
        by_row = taps.new_empty(len(rows.weighing), *taps.shape[1:])
        _combine(rows.weighing, taps.unbind(), by_row.unbind())
        sizes = (len(columns.weighing), len(rows.weighing), *weight.shape[:2])
        factors = torch.empty(sizes, dtype=dtype, device=weight.device)
        _combine(columns.weighing, by_row.unbind(1), factors.unbind())
        return factors.flatten(0, 1)

    def weigh_back(self, gradient: Tensor) -> Tensor:
        """The gradient (c', c, 3, 3) of the taps, from that of the factors."""
        rows, columns = (axis.scheme for axis in self)
        gradient = gradient.unflatten(0, (len(columns.weighing), len(rows.weighing)))
        by_row = gradient.new_empty(3, *gradient.shape[1:])
        _combine(_transposed(columns.weighing), gradient.unbind(), by_row.unbind())
        taps = gradient.new_empty(3, 3, *gradient.shape[2:])
        _combine(_transposed(rows.weighing), by_row.unbind(1), taps.unbind(0))
        return rearrange(taps, "h w o c -> o c h w")

    def _apart(self, joined: Tensor, batch: int) -> Tensor:
        """(p * p, b * t * t, c) to (p, p, b, t, t, c): columns' products first, rows' tiles."""
        rows, columns = self
        return joined.view(
            len(columns.scheme.reading), len(rows.scheme.reading),
            batch, rows.tiles, columns.tiles, joined.shape[-1],
        )  # fmt: skip


class Convolution(nn.Conv2d):
    """A 3x3 convolution to as large a grid, in the shortest way."""

    bias: Tensor

    def __init__(self, width_in: int, width_out: int, dilation: int = 1) -> None:
        super().__init__(width_in, width_out, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, c', h, w)."""
        grid = Grid(*(Axis(PLAIN, size) for size in x.shape[2:]))
        if self.dilation == (1, 1) and pays(x, self.weight, grid):
            return convolve_on(grid, x, self.weight, self.bias)
        return super().forward(x)


_TILES_AT_ONCE = 768
"""Samples are worked on together up to this number, which a processor's cache holds."""
_LEAST_TILES = 384
"""Of plain axes; with fewer, sums of taps take longer than the products that they save."""
_LEAST_CHANNELS = 256
"""With fewer, sums of numbers take as long as the products that they save."""


def pays(x: Tensor, weight: Tensor, grid: Grid) -> bool:
    """Whether `convolve_on` is faster than other ways, as measured in both precisions."""
    doubled = grid.columns.scheme is DOUBLED
    return (
        x.device.type == "cpu"
        and min(weight.shape[:2]) >= _LEAST_CHANNELS
        and (doubled or len(x) * grid.tiles >= _LEAST_TILES)
    )


# The compiler would take the sums apart into many kernels of its own.
@torch.compiler.disable
def convolve_on(grid: Grid, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 3x3 convolution of (b, c, h, w) by the schemes of the grid."""
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    numbers = rearrange(x, "b c h w -> b h w c").contiguous()
    outputs: Tensor = _ShortConvolution.apply(numbers, weight, bias, grid)
    return rearrange(outputs, "b h w c -> b c h w")


class _ShortConvolution(torch.autograd.Function):
    """Numbers (b, h, w, c), taps (c', c, 3, 3), bias (c') to outputs (b, h', w', c')."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, grid: Grid) -> Tensor:
        factors = grid.weigh(weight, x.dtype)
        outputs = x.new_empty(len(x), grid.rows.outputs, grid.columns.outputs, len(weight))
        for numbers, written in _together(grid, x, outputs):
            products = torch.bmm(grid.read(numbers), factors.mT)
            products[grid.common] += bias
            written.copy_(grid.write(products, len(numbers)))
        ctx.save_for_backward(x, factors)
        ctx.grid, ctx.precise = grid, weight.dtype
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, factors = ctx.saved_tensors
        grid: Grid = ctx.grid
        of_x = torch.empty_like(x)
        of_factors = torch.zeros_like(factors, dtype=ctx.precise)
        of_bias = of_factors.new_zeros(factors.shape[1])
        for numbers, gradient, wanted in _together(grid, x, gradients[0], of_x):
            products = grid.write_back(gradient)
            of_bias += products[grid.common].sum(0, dtype=ctx.precise)
            # What is read is not kept from the way forward: it is several times as large as `x`.
            of_factors += torch.bmm(products.mT, grid.read(numbers))
            wanted.copy_(grid.read_back(torch.bmm(products, factors), len(numbers)))
        return of_x, grid.weigh_back(of_factors), of_bias, None


def _together(grid: Grid, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    samples = max(1, _TILES_AT_ONCE // grid.tiles)
    return zip(*(each.split(samples) for each in tensors), strict=True)


# --- One axis ------------------------------------------------------------------------------------


def _read(x: Tensor, axis: Axis, place: int) -> Tensor:
    """Factors (p, ..., t, ...) of numbers (..., n, ...)."""
    windows = _windows(x, axis, place)
    factors = x.new_empty(len(axis.scheme.reading), *windows[0].shape)
    _combine(axis.scheme.reading, windows, factors.unbind())
    return factors


def _read_back(gradient: Tensor, axis: Axis, place: int) -> Tensor:
    """Numbers (..., n, ...) from factors (p, ..., t, ...): windows overlap and are added."""
    _, *shape = gradient.shape
    shape[place] = axis.padded
    numbers = gradient.new_zeros(shape)
    windows = _windows(numbers, axis, place)
    for coefficients, window in zip(_transposed(axis.scheme.reading), windows, strict=True):
        for coefficient, factor in zip(coefficients, gradient, strict=True):
            if coefficient:
                window.add_(factor, alpha=coefficient)
    return numbers


def _windows(x: Tensor, axis: Axis, place: int) -> list[Tensor]:
    """Views (..., t, ...): the first numbers of all windows, the second ones, and so on."""
    step, before = axis.scheme.step, (slice(None),) * place
    beyond = (axis.tiles - 1) * step + 1
    return [
        x[(*before, slice(first, first + beyond, step))]
        for first in range(len(axis.scheme.reading[0]))
    ]


def _write(products: Tensor, scheme: Scheme, place: int) -> Tensor:
    """Outputs (..., 2, ...) of products (p, ...)."""
    _, *shape = products.shape
    shape.insert(place, 2)
    outputs = products.new_empty(shape)
    _combine(scheme.writing, products.unbind(), outputs.unbind(place))
    return outputs


def _write_back(gradient: Tensor, scheme: Scheme, place: int) -> Tensor:
    """Products (p, ...) from outputs (..., 2, ...)."""
    outputs = gradient.unbind(place)
    products = gradient.new_empty(len(scheme.reading), *outputs[0].shape)
    _combine(_transposed(scheme.writing), outputs, products.unbind())
    return products


def _combine(matrix: Coefficients, parts: Sequence[Tensor], sums: Sequence[Tensor]) -> None:
    """Fill the sums with the matrix times the parts."""
    for coefficients, total in zip(matrix, sums, strict=True):
        weighted = zip(coefficients, parts, strict=True)
        # A one first, so that nothing needs to be multiplied beforehand.
        terms = sorted(((c, part) for c, part in weighted if c), key=lambda term: -term[0])
        scale, first = terms[0]
        if scale != 1:
            first = torch.mul(first, scale, out=total)
        if len(terms) == 1:
            total.copy_(first)
            continue
        torch.add(first, terms[1][1], alpha=terms[1][0], out=total)
        for coefficient, part in terms[2:]:
            total.add_(part, alpha=coefficient)


def _transposed(matrix: Coefficients) -> Coefficients:
    return tuple(zip(*matrix, strict=True))
