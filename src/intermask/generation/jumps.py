"""Jumps of a whole body between two frames, spread over the frames around them.

Codes of neighbouring token columns may disagree about where a person stands and points; the
decoded body is then somewhere else, or turned round, one frame later. The pose itself is fine, so
only place and heading are eased from one side to the other. Pure functions on clips.
"""

from __future__ import annotations

import torch
from torch import Tensor

from intermask.timeline import smoothstep

JUMP_SPEED = 3.5
"""Metres a second of the median joint above which one step is a jump: dancers stay below."""
SPREAD_FRAMES = 6
"""Frames on either side over which a jump is spread (0.4 s in all)."""

_HORIZONTAL = [0, 2]


def spread_jumps(positions: Tensor, change: Tensor, fps: float) -> Tensor:
    """Positions (p, t, j, 3) in which no body jumps.

    Args:
        positions: metres, y up.
        change: (p, t) how much of the correction each frame may take: 0 where it must stay.
        fps: frames a second.
    """
    speeds = positions.diff(dim=1).norm(dim=-1).median(-1).values * fps
    if not bool((speeds > JUMP_SPEED).any()):
        return positions
    centres = positions[..., _HORIZONTAL].mean(-2, keepdim=True)
    around = positions[..., _HORIZONTAL] - centres
    turns, moves = _turns(around[:, :-1], around[:, 1:]), centres.diff(dim=1)[..., 0, :]
    weights = _easing(positions.shape[1]).to(positions) * (speeds > JUMP_SPEED)[..., None]
    turn = torch.einsum("pk,pkt->pt", turns, weights) * change
    move = torch.einsum("pkc,pkt->ptc", moves, weights) * change[..., None]
    cos, sin = turn.cos()[..., None], turn.sin()[..., None]
    x, z = around.unbind(-1)
    turned = torch.stack((cos * x + sin * z, cos * z - sin * x), -1)
    spread = positions.clone()
    spread[..., _HORIZONTAL] = turned + centres + move[..., None, :]
    changed = (turn != 0) | (move != 0).any(-1)
    return torch.where(changed[..., None, None], spread, positions)


def _turns(before: Tensor, after: Tensor) -> Tensor:
    """Angle (p, k) about y that best takes horizontal places (p, k, j, 2) to others."""
    (x, z), (x_after, z_after) = before.unbind(-1), after.unbind(-1)
    return torch.atan2((x_after * z - z_after * x).sum(-1), (x_after * x + z_after * z).sum(-1))


def _easing(frames: int) -> Tensor:
    """What frame t adds of the jump between k and k + 1, as (k, t): an S-curve less the step."""
    step, time = torch.arange(frames - 1)[:, None] + 0.5, torch.arange(frames)[None]
    nearest_end = torch.minimum(step, frames - 1 - step)  # ends stay where they are
    reach = nearest_end.clamp_max(SPREAD_FRAMES)
    return smoothstep(((time - step) / reach + 1) / 2) - (time > step).float()
