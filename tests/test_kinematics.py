"""Laws of forward kinematics and of fitting rotations to positions."""

from __future__ import annotations

import math

import pytest
import roma
import torch
from torch import Tensor

from intermask.geometry import axis_angle_to_matrix, geodesic_angle, rotation_between, yaw_matrix
from intermask.kinematics import (
    bone_offsets,
    correct_rotations,
    fit_rotations,
    forward_kinematics,
    global_rotations,
)
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions

OFFSETS = torch.tensor(MEAN_ADULT_OFFSETS)
SEVERAL_CHILDREN = [0, 9]


def random_pose(frames: int, seed: int = 0, size: float = 0.7) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    root_positions = torch.randn(frames, 3, generator=generator, dtype=torch.float64)
    turns = torch.randn(frames, 22, 3, generator=generator, dtype=torch.float64) * size
    turns[:, 0] *= 3
    rotations = axis_angle_to_matrix(turns)
    return root_positions, rotations[:, 0], rotations[:, 1:]


def test_identity_is_the_rest_pose() -> None:
    eye = torch.eye(3, dtype=torch.float64)
    positions = forward_kinematics(
        OFFSETS, torch.zeros(3, dtype=torch.float64), eye, eye.expand(21, 3, 3)
    )
    torch.testing.assert_close(positions, torch.tensor(rest_positions(MEAN_ADULT_OFFSETS)))


def test_forward_kinematics_turns_with_the_root() -> None:
    root, root_rotations, rotations = random_pose(5)
    turn = yaw_matrix(torch.tensor(1.1, dtype=torch.float64))
    plain = forward_kinematics(OFFSETS, root, root_rotations, rotations)
    turned = forward_kinematics(OFFSETS, root @ turn.T, turn @ root_rotations, rotations)
    torch.testing.assert_close(turned, plain @ turn.T)


def test_two_bodies_with_their_own_offsets() -> None:
    root, root_rotations, rotations = random_pose(6)
    offsets = torch.stack((OFFSETS, OFFSETS * 1.1))[:, None]
    both = forward_kinematics(
        offsets,
        root.expand(2, 6, 3),
        root_rotations.expand(2, 6, 3, 3),
        rotations.expand(2, 6, 21, 3, 3),
    )
    torch.testing.assert_close(
        both[0], forward_kinematics(OFFSETS, root, root_rotations, rotations)
    )
    torch.testing.assert_close(
        both[1], forward_kinematics(OFFSETS * 1.1, root, root_rotations, rotations)
    )


def test_fit_reproduces_the_positions() -> None:
    positions = forward_kinematics(OFFSETS, *random_pose(50))
    fitted = fit_rotations(positions, OFFSETS)
    again = forward_kinematics(OFFSETS, positions[:, 0], *fitted)
    torch.testing.assert_close(again, positions, atol=1e-5, rtol=0)


def test_fit_finds_pelvis_and_chest_exactly() -> None:
    root, root_rotations, rotations = random_pose(20)
    positions = forward_kinematics(OFFSETS, root, root_rotations, rotations)
    truth = global_rotations(root_rotations, rotations)
    fitted = global_rotations(*fit_rotations(positions, OFFSETS))
    assert geodesic_angle(truth, fitted)[:, SEVERAL_CHILDREN].max() < 1e-3


def test_correction_leaves_right_rotations_alone() -> None:
    root, root_rotations, rotations = random_pose(20)
    positions = forward_kinematics(OFFSETS, root, root_rotations, rotations)
    corrected = correct_rotations(positions, OFFSETS, root_rotations, rotations)
    assert geodesic_angle(corrected.root_rotations, root_rotations).max() < 1e-4
    assert geodesic_angle(corrected.rotations, rotations).max() < 1e-4


def test_correction_keeps_the_twist() -> None:
    """A forearm twisted about its own bone has the right positions: nothing may change."""
    eye = torch.eye(3, dtype=torch.float64)
    rotations = eye.repeat(21, 1, 1)
    elbow = SMPL22.index("left_elbow")
    bone = OFFSETS[SMPL22.index("left_wrist")]
    rotations[elbow - 1] = axis_angle_to_matrix(bone / bone.norm() * 0.9)
    positions = torch.tensor(rest_positions(MEAN_ADULT_OFFSETS))
    corrected = correct_rotations(positions, OFFSETS, eye, rotations)
    assert geodesic_angle(corrected.rotations, rotations).max() < 1e-4


def test_correction_swings_wrong_rotations_to_the_positions() -> None:
    root, root_rotations, rotations = random_pose(20)
    positions = forward_kinematics(OFFSETS, root, root_rotations, rotations)
    noise = axis_angle_to_matrix(
        0.3
        * torch.randn(20, 22, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )
    corrected = correct_rotations(
        positions, OFFSETS, noise[:, 0] @ root_rotations, noise[:, 1:] @ rotations
    )
    again = forward_kinematics(OFFSETS, positions[:, 0], *corrected)
    torch.testing.assert_close(again, positions, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["a point", "a line", "backwards"])
def test_degenerate_bodies_give_rotations(kind: str) -> None:
    positions = torch.tensor(rest_positions(MEAN_ADULT_OFFSETS))
    if kind == "a point":
        positions = positions * 0
    elif kind == "a line":
        positions = positions * torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    else:
        positions = positions @ yaw_matrix(torch.tensor(math.pi, dtype=torch.float64)).T
    fitted = fit_rotations(positions, OFFSETS)
    for matrices in fitted:
        assert roma.is_rotation_matrix(matrices, 1e-5)


def test_a_bone_turned_right_around_still_reaches() -> None:
    positions = torch.tensor(rest_positions(MEAN_ADULT_OFFSETS))
    knee, ankle, foot = SMPL22.indices("left_knee", "left_ankle", "left_foot")
    up = 2 * positions[knee] - positions[ankle]
    positions[foot] += up - positions[ankle]
    positions[ankle] = up
    again = forward_kinematics(OFFSETS, positions[0], *fit_rotations(positions, OFFSETS))
    torch.testing.assert_close(again, positions, atol=1e-5, rtol=0)


def test_offsets_come_back_from_a_motion() -> None:
    root, root_rotations, rotations = random_pose(12)
    offsets = OFFSETS * 1.07
    positions = forward_kinematics(offsets, root, root_rotations, rotations)
    torch.testing.assert_close(bone_offsets(positions, root_rotations, rotations), offsets)


def test_single_precision_is_good_to_a_tenth_of_a_millimetre() -> None:
    root, root_rotations, rotations = (part.float() for part in random_pose(30))
    offsets = OFFSETS.float()
    positions = forward_kinematics(offsets, root, root_rotations, rotations)
    again = forward_kinematics(offsets, positions[:, 0], *fit_rotations(positions, offsets))
    assert (again - positions).norm(dim=-1).max() < 1e-4
    assert rotation_between(positions[:, 0], positions[:, 1]).dtype == torch.float32
