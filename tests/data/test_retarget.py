"""Laws of retargeting: identity, scale, rigid bones, kept contacts, planted feet."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from intermask.data.retarget import retarget
from intermask.errors import UserError
from intermask.geometry import axis_angle_to_matrix, yaw_matrix
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

REST = torch.from_numpy(np.array(MEAN_ADULT_OFFSETS))
WRISTS = SMPL22.indices("left_wrist", "right_wrist")
STANDING = 0.075 + float(-REST[[1, 4, 7], 1].sum())
"""Height of the pelvis with straight legs."""


def pose(frames: int, offsets: Tensor = REST, height: float = STANDING) -> tuple[Tensor, ...]:
    """Two people who face each other 0.9 m apart, bend their knees and hold out their hands."""
    sway = torch.linspace(0, 2 * math.pi, frames, dtype=torch.float64)
    root = yaw_matrix(torch.tensor((0.0, math.pi), dtype=torch.float64))
    root = root[:, None].expand(2, frames, 3, 3).contiguous()
    turns = torch.zeros(2, frames, 21, 3, dtype=torch.float64)
    bend = 0.5 + 0.2 * sway.sin()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turns[:, :, SMPL22.index(f"{side}_hip") - 1, 0] = -bend
        turns[:, :, SMPL22.index(f"{side}_knee") - 1, 0] = 2 * bend
        turns[:, :, SMPL22.index(f"{side}_ankle") - 1, 0] = -bend
        turns[:, :, SMPL22.index(f"{side}_shoulder") - 1, 1] = -sign * 1.3
        turns[:, :, SMPL22.index(f"{side}_elbow") - 1, 1] = -sign * 0.2
    local = axis_angle_to_matrix(turns)
    place = torch.zeros(2, frames, 3, dtype=torch.float64)
    place[1, :, 2] = 0.9
    positions = forward_kinematics(offsets, place, root, local, SMPL22.parents)
    lowest = positions[:, :, SMPL22.index("left_foot"), 1]
    place[..., 1] = height / STANDING * 0.02 - lowest
    return forward_kinematics(offsets, place, root, local, SMPL22.parents), root, local


def bone_lengths(positions: Tensor) -> Tensor:
    parents = list(SMPL22.parents[1:])
    return (positions[:, :, 1:] - positions[:, :, parents]).norm(dim=-1)


def test_target_body_comes_back_nearly_unchanged() -> None:
    positions, root, local = pose(40)
    result = retarget(positions, root, local, source_offsets=MEAN_ADULT_OFFSETS)
    assert result.scale == pytest.approx(1.0)
    assert (result.positions - positions).norm(dim=-1).max() < 0.005


def test_bones_have_the_lengths_of_the_target() -> None:
    positions, root, local = pose(30, REST * torch.linspace(0.8, 1.3, 22)[:, None])
    for rotations in ((root, local), (None, None)):
        result = retarget(positions, *rotations)
        wanted = REST[1:].norm(dim=-1).expand(2, 30, 21)
        torch.testing.assert_close(bone_lengths(result.positions).double(), wanted,
                                   atol=1e-5, rtol=0)  # fmt: skip
        again = forward_kinematics(REST.float(), result.positions[:, :, 0], result.root_rotations,
                                   result.rotations, SMPL22.parents)  # fmt: skip
        torch.testing.assert_close(again, result.positions, atol=1e-4, rtol=0)


def test_scale_follows_leg_length_and_is_shared() -> None:
    positions, root, local = pose(20, REST * 1.25, height=1.25 * STANDING)
    result = retarget(positions, root, local)
    assert result.scale == pytest.approx(0.8, abs=1e-6)
    assert (result.positions - 0.8 * positions).norm(dim=-1).max() < 0.005


def test_contacts_come_nearer_to_the_source_than_copied_rotations() -> None:
    body = REST.clone()
    body[list(SMPL22.indices("left_elbow", "right_elbow", "left_wrist", "right_wrist"))] *= 0.9
    body[list(SMPL22.indices("spine2", "neck"))] *= 0.8
    positions, root, local = pose(40, body)
    result = retarget(positions, root, local)
    assert result.limb_pairs > 0
    assert result.limb_error_after_mm < 0.5 * result.limb_error_before_mm
    assert result.contact_error_after_mm < result.contact_error_before_mm


def test_planted_feet_stay_planted_on_the_floor() -> None:
    positions, root, local = pose(60, REST * torch.tensor((1.1, 1.15, 1.1)))
    result = retarget(positions, root, local)
    feet = result.positions[:, :, list(SMPL22.indices("left_foot", "right_foot"))]
    slide = (feet[:, 1:] - feet[:, :-1])[..., (0, 2)].norm(dim=-1) * 30
    assert slide.mean() < 0.03
    assert feet[..., 1].min() > 0.0
    assert feet[..., 1].max() < 0.06


def test_motion_stays_as_smooth_as_the_source() -> None:
    positions, root, local = pose(60, REST * 1.1)
    result = retarget(positions, root, local)
    assert result.peak_acceleration < 1.5 * result.peak_acceleration_source + 1.0


def test_turning_the_scene_turns_the_result() -> None:
    positions, root, local = pose(20, REST * torch.tensor((1.0, 1.1, 1.2)))
    turn = yaw_matrix(torch.tensor(1.1, dtype=torch.float64))
    shift = torch.tensor((3.0, 0.0, -2.0), dtype=torch.float64)
    plain = retarget(positions, root, local)
    moved = retarget(positions @ turn.T + shift, turn @ root, local)
    expected = plain.positions.double() @ turn.T + plain.scale * shift
    torch.testing.assert_close(moved.positions.double(), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(moved.rotations, plain.rotations, atol=1e-3, rtol=0)


def test_exchanging_the_people_exchanges_the_result() -> None:
    positions, root, local = pose(20, REST * 1.1)
    plain = retarget(positions, root, local)
    swapped = retarget(positions.flip(0), root.flip(0), local.flip(0))
    torch.testing.assert_close(swapped.positions.flip(0), plain.positions, atol=1e-5, rtol=0)


def test_one_person_has_no_contacts() -> None:
    positions, root, local = pose(20)
    result = retarget(positions[:1], root[:1], local[:1])
    assert result.positions.shape == (1, 20, 22, 3)
    assert math.isnan(result.contact_error_after_mm)
    assert result.contact_pairs == 0


def test_single_frame_works() -> None:
    positions, root, local = pose(1)
    assert retarget(positions, root, local).positions.shape == (2, 1, 22, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, r, x: (p[0], r, x), "positions of shape"),
        (lambda p, r, x: (p.index_fill(1, torch.tensor(3), float("nan")), r, x), "finite"),
        (lambda p, r, x: (p, r, None), "both"),
        (lambda p, r, x: (p, r[:, :3], x), "root_rotations must be"),
        (lambda p, r, x: (p, r, x[:, :, :20]), "rotations must be"),
    ],
)
def test_wrong_input_is_named(change: object, words: str) -> None:
    arguments = change(*pose(8))  # type: ignore[operator]
    with pytest.raises(UserError, match=words):
        retarget(*arguments)
