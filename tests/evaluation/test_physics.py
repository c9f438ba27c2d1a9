"""Physical metrics of motions whose answer is known by hand."""

from __future__ import annotations

import math

import pytest
import torch
from still_people import along, standing_pair

from intermask.errors import UserError
from intermask.evaluation import physics
from intermask.geometry import yaw_matrix
from intermask.kinematics import bone_length_drift
from intermask.skeleton import FEET, SMPL22
from walking import walking_pair

X, Y, Z = 0, 1, 2
FRAMES = torch.arange(10, dtype=torch.float64)


def test_who_stands_still_does_not_skate() -> None:
    assert physics.skate(standing_pair()).tolist() == [0.0, 0.0]


def test_skate_is_the_step_of_standing_feet_of_each_person() -> None:
    sliding = along(standing_pair(), 0.03 * FRAMES, X, person=1)
    assert physics.skate(sliding).tolist() == pytest.approx([0.0, 30.0])
    both_ways = along(sliding, 0.04 * FRAMES, Z, person=1)
    assert physics.skate(both_ways).tolist() == pytest.approx([0.0, 50.0])


def test_skate_leaves_out_feet_in_the_air() -> None:
    sliding = along(standing_pair(), 0.03 * FRAMES, X)
    lifted = sliding.clone()
    lifted[0, :, list(FEET), Y] = 0.051
    assert physics.skate(lifted).tolist() == pytest.approx([0.0, 30.0])
    one_foot = standing_pair()
    one_foot[0, :, FEET[0], X] += 0.02 * FRAMES
    assert physics.skate(one_foot)[0] == pytest.approx(20.0 / 4)
    one_foot[0, :, list(FEET[1:]), Y] = 0.2
    assert physics.skate(one_foot)[0] == pytest.approx(20.0)


def test_skate_counts_horizontal_steps_from_where_they_start() -> None:
    hop = standing_pair(2)
    hop[0, 1, :, X] += 0.1
    hop[0, 1, :, Y] += 0.5  # stands on frame 0, flies on frame 1
    assert physics.skate(hop)[0] == pytest.approx(100.0)
    assert physics.skate(hop.flip(1))[0] == 0.0


def test_skate_does_not_depend_on_the_frame_rate() -> None:
    sliding = along(standing_pair(), 0.03 * FRAMES, X)
    assert torch.allclose(physics.skate(sliding[:, ::2], 15.0), physics.skate(sliding, 30.0))


def test_float_is_the_height_of_the_lowest_joint() -> None:
    assert physics.floating(standing_pair()) == 0.0
    half = standing_pair()
    half[1, :5, :, Y] += 0.2
    assert physics.floating(half) == pytest.approx(50.0)  # one of two people, half of the time
    sunk = standing_pair()
    sunk[..., Y] -= 0.3
    assert physics.floating(sunk) == 0.0


def test_jerk_of_a_cubic_is_constant() -> None:
    seconds = FRAMES / 30.0
    cubic = along(standing_pair(), 2.0 * seconds**3, X)  # third derivative: 12 m/s³
    assert physics.jerk(cubic) == pytest.approx(12.0)
    assert physics.jerk(along(standing_pair(), seconds**2, X)) == pytest.approx(0.0, abs=1e-6)
    one = along(standing_pair(), 2.0 * seconds**3, X, person=0)
    assert physics.jerk(one) == pytest.approx(6.0)
    assert physics.jerk(along(standing_pair(), seconds**3, X), 60.0) == pytest.approx(48.0)


def test_peak_jerk_is_that_of_one_joint_in_one_frame() -> None:
    motion = standing_pair()
    motion[1, 4, 20, Z] += 0.01
    curve = physics.jerk_curve(motion)
    spike = 0.01 * 30.0**3
    assert curve.tolist() == pytest.approx([0.0, spike, 3 * spike, 3 * spike, spike, 0.0, 0.0])
    assert physics.peak_jerk(curve) == pytest.approx(3 * spike)


def test_area_under_jerk_is_the_area_between_two_curves() -> None:
    curve = torch.tensor([1.0, 3.0, 5.0])
    assert physics.area_under_jerk(curve, 3.0) == pytest.approx(4.0 / 30)
    assert physics.area_under_jerk(curve, curve) == 0.0
    assert physics.area_under_jerk(curve, torch.zeros(3), 10.0) == pytest.approx(0.9)


def test_too_few_frames_have_no_jerk() -> None:
    with pytest.raises(UserError, match="3 frames has no jerk; 4"):
        physics.jerk(standing_pair(3))


def test_bone_drift_is_deviation_over_mean() -> None:
    assert bone_length_drift(walking_pair(30).positions).max() < 1e-5
    pair = standing_pair(2)
    parent, child = SMPL22.index("left_elbow"), SMPL22.index("left_wrist")
    bone = pair[0, :, child] - pair[0, :, parent]
    pair[0, 0, child] = pair[0, 0, parent] + 0.9 * bone[0]
    pair[0, 1, child] = pair[0, 1, parent] + 1.1 * bone[1]
    drift = bone_length_drift(pair)
    assert drift.shape == (2, 21)
    assert drift[0, child - 1] == pytest.approx(0.1)
    assert drift.sum() == pytest.approx(0.1)


def test_correlation_of_one_two_and_opposite() -> None:
    wave = torch.sin(torch.arange(60, dtype=torch.float64) / 5)
    same = torch.stack((wave, 3 * wave + 1))[..., None]
    assert physics.person_correlation(same) == pytest.approx(1.0)
    assert physics.person_correlation(same * torch.tensor([[[1.0]], [[-1.0]]])) == pytest.approx(-1)
    mixed = torch.stack((torch.stack((wave, wave), -1), torch.stack((wave, -wave), -1)))
    assert physics.person_correlation(mixed) == pytest.approx(0.0)


def test_correlation_leaves_out_what_stays_still() -> None:
    wave = torch.sin(torch.arange(60, dtype=torch.float64) / 5)
    still = torch.full_like(wave, 0.3)
    features = torch.stack((torch.stack((wave, still), -1), torch.stack((wave, wave), -1)))
    assert physics.person_correlation(features) == pytest.approx(1.0)
    assert math.isnan(physics.person_correlation(features[..., 1:]))


def test_poses_do_not_change_with_place_and_heading() -> None:
    positions = walking_pair(20).positions.double()
    turn = yaw_matrix(torch.tensor(2.0, dtype=torch.float64))
    moved = positions @ turn.T + torch.tensor([3.0, 0.5, -1.0], dtype=torch.float64)
    torch.testing.assert_close(
        physics.pose_features(moved), physics.pose_features(positions), atol=1e-6, rtol=0
    )
    rest = physics.pose_features(standing_pair())[0, 0].unflatten(-1, (22, 3))
    pelvis = standing_pair()[0, 0, :1]
    torch.testing.assert_close(rest, standing_pair()[0, 0] - pelvis)  # faces +z: left is +x


def test_people_who_do_the_same_face_to_face_correlate() -> None:
    first = walking_pair(60).positions.double()[0]
    half_turn = yaw_matrix(torch.tensor(math.pi, dtype=torch.float64))
    pair = torch.stack((first, first @ half_turn.T))
    assert physics.person_correlation(physics.pose_features(pair)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "metric",
    [
        physics.skate,
        physics.floating,
        physics.jerk,
        physics.jerk_curve,
        bone_length_drift,
        lambda positions: physics.person_correlation(physics.pose_features(positions)),
    ],
)
def test_a_batch_gives_what_its_motions_give(metric: object) -> None:
    motions = [walking_pair(20, seed).positions.double() for seed in range(3)]
    together = metric(torch.stack(motions))  # type: ignore[operator]
    alone = torch.stack([metric(motion) for motion in motions])  # type: ignore[operator]
    torch.testing.assert_close(together, alone)
