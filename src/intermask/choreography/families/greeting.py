"""Meeting: handshake, hug, high five, wave and answer, bow."""

from __future__ import annotations

from collections.abc import Mapping

from intermask.choreography.family import AFTER, APPROACH, DISTANCE, SIDE, SPEED, Choice, Family
from intermask.choreography.reach import TORSO, Stance, ahead_of_hand
from intermask.choreography.staging import Spot, Stage, back, palm, wrist

OTHER = {"left": "right", "right": "left"}

SPINE_TOP = 0.295
"""Metres of the chest's joint above the pelvis: heights of poses count from the former."""


def across(side: str, metres: float) -> float:
    """So far out to that side, as x of a body's frame."""
    return metres if side == "left" else -metres


def conclude(stage: Stage, facts: Mapping[str, str]) -> None:
    """What the two do when the act is over."""
    after = facts.get("after", "")
    # Whoever leaves turns early: first the hand comes back.
    stage.wait(0.85 if after == "leaves" else 0.35)
    if after == "leaves":
        bend = stage.dice.between("bend", -0.7, 0.7)
        stage.clock = stage.leave(stage.actor, stage.dice.between("away", 1.3, 2.0), bend)
    elif after == "apart":
        step = stage.dice.between("apart", 0.35, 0.55)
        times = [stage.shift(person, -step, 0.0, stage.clock, 0.8) for person in (0, 1)]
        stage.clock = max(times)
    else:
        stage.wait(stage.dice.between("rest", 0.2, 0.6))


HANDSHAKE_HEIGHT = 0.15
HANDSHAKE = Stance(2 * ahead_of_hand(HANDSHAKE_HEIGHT, 0.0, 0.93))


def _handshake(stage: Stage, facts: Mapping[str, str]) -> None:
    side, count = facts["side"], int(facts["count"])
    actor, partner = stage.actor, stage.partner
    stage.meet(HANDSHAKE, facts["approach"], facts["distance"])
    interval = stage.interval() * 0.9
    hold = 0.3 + count * interval
    at = stage.touch(actor, side, palm(side), hold, tolerance=0.05)
    # The partner's hand comes a little later and then leads the shaking.
    meeting = (0.0, HANDSHAKE_HEIGHT - SPINE_TOP, HANDSHAKE.distance / 2)
    stage.pose_hand(partner, side, meeting, at, 0.0, reach=max(0.4, at - stage.clock - 0.15))
    stage.look(partner, "head", at - 0.4, at + hold)
    stage.lean(partner, at, hold, pitch=stage.dice.between("partner lean", 0.05, 0.15))
    for pump in range(count):
        for half, lift in ((0.0, -0.035), (0.5, 0.035)):
            point = (0.0, meeting[1] + lift, meeting[2])
            moment = at + 0.15 + (pump + half + 0.25) * interval
            stage.pose_hand(partner, side, point, moment, 0.0, reach=interval / 2, tolerance=0.02)
    if facts["hands"] == "both":
        cover = max(0.4, stage.reach_seconds())
        stage.touch(
            actor, OTHER[side], wrist(side), hold - 0.25, at=at + 0.2, reach=cover, lean=0.3
        )
    stage.clock = at + hold
    conclude(stage, facts)


HUG = Stance(2 * TORSO + 0.14)


def _hug(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    stage.meet(HUG, facts["approach"], facts["distance"])
    hold = {"brief": 0.7, "": 1.4, "long": 2.8}[facts["length"]]
    count = int(facts["pats"] or 0)
    hold = max(hold, 0.5 + 0.45 * count)
    reach = stage.reach_seconds()
    start = stage.clock + reach
    # One puts the arms around the neck, the other around the waist: arms go past each other.
    over = stage.dice.one_of("over", ("right", "left"))
    above = stage.dice.one_of("above", (actor, partner))
    for person, at in ((actor, start), (partner, start + stage.reaction)):
        height = 0.16 if person == above else -0.17
        for side in (over, OTHER[over]):
            patting = person == actor and side == over and count
            spot = back(-across(side, 0.05), height)
            length = start + hold - at
            if not patting:
                stage.touch(person, side, spot, length, at=at, reach=reach, lean=0.3)
        roll = -across(over, stage.dice.between(f"roll{person}", 0.05, 0.12))
        stage.lean(person, at, start + hold - at, pitch=0.12, roll=roll, rise=reach)
    if count:
        height = 0.16 if actor == above else -0.17
        stage.tap(actor, over, back(-across(over, 0.05), height), count, hold=0.15, lean=0.3)
    stage.clock = start + hold + 0.3
    # Nobody stays so near: at least one step back.
    if facts["after"] == "leaves":
        stage.clock = stage.shift(actor, -0.3, 0.0, stage.clock, 0.6)
        conclude(stage, facts)
    else:
        step = 0.4 if facts["after"] == "apart" else 0.2
        stage.clock = max(
            stage.shift(person, -step, 0.0, stage.clock, 0.8) for person in (0, 1)
        ) + stage.dice.between("rest", 0.2, 0.5)


def _high_five(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    height = {"low": 0.10, "": 0.52, "high": 0.72}[facts["height"]]
    sides = ("right", "left") if facts["hands"] == "both" else (facts["side"],)
    middle = 0.16 if len(sides) == 2 else 0.0
    stance = Stance(2 * ahead_of_hand(height, -middle, 0.95 if facts["height"] == "low" else 0.90))
    stage.meet(stance, facts["approach"], facts["distance"])
    count = int(facts["count"])
    interval = max(0.42, stage.interval())
    reach = max(stage.reach_seconds(), 0.4)
    at = stage.clock + reach + stage.reaction
    for number in range(count):
        moment = at + number * interval
        for side in sides:
            # Two hands meet straight across, a single one meets its like.
            mine = OTHER[side] if len(sides) == 2 else side
            first = number == 0
            own = reach if first else interval / 2 - 0.05
            stage.touch(
                actor, side, palm(mine), 0.1, at=moment, reach=own, lean=1.0 if first else 0.0,
                tolerance=0.05,
            )  # fmt: skip
            place = (across(mine, middle), height - SPINE_TOP, stance.distance / 2)
            stage.pose_hand(partner, mine, place, moment, 0.1, reach=own)
            if number + 1 < count:
                between = moment + 0.1 + (interval - 0.1) / 2
                drawn = interval / 2 - 0.05
                for person, hand in ((actor, side), (partner, mine)):
                    ready = (across(hand, middle + 0.04), height - SPINE_TOP, 0.24)
                    stage.pose_hand(person, hand, ready, between, 0.0, reach=drawn)
    stage.lean(partner, at, (count - 1) * interval, pitch=0.1)
    stage.look(partner, "head", at - reach, at + 0.4)
    stage.clock = at + (count - 1) * interval + 0.1
    conclude(stage, facts)


def wave_hand(
    stage: Stage, person: int, side: str, count: int, start: float, high: bool = False
) -> float:
    """Raise a hand beside the head and swing it; when the last swing is over."""
    interval = stage.dice.between(f"wave{person}", *stage.tempo.interval)
    reach = max(0.46, stage.reach_seconds())
    lift = 0.50 if high else 0.30
    inner, outer = (0.24, 0.46) if high else (0.28, 0.50)
    at = start + reach
    stage.pose_hand(person, side, (across(side, inner), lift, 0.18), at, 0.0, reach=reach)
    for number in range(count):
        for half, out in ((0.5, outer), (1.0, inner)):
            point = (across(side, out), lift, 0.18)
            moment = at + (number + half) * interval
            stage.pose_hand(person, side, point, moment, 0.0, reach=interval / 2, tolerance=0.03)
    end = at + count * interval
    stage.look(person, "head", start - 0.2, end)
    stage.perform(person, "wave", (at + end) / 2, end - start, side)
    return end


def nod(stage: Stage, person: int, at: float) -> float:
    """A nod of head and shoulders; when it is over."""
    for number in range(2):
        stage.lean(person, at + 0.3 + 0.6 * number, 0.0, pitch=0.16, rise=0.28)
    return at + 1.2


def _wave(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    ranges = {"near": (1.3, 1.7), "": (1.9, 2.5), "far": (3.2, 4.2)}
    length = stage.dice.between("apart", *ranges[facts["gap"]])
    if stage.poses:
        stage.meet(Stance(1.2))
    else:
        stage.meet(Stance(length), "none")
    start = stage.pause("before", 0.1, 0.5)
    end = wave_hand(stage, actor, facts["side"], int(facts["count"]), start, bool(facts["height"]))
    answered = start + stage.reach_seconds() + stage.reaction
    if facts["answer"] == "wave":
        count = int(stage.dice.between("answers", 2, 4))
        end = max(end, wave_hand(stage, partner, facts["answer_side"], count, answered))
    elif facts["answer"] == "nod":
        end = max(end, nod(stage, partner, answered))
    stage.look(partner, "head", answered - 0.2, end)
    stage.clock = end
    stage.wait(0.3)
    if facts["then"] == "comes":
        goal = Stance(0.95).actor(stage.poses[partner])
        stage.clock = stage.walk(actor, goal)
    stage.wait(stage.dice.between("rest", 0.1, 0.4))


def _bow(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    # Heads that go down must not meet: farther than two heads reach.
    stage.meet(Stance(stage.dice.between("gap", 1.3, 1.7)), facts["approach"], facts["distance"])
    start = stage.pause("before", 0.05, 0.3)
    rise = {"slow": 1.0, "": 0.7, "quick": 0.45}[facts["speed"]]
    hold = {"slow": 0.5, "": 0.3, "quick": 0.1}[facts["speed"]]
    ranges = {"slight": (0.3, 0.42), "": (0.55, 0.75), "deep": (0.95, 1.2)}
    end = start
    for number in range(int(facts["count"])):
        at = start + rise + number * (2 * rise + hold + 0.25)
        _bend(stage, actor, at, hold, stage.dice.between("depth", *ranges[facts["depth"]]), rise)
        end = at + hold + rise
        if facts["answer"] == "both":
            at += stage.dice.between(f"late{number}", 0.0, 0.12)
            depth = stage.dice.between("other depth", *ranges[facts["depth"]])
            _bend(stage, partner, at, hold, depth, rise)
            end = at + hold + rise
    stage.look(actor, "head", 0.0 if start < 2 else start - 0.5, start + 0.2)
    stage.look(partner, "head", start - 0.4, start + 0.4)
    if facts["answer"] == "back":
        at = end + stage.reaction - 0.3 + rise
        _bend(stage, partner, at, hold, stage.dice.between("answer", 0.4, 0.7), rise)
        end = at + hold + rise
    stage.clock = end
    conclude(stage, facts)


def _bend(stage: Stage, person: int, at: float, hold: float, depth: float, rise: float) -> None:
    stage.lean(person, at, hold, pitch=depth, rise=rise)
    for side in ("left", "right"):
        # The hands slide down the thighs.
        thigh = Spot(f"{side}_hip", (across(side, 0.05), -0.12 - 0.12 * depth, 0.13))
        stage.pose_hand(
            person, side, thigh.offset, at, hold, reach=min(0.8, max(0.4, rise)),
            joint=thigh.joint, tolerance=0.08,
        )  # fmt: skip


FAMILIES = (
    Family(
        "handshake",
        (
            SIDE,
            Choice("count", {"1": 0.25, "2": 0.35, "3": 0.25, "4": 0.15}),
            Choice("hands", {"": 0.8, "both": 0.2}),
            SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _handshake,
    ),
    Family(
        "hug",
        (
            Choice("length", {"": 0.3, "brief": 0.35, "long": 0.35}),
            Choice("pats", {"": 0.6, "2": 0.25, "3": 0.15}),
            APPROACH, DISTANCE, AFTER,
        ),
        _hug,
    ),
    Family(
        "high_five",
        (
            Choice("hands", {"": 0.75, "both": 0.25}),
            Choice("side", SIDE.weights, {"hands": ("",)}),
            Choice("height", {"": 0.5, "high": 0.3, "low": 0.2}),
            Choice("count", {"1": 0.5, "2": 0.3, "3": 0.2}),
            SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _high_five,
    ),
    Family(
        "wave",
        (
            SIDE,
            Choice("count", {"2": 0.35, "3": 0.4, "4": 0.25}),
            Choice("height", {"": 0.7, "high": 0.3}),
            Choice("answer", {"wave": 0.6, "nod": 0.25, "": 0.15}),
            Choice("answer_side", SIDE.weights, {"answer": ("wave",)}),
            Choice("gap", {"": 0.3, "near": 0.35, "far": 0.35}, alone=True),
            Choice("then", {"": 0.7, "comes": 0.3}, {"gap": ("", "far")}, alone=True),
            SPEED,
        ),
        _wave,
    ),
    Family(
        "bow",
        (
            Choice("depth", {"": 0.3, "slight": 0.35, "deep": 0.35}),
            Choice("count", {"1": 0.75, "2": 0.25}),
            Choice("answer", {"both": 0.35, "back": 0.35, "none": 0.3}),
            SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _bow,
    ),
)  # fmt: skip
