"""Capsules that stand for bodies, and which of them may not overlap."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.skeleton import SMPL22

_RADII = {
    ("pelvis", "spine2"): 0.12,
    ("spine2", "neck"): 0.11,
    ("left_shoulder", "right_shoulder"): 0.07,
    ("left_hip", "right_hip"): 0.09,
    ("neck", "head"): 0.085,
    ("left_shoulder", "left_elbow"): 0.048,
    ("right_shoulder", "right_elbow"): 0.048,
    ("left_elbow", "left_wrist"): 0.036,
    ("right_elbow", "right_wrist"): 0.036,
    ("left_hip", "left_knee"): 0.07,
    ("right_hip", "right_knee"): 0.07,
    ("left_knee", "left_ankle"): 0.05,
    ("right_knee", "right_ankle"): 0.05,
    ("left_ankle", "left_foot"): 0.04,
    ("right_ankle", "right_foot"): 0.04,
}
"""Radius in metres of the capsule between two joints of a mean adult."""

CAPSULES = tuple(SMPL22.indices(*bone) for bone in _RADII)
"""(start, end) joints."""

RADII = tuple(_RADII.values())
"""Metres."""


@dataclass(frozen=True)
class Pairs:
    """Capsules, by number, that keep apart: ``first`` and ``second`` (n,) each."""

    first: tuple[int, ...]
    second: tuple[int, ...]


_NAMES = tuple(_RADII)
_TRUNK, _ARMS, _LEGS = range(5), range(5, 9), range(9, 15)


def _between_people() -> Pairs:
    """All of one with all of the other, but for forearms: people hold hands."""
    forearms = {7, 8}
    pairs = [
        (one, other)
        for one in range(len(_NAMES))
        for other in range(len(_NAMES))
        if not (one in forearms and other in forearms)
    ]
    return Pairs(*zip(*pairs, strict=True))


def _within_a_person() -> Pairs:
    """Limbs of both sides, forearms and shins with the trunk; what hangs together may touch."""
    forearms, shins, feet = (7, 8), (11, 12), (13, 14)
    legs = [
        (one, other) for one in (9, 11, 13) for other in (10, 12, 14) if (one, other) != (9, 10)
    ]
    arms = [(7, 8), (5, 8), (6, 7)]
    trunk = [(arm, part) for arm in forearms for part in (0, 1, 3, 4)]
    reached = [(arm, leg) for arm in forearms for leg in (9, 10, 11, 12)]
    folded = [(leg, part) for leg in (*shins, *feet) for part in (0, 1, 4)]
    return Pairs(*zip(*(legs + arms + trunk + reached + folded), strict=True))


BETWEEN_PEOPLE = _between_people()
WITHIN_A_PERSON = _within_a_person()


def overlaps(one: Tensor, other: Tensor, pairs: Pairs, give: float) -> Tensor:
    """How deep (t, n) capsules of people (t, 22, 3) are in each other, less ``give``, metres.

    Negative where they are apart.
    """
    starts, ends = (torch.tensor(column) for column in zip(*CAPSULES, strict=True))
    first, second = list(pairs.first), list(pairs.second)
    radii = one.new_tensor(RADII)
    apart = segments_apart(
        one[:, starts[first]], one[:, ends[first]], other[:, starts[second]], other[:, ends[second]]
    )
    return radii[first] + radii[second] - give - apart


def segments_apart(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Distance (...) between segments ``ab`` and ``cd`` (..., 3), with gradients to all ends.

    The closest places on both are found first (Ericson, Real-Time Collision Detection, 5.1.9) and
    then held: at the closest points, the distance does not change with the places.
    """
    with torch.no_grad():
        u, v, w = b - a, d - c, a - c
        uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
        uw, vw = (u * w).sum(-1), (v * w).sum(-1)
        determinant = uu * vv - uv * uv
        s = ((uv * vw - vv * uw) / determinant.clamp_min(1e-9)).clamp(0.0, 1.0)
        t = (uv * s + vw) / vv.clamp_min(1e-9)
        t = t.clamp(0.0, 1.0)
        s = ((uv * t - uw) / uu.clamp_min(1e-9)).clamp(0.0, 1.0)
    between = a + s[..., None] * (b - a) - c - t[..., None] * (d - c)
    return between.square().sum(-1).clamp_min(1e-12).sqrt()
