"""Two people who hover are set down on the floor, together.

Somebody always carries the pair: a person may be lifted by the other one, but when both are in the
air, they fall. What stays off the floor for longer than a leap is therefore an error of the
decoder, and both come down by the same amount, so that they stay where they were on each other.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from intermask.generation.smoothing import smooth_positions

LEAP_SECONDS = 0.5
"""Both may be off the floor for so long: a leap of this time rises by 30 cm."""
_MARGIN = 0.01  # metres off the floor that nobody sees
_SMOOTHING = 2.0  # frames
_REACH = 6  # frames that the smoothing looks to either side


def land(positions: Tensor, change: Tensor, fps: float, limit: float) -> Tensor:
    """Positions (p, t, j, 3) in which the pair is not in the air for longer than a leap.

    Args:
        positions: metres, y up, floor at y = 0.
        change: (p, t) how much of the correction each frame may take: 0 where it must stay.
        fps: frames a second.
        limit: metres by which they are lowered at most.
    """
    lowest = positions[..., 1].amin((0, 2))
    half = round(LEAP_SECONDS * fps / 2)
    lasting = _highest(_lowest(lowest, half), half)
    # The least within reach, so that smoothing never takes anybody below the floor.
    hover = _lowest((lasting - _MARGIN).clamp(0.0, limit), _REACH)
    drop = smooth_positions(hover[None, :, None, None], _SMOOTHING)[0, :, 0, 0]
    landed = positions.clone()
    landed[..., 1] -= (drop * change.amin(0))[None, :, None]
    return landed


def _lowest(heights: Tensor, half: int) -> Tensor:
    """The least (t,) of the heights (t,) within ``half`` frames on either side."""
    return -_highest(-heights, half)


def _highest(heights: Tensor, half: int) -> Tensor:
    """The largest (t,) of the heights (t,) within ``half`` frames on either side."""
    return F.max_pool1d(heights[None, None], 2 * half + 1, stride=1, padding=half)[0, 0]
