"""A clip of a dataset as `Motion`, to be looked at or exported."""

from __future__ import annotations

import torch

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
    guess = torch.eye(3).expand(*positions.shape[:2], 3, 3)
    offsets = positions.new_tensor(MEAN_ADULT_OFFSETS)
    fitted = correct_rotations(positions, offsets, guess, rot6d_to_matrix(turns))
    caption = clip.captions[0] if clip.captions else ""
    return Motion(positions, fitted.rotations, fitted.root_rotations, caption=caption)
