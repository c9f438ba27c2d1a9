"""Who does something in a motion, with which side, and who came: read off the joints.

Every rule names a moment, a person and a side, without knowing what was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from intermask.motion import FPS
from intermask.skeleton import SMPL22

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

_RAISED = 0.0
"""Metres of a wrist above its own shoulder from which on a hand is raised."""
_BENT = 0.25
"""Radians from upright from which on a trunk bows."""
_CAME = 0.3
"""Metres that the one who came has to have come further than the other."""


@dataclass(frozen=True)
class Gesture:
    """Somebody does something without touching: in which frame, who, and with which side."""

    frame: int
    person: int
    side: Side | None = None


def wave(positions: Tensor) -> Gesture | None:
    """The first hand that is raised above its own shoulder; None if no hand is.

    Args:
        positions: (2, t, 22, 3) metres, y up, as for all functions here.
    """
    wrists, shoulders = (_heights(positions, joint) for joint in ("wrist", "shoulder"))
    raised = wrists - shoulders > _RAISED
    if not bool(raised.any()):
        return None
    frame = int(raised.any(-1).any(0).nonzero()[0])
    highest = (wrists - shoulders)[:, frame]
    return _of(frame, int(highest.argmax()))


def kick(positions: Tensor) -> Gesture:
    """The foot that is highest above the lower one of its owner, and when."""
    ankles = _heights(positions, "ankle")
    lifted = ankles - ankles.amin(-1, keepdim=True)
    place = int(lifted.transpose(0, 1).reshape(-1).argmax())
    frame, limb = divmod(place, 4)
    return _of(frame, limb)


def bow(positions: Tensor) -> Gesture | None:
    """The first trunk that is bent further than at the beginning; None if none is."""
    pelvis, neck = SMPL22.indices("pelvis", "neck")
    trunk = positions[:, :, neck] - positions[:, :, pelvis]
    angle = torch.atan2(trunk[..., (0, 2)].norm(dim=-1), trunk[..., 1])
    bent = angle - angle[:, :1] > _BENT
    if not bool(bent.any()):
        return None
    frame = int(bent.any(0).nonzero()[0])
    return Gesture(frame, int((angle - angle[:, :1])[:, frame].argmax()))


def comer(positions: Tensor, frame: int) -> int | None:
    """Who has come to the other until a frame; None if both came, or nobody."""
    pelvis = positions[:, :, 0][..., (0, 2)]
    ways = (pelvis[:, max(frame, 0)] - pelvis[:, 0]).norm(dim=-1)
    if float((ways[0] - ways[1]).abs()) < _CAME:
        return None
    return int(ways.argmax())


def turning(positions: Tensor) -> Literal["clockwise", "counterclockwise"]:
    """Way that the line from one to the other turns in all, seen from above."""
    pelvis = positions[:, :, 0]
    line = pelvis[1] - pelvis[0]
    heading = torch.atan2(line[:, 0], line[:, 2])
    steps = torch.remainder(heading.diff() + torch.pi, 2 * torch.pi) - torch.pi
    return "counterclockwise" if float(steps.sum()) > 0 else "clockwise"


def speeds(positions: Tensor) -> Tensor:
    """Metres a second (2) of the mean joint of each person over the whole motion.

    Taken over a tenth of a second, so that trembling in place is not life.
    """
    step = max(1, round(FPS / 10))
    if positions.shape[1] <= step:
        return positions.new_zeros(len(positions))
    moved = (positions[:, step:] - positions[:, :-step]).norm(dim=-1)
    return moved.mean((1, 2)) * FPS / step


def _heights(positions: Tensor, joint: str) -> Tensor:
    """(2, t, 2) of the left and the right joint."""
    return positions[:, :, list(SMPL22.indices(*(f"{side}_{joint}" for side in SIDES))), 1]


def _of(frame: int, limb: int) -> Gesture:
    person, side = divmod(limb, 2)
    return Gesture(frame, person, SIDES[side])
