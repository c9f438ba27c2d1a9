"""Kindness: pat on the shoulder, hand over, help up, lead by the hand."""

from __future__ import annotations

import math
from collections.abc import Mapping

from intermask.choreography.families.greeting import SPINE_TOP, across, conclude
from intermask.choreography.family import AFTER, APPROACH, DISTANCE, SIDE, SPEED, Choice, Family
from intermask.choreography.plans import Waypoint
from intermask.choreography.reach import (
    PALM,
    Pose,
    Stance,
    ahead_of_hand,
    direction,
    turned,
)
from intermask.choreography.staging import Spot, Stage, palm, shoulder

COMES = Choice("approach", {"actor": 0.55, "none": 0.45}, alone=True)

COMES_OR_WAITS = Choice(
    "approach", {"actor": 0.4, "partner": 0.25, "none": 0.35},
    needs={"partner": {"way": ("front",)}}, alone=True,
)  # fmt: skip

_SHOULDER_HEIGHT = 0.50


def pat_stance(way: str, side: str) -> Stance:
    """Where somebody stands whose hand shall reach a shoulder from that way."""
    ahead = ahead_of_hand(_SHOULDER_HEIGHT, 0.0, 0.92) + 0.12
    if way == "beside":
        bearing = across(side, math.pi / 2 - 0.35)
        return Stance(0.60, bearing, 0.0)
    return Stance(ahead, 0.0, 0.0 if way == "behind" else math.pi)


def _pat(stage: Stage, facts: Mapping[str, str]) -> None:
    side, way = facts["side"], facts["way"]
    noticed = way == "front"
    stage.meet(pat_stance(way, side), facts["approach"], facts["distance"], noticed)
    spot = shoulder(facts["shoulder"], behind=way != "front")
    times = stage.tap(stage.actor, side, spot, int(facts["count"]), hold=0.14)
    felt = times[0] + stage.reaction
    stage.look(stage.partner, "head", felt, times[-1] + 0.6)
    stage.lean(
        stage.partner, felt, 0.3, yaw=across(facts["shoulder"], 0.12) if not noticed else 0.0,
        roll=-across(facts["shoulder"], 0.04), rise=0.3,
    )  # fmt: skip
    stage.clock = times[-1] + 0.14
    conclude(stage, facts)


_GIVING_HEIGHT = 0.22
GIVING = Stance(2 * ahead_of_hand(_GIVING_HEIGHT, 0.0, 0.85) + 0.08)


def _hand_over(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    giving, taking = _hands_of(facts)
    carried = (0.0, -0.04, 0.26)
    middle = 0.08 if len(giving) == 2 else 0.0
    if not stage.poses:
        # Whoever brings something carries it in front of the body.
        for side in giving:
            point = (across(side, middle), carried[1], carried[2])
            stage.pose_hand(actor, side, point, 0.0, 0.3, tolerance=0.08)
    stage.meet(GIVING, facts["approach"], facts["distance"])
    reach = stage.reach_seconds()
    offered = stage.clock + reach
    taken = offered + stage.reaction + 0.25
    let_go = taken + stage.dice.between("both hold", 0.2, 0.4)
    meeting = _GIVING_HEIGHT - SPINE_TOP
    for side in giving:
        point = (across(side, middle), meeting, GIVING.distance / 2 - 0.04)
        stage.pose_hand(actor, side, point, offered, let_go - offered, reach=reach)
    stage.lean(actor, offered, let_go - offered, pitch=0.14, rise=reach)
    stage.look(actor, "head", stage.clock - 0.4, offered + 0.3)
    for mine, theirs in zip(taking, giving, strict=True):
        # Between the two palms is the thing.
        beyond = across(theirs, PALM + 0.08)
        spot = Spot(f"{theirs}_wrist", (beyond, 0.0, 0.0))
        stage.touch(partner, mine, spot, let_go - taken, at=taken, reach=reach, tolerance=0.05)
        home = (across(mine, middle), carried[1], carried[2])
        stage.pose_hand(partner, mine, home, let_go + reach, 0.4, reach=reach, tolerance=0.08)
    stage.clock = let_go + reach
    conclude(stage, facts)


def _hands_of(facts: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hands of the actor, and the partner's that meet them, in the same order."""
    if facts["hands"] == "both":
        return ("right", "left"), ("left", "right")
    return (facts["side"],), (facts["other_side"],)


_CROUCH = 0.42


def _help_up(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    helping, held = _hands_of(facts)
    stance = Stance(0.86)
    stage.meet(stance, facts["approach"], facts["distance"])
    reach = max(0.55, stage.reach_seconds())
    at = stage.clock + reach
    pull = at + 0.3
    rising = {"slow": 1.3, "": 0.95, "quick": 0.65}[facts["speed"]]
    end = pull + rising + 0.25
    stage.dip(partner, -1.0, pull + 1.0, _CROUCH, rise=rising)
    stage.lean(partner, -1.0, pull + 1.0, pitch=0.35, rise=rising)
    middle = 0.15 if len(helping) == 2 else 0.0
    for mine, theirs in zip(helping, held, strict=True):
        stage.touch(
            actor, mine, palm(theirs), end - at, at=at, reach=reach, lean=0.0, tolerance=0.05
        )
        # The partner holds the hand up and out, and pulls it in while rising.
        low = (across(theirs, middle), 0.10, 0.42)
        high = (across(theirs, middle), 0.06 - SPINE_TOP + 0.2, 0.36)
        stage.pose_hand(partner, theirs, low, at, pull - at, reach=max(0.4, reach - stage.reaction))
        stage.pose_hand(partner, theirs, high, pull + rising, 0.2, reach=min(0.8, rising))
    stage.lean(actor, at, 0.3, pitch=stage.dice.between("bend", 0.45, 0.6), rise=reach)
    # The pull leans back.
    stage.lean(actor, pull + rising * 0.6, 0.1, pitch=-0.10, rise=rising * 0.5)
    stage.look(partner, "head", max(0.0, stage.clock - 1.0), end)
    stage.clock = end
    conclude(stage, facts)


def _lead(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    side, held = facts["side"], facts["other_side"]
    # The follower comes behind, on the side of the hand that leads.
    bearing = across(side, 2.35)
    stage.meet(Stance(0.66, bearing, 0.0), facts["approach"], facts["distance"])
    reach = stage.reach_seconds()
    at = stage.clock + reach
    ranges = {"near": (1.0, 1.4), "": (1.5, 2.0), "far": (2.1, 2.4)}
    length = stage.dice.between("led", *ranges[facts["way"]])
    speed = stage.dice.between("walk", *stage.tempo.walk) * 0.85
    bend = {"": 0.0, "left": 1.0, "right": -1.0}[facts["direction"]]
    bend *= stage.dice.between("bend", 0.8, 1.2)
    start = at + 0.2
    end = _walk_as_one(stage, start, length, bend, speed)
    hold = end + 0.25 - at
    stage.touch(actor, side, palm(held), hold, at=at, reach=reach, lean=0.3, tolerance=0.06)
    grip = (across(held, 0.16), -0.26, 0.26)
    stage.pose_hand(
        partner, held, grip, at, hold, reach=max(0.4, reach - stage.reaction), tolerance=0.12
    )
    stage.look(partner, "head", at, end)
    stage.clock = end + 0.25
    stage.wait(0.35 + stage.dice.between("rest", 0.2, 0.5))


def _walk_as_one(stage: Stage, start: float, length: float, bend: float, speed: float) -> float:
    """Both walk one curve, the actor ahead and the partner's place kept; when they arrive."""
    lead, follow = stage.poses[stage.actor], stage.poses[stage.partner]
    angle = direction(lead.place, follow.place) - lead.heading
    apart = math.dist(lead.place, follow.place)
    for person in (0, 1):
        stage.waypoints[person].append(
            Waypoint(start, stage.poses[person].place, stage.poses[person].heading)
        )
    steps = max(3, round(length / speed / 0.5))
    seconds = length / speed + 0.6
    place, heading = lead.place, lead.heading
    for number in range(1, steps + 1):
        middle = Pose(place, heading + bend / steps / 2)
        place, heading = middle.point(length / steps), heading + bend / steps
        moment = start + seconds * number / steps
        along = Pose(place, heading + angle).point(apart)
        for person, where in ((stage.actor, place), (stage.partner, along)):
            stage.waypoints[person].append(Waypoint(moment, where, turned(heading)))
            stage.poses[person] = Pose(where, turned(heading))
    return start + seconds


OTHER_SIDE = Choice("other_side", {"right": 0.5, "left": 0.5}, {"hands": ("",)})
HANDS = Choice("hands", {"": 0.75, "both": 0.25})

FAMILIES = (
    Family(
        "pat",
        (
            SIDE,
            Choice("shoulder", {"left": 0.5, "right": 0.5}),
            Choice("way", {"front": 0.5, "behind": 0.3, "beside": 0.2}),
            Choice("count", {"1": 0.2, "2": 0.4, "3": 0.3, "4": 0.1}),
            SPEED, COMES_OR_WAITS, DISTANCE, AFTER,
        ),
        _pat,
    ),
    Family(
        "hand_over",
        (
            HANDS,
            Choice("side", SIDE.weights, {"hands": ("",)}),
            OTHER_SIDE, SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _hand_over,
    ),
    Family(
        "help_up",
        (
            HANDS,
            Choice("side", SIDE.weights, {"hands": ("",)}),
            OTHER_SIDE, SPEED, COMES, DISTANCE, AFTER,
        ),
        _help_up,
        places=frozenset({"first"}),
    ),
    Family(
        "lead",
        (
            SIDE,
            Choice("other_side", {"right": 0.5, "left": 0.5}),
            Choice("way", {"": 0.3, "near": 0.35, "far": 0.35}),
            Choice("direction", {"": 0.4, "left": 0.3, "right": 0.3}),
            SPEED, COMES, DISTANCE,
        ),
        _lead,
    ),
)  # fmt: skip
