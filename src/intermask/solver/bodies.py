"""Two people with rigid bones over time, and where that puts their joints."""

from __future__ import annotations

from dataclasses import dataclass
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
        turned = self.orientations[person, :, joint] @ offset
        return self.positions[person, :, joint] + turned


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
            above = orientations[-1][:, :, list(level.parents)]
            bones = above @ self.offsets[:, None, list(level.joints), :, None]
            positions.append(positions[-1][:, :, list(level.parents)] + bones[..., 0])
            orientations.append(above @ self.rotations[:, :, list(level.joints)])
        return Posed(
            torch.cat(positions, 2)[:, :, list(_BACK)],
            torch.cat(orientations, 2)[:, :, list(_BACK)],
        )


@dataclass(frozen=True)
class _Level:
    """Joints as deep in the tree as each other."""

    joints: tuple[int, ...]
    parents: tuple[int, ...]
    """Place of each joint's parent among the joints of the level above."""


def _depth(joint: int) -> int:
    parent = SMPL22.parents[joint]
    return 0 if parent < 0 else 1 + _depth(parent)


_BY_DEPTH = [
    tuple(joints)
    for _, joints in groupby(sorted(range(SMPL22.joint_count), key=_depth), key=_depth)
]
_LEVELS = tuple(
    _Level(joints, tuple(above.index(SMPL22.parents[joint]) for joint in joints))
    for above, joints in pairwise(_BY_DEPTH)
)
_ORDER = [joint for joints in _BY_DEPTH for joint in joints]
_BACK = tuple(_ORDER.index(joint) for joint in range(SMPL22.joint_count))
