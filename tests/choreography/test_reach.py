"""Stances, reach and named dice."""

from __future__ import annotations

import math

import pytest

from intermask.choreography.dice import Dice
from intermask.choreography.families.greeting import HANDSHAKE, HUG
from intermask.choreography.plans import Waypoint
from intermask.choreography.reach import ARM, PALM, Pose, Stance, ahead_of_hand, pose_at, turned


def test_the_arm_is_as_long_as_the_mean_adults() -> None:
    assert pytest.approx((0.159 + 0.146) * 1.70, abs=0.002) == ARM


def test_a_stance_and_back_again() -> None:
    stance = Stance(0.8, 0.4, 2.5)
    actor = Pose((1.0, -2.0), 0.7)
    partner = stance.partner(actor)
    assert math.dist(actor.place, partner.place) == pytest.approx(0.8)
    back = stance.actor(partner)
    assert back.place == pytest.approx(actor.place)
    assert turned(back.heading - actor.heading) == pytest.approx(0.0)


def test_left_is_left() -> None:
    assert Pose((0.0, 0.0), 0.0).point(0.0, 1.0) == pytest.approx((1.0, 0.0))
    assert Pose((0.0, 0.0), math.pi / 2).point(1.0) == pytest.approx((1.0, 0.0))
    assert Pose((0.0, 0.0), math.pi / 2).point(0.0, 1.0) == pytest.approx((0.0, -1.0))


def test_a_hand_at_shoulder_height_reaches_the_length_of_the_arm() -> None:
    assert ahead_of_hand(0.445, -0.18, 1.0) == pytest.approx(ARM + PALM - 0.025, abs=1e-6)
    assert ahead_of_hand(0.2, 0.0, 0.9) < ahead_of_hand(0.2, 0.0, 0.95)
    with pytest.raises(ValueError, match="out of reach"):
        ahead_of_hand(-0.6, 0.0, 0.5)


def test_people_shake_hands_at_the_distance_people_do() -> None:
    assert 0.7 < HANDSHAKE.distance < 1.0
    assert 0.25 < HUG.distance < 0.45


def test_places_between_waypoints() -> None:
    ways = (Waypoint(0.0, (0.0, 0.0), 3.0), Waypoint(2.0, (2.0, 0.0), -3.0))
    middle = pose_at(ways, 1.0)
    assert middle.place == pytest.approx((1.0, 0.0))
    assert abs(turned(middle.heading - math.pi)) == pytest.approx(0.0, abs=1e-6)
    along = pose_at((Waypoint(0.0, (0.0, 0.0)), Waypoint(1.0, (1.0, 0.0))), 0.5)
    assert along.heading == pytest.approx(math.pi / 2)


def test_dice_are_the_same_everywhere() -> None:
    assert Dice(1).share("side") == pytest.approx(0.20742064755938017, abs=1e-15)


def test_decisions_do_not_hang_on_one_another() -> None:
    shares = [Dice(seed).share(name) for seed in range(500) for name in ("a", "b")]
    first, second = shares[::2], shares[1::2]
    assert abs(sum(first) / 500 - 0.5) < 0.05
    product = sum((a - 0.5) * (b - 0.5) for a, b in zip(first, second, strict=True)) / 500
    assert abs(product) < 0.01
    assert Dice(3).under("x").share("a") != Dice(3).under("y").share("a")


def test_weights() -> None:
    drawn = [Dice(seed).weighted("x", {"often": 3.0, "rarely": 1.0, "never": 0.0})
             for seed in range(1000)]  # fmt: skip
    assert 0.70 < drawn.count("often") / 1000 < 0.80
    assert "never" not in drawn
