"""Inter-X's motion of SMPL-X: from stored rotation vectors to features, and back to matrices.

Stages of one person (method, section 2; `t` frames, 56 rows):

* **loaded** ``(t, 56, 3)``: as stored. Rows 0..54 are rotation vectors in radians of the 55 joints
  of SMPL-X, the root's in the world, the others relative to their parents; row 55 is the
  translation of the body in metres. y up, both people in one world.
* **features** ``(t-1, 336)``: 56 rows of 6, flattened. Rows 0..54 are the first two rows of the
  rotation matrices (``r00 r01 r02 r10 r11 r12``), row 55 is the translation and its step to the
  next frame.
* **joint grid** ``(t, 56, 6)``: the same, not flattened; what networks see.

Nothing is moved to a canonical place and models normalise nothing, as in the release.
"""

from __future__ import annotations

import torch
from torch import Tensor

from intermask.geometry import (
    axis_angle_to_matrix,
    matrix_to_rows6d,
    rows6d_to_matrix,
    yaw_matrix,
)
from intermask.representation import Normaliser
from intermask.skeleton import SMPLX55
from intermask.smplx import JOINT_COUNT as JOINTS
from intermask.smplx import TRANSLATION_ROW

ROWS = JOINTS + 1
ROW_WIDTH = 6
FEATURES = ROWS * ROW_WIDTH  # 336


def encode(loaded: Tensor) -> Tensor:
    """Features (..., t-1, 336) of loaded arrays (..., t, 56, 3); t >= 2.

    The last frame is dropped, as for InterHuman: it has no next frame to step to.
    """
    rotations = matrix_to_rows6d(axis_angle_to_matrix(loaded[..., :-1, :JOINTS, :]))
    places = loaded[..., TRANSLATION_ROW, :]
    steps = places[..., 1:, :] - places[..., :-1, :]
    last = torch.cat((places[..., :-1, :], steps), -1)[..., None, :]
    return from_joint_grid(torch.cat((rotations, last), -2))


def encode_pair(loaded: Tensor, *, mirror: bool = False, swap: bool = False) -> Tensor:
    """Features (2, t-1, 336) of a loaded clip (2, t, 56, 3), mirrored or with people exchanged."""
    if mirror:
        loaded = mirror_loaded(loaded)
    return encode(loaded.flip(0) if swap else loaded)


def mirror_loaded(loaded: Tensor) -> Tensor:
    """Mirror image of loaded arrays (..., t, 56, 3): x negated, left and right exchanged.

    A rotation vector is an axial vector: a mirror across x keeps its x and negates y and z. The
    body's own asymmetry (its rest pelvis lies millimetres beside x = 0) is not mirrored.
    """
    order = [*SMPLX55.mirror_order, TRANSLATION_ROW]
    flip = loaded.new_tensor((1.0, -1.0, -1.0)).repeat(ROWS, 1)
    flip[TRANSLATION_ROW] = loaded.new_tensor((-1.0, 1.0, 1.0))
    return loaded[..., order, :] * flip


def from_first_person(features: Tensor) -> Tensor:
    """People moved and turned together: the first one then starts at the origin and faces +z.

    As `representation.canonicalise_pair` places them, but for heights, which stay. Translations of
    SMPL-X are not quite those of the pelvis, so that a turn is off by the 1 to 2 cm at which that
    rests beside the origin.

    Args:
        features: (..., 2, t, 336); they are left as they are.
    """
    grid = to_joint_grid(features).clone()
    roots, places = rows6d_to_matrix(grid[..., 0, :]), grid[..., TRANSLATION_ROW, :]
    ahead = roots[..., 0, 0, :, 2]
    turn = yaw_matrix(-torch.atan2(ahead[..., 0], ahead[..., 2]))[..., None, None, :, :]
    start = places[..., :1, :1, :3] * places.new_tensor((1.0, 0.0, 1.0))
    ways = torch.stack((places[..., :3] - start, places[..., 3:]), -1)
    grid[..., 0, :] = matrix_to_rows6d(turn @ roots)
    grid[..., TRANSLATION_ROW, :] = (turn @ ways).transpose(-1, -2).flatten(-2)
    return from_joint_grid(grid)


def to_joint_grid(features: Tensor) -> Tensor:
    """Joint grid (..., t, 56, 6) of features (..., t, 336)."""
    return features.unflatten(-1, (ROWS, ROW_WIDTH))


def from_joint_grid(grid: Tensor) -> Tensor:
    """Features (..., t, 336) of a joint grid (..., t, 56, 6)."""
    return grid.flatten(-2)


def decode_rotations(features: Tensor) -> Tensor:
    """Matrices (..., t, 55, 3, 3) of features (..., t, 336): the root's, then parent-relative."""
    return rows6d_to_matrix(to_joint_grid(features)[..., :JOINTS, :])


def decode_translations(features: Tensor) -> Tensor:
    """Translations (..., t, 3) in metres of features (..., t, 336)."""
    return to_joint_grid(features)[..., TRANSLATION_ROW, :3]


def unit_normaliser() -> Normaliser:
    """Statistics that change nothing: a tokenizer's numbers are not normalised."""
    return Normaliser(torch.zeros(FEATURES), torch.ones(FEATURES))


def fit_normaliser(clips: list[Tensor]) -> Normaliser:
    """Normaliser of features (t, 336) in which distances and directions keep their meaning.

    All rotations share one deviation, places and steps have one each over their axes; the mean of
    steps stays 0. Places and steps then weigh as if every joint carried them, as it does in
    InterHuman's features: two rows of numbers would drown among those of 55 rotations.
    """
    every = to_joint_grid(torch.cat(clips).double())
    mean, variance = every.mean(0), every.var(0)
    std = torch.ones_like(mean)
    std[:JOINTS] = variance[:JOINTS].mean().sqrt()
    std[TRANSLATION_ROW, :3] = (variance[TRANSLATION_ROW, :3].mean() / JOINTS).sqrt()
    mean[TRANSLATION_ROW, 3:] = 0.0
    std[TRANSLATION_ROW, 3:] = (every[:, TRANSLATION_ROW, 3:].square().mean() / JOINTS).sqrt()
    return Normaliser(mean.flatten(), std.flatten().clamp_min(1e-4))
