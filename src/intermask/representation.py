"""InterHuman-262: from raw arrays to canonical features, to joint grids, and back to metres.

Stages of one clip (method, section 1; `t` frames, 22 joints):

* **raw** ``(t, 492)``: a file of the release, z up.
* **loaded** ``(t, 192)``: its first 22 positions (66) and first 21 rotations (126), still z up.
* **features** ``(t-1, 262)``: y up, floor at 0, canonical placement, with velocities and contacts.
* **joint grid** ``(t, 22, 12)``: position, velocity and rotation a joint; what networks see.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from intermask import geometry
from intermask.conventions import FloorRule
from intermask.skeleton import FEET, SMPL22

JOINTS = SMPL22.joint_count
ROTATED = JOINTS - 1  # the root carries no rotation in InterHuman

POSITIONS = slice(0, JOINTS * 3)
VELOCITIES = slice(POSITIONS.stop, POSITIONS.stop + JOINTS * 3)
ROTATIONS = slice(VELOCITIES.stop, VELOCITIES.stop + ROTATED * 6)
CONTACTS = slice(ROTATIONS.stop, ROTATIONS.stop + len(FEET))
FEATURES = CONTACTS.stop  # 262
DECODED = slice(0, ROTATIONS.stop)  # the 258 columns that a tokenizer reconstructs

RAW_POSITIONS = 62
RAW_ROTATIONS = 51
RAW_COLUMNS = RAW_POSITIONS * 3 + RAW_ROTATIONS * 6  # 492
LOADED_COLUMNS = JOINTS * 3 + ROTATED * 6  # 192

CONTACT_STEP = 0.001
"""Squared metres a frame below which a foot joint stands still."""
CONTACT_HEIGHTS = (0.12, 0.05, 0.12, 0.05)
"""Metres below which ankles and toes can touch the floor, in the order of `FEET`."""

_MIRROR_ROTATION = (1.0, -1.0, -1.0, 1.0, -1.0, 1.0)


def load_raw(raw: Tensor) -> Tensor:
    """Loaded array (t, 192), z up, of one raw person file (t, 492).

    Raises:
        ValueError: another number of columns.
    """
    if raw.ndim != 2 or raw.shape[1] != RAW_COLUMNS:
        raise ValueError(
            f"a person's array has shape {tuple(raw.shape)}, expected (frames, {RAW_COLUMNS}): "
            f"{RAW_POSITIONS} positions of 3 and {RAW_ROTATIONS} rotations of 6"
        )
    rotations = raw[:, RAW_POSITIONS * 3 : RAW_POSITIONS * 3 + ROTATED * 6]
    return torch.cat((raw[:, : JOINTS * 3], rotations), 1)


def mirror_loaded(loaded: Tensor) -> Tensor:
    """Mirror image of loaded arrays (..., t, 192): x negated, left and right exchanged."""
    positions, rotations = split_loaded(loaded)
    order = list(SMPL22.mirror_order)
    positions = positions[..., order, :] * positions.new_tensor((-1.0, 1.0, 1.0))
    rotated_order = [joint - 1 for joint in order[1:]]
    rotations = rotations[..., rotated_order, :] * rotations.new_tensor(_MIRROR_ROTATION)
    return torch.cat((positions.flatten(-2), rotations.flatten(-2)), -1)


def split_loaded(loaded: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (..., t, 22, 3) z-up and rotations (..., t, 21, 6) of loaded arrays."""
    return (
        loaded[..., : JOINTS * 3].unflatten(-1, (JOINTS, 3)),
        loaded[..., JOINTS * 3 :].unflatten(-1, (ROTATED, 6)),
    )


def z_up_to_y_up(positions: Tensor) -> Tensor:
    """(x, y, z) with z up -> (x, z, -y) with y up."""
    return torch.stack((positions[..., 0], positions[..., 2], -positions[..., 1]), -1)


def y_up_to_z_up(positions: Tensor) -> Tensor:
    """Inverse of `z_up_to_y_up`."""
    return torch.stack((positions[..., 0], -positions[..., 2], positions[..., 1]), -1)


@dataclass(frozen=True)
class Placement:
    """Where one canonical person stands in the world it came from (y up, metres).

    ``world = rotate(inverse(to_forward), canonical) + origin``.
    """

    to_forward: Tensor
    """(4,) quaternion, w first, that turned the first frame's facing to +z."""
    origin: Tensor
    """(3,) pelvis x and z of the first frame, and the height of the floor."""
    facing_is_fallback: bool
    """The hips of the first frame were too steep to tell the facing (see `geometry`)."""


@dataclass(frozen=True)
class CanonicalPair:
    """Two people in the frame of the first: person 1 at the origin facing +z on frame 0."""

    features: Tensor
    """(2, t-1, 262) unnormalised."""
    relative: Tensor
    """(3,) half yaw of person 2 to person 1 in radians, and x, z of its start in metres."""
    placements: tuple[Placement, Placement]


def canonicalise_pair(loaded: Tensor, floor: FloorRule = "per_person") -> CanonicalPair:
    """Canonical features of two people (method, section 1: canonicalisation).

    Args:
        loaded: (2, t, 192) z up, t >= 2.
        floor: whose lowest point becomes y = 0.

    Raises:
        ValueError: fewer than two frames (velocities need a next frame).
    """
    if loaded.ndim != 3 or loaded.shape[0] != 2 or loaded.shape[1] < 2:
        raise ValueError(f"expected two people with at least 2 frames, got {tuple(loaded.shape)}")
    positions, rotations = split_loaded(loaded)
    positions = z_up_to_y_up(positions)
    heights = positions[..., 1].amin(dim=(1, 2))
    if floor == "shared":
        heights = heights.amin().expand(2)
    people = [_canonicalise_person(positions[p], rotations[p], heights[p]) for p in range(2)]
    (first, place1), (second, place2) = people

    relative_turn = geometry.quaternion_multiply(
        place2.to_forward, geometry.quaternion_inverse(place1.to_forward)
    )
    half_yaw = torch.atan2(relative_turn[2], relative_turn[0])
    ground = positions.new_tensor((1.0, 0.0, 1.0))
    offset = geometry.quaternion_rotate(place1.to_forward, (place2.origin - place1.origin) * ground)
    relative = torch.stack((half_yaw, offset[0], offset[2]))
    second = place_relative(second, relative)
    return CanonicalPair(torch.stack((first, second)), relative, (place1, place2))


def frame_facts(loaded: Tensor) -> Tensor:
    """What decides where a crop of a clip is placed, found for every frame: (..., t, 3).

    x and z of the horizontal unit vector that a person faces, and the height of the lowest joint in
    metres; y up. See `intermask.data.placement`.

    Args:
        loaded: (..., t, 192) z up.
    """
    positions = z_up_to_y_up(split_loaded(loaded)[0])
    facing = geometry.facing_direction(positions)
    lowest = positions[..., 1].amin(-1)
    return torch.stack((facing[..., 0], facing[..., 2], lowest), -1)


def canonicalise_person(loaded: Tensor) -> tuple[Tensor, Placement]:
    """Canonical features (t-1, 262) of one person's loaded array (t, 192), and its placement."""
    positions, rotations = split_loaded(loaded)
    positions = z_up_to_y_up(positions)
    return _canonicalise_person(positions, rotations, positions[..., 1].amin())


def _canonicalise_person(
    positions: Tensor, rotations: Tensor, height: Tensor
) -> tuple[Tensor, Placement]:
    origin = torch.stack((positions[0, 0, 0], height, positions[0, 0, 2]))
    facing = geometry.facing_direction(positions[0])
    to_forward = geometry.quaternion_between(facing, facing.new_tensor((0.0, 0.0, 1.0)))
    canonical = geometry.quaternion_rotate(to_forward, positions - origin)
    placement = Placement(to_forward, origin, not bool(geometry.hips_are_upright(positions[0])))
    return assemble_features(canonical, rotations), placement


def assemble_features(positions: Tensor, rotations: Tensor) -> Tensor:
    """Features (..., t-1, 262) of y-up positions (..., t, 22, 3), 6D rotations (..., t, 21, 6)."""
    velocities = positions[..., 1:, :, :] - positions[..., :-1, :, :]
    return torch.cat(
        (
            positions[..., :-1, :, :].flatten(-2),
            velocities.flatten(-2),
            rotations[..., :-1, :, :].flatten(-2),
            foot_contacts(positions[..., :-1, :, :], velocities),
        ),
        -1,
    )


def foot_contacts(positions: Tensor, steps: Tensor) -> Tensor:
    """Contact labels (..., t, 4) as 0 or 1 of `FEET`: a small step to the next frame, and low.

    Args:
        positions: (..., t, 22, 3) metres, floor at y = 0.
        steps: (..., t, 22, 3) metres to the next frame.
    """
    feet = list(FEET)
    still = (steps[..., feet, :] ** 2).sum(-1) < CONTACT_STEP
    low = positions[..., feet, 1] < positions.new_tensor(CONTACT_HEIGHTS)
    return (still & low).to(positions.dtype)


def place_relative(features: Tensor, relative: Tensor) -> Tensor:
    """Place canonical features (t, 262) by ``relative`` (3,): turn, then move.

    Velocities turn with the positions; rotations are parent-relative and stay.
    """
    half_yaw, x, z = relative.unbind()
    zero = torch.zeros_like(half_yaw)
    turn = torch.stack((half_yaw.cos(), zero, half_yaw.sin(), zero))
    turn = geometry.quaternion_inverse(turn)
    moved = features[..., : VELOCITIES.stop].unflatten(-1, (2 * JOINTS, 3))
    moved = geometry.quaternion_rotate(turn, moved)
    shift = torch.stack((x, zero, z))
    positions, velocities = moved[..., :JOINTS, :] + shift, moved[..., JOINTS:, :]
    return torch.cat(
        (positions.flatten(-2), velocities.flatten(-2), features[..., ROTATIONS.start :]), -1
    )


def decode_positions(features: Tensor) -> Tensor:
    """Joint positions (..., t, 22, 3) in metres of unnormalised features (..., t, 262)."""
    return features[..., POSITIONS].unflatten(-1, (JOINTS, 3))


def decode_rotations(features: Tensor) -> Tensor:
    """Parent-relative matrices (..., t, 21, 3, 3) of unnormalised features (..., t, 262)."""
    return geometry.rot6d_to_matrix(features[..., ROTATIONS].unflatten(-1, (ROTATED, 6)))


def to_joint_grid(features: Tensor) -> Tensor:
    """Joint grid (..., t, 22, 12) of features (..., t, 262); the root's rotation is zero.

    Contacts are not part of the grid: tokenizers neither see nor return them.
    """
    rotations = features[..., ROTATIONS].unflatten(-1, (ROTATED, 6))
    return torch.cat(
        (
            decode_positions(features),
            features[..., VELOCITIES].unflatten(-1, (JOINTS, 3)),
            torch.nn.functional.pad(rotations, (0, 0, 1, 0)),
        ),
        -1,
    )


def from_joint_grid(grid: Tensor) -> Tensor:
    """Features (..., t, 262) of a joint grid (..., t, 22, 12); contacts come back as 0."""
    contacts = grid.new_zeros((*grid.shape[:-2], len(FEET)))
    return torch.cat(
        (
            grid[..., 0:3].flatten(-2),
            grid[..., 3:6].flatten(-2),
            grid[..., 1:, 6:12].flatten(-2),
            contacts,
        ),
        -1,
    )


class Normaliser(nn.Module):
    """Fixed mean and standard deviation of the features, kept as buffers.

    Args:
        mean: (f,) in feature units.
        std: (f,) positive.

    Raises:
        ValueError: shapes differ, or a deviation is not a positive number.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        if mean.shape != std.shape:
            raise ValueError(f"mean has shape {tuple(mean.shape)}, std {tuple(std.shape)}")
        if not bool(torch.isfinite(mean).all() and torch.isfinite(std).all() and (std > 0).all()):
            raise ValueError("normaliser statistics must be finite with every std above 0")
        self.register_buffer("mean", mean.float().clone())
        self.register_buffer("std", std.float().clone())

    def normalise(self, features: Tensor) -> Tensor:
        """Features (..., f) to zero mean and unit deviation."""
        return (features - self.mean) / self.std

    def denormalise(self, features: Tensor) -> Tensor:
        """Inverse of `normalise`."""
        return features * self.std + self.mean


def fit_normaliser(clips: list[Tensor]) -> Normaliser:
    """Normaliser of features (t, 262) in which distances and directions keep their meaning.

    All joints share the pelvis's mean and one deviation of positions over joints and axes; the
    same for velocities, with mean 0, and one deviation for rotations. So a normalised difference
    between two joints is a scaled vector in metres. Contacts stay as they are.
    """
    every = torch.cat(clips).double()
    mean, variance = every.mean(0), every.var(0)
    pelvis = mean[POSITIONS][:3].clone()
    spread = every[:, POSITIONS].unflatten(1, (JOINTS, 3)) - pelvis
    std = torch.ones_like(mean)
    mean[POSITIONS] = pelvis.repeat(JOINTS)
    std[POSITIONS] = spread.square().mean().sqrt()
    mean[VELOCITIES] = 0.0
    std[VELOCITIES] = every[:, VELOCITIES].square().mean().sqrt()
    std[ROTATIONS] = variance[ROTATIONS].mean().sqrt()
    mean[CONTACTS] = 0.0
    return Normaliser(mean, std.clamp_min(1e-4))
