"""People in the rest pose, whom tests move by known amounts."""

from __future__ import annotations

import torch
from torch import Tensor

from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions


def standing_pair(frames: int = 10, apart: float = 3.0) -> Tensor:
    """(2, t, 22, 3) float64: T-poses that face +z, person 2 ``apart`` metres ahead of person 1.

    They do not move; their lowest joint is on the floor, and all feet joints stand (below 5 cm).
    """
    person = torch.tensor(rest_positions(MEAN_ADULT_OFFSETS))
    person[:, 1] -= person[:, 1].min()
    feet = list(SMPL22.indices("left_ankle", "right_ankle", "left_foot", "right_foot"))
    person[feet, 1] = person[feet, 1].clamp_max(0.04)
    pair = person.expand(2, frames, -1, -1).clone()
    pair[1, ..., 2] += apart
    return pair


def along(pair: Tensor, path: Tensor, axis: int, person: int | None = None) -> Tensor:
    """A pair moved along an axis by ``path`` (t) metres: both people, or one of them."""
    moved = pair.clone()
    people = slice(None) if person is None else slice(person, person + 1)
    moved[people, ..., axis] += path[:, None]
    return moved
