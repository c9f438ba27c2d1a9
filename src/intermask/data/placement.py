"""Crops of clips in canonical placement, without canonicalising each of them from its first frame.

Canonicalisation of a pair (`representation.canonicalise_pair`) comes down to one turn about the
vertical and one shift for both people, which the first frame of person 1 decides, and to a floor
for each. So the facing and the lowest point of every frame, found once, place any crop: training
draws thousands of crops of the same few clips. What comes out equals canonicalising the crop up to
rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from intermask import representation
from intermask.conventions import FloorRule
from intermask.data.layout import Clip


@dataclass(frozen=True)
class Crop:
    """Frames of one person, placed by the first frame of a longer piece.

    Attributes:
        clip: where it is taken from.
        person: whose frames.
        reference: the person who stands at the origin and faces +z, 0 or 1.
        anchor: the frame in which they do, at or before ``start``; the floor is that of the frames
            from here to ``stop``.
        start: first frame.
        stop: frame after the last one; velocities take one frame away.
        mirror: whether everything is seen in a mirror.
    """

    clip: Clip
    person: int
    reference: int
    anchor: int
    start: int
    stop: int
    mirror: bool


def placed_features(crops: Sequence[Crop], floor: FloorRule) -> Tensor:
    """Canonical features (b, t-1, 262) of crops of the same length t, unnormalised.

    Args:
        crops: at least one; each is placed for itself.
        floor: whose lowest point becomes y = 0.
    """
    loaded = torch.stack([crop.clip.loaded[crop.person, crop.start : crop.stop] for crop in crops])
    facing = torch.stack([_facts(crop)[crop.reference, 0, :2] for crop in crops])
    origin = torch.stack([_origin(crop, floor) for crop in crops])
    mirrored = torch.tensor([crop.mirror for crop in crops])
    if bool(mirrored.any()):
        loaded[mirrored] = representation.mirror_loaded(loaded[mirrored])
        sign = torch.where(mirrored, -1.0, 1.0)
        facing[:, 0] *= sign
        origin[:, 0] *= sign
    positions, rotations = representation.split_loaded(loaded)
    positions = representation.z_up_to_y_up(positions) - origin[:, None, None]
    return representation.assemble_features(_turned_forward(positions, facing), rotations)


def _origin(crop: Crop, floor: FloorRule) -> Tensor:
    """(3,) pelvis x and z of the reference in the anchor frame, and the floor's height; y up."""
    x, minus_z = crop.clip.loaded[crop.reference, crop.anchor, :2]
    people = slice(None) if floor == "shared" else crop.person
    return torch.stack((x, _facts(crop)[people, :, 2].min(), -minus_z))


def _facts(crop: Crop) -> Tensor:
    """`frame_facts` (people, t, 3) of the piece that the floor is taken from."""
    return crop.clip.frame_facts[:, crop.anchor : crop.stop]


def _turned_forward(positions: Tensor, facing: Tensor) -> Tensor:
    """Positions (b, t, j, 3) turned about y so that facing (b, 2) becomes +z."""
    fx, fz = facing[:, None, None].unbind(-1)
    x, y, z = positions.unbind(-1)
    return torch.stack((fz * x - fx * z, y, fx * x + fz * z), -1)
