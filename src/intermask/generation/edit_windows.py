"""Where a model looks while it makes parts of a motion that is longer than it can see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from intermask.timeline import runs

CONTEXT_FRAMES = 60
"""Frames beside what is new that a window should see, where there are so many."""
_UNSURE_FRAMES = 30
"""Frames at an end of a window that nothing follows; they are made again by the next one."""


class EditWindow(NamedTuple):
    """Frames ``start`` to ``stop`` are seen at once; of these, ``first`` to ``last`` are made."""

    start: int
    stop: int
    first: int
    last: int


def edit_windows(new: Tensor, longest: int) -> list[EditWindow]:
    """Windows, in the order in which they are to be filled, that together make all new frames.

    What fits is made at once, with as much around it as fits as well. A longer part is made
    piece by piece, each of which sees the end of the one before; a lead-in, which only what
    follows can tell where to end, from its end to its beginning.

    Args:
        new: (t,) bool, frames of which anything is to be made.
        longest: frames of the longest window.
    """
    frames = len(new)
    if frames <= longest:
        return [EditWindow(0, frames, 0, frames)]
    found: list[EditWindow] = []
    for first, last in runs(new):
        if first == 0 and last < frames:
            backwards = _windows_of_run(frames - last, frames, frames, longest)
            found += (_reversed(window, frames) for window in backwards)
        else:
            found += _windows_of_run(first, last, frames, longest)
    return found


def _windows_of_run(first: int, last: int, frames: int, longest: int) -> Iterator[EditWindow]:
    """Windows for the new frames ``first`` to ``last``, from the first to the last."""
    context = min(CONTEXT_FRAMES, longest // 4)
    unsure = min(_UNSURE_FRAMES, longest // 8)
    while True:
        before, after = min(context, first), min(context, frames - last)
        if before + (last - first) + after <= longest:
            middle = (first + last) // 2
            start = min(max(middle - longest // 2, last + after - longest), first - before)
            start = min(max(start, 0), frames - longest)
            yield EditWindow(start, start + longest, first, last)
            return
        start = first - before
        made = min(start + longest - unsure, last)
        yield EditWindow(start, start + longest, first, made)
        first = made


def _reversed(window: EditWindow, frames: int) -> EditWindow:
    """The same window of a motion that runs backwards."""
    start, stop, first, last = (frames - edge for edge in window)
    return EditWindow(stop, start, last, first)


def window_seeds(seed: int, windows: int) -> list[int]:
    """A seed for each window; the first one's is the seed itself."""
    generator = torch.Generator().manual_seed(seed)
    more = torch.randint(2**62, (windows,), generator=generator)[1:]
    return [seed, *more.tolist()]
