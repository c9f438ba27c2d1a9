"""Play: a clapping game, a closed-hold dance, sneaking up and tapping."""

from __future__ import annotations

import math
from collections.abc import Mapping

from intermask.choreography.families.greeting import OTHER, SPINE_TOP, across, conclude
from intermask.choreography.families.helping import pat_stance
from intermask.choreography.family import AFTER, APPROACH, DISTANCE, SIDE, SPEED, Choice, Family
from intermask.choreography.plans import Waypoint
from intermask.choreography.reach import Pose, Stance, ahead_of_hand, direction, turned
from intermask.choreography.staging import Spot, Stage, back, palm, shoulder

_CLAP_HEIGHT = 0.34
_CLAP_OUT = 0.13
CLAPPING = Stance(2 * ahead_of_hand(_CLAP_HEIGHT, -_CLAP_OUT, 0.74))


def _clapping(stage: Stage, facts: Mapping[str, str]) -> None:
    stage.meet(CLAPPING, facts["approach"], facts["distance"])
    beat = {"slow": 0.62, "": 0.5, "quick": 0.42}[facts["speed"]]
    rounds = (
        [("own", "both")] if facts["pattern"] == "straight" else [("own", "right", "own", "left")]
    )
    beats = [clap for _ in range(int(facts["count"])) for clap in rounds[0]]
    first = stage.clock + max(0.4, stage.reach_seconds())
    for number, clap in enumerate(beats):
        at = first + number * beat
        reach = stage.reach_seconds() if number == 0 else beat - 0.1
        if clap == "own":
            for person in (0, 1):
                _own_clap(stage, person, at, reach)
        else:
            _clap_across(stage, clap, at, reach)
    last = first + (len(beats) - 1) * beat
    for person in (0, 1):
        stage.look(person, "head", first - 0.4, last + 0.3)
        stage.lean(person, first, last - first, pitch=0.07)
    stage.clock = last + 0.15
    conclude(stage, facts)


def _own_clap(stage: Stage, person: int, at: float, reach: float) -> None:
    for side in ("left", "right"):
        point = (across(side, 0.01), _CLAP_HEIGHT - SPINE_TOP - 0.04, 0.27)
        stage.pose_hand(person, side, point, at, 0.06, reach=reach, tolerance=0.03)


def _clap_across(stage: Stage, clap: str, at: float, reach: float) -> None:
    height, ahead = _CLAP_HEIGHT - SPINE_TOP + 0.06, CLAPPING.distance / 2
    for side in ("left", "right") if clap == "both" else (clap,):
        # Both hands meet straight across; a single one meets its like in the middle.
        theirs = OTHER[side] if clap == "both" else side
        out = _CLAP_OUT if clap == "both" else 0.0
        stage.touch(
            stage.actor, side, palm(theirs), 0.08, at=at, reach=reach, lean=0.0, tolerance=0.05
        )
        point = (across(theirs, out), height, ahead)
        stage.pose_hand(stage.partner, theirs, point, at, 0.08, reach=reach, tolerance=0.05)


DANCE = Stance(0.46)


def _dance(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    stage.meet(DANCE, facts["approach"], facts["distance"])
    # The hand that is held out, and the partner's that lies in it, across from it.
    out, inner = facts["side"], OTHER[facts["side"]]
    reach = max(0.5, stage.reach_seconds())
    at = stage.clock + reach
    end = _steps(stage, facts, at + 0.3)
    hold = end + 0.1 - at
    stage.touch(actor, out, palm(inner), hold, at=at, reach=reach, lean=0.0, tolerance=0.05)
    held_out = (across(inner, 0.46), 0.40 - SPINE_TOP, 0.22)
    late = stage.reaction
    stage.pose_hand(partner, inner, held_out, at, hold, reach=max(0.4, reach - late), tolerance=0.1)
    # The other arm goes round the partner's back, under the arm that lies on the own shoulder.
    blade = back(-across(inner, 0.06), -0.02)
    stage.touch(actor, inner, blade, hold, at=at, reach=reach, lean=0.0, tolerance=0.05)
    upper = shoulder(inner)
    stage.touch(
        partner, out, Spot(upper.joint, upper.offset), hold - late, at=at + late, reach=reach,
        lean=0.0, tolerance=0.05,
    )  # fmt: skip
    for person in (0, 1):
        stage.look(person, "head", at - reach, at)
    stage.clock = end + 0.1
    times = [stage.shift(person, -0.25, 0.0, stage.clock + 0.2, 0.7) for person in (0, 1)]
    stage.clock = max(times)
    conclude(stage, facts)


def _steps(stage: Stage, facts: Mapping[str, str], start: float) -> float:
    """The steps of a dance as waypoints of both, who keep their places to each other."""
    beat = {"slow": 0.72, "": 0.6, "quick": 0.48}[facts["speed"]]
    poses = [stage.poses[0], stage.poses[1]]
    x, z = (sum(pose.place[axis] for pose in poses) / 2 for axis in (0, 1))
    heading = stage.poses[stage.actor].heading
    marks: list[tuple[float, float, float]] = [(0.0, 0.0, 0.0)]  # left, ahead of the actor, turn
    if facts["move"] == "turn":
        sign = 1.0 if facts["direction"] == "counterclockwise" else -1.0
        whole = {"half": math.pi, "full": math.tau}[facts["amount"]]
        count = round(whole / 0.7)
        marks += [(0.0, 0.0, sign * whole * n / count) for n in range(1, count + 1)]
    else:
        width = stage.dice.between("width", 0.28, 0.40)
        sign = float(stage.dice.sign("first step"))
        for _ in range(int(facts["count"])):
            marks += [(sign * width, 0.0, 0.0), (sign * width, 0.0, 0.0), (0.0, 0.0, 0.0)]
        if facts["move"] == "forward":
            marks = [(0.0, left, turn) for left, _, turn in marks]
    pair = [
        (direction((x, z), pose.place) - heading, math.dist((x, z), pose.place), pose.heading)
        for pose in poses
    ]
    for number, (left, ahead, turn) in enumerate(marks):
        centre = Pose((x, z), heading).point(ahead, left)
        moment = start + number * beat
        for person, (bearing, apart, own) in enumerate(pair):
            place = Pose(centre, heading + bearing + turn).point(apart)
            stage.waypoints[person].append(Waypoint(moment, place, turned(own + turn)))
            stage.poses[person] = Pose(place, turned(own + turn))
    return start + (len(marks) - 1) * beat


def _sneak(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    side, touched = facts["side"], facts["shoulder"]
    stage.meet(pat_stance("behind", side), "actor", facts["distance"], noticed=False)
    arrived = stage.clock
    stage.lean(actor, 0.9, max(0.1, arrived - 1.0), pitch=0.18, rise=0.9)
    stage.dip(actor, 0.9, max(0.1, arrived - 1.1), 0.09, rise=0.9)
    for hand in ("left", "right"):
        point = (across(hand, 0.15), 0.02, 0.28)
        stage.pose_hand(actor, hand, point, 0.5, arrived - 0.7, reach=0.5, tolerance=0.1)
    times = stage.tap(actor, side, shoulder(touched, behind=True), int(facts["count"]), hold=0.12)
    felt = times[-1] + 0.12 + stage.reaction
    reaction = facts["reaction"]
    if reaction == "turns":
        # A step away, and round over one shoulder.
        sign = 1.0 if facts["turn"] == "left" else -1.0
        middle = stage.shift(partner, 0.15, 0.0, felt, 0.45, turn=sign * math.pi / 2)
        pose = stage.poses[partner]
        behind = direction(pose.place, stage.poses[actor].place)
        stage.waypoints[partner].append(Waypoint(middle + 0.5, pose.place, behind))
        stage.poses[partner] = Pose(pose.place, behind)
        done = middle + 0.5
        stage.look(partner, "head", felt, done + 0.5)
    elif reaction == "startles":
        done = stage.shift(partner, stage.dice.between("jump", 0.35, 0.5), 0.0, felt, 0.45)
        stage.lean(partner, felt + 0.25, 0.05, pitch=-0.15, rise=0.2)
        for hand in ("left", "right"):
            point = (across(hand, 0.22), 0.08, 0.24)
            stage.pose_hand(partner, hand, point, felt + 0.4, 0.2, reach=0.4, tolerance=0.1)
    else:
        done = felt + 0.5
        stage.look(partner, "head", felt, done)
    stage.clock = done
    conclude(stage, facts)


FAMILIES = (
    Family(
        "clapping",
        (
            Choice("pattern", {"straight": 0.55, "cross": 0.45}),
            Choice("count", {"2": 0.6, "3": 0.4}),
            SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _clapping,
    ),
    Family(
        "dance",
        (
            Choice("side", {"left": 0.65, "right": 0.35}),
            Choice("move", {"turn": 0.5, "sideways": 0.25, "forward": 0.25}),
            Choice("direction", {"clockwise": 0.5, "counterclockwise": 0.5}, {"move": ("turn",)}),
            Choice("amount", {"half": 0.5, "full": 0.5}, {"move": ("turn",)}),
            Choice("count", {"1": 0.5, "2": 0.5}, {"move": ("sideways", "forward")}),
            SPEED,
            Choice("approach", {"actor": 0.3, "both": 0.2, "none": 0.5}, alone=True),
            Choice("distance", {"near": 1.0}, {"approach": ("actor", "both")}, alone=True),
        ),
        _dance,
    ),
    Family(
        "sneak",
        (
            SIDE,
            Choice("shoulder", {"left": 0.5, "right": 0.5}),
            Choice("count", {"1": 0.45, "2": 0.4, "3": 0.15}),
            Choice("reaction", {"turns": 0.55, "startles": 0.3, "": 0.15}),
            Choice("turn", {"left": 0.5, "right": 0.5}, {"reaction": ("turns",)}),
            SPEED,
            Choice("distance", DISTANCE.weights),
            Choice("after", {"": 0.75, "leaves": 0.25}, alone=True),
        ),
        _sneak,
        places=frozenset({"first"}),
    ),
)  # fmt: skip
