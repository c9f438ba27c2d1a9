"""Two people with rigid bones over time, and where that puts their joints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

import torch
from torch import Tensor

from intermask.skeleton import SMPL22


@dataclass(frozen=True)
class Posed:
    """Where bodies are in the world."""

    positions: Tensor
    """(p, t, 22, 3) metres."""
    orientations: Tensor
    """(p, t, 22, 3, 3) of each joint."""

    def points(self, person: int, joint: int, offset: Tensor) -> Tensor:
        """A point (t, 3) that hangs on a joint, metres; ``offset`` (3,) in the joint's frame."""
        place, orientation = self._joints[person * SMPL22.joint_count + joint]
        return place + orientation @ offset

    @cached_property
    def _joints(self) -> list[tuple[Tensor, Tensor]]:
        """Place (t, 3) and orientation (t, 3, 3) of every joint, all taken apart at once.

        Each joint taken for itself would cost the way back a gradient as large as both bodies.
        """
        places = self.positions.transpose(1, 2).flatten(0, 1).unbind()
        orientations = self.orientations.transpose(1, 2).flatten(0, 1).unbind()
        return list(zip(places, orientations, strict=True))


@dataclass(frozen=True)
class Bodies:
    """People by the rotations of their joints."""

    offsets: Tensor
    """(p, 22, 3) rest offsets from the parent, metres."""
    root: Tensor
    """(p, t, 3) pelvis, metres, y up."""
    rotations: Tensor
    """(p, t, 22, 3, 3): the pelvis' in the world, the others' relative to the parent."""

    @property
    def frames(self) -> int:
        """Length of the clip."""
        return self.root.shape[1]

    def posed(self) -> Posed:
        """Forward kinematics, one level of the tree at a time."""
        orientations = [self.rotations[:, :, :1]]
        positions = [self.root[:, :, None]]
        for level in _LEVELS:
            above = orientations[-1].index_select(2, level.parents)
            bones = above @ self.offsets[:, None, level.joints, :, None]
            positions.append(positions[-1].index_select(2, level.parents) + bones[..., 0])
            orientations.append(above @ self.rotations.index_select(2, level.joints))
        return Posed(
            torch.cat(positions, 2).index_select(2, _BACK),
            torch.cat(orientations, 2).index_select(2, _BACK),
        )


@dataclass(frozen=True)
class _Level:
    """Joints as deep in the tree as each other."""

    joints: Tensor
    parents: Tensor
    """Place of each joint's parent among the joints of the level above."""


def _depth(joint: int) -> int:
    parent = SMPL22.parents[joint]
    return 0 if parent < 0 else 1 + _depth(parent)


_BY_DEPTH = [
    tuple(joints)
    for _, joints in groupby(sorted(range(SMPL22.joint_count), key=_depth), key=_depth)
]
_LEVELS = tuple(
    _Level(
        torch.tensor(joints),
        torch.tensor([above.index(SMPL22.parents[joint]) for joint in joints]),
    )
    for above, joints in pairwise(_BY_DEPTH)
)
_ORDER = [joint for joints in _BY_DEPTH for joint in joints]
_BACK = torch.tensor([_ORDER.index(joint) for joint in range(SMPL22.joint_count)])
