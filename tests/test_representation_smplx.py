"""Inter-X features: what goes in comes out, and mirror images are mirror images."""

from __future__ import annotations

import pytest
import torch

from golden_files import FOLDER, golden, largest_error
from intermask import representation_smplx
from intermask.geometry import axis_angle_to_matrix, matrix_to_axis_angle, yaw_matrix
from intermask.skeleton import SMPL22, SMPLX55
from intermask.smplx import RestBody, joint_positions, load_rest_body
from people55 import rest_joints, walking_smplx


@pytest.fixture(scope="module")
def body() -> RestBody:
    return RestBody(torch.from_numpy(rest_joints()).float(), SMPLX55.parents)


def test_the_skeleton_is_that_of_smplx() -> None:
    assert SMPLX55.parents == load_rest_body(FOLDER / "synthetic_SMPLX_NEUTRAL.npz").parents
    assert SMPLX55.names[:22] == SMPL22.names
    assert SMPLX55.names[25] == "left_index1" and SMPLX55.names[54] == "right_thumb3"
    other = SMPLX55.mirror_order
    assert [other[joint] for joint in other] == list(range(55))


def test_rows_are_the_first_two_rows_of_the_matrices() -> None:
    recorded = golden("rotations")
    assert "interx_6d" not in recorded.arrays  # its own 6D is compared in test_geometry
    loaded = walking_smplx(20)
    grid = representation_smplx.to_joint_grid(representation_smplx.encode(loaded))
    assert grid.shape == (2, 19, 56, 6)
    matrices = axis_angle_to_matrix(loaded[:, :-1, :55])
    assert largest_error(grid[..., :55, :], matrices[..., :2, :].flatten(-2)) < 1e-6
    assert torch.equal(grid[..., 55, :3], loaded[:, :-1, 55])
    assert torch.equal(grid[..., 55, 3:], loaded[:, 1:, 55] - loaded[:, :-1, 55])


def test_features_decode_to_what_was_encoded() -> None:
    loaded = walking_smplx(20)
    features = representation_smplx.encode(loaded)
    rotations = representation_smplx.decode_rotations(features)
    assert largest_error(rotations, axis_angle_to_matrix(loaded[:, :-1, :55])) < 1e-5
    assert torch.equal(representation_smplx.decode_translations(features), loaded[:, :-1, 55])
    grid = representation_smplx.to_joint_grid(features)
    assert torch.equal(representation_smplx.from_joint_grid(grid), features)


def turned_and_moved(loaded: torch.Tensor, angle: float, shift: torch.Tensor) -> torch.Tensor:
    """Loaded arrays of people who were captured elsewhere in the room."""
    turn = yaw_matrix(torch.tensor(angle))
    moved = loaded.clone()
    roots = axis_angle_to_matrix(loaded[..., 0, :])
    moved[..., 0, :] = matrix_to_axis_angle(turn @ roots)
    moved[..., 55, :] = loaded[..., 55, :] @ turn.T + shift
    return moved


@pytest.mark.parametrize("angle", [0.4, 2.0, -2.9])
def test_it_does_not_matter_where_in_a_room_people_are(angle: float) -> None:
    loaded = walking_smplx(20, seed=1)
    elsewhere = turned_and_moved(loaded, angle, torch.tensor([2.0, 0.0, -3.0]))
    placed, other = (
        representation_smplx.from_first_person(representation_smplx.encode(each))
        for each in (loaded, elsewhere)
    )
    assert largest_error(other, placed) < 1e-5
    assert largest_error(representation_smplx.from_first_person(placed), placed) < 1e-5
    forward = representation_smplx.decode_rotations(placed)[0, 0, 0, :, 2]
    assert abs(float(forward[0])) < 1e-6 and forward[2] > 0
    places = representation_smplx.decode_translations(placed)
    assert largest_error(places[0, 0, [0, 2]], torch.zeros(2)) < 1e-6
    before = representation_smplx.decode_translations(representation_smplx.encode(loaded))
    assert largest_error(places[..., 1], before[..., 1]) < 1e-6  # heights stay
    apart = (places[1] - places[0]).norm(dim=-1)
    assert largest_error(apart, (before[1] - before[0]).norm(dim=-1)) < 1e-5
    steps = representation_smplx.to_joint_grid(placed)[..., 55, 3:]
    assert largest_error(steps[:, :-1], places.diff(dim=1)) < 1e-5


def test_a_mirror_image_has_mirrored_joints(body: RestBody) -> None:
    """On a body that is its own mirror image, but for the pelvis, which stays off the middle."""
    loaded = walking_smplx(20, seed=3)

    def joints(features: torch.Tensor) -> torch.Tensor:
        return joint_positions(representation_smplx.to_joint_grid(features), body)

    plain = joints(representation_smplx.encode_pair(loaded))
    mirrored = joints(representation_smplx.encode_pair(loaded, mirror=True))
    aside = torch.tensor((2 * float(body.positions[0, 0]), 0.0, 0.0))
    expected = plain[..., list(SMPLX55.mirror_order), :] * torch.tensor((-1.0, 1.0, 1.0)) + aside
    assert largest_error(mirrored, expected) < 1e-5
    again = representation_smplx.mirror_loaded(representation_smplx.mirror_loaded(loaded))
    assert torch.equal(again, loaded)


def test_exchanged_people_change_places() -> None:
    loaded = walking_smplx(20)
    features = representation_smplx.encode_pair(loaded)
    assert torch.equal(representation_smplx.encode_pair(loaded, swap=True), features.flip(0))
