"""Feet that bear weight stand still, and legs keep their bones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from intermask.choreography.bank import load_bank, track_world
from intermask.choreography.bodies import Body
from intermask.choreography.footwork import BALL_HEIGHT, plant_feet
from intermask.kinematics import bone_length_drift
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS


@pytest.fixture(scope="module")
def walker() -> tuple[Body, torch.Tensor]:
    """A walk of the bank that is dragged to the side and along."""
    bank = load_bank()
    segment = bank.tagged("walk")[0]
    frames = slice(segment.start, segment.stop)
    track = bank.track[frames].clone()
    track[:, 0] += 0.004 * torch.arange(segment.frames)
    track[:, 1] *= 0.9
    place, world = track_world(track, bank.root[frames], bank.rotations[frames])
    offsets = torch.tensor(MEAN_ADULT_OFFSETS.copy(), dtype=torch.float32)
    return Body(offsets, place, world), bank.contacts[frames]


def sliding(body: Body, contacts: torch.Tensor) -> float:
    """Mean metres a frame that balls of feet move while they stand in both frames."""
    balls = body.positions()[:, [FEET[1], FEET[3]]]
    standing = contacts[:, (1, 3)]
    both = standing[1:] & standing[:-1]
    return float(balls.diff(dim=0)[..., (0, 2)].norm(dim=-1)[both].mean())


def test_feet_that_bear_weight_stand_still(walker: tuple[Body, torch.Tensor]) -> None:
    body, contacts = walker
    assert sliding(body, contacts) > 4e-3
    assert sliding(plant_feet(body, contacts), contacts) < 5e-4


def test_nothing_but_legs_and_height_changes(walker: tuple[Body, torch.Tensor]) -> None:
    body, contacts = walker
    planted = plant_feet(body, contacts)
    assert torch.equal(planted.root[:, (0, 2)], body.root[:, (0, 2)])
    legs = [1, 2, 4, 5, 7, 8]
    rest = [joint for joint in range(22) if joint not in legs]
    assert torch.equal(planted.rotations[:, rest], body.rotations[:, rest])
    assert float(bone_length_drift(planted.positions()).max()) < 1e-5
    assert float(planted.positions()[..., 1].min()) > 0.25 * BALL_HEIGHT


def test_planting_planted_feet_changes_little(walker: tuple[Body, torch.Tensor]) -> None:
    body, contacts = walker
    once = plant_feet(body, contacts)
    twice = plant_feet(once, contacts)
    assert float((twice.positions() - once.positions()).abs().mean()) < 2e-3


def test_people_in_the_air_are_left_alone(walker: tuple[Body, torch.Tensor]) -> None:
    body, contacts = walker
    up = replace(body, root=body.root + torch.tensor((0.0, 1.0, 0.0)))
    flown = plant_feet(up, torch.zeros_like(contacts))
    torch.testing.assert_close(flown.positions(), up.positions(), atol=2e-2, rtol=0)
