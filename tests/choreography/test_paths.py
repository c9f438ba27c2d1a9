"""From waypoints to a way."""

from __future__ import annotations

import math

import pytest
import torch

from intermask.choreography.paths import planned_way
from intermask.choreography.plans import PersonPlan, Waypoint
from intermask.errors import UserError
from intermask.motion import FPS


def walk_and_turn() -> PersonPlan:
    return PersonPlan(
        (
            Waypoint(0, (0, 0), 0.0),
            Waypoint(1, (0, 0), 0.0),
            Waypoint(4, (0, 3.0)),
            Waypoint(5, (0, 3.0)),
            Waypoint(6.5, (0, 3.0), math.pi),
        )
    )


def test_people_are_where_they_shall_be_while_they_rest() -> None:
    way = planned_way(walk_and_turn(), 240)
    torch.testing.assert_close(way.track[0], torch.zeros(3))
    torch.testing.assert_close(way.track[-1], torch.tensor((0.0, 3.0, math.pi)), atol=1e-4, rtol=0)
    torch.testing.assert_close(way.track[140, :2], torch.tensor((0.0, 3.0)), atol=5e-3, rtol=0)
    assert bool(way.resting[:20].all()) and bool(way.resting[-20:].all())
    assert not bool(way.resting[45:105].any())


def test_speeds_change_without_jumps() -> None:
    track = planned_way(walk_and_turn(), 240).track
    speed = FPS * track.diff(dim=0)[:, :2].norm(dim=1)
    assert float(speed.max()) == pytest.approx(3.0 / (3.0 - 0.6), rel=0.02)
    assert float((FPS * speed.diff()).abs().max()) < 3.0
    assert float((FPS * track[:, 2].diff()).abs().max()) < 4.0


def test_people_look_along_the_path_unless_a_short_leg_says_otherwise() -> None:
    start = Waypoint(0, (0, 0), 0.0)
    across = PersonPlan((start, Waypoint(2, (1.0, 0), 0.0)))
    assert float(planned_way(across, 60).track[:, 2].abs().max()) < 1e-6
    far = PersonPlan((start, Waypoint(3, (3.0, 0), 0.0)))
    assert float(planned_way(far, 90).track[45, 2]) == pytest.approx(math.pi / 2, abs=1e-3)
    free = PersonPlan((start, Waypoint(2, (1.0, 0))))
    assert float(planned_way(free, 60).track[-1, 2]) == pytest.approx(math.pi / 2, abs=1e-3)


def test_turns_go_the_short_way() -> None:
    plan = PersonPlan((Waypoint(0, (0, 0), math.radians(170)), Waypoint(2, (0, 0), -2.9)))
    track = planned_way(plan, 70).track
    turned = float(track[-1, 2] - track[0, 2])
    assert turned == pytest.approx(2 * math.pi - 2.9 - math.radians(170), abs=1e-3)


def test_plans_that_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match="without waypoints"):
        planned_way(PersonPlan(()), 30)
    with pytest.raises(UserError, match="later and later"):
        planned_way(PersonPlan((Waypoint(1, (0, 0)), Waypoint(1, (1, 0)))), 30)
