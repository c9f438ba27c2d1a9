"""One drawn body for everybody: its surface, stretched to the bones of each person.

A page or a file with many people then holds one surface, and 12 numbers a joint for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermask.export.mannequin import Mannequin, girth
from intermask.skeleton import Skeleton

Array = NDArray[np.float64]

_RIDGE = 1e-3
"""Square metres: keeps what the bones of a joint do not tell from being stretched."""


@dataclass(frozen=True)
class FittedBody:
    """A mannequin on one person's bones."""

    mannequin: Mannequin
    binding: Array
    """(j, 3, 4) takes the surface as bound to the joint's own axes in the person's size."""

    def posed(self, positions: Array, rotations: Array) -> Array:
        """Points (n, 3) of the surface for joints (j, 3) and world rotations (j, 3, 3)."""
        matrices = rotations @ self.binding
        matrices[..., 3] += positions
        blended = (self.mannequin.weights @ matrices.reshape(-1, 12)).reshape(-1, 3, 4)
        points = self.mannequin.points
        return np.asarray(np.einsum("nab,nb->na", blended[..., :3], points) + blended[..., 3])


def fit_body(
    mannequin: Mannequin, made_for: Array, offsets: Array, skeleton: Skeleton
) -> FittedBody:
    """Stretch a mannequin that was built for one set of rest offsets to another.

    Around a joint the surface is scaled by the person's girth, and stretched so that the joints
    that hang on it come where the person has them.

    Args:
        mannequin: a body of j joints.
        made_for: (j, 3) rest offsets it was built for, metres.
        offsets: (j, 3) rest offsets of the person, metres.
        skeleton: of both.
    """
    girths = girth(offsets) / girth(made_for)
    binding = np.empty((skeleton.joint_count, 3, 4))
    for joint in range(skeleton.joint_count):
        children = [child for parent, child in skeleton.bones if parent == joint]
        stretch = girths * np.eye(3)
        if children:
            before, after = made_for[children].T, offsets[children].T
            scatter = before @ before.T + _RIDGE * np.eye(3)
            stretch += (after - girths * before) @ before.T @ np.linalg.inv(scatter)
        turned_back = stretch @ mannequin.joint_rotations[joint].T
        binding[joint, :, :3] = turned_back
        binding[joint, :, 3] = -turned_back @ mannequin.joint_positions[joint]
    return FittedBody(mannequin, binding)
