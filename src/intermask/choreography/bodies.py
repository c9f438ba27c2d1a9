"""One person over time, as the rooms of choreography pass it to one another.

World: metres, y up, floor at y = 0, `intermask.motion.FPS` frames a second. A person at yaw 0
faces +z, and yaw turns about +y towards +x (`geometry.yaw_matrix`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from intermask.kinematics import forward_kinematics, global_rotations


@dataclass(frozen=True)
class Body:
    """One person over time, with rigid bones.

    Attributes:
        offsets: (22, 3) rest offsets from the parent, metres.
        root: (t, 3) pelvis, metres.
        rotations: (t, 22, 3, 3) pelvis in the world, the others relative to their parents.
    """

    offsets: Tensor
    root: Tensor
    rotations: Tensor

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.root.shape[0])

    def orientations(self) -> Tensor:
        """Orientation (t, 22, 3, 3) of every joint in the world."""
        return global_rotations(self.rotations[:, 0], self.rotations[:, 1:])

    def positions(self) -> Tensor:
        """Joint positions (t, 22, 3) in metres, by forward kinematics."""
        return forward_kinematics(
            self.offsets, self.root, self.rotations[:, 0], self.rotations[:, 1:]
        )
