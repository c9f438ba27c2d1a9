"""A person as animation programs want one: rigid bones, one rotation a joint, and where they are.

All formats with a skeleton are written from here, so they show the same two people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.kinematics import (
    bone_offsets,
    correct_rotations,
    forward_kinematics,
    global_rotations,
)
from intermask.motion import Motion
from intermask.skeleton import SMPL22, Skeleton

Array = NDArray[np.float64]

MAX_DISAGREEMENT = 1e-3
"""Metres between positions and rotations above which the rotations are corrected first."""


@dataclass(frozen=True)
class Rig:
    """One person of t frames and j joints; float64."""

    skeleton: Skeleton
    offsets: Array
    """(j, 3) rest offsets from the parent, metres, of a T-pose that faces +z; the root's is 0."""
    root_positions: Array
    """(t, 3) of the pelvis, metres, y up."""
    rotations: Array
    """(t, j, 3, 3) relative to the parent; the pelvis's first, in the world."""

    @property
    def world_rotations(self) -> Array:
        """(t, j, 3, 3) of all joints in the world."""
        root, below = torch.from_numpy(self.rotations).split([1, self.rotations.shape[1] - 1], 1)
        return global_rotations(root[:, 0], below, self.skeleton.parents).numpy()

    @property
    def positions(self) -> Array:
        """(t, j, 3) metres, by forward kinematics."""
        root, below = torch.from_numpy(self.rotations).split([1, self.rotations.shape[1] - 1], 1)
        return forward_kinematics(
            torch.from_numpy(self.offsets),
            torch.from_numpy(self.root_positions),
            root[:, 0],
            below,
            self.skeleton.parents,
        ).numpy()


def rig_of(motion: Motion, person: int) -> Rig:
    """One person (0 or 1) of a motion, with the bone lengths that they have there.

    A motion whose rotations do not lead to its positions (one that was not consolidated) has its
    rotations corrected on the way, so that the rig follows the positions.
    """
    parents = motion.skeleton.parents
    positions = motion.positions[person].double().cpu()
    root_rotations = motion.root_rotations[person].double().cpu()
    rotations = motion.rotations[person].double().cpu()
    offsets = bone_offsets(positions, root_rotations, rotations, parents)
    reached = forward_kinematics(offsets, positions[:, 0], root_rotations, rotations, parents)
    # Motion with hands came out of kinematics; only 22 joints may have been decoded apart.
    if motion.skeleton is SMPL22 and (reached - positions).norm(dim=-1).max() > MAX_DISAGREEMENT:
        root_rotations, rotations = correct_rotations(positions, offsets, root_rotations, rotations)
        offsets = bone_offsets(positions, root_rotations, rotations)
    matrices = torch.cat((root_rotations[:, None], rotations), 1)
    return Rig(motion.skeleton, offsets.numpy(), positions[:, 0].numpy(), matrices.numpy())
