"""A clip of a dataset as `Motion`, to be looked at or exported."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from intermask import representation
from intermask.data.layout import Clip
from intermask.errors import UserError
from intermask.geometry import rot6d_to_matrix
from intermask.kinematics import correct_rotations
from intermask.motion import Motion
from intermask.skeleton import MEAN_ADULT_OFFSETS


def motion_of(clip: Clip) -> Motion:
    """Joints and rotations of a clip of InterHuman's layout; its first caption is the caption.

    Files of this layout have no rotation of the pelvis: the bones that leave it tell it. The lowest
    point is put on the floor.

    Raises:
        UserError: the clip has one person; a motion has two.
    """
    if len(clip.loaded) != 2:
        raise UserError(f"{clip.name} has {len(clip.loaded)} person; expected a clip of two people")
    places, turns = representation.split_loaded(clip.loaded)
    positions = representation.z_up_to_y_up(places)
    positions = positions - positions.new_tensor((0.0, 1.0, 0.0)) * positions[..., 1].amin()
    motion = fitted_motion(positions, rot6d_to_matrix(turns))
    return replace(motion, caption=clip.captions[0] if clip.captions else "")


def fitted_motion(positions: Tensor, rotations: Tensor) -> Motion:
    """Two people where their joints are; the bones tell how the pelvis and the joints are turned.

    Args:
        positions: (2, t, 22, 3) metres, y up.
        rotations: (2, t, 21, 3, 3) parent-relative, which decide what bones leave open.
    """
    guess = torch.eye(3).to(positions).expand(*positions.shape[:2], 3, 3)
    offsets = positions.new_tensor(MEAN_ADULT_OFFSETS)
    fitted = correct_rotations(positions, offsets, guess, rotations)
    return Motion(positions, fitted.rotations, fitted.root_rotations)
