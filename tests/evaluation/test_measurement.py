"""All physical metrics of a motion at once."""

from __future__ import annotations

import pytest
import torch
from still_people import along, standing_pair

from intermask.errors import UserError
from intermask.evaluation.measurement import mean_of, measure
from walking import walking_pair


def test_people_who_stand_apart_are_flawless() -> None:
    metrics = measure(standing_pair(), reference_jerk=0.0).numbers()
    assert metrics.pop("person_correlation") is None
    assert set(metrics.values()) == {0.0}


def test_each_flaw_shows_in_its_own_number() -> None:
    time = torch.arange(10, dtype=torch.float64)
    clean = measure(standing_pair()).numbers()
    flaws = {
        "skate": along(standing_pair(), 0.02 * time, 0),
        "floating": along(standing_pair(), 0.1 + 0 * time, 1),
    }
    for name, motion in flaws.items():
        changed = {
            key for key, value in measure(motion).numbers().items() if value != clean[key]
        } - {"jerk", "peak_jerk", "bone_drift"}  # rounding
        assert changed == {name}
    assert measure(flaws["skate"]).skate == pytest.approx(20.0)
    assert measure(flaws["floating"]).floating == pytest.approx(100.0)


def test_nothing_depends_on_who_is_person_1_or_where_they_are() -> None:
    motion = walking_pair(90)
    plain = measure(motion.positions, reference_jerk=0.0).numbers()
    shift = torch.tensor([5.0, 0.0, -3.0])
    for other in (
        motion.swapped().positions,
        motion.mirrored().positions,
        motion.positions + shift,
    ):
        assert measure(other, reference_jerk=0.0).numbers() == pytest.approx(
            plain, abs=0.05, rel=1e-3
        )


def test_noise_adds_jerk_and_stretches_bones() -> None:
    positions = walking_pair(60).positions
    noise = 0.01 * torch.randn(positions.shape, generator=torch.Generator().manual_seed(0))
    clean, noisy = measure(positions, reference_jerk=10.0), measure(positions + noise)
    assert noisy.jerk > 5 * clean.jerk
    assert noisy.bone_drift > 0.02 > clean.bone_drift
    assert noisy.jerk_area is None and clean.jerk_area is not None


def test_hands_of_smplx_are_not_looked_at() -> None:
    body = walking_pair(20).positions
    hands = torch.full((2, 20, 33, 3), 7.0)
    assert measure(torch.cat((body, hands), 2)) == measure(body)


def test_mean_over_motions() -> None:
    still = measure(standing_pair())
    sliding = measure(along(standing_pair(), 0.02 * torch.arange(10.0), 0))
    mean = mean_of([still, sliding])
    assert mean.skate == pytest.approx(10.0)
    assert mean.person_correlation is None
    walking = measure(walking_pair(60).positions)
    assert mean_of([still, walking]).person_correlation == walking.person_correlation
    with pytest.raises(UserError, match="no motion"):
        mean_of([])


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UserError, match=r"shape \(1, 10, 22, 3\)"):
        measure(standing_pair()[:1])
    broken = standing_pair()
    broken[0, 0, 0, 0] = torch.nan
    with pytest.raises(UserError, match="NaN"):
        measure(broken)
    with pytest.raises(UserError, match="3 frames"):
        measure(standing_pair(3))
