"""One small picture a metric, as SVG inside a page: rows of a report on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from intermask.evaluation.terms import Term, direction

WIDTH = 340
"""Units of a picture's width; at this width letters have the size of the page's."""

_MARGIN = 10
_ROW = 36
_FOOT = 24
_TICKS = 4


@dataclass(frozen=True)
class Line:
    """One row of a picture."""

    name: str
    mean: float
    half_width: float | None = None
    values: tuple[float, ...] = ()
    """Single replications, drawn faintly."""

    @property
    def lowest(self) -> float:
        """The smallest number that is drawn."""
        return min(self.mean - (self.half_width or 0.0), *self.values, self.mean)

    @property
    def highest(self) -> float:
        """The largest number that is drawn."""
        return max(self.mean + (self.half_width or 0.0), *self.values, self.mean)


def interval_panel(
    term: Term, lines: Sequence[Line], *, important: str = "", truth: float | None = None
) -> str:
    """A figure with a dot and a 95 % interval a row; a dashed line is the value of real motion."""
    low, high = min(line.lowest for line in lines), max(line.highest for line in lines)
    if truth is not None:
        low, high = min(low, truth), max(high, truth)
    scale = _Scale.around(low * term.factor, high * term.factor)
    return _panel(term, lines, scale, important, truth, bars=False)


def bar_panel(
    term: Term, lines: Sequence[Line], *, important: str = "", truth: float | None = None
) -> str:
    """A figure with a bar from 0 a row, and its 95 % interval: for numbers that have a zero."""
    ends = [term.factor * end for line in lines for end in (line.lowest, line.highest)] + [0.0]
    return _panel(term, lines, _Scale.around(min(ends), max(ends)), important, truth, bars=True)


@dataclass(frozen=True)
class _Scale:
    """Numbers in a metric's unit to places across a picture."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, low: float, high: float) -> _Scale:
        """Round ends beyond ``low`` and ``high``."""
        span = high - low or abs(high) or 1.0
        raw = span / _TICKS
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(each * size for each in (1, 2, 2.5, 5, 10) if each * size >= raw * 0.999)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(first * step, max(last, first + 1) * step, step)

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _MARGIN + share * (WIDTH - 2 * _MARGIN)

    @property
    def ticks(self) -> list[float]:
        count = round((self.high - self.low) / self.step)
        return [self.low + number * self.step for number in range(count + 1)]


def _panel(
    term: Term,
    lines: Sequence[Line],
    scale: _Scale,
    important: str,
    truth: float | None,
    *,
    bars: bool,
) -> str:
    height = _ROW * len(lines) + _FOOT
    bottom = _ROW * len(lines) + 4
    parts = [_axis(scale, bottom)]
    if truth is not None:
        x = scale.place(term.factor * truth)
        parts.append(f'<line class="truth" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{bottom}"/>')
    for number, line in enumerate(lines):
        name = ' class="important"' if line.name == important else ""
        content = (_bar if bars else _dot)(term, line, scale, _ROW * number)
        parts.append(f"<g{name}>{_words(term, line, _ROW * number)}{content}</g>")
    told = "; ".join(f"{line.name} {_number(term, line)}" for line in lines)
    content = "".join(parts)
    spoken = escape(f"{term.label}: {told}")
    return (
        f'<figure class="panel"><figcaption>{escape(term.label)}'
        f"<span>{escape(direction(term))}</span></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{spoken}">{content}</svg></figure>'
    )


def _axis(scale: _Scale, bottom: float) -> str:
    parts = [
        f'<line class="rule" x1="{_MARGIN}" x2="{WIDTH - _MARGIN}" y1="{bottom}" y2="{bottom}"/>'
    ]
    decimals = max(0, -math.floor(math.log10(scale.step) + 1e-9))
    if round(scale.step * 10**decimals, 6) % 1:
        decimals += 1
    last = len(scale.ticks) - 1
    for number, tick in enumerate(scale.ticks):
        x = scale.place(tick)
        anchor = {0: "start", last: "end"}.get(number, "middle")
        end = {0: x - 2, last: x + 2}.get(number, x)
        parts.append(
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            f'<text class="axis" x="{end:.1f}" y="{bottom + 16}" text-anchor="{anchor}">'
            f"{tick:.{decimals}f}</text>"
        )
    return "".join(parts)


def _words(term: Term, line: Line, top: float) -> str:
    right = WIDTH - _MARGIN
    return (
        f'<text x="{_MARGIN}" y="{top + 14}">{escape(_short(line.name))}</text>'
        f'<text class="value" x="{right}" y="{top + 14}" text-anchor="end">'
        f"{escape(_number(term, line))}</text>"
    )


def _dot(term: Term, line: Line, scale: _Scale, top: float) -> str:
    y = top + 26
    parts = [
        f'<circle class="each" cx="{scale.place(term.factor * value):.1f}" cy="{y}" r="1.8"/>'
        for value in line.values
    ]
    parts.append(_interval(term, line, scale, y))
    parts.append(
        f'<circle class="dot" cx="{scale.place(term.factor * line.mean):.1f}" cy="{y}" r="4.2"/>'
    )
    return "".join(parts)


def _interval(term: Term, line: Line, scale: _Scale, y: float) -> str:
    if line.half_width is None:
        return ""
    ends = [term.factor * (line.mean + sign * line.half_width) for sign in (-1, 1)]
    first, last = (scale.place(end) for end in ends)
    return f'<line class="interval" x1="{first:.1f}" x2="{last:.1f}" y1="{y}" y2="{y}"/>'


def _bar(term: Term, line: Line, scale: _Scale, top: float) -> str:
    ends = sorted((scale.place(0.0), scale.place(term.factor * line.mean)))
    bar = (
        f'<rect class="bar" x="{ends[0]:.1f}" y="{top + 20}" '
        f'width="{max(ends[1] - ends[0], 1.0):.1f}" height="9" rx="2"/>'
    )
    return bar + _interval(term, line, scale, top + 24.5)


def _number(term: Term, line: Line) -> str:
    spread = "" if line.half_width is None else f" ± {term.shown(line.half_width)}"
    return term.shown(line.mean) + spread


def _short(name: str, most: int = 32) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
