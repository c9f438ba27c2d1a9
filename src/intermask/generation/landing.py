"""People who hover are set down on the floor: together where that will do, and then each alone.

Somebody always carries the pair: a person may be lifted by the other one, but when both are in the
air, they fall. What stays off the floor for longer than a leap is therefore an error of the
decoder, and both come down by the same amount, so that they stay where they were on each other.
Whoever is then still a hand's breadth off the floor is not carried but hovers, and comes down.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from intermask.generation.smoothing import smooth_positions
from intermask.timeline import smoothstep

LEAP_SECONDS = 0.35
"""Both may be off the floor for so long: a leap of this time rises by 15 cm."""
_MARGIN = 0.01  # metres off the floor that nobody sees
_MARGIN_ALONE = 0.03  # the same beside a partner who stands on it
_SMOOTHING = 2.0  # frames
_REACH = 6  # frames that the smoothing looks to either side


_CARRIED_FROM, _CARRIED_TO = 0.10, 0.25
"""Metres off the floor: below the first nobody is carried, above the second everybody is."""


def land(positions: Tensor, change: Tensor, fps: float, limit: float) -> Tensor:
    """Positions (p, t, j, 3) in which nobody is in the air for longer than a leap.

    Args:
        positions: metres, y up, floor at y = 0.
        change: (p, t) how much of the correction each frame may take: 0 where it must stay.
        fps: frames a second.
        limit: metres by which they are lowered at most.
    """
    lowest = positions[..., 1].amin(-1)
    together = _drop(lowest.amin(0, keepdim=True) - _MARGIN, fps, limit)
    alone = _drop(lowest - together - _MARGIN_ALONE, fps, limit)
    highest = _highest(alone, round(LEAP_SECONDS * fps))
    carried = smoothstep((highest - _CARRIED_FROM) / (_CARRIED_TO - _CARRIED_FROM))
    drop = (together + alone * (1 - carried)).clamp_max(limit) * change.amin(0)
    landed = positions.clone()
    landed[..., 1] -= drop[..., None]
    return landed


def _drop(lowest: Tensor, fps: float, limit: float) -> Tensor:
    """How far (n, t) to come down, where heights (n, t) last longer than a leap, metres."""
    half = round(LEAP_SECONDS * fps / 2)
    lasting = _highest(_lowest(lowest, half), half)
    # The least within reach, so that smoothing never takes anybody below the floor.
    hover = _lowest(lasting.clamp(0.0, limit), _REACH)
    return smooth_positions(hover[..., None, None], _SMOOTHING)[..., 0, 0]


def _lowest(heights: Tensor, half: int) -> Tensor:
    """The least (n, t) of the heights (n, t) within ``half`` frames on either side."""
    return -_highest(-heights, half)


def _highest(heights: Tensor, half: int) -> Tensor:
    """The largest (n, t) of the heights (n, t) within ``half`` frames on either side."""
    return F.max_pool1d(heights, 2 * half + 1, stride=1, padding=half)
