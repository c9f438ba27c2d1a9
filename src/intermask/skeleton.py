"""The 22 body joints of SMPL, their tree, and one mean-adult body to retarget onto.

Axes everywhere: right-handed, metres, y up; the rest pose is a T-pose that faces +z with the
person's left along +x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Skeleton:
    """A joint tree: parents come before their children, the root's parent is -1."""

    names: tuple[str, ...]
    parents: tuple[int, ...]

    def index(self, name: str) -> int:
        """Index of a joint by name; a ``ValueError`` lists the names otherwise."""
        if name not in self.names:
            raise ValueError(f"unknown joint {name!r}; joints are {', '.join(self.names)}")
        return self.names.index(name)

    def indices(self, *names: str) -> tuple[int, ...]:
        """Indices of several joints by name."""
        return tuple(self.index(name) for name in names)

    @property
    def joint_count(self) -> int:
        """Number of joints."""
        return len(self.names)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) for every joint but the root."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def mirror_order(self) -> tuple[int, ...]:
        """For every joint the index of its counterpart on the other side of the body."""
        other = {"left": "right", "right": "left"}
        return tuple(
            self.index(f"{other[side]}_{joint}") if side in other else own
            for own, (side, _, joint) in enumerate(name.partition("_") for name in self.names)
        )


SMPL22 = Skeleton(
    names=(
        "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
        "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck",
        "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
        "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    ),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19),
)  # fmt: skip

_HAND = ("index", "middle", "pinky", "ring", "thumb")

SMPLX55 = Skeleton(
    names=(
        *SMPL22.names,
        "jaw", "left_eye_smplhf", "right_eye_smplhf",
        *(
            f"{side}_{finger}{knuckle}"
            for side in ("left", "right") for finger in _HAND for knuckle in (1, 2, 3)
        ),
    ),
    parents=(
        *SMPL22.parents,
        15, 15, 15,
        *(
            (20, 21)[side] if knuckle == 0 else 24 + 15 * side + 3 * finger + knuckle
            for side in (0, 1) for finger in range(5) for knuckle in range(3)
        ),
    ),
)  # fmt: skip
"""SMPL-X: the 22 body joints first, then jaw, eyes and hands; names as in the ``smplx`` package."""

FEET = SMPL22.indices("left_ankle", "left_foot", "right_ankle", "right_foot")
"""Joints of the four contact labels, in the order of InterHuman's features (7, 10, 8, 11)."""

STATURE = 1.70
"""Standing height of the mean-adult body in metres."""

# Segment lengths over stature from Winter, "Biomechanics and Motor Control of Human Movement",
# figure 4.1: thigh .245, shank .246, ankle height .039, upper arm .186, forearm .146. Winter's
# thigh starts at the trochanter and his shoulder at the acromion; SMPL's joints sit deeper in the
# body, so hips, spine and shoulder girdle are placed by eye so that the whole stands STATURE tall.
_LEG_X, _SHOULDER_X = 0.085, 0.115
_OFFSETS = {
    "pelvis": (0.0, 0.0, 0.0),
    "left_hip": (_LEG_X, -0.085, -0.005),
    "spine1": (0.0, 0.105, -0.015),
    "left_knee": (0.015, -0.245 * STATURE, 0.0),
    "spine2": (0.0, 0.130, 0.005),
    "left_ankle": (-0.005, -0.246 * STATURE, -0.020),
    "spine3": (0.0, 0.060, 0.010),
    "left_foot": (0.015, -0.055, 0.130),
    "neck": (0.0, 0.215, -0.020),
    "left_collar": (0.065, 0.125, -0.015),
    "head": (0.0, 0.090, 0.030),
    "left_shoulder": (_SHOULDER_X, 0.025, -0.010),
    "left_elbow": (0.159 * STATURE, -0.005, -0.010),
    "left_wrist": (0.146 * STATURE, 0.005, 0.005),
}


def _mean_adult_offsets() -> NDArray[np.float64]:
    offsets = np.zeros((SMPL22.joint_count, 3))
    for name, offset in _OFFSETS.items():
        offsets[SMPL22.index(name)] = offset
        if name.startswith("left_"):
            mirrored = SMPL22.index(name.replace("left_", "right_"))
            offsets[mirrored] = np.multiply(offset, (-1.0, 1.0, 1.0))
    offsets.setflags(write=False)
    return offsets


MEAN_ADULT_OFFSETS = _mean_adult_offsets()
"""(22, 3) rest offsets from the parent in metres; the root's row is zero."""


def rest_positions(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Joint positions (22, 3) of the rest pose with the pelvis at the origin."""
    positions = np.array(offsets, dtype=np.float64)
    for parent, child in SMPL22.bones:
        positions[child] += positions[parent]
    return positions
