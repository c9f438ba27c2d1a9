"""Stances of people at rest: feet that stand stay, and no two stances are the same."""

from __future__ import annotations

import pytest
import torch

from intermask.choreography.bank import load_bank
from intermask.choreography.base_layer import perform
from intermask.choreography.bodies import Body
from intermask.choreography.plans import PersonPlan, Waypoint
from intermask.choreography.stances import take_stances
from intermask.geometry import yaw_matrix
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, SMPL22

ANKLES = SMPL22.indices("left_ankle", "right_ankle")
OFFSETS = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)


@pytest.fixture(scope="module")
def standing() -> Body:
    """Somebody who stands still for four seconds."""
    plan = PersonPlan((Waypoint(0.0, (0.0, 0.0), 0.0), Waypoint(4.0, (0.0, 0.0), 0.0)))
    return perform(load_bank(), plan, 120, OFFSETS, torch.Generator().manual_seed(3))


def taken(body: Body, seed: int) -> Body:
    resting = torch.ones(body.frames, dtype=torch.bool)
    return take_stances(body, resting, torch.Generator().manual_seed(seed))


def apart(body: Body) -> torch.Tensor:
    """(2) metres from the right ankle to the left one in the first frame, leftwards and ahead."""
    left, right = body.positions()[0, list(ANKLES)]
    ahead = body.rotations[0, 0, :, 2]
    back = yaw_matrix(-torch.atan2(ahead[0], ahead[2]))
    return (back @ (left - right))[[0, 2]]


def test_another_seed_is_another_stance_and_the_same_seed_the_same(standing: Body) -> None:
    first, again, second = (taken(standing, seed) for seed in (1, 1, 2))
    assert torch.equal(first.rotations, again.rotations)
    assert torch.equal(first.root, again.root)
    assert (apart(first) - apart(second)).norm() > 0.01


def test_ankles_are_as_wide_apart_as_people_stand(standing: Body) -> None:
    widths = [float(apart(taken(standing, seed))[0]) for seed in range(6)]
    assert all(0.11 < width < 0.34 for width in widths)
    assert max(widths) - min(widths) > 0.03


def test_feet_that_stand_do_not_slide_and_are_not_below_the_floor(standing: Body) -> None:
    for seed in range(4):
        feet = taken(standing, seed).positions()[:, list(FEET)]
        step = feet.diff(dim=0)[..., (0, 2)].norm(dim=-1)
        low = feet[1:, :, 1] < feet.new_tensor((0.10, 0.03, 0.10, 0.03))
        assert float(step[low].quantile(0.9)) < 0.002
        assert float(feet[..., 1].min()) > 0.0


def test_who_never_rests_is_left_alone(standing: Body) -> None:
    never = torch.zeros(standing.frames, dtype=torch.bool)
    assert take_stances(standing, never, torch.Generator()) is standing
