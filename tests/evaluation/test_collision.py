"""Overlap of bodies whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear
from still_people import standing_pair

from intermask.evaluation.collision import (
    CAPSULES,
    RADII,
    capsule_depths,
    capsule_penetration,
    interpenetration,
    segment_distances,
)
from intermask.skeleton import SMPL22
from walking import walking_pair


def far_away(frames: int = 4) -> torch.Tensor:
    """Two people as clouds of points: each joint is metres from all others, and from its pair."""
    places = 10.0 * torch.arange(2 * frames * 22, dtype=torch.float64).reshape(2, 1, 22 * frames)
    points = places[..., :22].expand(2, frames, 22)
    return torch.stack((points, torch.zeros_like(points), torch.zeros_like(points)), -1).clone()


def test_people_apart_do_not_touch() -> None:
    pair = standing_pair(apart=1.0)
    assert interpenetration(pair) == 0.0
    assert capsule_penetration(pair).frames == 0.0
    assert capsule_penetration(pair).total == 0.0


def test_interpenetration_is_what_the_closest_joints_lack() -> None:
    pair = far_away()
    pair[1, 0, 3] = pair[0, 0, 7] + torch.tensor([0.0, 0.05, 0.0])
    pair[1, 1, 3] = pair[0, 1, 7] + torch.tensor([0.12, 0.0, 0.0])
    assert interpenetration(pair) == pytest.approx(70.0 / 4)


def test_the_capsules_are_those_of_the_paper() -> None:
    numbers = dict(zip(CAPSULES, RADII, strict=True))
    expected = {
        (0, 3): 0.12, (3, 6): 0.11, (6, 9): 0.10, (9, 12): 0.06, (12, 15): 0.09,
        (16, 18): 0.05, (17, 19): 0.05, (18, 20): 0.04, (19, 21): 0.04,
        (1, 4): 0.07, (2, 5): 0.07, (4, 7): 0.06, (5, 8): 0.06,
    }  # fmt: skip
    assert numbers == expected


def capsule(start: str, end: str) -> int:
    return CAPSULES.index(SMPL22.indices(start, end))


def test_depth_of_two_capsules_is_radii_less_distance() -> None:
    depths = capsule_depths(standing_pair(apart=0.1))  # T-poses, one 10 cm behind the other
    shin, upper_arm = capsule("left_knee", "left_ankle"), capsule("left_shoulder", "left_elbow")
    forearm, other = capsule("left_elbow", "left_wrist"), capsule("right_elbow", "right_wrist")
    lower_spine = capsule("pelvis", "spine1")
    assert depths.shape == (10, 13, 13)
    assert depths[0, lower_spine, lower_spine] == pytest.approx(0.24 - 0.1, abs=2e-3)
    assert depths[0, shin, shin] == 0.0  # 0.12 - 0.10 is less than 5 cm
    assert depths[0, upper_arm, upper_arm] == 0.0
    assert depths[0, forearm, other] == 0.0


def test_no_capsule_is_passed_over() -> None:
    """Bones that are too far apart to overlap are not measured: all others are."""
    generator = torch.Generator().manual_seed(0)
    for size in (0.05, 0.2, 1.0):
        pair = size * torch.randn(2, 60, 22, 3, generator=generator, dtype=torch.float64)
        starts, ends = (list(column) for column in zip(*CAPSULES, strict=True))
        distances = segment_distances(
            pair[0][:, starts, None], pair[0][:, ends, None],
            pair[1][:, None, starts], pair[1][:, None, ends],
        )  # fmt: skip
        radii = torch.tensor(RADII, dtype=torch.float64)
        expected = radii[:, None] + radii - distances
        expected[expected < 0.05] = 0.0
        forearms = [number for number, (start, _) in enumerate(CAPSULES) if start in (18, 19)]
        for forearm in forearms:
            expected[:, forearm, forearms] = 0.0
        assert bool((expected > 0).any())
        torch.testing.assert_close(capsule_depths(pair), expected, atol=0.0, rtol=0.0)


def test_small_overlap_and_forearms_count_nothing() -> None:
    inside = capsule_depths(standing_pair(apart=0.0))
    forearms = [number for number, (start, _) in enumerate(CAPSULES) if start in (18, 19)]
    assert (inside[:, forearms][:, :, forearms] == 0).all()
    own = inside[0].diagonal()
    assert own.tolist() == pytest.approx(
        [0.0 if number in forearms else 2 * radius for number, radius in enumerate(RADII)]
    )
    assert bool(((inside == 0) | (inside >= 0.05)).all())


def test_means_are_over_all_frames() -> None:
    pair = standing_pair(4, apart=3.0)
    pair[1, 0, :, 2] -= 3.0  # on one of four frames one stands in the other
    result = capsule_penetration(pair)
    depths = capsule_depths(pair)[0]
    assert result.frames == pytest.approx(0.25)
    assert result.deepest == pytest.approx(1000 * 0.24 / 4)
    assert result.total == pytest.approx(1000 * float(depths.sum()) / 4)


def test_who_is_person_1_makes_no_difference() -> None:
    pair = walking_pair(100).positions.double()
    pair[1, :, :, 2] -= 0.8
    assert capsule_penetration(pair).frames > 0
    for metric in (interpenetration, lambda p: capsule_penetration(p).total):
        assert metric(pair) == pytest.approx(float(metric(pair.flip(0))))
    torch.testing.assert_close(capsule_depths(pair), capsule_depths(pair.flip(0)).mT)


def test_segments_known_by_hand() -> None:
    def distance(*numbers: tuple[float, float, float]) -> float:
        return float(segment_distances(*(torch.tensor(each) for each in numbers)))

    x = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    assert distance(*x, (0.5, 2.0, -1.0), (0.5, 2.0, 1.0)) == pytest.approx(2.0)  # they cross
    assert distance(*x, (0.2, 0.0, 0.0), (5.0, 0.0, 0.0)) == 0.0  # on one line
    assert distance(*x, (0.2, 0.5, 0.0), (0.8, 0.5, 0.0)) == pytest.approx(0.5)  # side by side
    assert distance(*x, (4.0, 4.0, 0.0), (9.0, 4.0, 0.0)) == pytest.approx(5.0)  # end to end
    assert distance(*x, (0.5, 3.0, 0.0), (0.5, 1.0, 0.0)) == pytest.approx(1.0)  # a tee
    assert distance(*x, (0.5, 0.0, 2.0), (0.5, 0.0, 2.0)) == pytest.approx(2.0)  # a point


def test_segments_agree_with_a_search() -> None:
    generator = torch.Generator().manual_seed(0)
    ends = torch.randn(4, 40, 3, generator=generator, dtype=torch.float64)
    fast = segment_distances(*ends)
    for number in range(40):
        a, b, c, d = (end[number].numpy() for end in ends)
        along = np.stack((b - a, c - d), -1)
        found = lsq_linear(along, c - a, bounds=(0, 1), tol=1e-14)
        assert float(fast[number]) == pytest.approx((2 * found.cost) ** 0.5, abs=1e-6)


def test_a_batch_gives_what_its_motions_give() -> None:
    motions = [standing_pair(3, apart) for apart in (0.0, 0.1, 2.0)]
    together = capsule_penetration(torch.stack(motions)).total
    assert together.tolist() == [float(capsule_penetration(motion).total) for motion in motions]
