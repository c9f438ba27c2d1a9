"""What a solution should meet: each term is a sum of squares, metres or radians, over a clip.

A term reads bodies as they are posed and gives one number; the solver adds them up. Weights say
how many square metres of one thing a square metre of another is worth, a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.geometry import matrix_to_axis_angle
from intermask.skeleton import FEET, SMPL22
from intermask.solver.bodies import Posed
from intermask.solver.flesh import CAPSULES, RADII, Pairs, overlaps, segments_apart

Term = Callable[[Posed], Tensor]
"""Bodies in the world -> a sum of squares ()."""

_WRISTS = SMPL22.indices("left_wrist", "right_wrist")
_NEAR = 0.25
"""Metres of air between two capsules within which they are watched."""


@dataclass(frozen=True)
class Near:
    """Joints stay where they were."""

    target: Tensor
    """(p, t, 22, 3) metres."""
    weights: Tensor
    """Broadcasts with (p, t, 22)."""

    def __call__(self, posed: Posed) -> Tensor:
        apart = (posed.positions - self.target).square().sum(-1)
        return (self.weights * apart).sum()


@dataclass(frozen=True)
class Smooth:
    """What is corrected changes smoothly: accelerations stay those of the base."""

    target: Tensor
    """(p, t, 22, 3) metres."""
    weight: float

    def __call__(self, posed: Posed) -> Tensor:
        return self.weight * (posed.positions - self.target).diff(n=2, dim=1).square().sum()


@dataclass(frozen=True)
class Calm:
    """Bodies accelerate little, above all those that jerk."""

    weight: float

    def __call__(self, posed: Posed) -> Tensor:
        return self.weight * posed.positions.diff(n=3, dim=1).square().sum()


@dataclass(frozen=True)
class Planted:
    """Feet that stand are where they were planted."""

    places: Tensor
    """(p, t, 4, 3) metres: left ankle, left toes, right ankle, right toes."""
    weights: Tensor
    """(p, t, 4)."""

    def __call__(self, posed: Posed) -> Tensor:
        away = posed.positions[:, :, list(FEET)] - self.places
        return (self.weights * away.square().sum(-1)).sum()


@dataclass(frozen=True)
class HandsHeld:
    """Hands stay where they were on the partner."""

    vectors: Tensor
    """(2, t, 2, 22, 3) from each wrist of a person to each joint of the partner, metres."""
    weights: Tensor
    """(2, t, 2, 22); of a wrist, the mean over the joints near it counts."""

    def __call__(self, posed: Posed) -> Tensor:
        wrists = posed.positions[:, :, list(_WRISTS), None]
        away = posed.positions.flip(0)[:, :, None] - wrists - self.vectors
        share = self.weights / self.weights.sum(-1, keepdim=True).clamp_min(1.0)
        return (share * away.square().sum(-1)).sum()


@dataclass(frozen=True)
class AboveFloor:
    """No joint is below the floor."""

    weight: float

    def __call__(self, posed: Posed) -> Tensor:
        return self.weight * (-posed.positions[..., 1]).clamp_min(0.0).square().sum()


class WithinLimits:
    """Joints bend no further than they can.

    Args:
        lowest: (21, 3) radians, least rotation vectors of joints 1 to 21 to their parents.
        highest: (21, 3).
        joints: the joints that are watched; the others are free.
        weight: of a squared radian.
    """

    def __init__(
        self, lowest: Tensor, highest: Tensor, joints: tuple[int, ...], weight: float
    ) -> None:
        rows = [joint - 1 for joint in joints]
        self._joints = torch.tensor(joints)
        self._parents = torch.tensor([SMPL22.parents[joint] for joint in joints])
        self._lowest, self._highest, self.weight = lowest[rows], highest[rows], weight

    def __call__(self, posed: Posed) -> Tensor:
        above = posed.orientations.index_select(2, self._parents)
        vectors = matrix_to_axis_angle(above.mT @ posed.orientations.index_select(2, self._joints))
        beyond = torch.maximum(self._lowest - vectors, vectors - self._highest).clamp_min(0.0)
        return self.weight * beyond.square().sum()


class Apart:
    """Capsules do not overlap by more than soft flesh gives way.

    Args:
        posed: the bodies to begin with: only capsules that come near each other are watched.
        people: whose capsules: (0, 1) for two people, (0, 0) and (1, 1) for limbs of one.
        pairs: which capsules of the first and the second.
        give: metres of overlap that flesh is granted.
        weight: of a square metre.
    """

    def __init__(
        self, posed: Posed, people: tuple[int, int], pairs: Pairs, give: float, weight: float
    ) -> None:
        self.weight = weight
        one, other = (posed.positions[person] for person in people)
        near = overlaps(one, other, pairs, give) > -_NEAR
        frames, number = near.nonzero(as_tuple=True)
        starts, ends = (torch.tensor(column) for column in zip(*CAPSULES, strict=True))
        first, second = (torch.tensor(column)[number] for column in (pairs.first, pairs.second))
        joints = (starts[first], ends[first], starts[second], ends[second])
        count, length = SMPL22.joint_count, len(one)
        # Rows among all joints of both bodies: one selection instead of four, one gradient.
        rows = [
            (person * length + frames) * count + joint
            for person, joint in zip((people[0],) * 2 + (people[1],) * 2, joints, strict=True)
        ]
        self._ends = torch.cat(rows)
        radii = one.new_tensor(RADII)
        self._reach = radii[first] + radii[second] - give

    def __call__(self, posed: Posed) -> Tensor:
        ends = posed.positions.flatten(0, 2).index_select(0, self._ends)
        apart = segments_apart(*ends.chunk(4))
        return self.weight * (self._reach - apart).clamp_min(0.0).square().sum()
