"""Going over from one clip to another without a seam: inertial blends.

At a jump the body does what the new clip does, plus what it was off by, which fades in a quarter
of a second from the offset and the speed it had (Bollo, "Inertialization", GDC 2018). Only the new
clip is read, so a blend may begin before another one is over: it takes its rest along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import roma
import torch
from torch import Tensor

from intermask.geometry import quaternion_inverse, quaternion_multiply
from intermask.timeline import minimum_jerk

BLEND_FRAMES = 8
"""Frames that a blend takes."""
_LOOK_BACK = 2
"""Frames of the new clip from before the jump that tell offset and speed."""
_FASTEST = 0.2
"""Offsets may grow by this share of themselves a frame at most, or else they overshoot."""


def blend_rotations(
    quaternions: Tensor, jumps: Sequence[int], before: Callable[[int], Tensor]
) -> Tensor:
    """Quaternions (t, j, 4), w first, without seams.

    Args:
        quaternions: as the clips have them.
        jumps: frames at which another clip begins.
        before: (2, j, 4) the two frames of the new clip before a jump, by the jump's frame.
    """
    result = quaternions.clone()
    for jump, following in pairwise((*jumps, len(result))):
        clip = before(jump)
        shown = result[max(jump - _LOOK_BACK, 0) : jump]
        offsets = _vector(quaternion_multiply(shown, quaternion_inverse(clip[-len(shown) :])))
        fading = _fading(offsets, following - jump)
        stop = jump + len(fading)
        result[jump:stop] = quaternion_multiply(_quaternion(fading), result[jump:stop])
    return result


def blend_values(values: Tensor, jumps: Sequence[int], before: Callable[[int], Tensor]) -> Tensor:
    """Values (t, c) without seams; see `blend_rotations`."""
    result = values.clone()
    for jump, following in pairwise((*jumps, len(result))):
        shown = result[max(jump - _LOOK_BACK, 0) : jump]
        fading = _fading(shown - before(jump)[-len(shown) :], following - jump)
        result[jump : jump + len(fading)] += fading
    return result


def _fading(offsets: Tensor, room: int) -> Tensor:
    """(n, ..., c) offsets that fade to nothing, from the last two offsets (2, ..., c)."""
    start = offsets[-1]
    speed = start - offsets[0] if len(offsets) == _LOOK_BACK else torch.zeros_like(start)
    size = start.norm(dim=-1, keepdim=True)
    fastest = _FASTEST * size + 1e-9
    speed = speed * (fastest / speed.norm(dim=-1, keepdim=True).clamp_min(1e-9)).clamp(max=1.0)
    count = min(BLEND_FRAMES, room)
    share = (torch.arange(1, count + 1) / (BLEND_FRAMES + 1)).view(-1, *[1] * start.ndim)
    # Quintics: value, speed and acceleration are zero at the end, the latter at the start too.
    stay = 1 - minimum_jerk(share)
    drift = share - 6 * share**3 + 8 * share**4 - 3 * share**5
    return stay * start + drift * (BLEND_FRAMES + 1) * speed


def _vector(quaternion: Tensor) -> Tensor:
    shortest = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    return roma.unitquat_to_rotvec(roma.quat_wxyz_to_xyzw(shortest))


def _quaternion(vector: Tensor) -> Tensor:
    return roma.quat_xyzw_to_wxyz(roma.rotvec_to_unitquat(vector))
