"""What happens over time, for any frames: curves that ease, and runs of frames."""

from __future__ import annotations

import torch
from torch import Tensor


def smoothstep(x: Tensor) -> Tensor:
    """The cubic from 0 at x <= 0 to 1 at x >= 1 that is flat at both ends."""
    x = x.clamp(0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def minimum_jerk(x: Tensor) -> Tensor:
    """From 0 at x <= 0 to 1 at x >= 1 with no speed and no acceleration at both ends."""
    x = x.clamp(0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


def runs(flags: Tensor) -> list[tuple[int, int]]:
    """(start, stop) of every run of true values of flags (t,)."""
    change = torch.nn.functional.pad(flags.to(torch.int8), (1, 1)).diff()
    starts = (change == 1).nonzero().flatten().tolist()
    stops = (change == -1).nonzero().flatten().tolist()
    return list(zip(starts, stops, strict=True))
