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

from intermask import geometry, representation
from intermask.conventions import FloorRule


@dataclass(frozen=True)
class PlaceableClip:
    """A clip with what placing its crops needs.

    Attributes:
        loaded: (people, t, 192) z up; see `representation`.
        facing: (people, t, 2) x and z of the horizontal unit vector that each person faces, y up.
        lowest: (people, t) height of the lowest joint, metres.
    """

    loaded: Tensor
    facing: Tensor
    lowest: Tensor


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

    clip: PlaceableClip
    person: int
    reference: int
    anchor: int
    start: int
    stop: int
    mirror: bool


def placeable(loaded: Tensor) -> PlaceableClip:
    """Look through a loaded clip (people, t, 192)."""
    positions = representation.z_up_to_y_up(representation.split_loaded(loaded)[0])
    facing = geometry.facing_direction(positions)
    return PlaceableClip(loaded, facing[..., (0, 2)], positions[..., 1].amin(-1))


def placed_features(crops: Sequence[Crop], floor: FloorRule) -> Tensor:
    """Canonical features (b, t-1, 262) of crops of the same length t, unnormalised.

    Args:
        crops: at least one; each is placed for itself.
        floor: whose lowest point becomes y = 0.
    """
    loaded = torch.stack([crop.clip.loaded[crop.person, crop.start : crop.stop] for crop in crops])
    facing = torch.stack([crop.clip.facing[crop.reference, crop.anchor] for crop in crops])
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
    people = slice(None) if floor == "shared" else slice(crop.person, crop.person + 1)
    return torch.stack((x, crop.clip.lowest[people, crop.anchor : crop.stop].min(), -minus_z))


def _turned_forward(positions: Tensor, facing: Tensor) -> Tensor:
    """Positions (b, t, j, 3) turned about y so that facing (b, 2) becomes +z."""
    fx, fz = facing[:, None, None].unbind(-1)
    x, y, z = positions.unbind(-1)
    return torch.stack((fz * x - fx * z, y, fx * x + fz * z), -1)
