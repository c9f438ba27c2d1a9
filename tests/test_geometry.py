"""Rotations and facing: equal to recorded numbers, and their laws."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from golden_files import golden, largest_error
from intermask import geometry
from intermask.skeleton import MEAN_ADULT_OFFSETS, rest_positions

TOLERANCE = 1e-5


def standing() -> Tensor:
    """(22, 3) a person in T-pose that faces +z."""
    return torch.tensor(rest_positions(MEAN_ADULT_OFFSETS))


def turned(positions: Tensor, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Tensor:
    """Positions (..., 3) turned by degrees about x, then y, then z."""
    for axis, degrees in enumerate((x, y, z)):
        turn = torch.zeros(3, dtype=positions.dtype)
        turn[axis] = math.radians(degrees)
        positions = positions @ geometry.axis_angle_to_matrix(turn).T
    return positions


def random_rotations(*batch: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(*batch, 4, generator=generator, dtype=torch.float64)
    return geometry.quaternion_to_matrix(q / q.norm(dim=-1, keepdim=True))


def test_quaternions_equal_the_recorded_ones() -> None:
    file = golden("geometry")
    q, q2 = file["q"], file["q2"]
    assert largest_error(geometry.quaternion_multiply(q, q2), file["qmul"]) < TOLERANCE
    assert largest_error(geometry.quaternion_inverse(q), file["qinv"]) < TOLERANCE
    assert largest_error(geometry.quaternion_rotate(q, file["v"]), file["qrot"]) < TOLERANCE
    between = geometry.quaternion_between(file["v0"], file["v1"])
    assert largest_error(between, file["qbetween"]) < TOLERANCE


def test_interhumans_6d_form_equals_the_recorded_columns() -> None:
    file = golden("geometry")
    # The recording reads its six numbers as two concatenated columns; interleaving them gives
    # the numbers that lie in InterHuman's files.
    assert largest_error(geometry.columns6d_to_matrix(file["r6"]), file["matrix"]) < TOLERANCE
    interleaved = file["r6"].unflatten(-1, (2, 3)).transpose(-1, -2).flatten(-2)
    assert largest_error(geometry.rot6d_to_matrix(interleaved), file["matrix"]) < TOLERANCE


def test_axis_angle_and_interx_6d_equal_the_recorded_ones() -> None:
    file = golden("rotations")
    matrix = file["matrix"]
    made = geometry.axis_angle_to_matrix(file["axis_angle"])
    assert largest_error(made, matrix) < TOLERANCE
    assert largest_error(geometry.matrix_to_rows6d(matrix), file["rot6d"]) < TOLERANCE
    assert largest_error(geometry.rows6d_to_matrix(file["rot6d"]), file["matrix_back"]) < TOLERANCE
    back = geometry.axis_angle_to_matrix(geometry.matrix_to_axis_angle(file["matrix_back"]))
    assert largest_error(back, file["matrix_back"]) < TOLERANCE
    recorded = geometry.axis_angle_to_matrix(file["axis_angle_back"])
    assert largest_error(recorded, file["matrix_back"]) < TOLERANCE


def test_known_rotations_survive_every_form() -> None:
    matrices = random_rotations(4, 5)
    for there, back in (
        (geometry.matrix_to_rot6d, geometry.rot6d_to_matrix),
        (geometry.matrix_to_rows6d, geometry.rows6d_to_matrix),
        (geometry.matrix_to_axis_angle, geometry.axis_angle_to_matrix),
        (geometry.matrix_to_quaternion, geometry.quaternion_to_matrix),
    ):
        assert largest_error(back(there(matrices)), matrices) < 1e-9


def test_interhumans_6d_form_is_the_first_two_columns_row_by_row() -> None:
    matrix = torch.arange(9.0).reshape(3, 3)
    assert geometry.matrix_to_rot6d(matrix).tolist() == [0, 1, 3, 4, 6, 7]


def test_products_of_quaternions_are_products_of_matrices() -> None:
    a, b = random_rotations(6, seed=1), random_rotations(6, seed=2)
    product = geometry.quaternion_multiply(
        geometry.matrix_to_quaternion(a), geometry.matrix_to_quaternion(b)
    )
    assert largest_error(geometry.quaternion_to_matrix(product), a @ b) < 1e-9


@pytest.mark.parametrize(
    ("v0", "v1"),
    [
        ((0.0, 0.0, 1.0), (0.0, 0.0, -1.0)),  # facing backwards: a half turn about y
        ((0.0, 1.0, 0.0), (0.0, -1.0, 0.0)),
        ((1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)),
        ((0.3, 0.4, 0.5), (0.3, 0.4, 0.5)),
        ((0.3, 0.4, 0.5), (-0.2, 2.0, 0.1)),
    ],
)
def test_rotation_between_turns_one_to_the_other(
    v0: tuple[float, ...], v1: tuple[float, ...]
) -> None:
    first, second = (torch.tensor(v, dtype=torch.float64) for v in (v0, v1))
    turn = geometry.rotation_between(first, second)
    moved = turn @ first
    assert largest_error(moved / moved.norm(), second / second.norm()) < 1e-9
    assert float(torch.linalg.det(turn)) == pytest.approx(1.0)


def test_facing_backwards_turns_about_the_vertical() -> None:
    turn = geometry.rotation_between(torch.tensor((0.0, 0.0, 1.0)), torch.tensor((0.0, 0.0, -1.0)))
    assert (turn @ torch.tensor((0.0, 1.0, 0.0))).tolist() == pytest.approx([0.0, 1.0, 0.0])


def test_facing_almost_backwards_is_turned_as_precisely_as_any_other() -> None:
    angles = math.pi - torch.logspace(-6, 0, 60, dtype=torch.float64)
    facing = torch.stack((angles.sin(), torch.zeros(60), angles.cos()), -1)
    ahead = torch.tensor((0.0, 0.0, 1.0))
    turn = geometry.quaternion_between(facing.float(), ahead)
    turned_facing = geometry.quaternion_rotate(turn, facing.float())
    assert largest_error(turned_facing, ahead.expand(60, 3)) < 5e-7


def test_the_geodesic_angle_is_the_angle_between_rotations() -> None:
    base = random_rotations(5, seed=3)
    for angle in (0.0, 1e-4, 0.5, 3.0):
        turn = geometry.axis_angle_to_matrix(torch.tensor((0.0, angle, 0.0), dtype=torch.float64))
        between = geometry.geodesic_angle(base, base @ turn)
        assert between.tolist() == pytest.approx([angle] * 5, abs=1e-7)


def test_a_positive_yaw_turns_from_z_towards_x() -> None:
    ahead = geometry.yaw_matrix(torch.tensor(math.pi / 2)) @ torch.tensor((0.0, 0.0, 1.0))
    assert ahead.tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(yaw=st.floats(-math.pi, math.pi), lean=st.floats(-60, 60))
def test_facing_turns_with_the_person(yaw: float, lean: float) -> None:
    person = turned(standing(), x=lean)
    turn = geometry.yaw_matrix(torch.tensor(yaw, dtype=torch.float64))
    facing = geometry.facing_direction(person @ turn.T)
    expected = turn @ torch.tensor((0.0, 0.0, 1.0), dtype=torch.float64)
    assert largest_error(facing, expected) < 1e-9


@pytest.mark.parametrize("lean", [-90.0, 90.0])
def test_lying_on_the_back_or_the_face_the_hips_still_tell(lean: float) -> None:
    person = turned(standing(), x=lean)
    assert bool(geometry.hips_are_upright(person))
    assert geometry.facing_direction(person).tolist() == pytest.approx([0, 0, 1], abs=1e-9)


@pytest.mark.parametrize("lean", [-90.0, 90.0], ids=["right side", "left side"])
@pytest.mark.parametrize("yaw", [0.0, 50.0, 180.0, -120.0])
def test_lying_on_a_side_the_chest_tells(lean: float, yaw: float) -> None:
    person = turned(turned(standing(), z=lean), y=yaw)
    assert not bool(geometry.hips_are_upright(person))
    expected = turned(torch.tensor((0.0, 0.0, 1.0), dtype=torch.float64), y=yaw)
    alignment = (geometry.facing_direction(person) * expected).sum()
    assert float(alignment) > math.cos(math.radians(3.0))  # the spine is not quite straight


def test_every_pose_faces_somewhere_on_the_ground() -> None:
    every = standing() @ random_rotations(500, seed=4).transpose(-1, -2)
    degenerate = torch.zeros(1, 22, 3, dtype=torch.float64)
    facing = geometry.facing_direction(torch.cat((every, degenerate)))
    assert bool((facing[:, 1] == 0).all())
    assert facing.norm(dim=-1).tolist() == pytest.approx([1.0] * 501, abs=1e-9)


def test_a_lying_person_does_not_change_the_facing_of_others() -> None:
    upright = turned(standing(), y=30.0)
    lying = turned(standing(), z=90.0)
    together = geometry.facing_direction(torch.stack((upright, lying)))
    assert largest_error(together[0], geometry.facing_direction(upright)) == 0.0
