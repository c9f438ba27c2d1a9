"""Struggle: push and stumble, punch and block, kick and dodge, grab and pull."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from intermask.choreography.families.greeting import OTHER, across, conclude
from intermask.choreography.families.helping import COMES_OR_WAITS
from intermask.choreography.family import AFTER, APPROACH, DISTANCE, SIDE, SPEED, Choice, Family
from intermask.choreography.reach import LEG, PALM, TORSO, Stance, ahead_of_hand
from intermask.choreography.scene import ContactEvent
from intermask.choreography.staging import Spot, Stage, back, chest, wrist

_CHEST_HEIGHT = 0.36


def _push(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    behind = facts["way"] == "behind"
    distance = ahead_of_hand(_CHEST_HEIGHT, 0.0, 0.82) + TORSO
    stance = Stance(distance, 0.0, 0.0 if behind else math.pi)
    stage.meet(stance, facts["approach"], facts["distance"], noticed=not behind)
    reach = min(0.6, stage.reach_seconds())
    at = stage.clock + reach
    sides = ("left", "right") if facts["hands"] == "both" else (facts["side"],)
    for side in sides:
        # Straight ahead of either hand: face to face that is the other side of the partner.
        out = across(side, 0.09 if len(sides) == 2 else 0.05) * (1 if behind else -1)
        spot = back(out, 0.08) if behind else chest(out, 0.08)
        stage.touch(actor, side, spot, 0.15, at=at, reach=reach, lean=1.2 / len(sides))
    hard = facts["strength"]
    length = stage.dice.between("stumble", *_STUMBLES[hard])
    steps = {"light": 0.6, "": 0.9, "hard": 1.2}[hard]
    away = length if behind else -length
    sway = stage.dice.between("sway", -0.12, 0.12)
    done = stage.shift(partner, away, sway, at + 0.08, steps)
    # The trunk is thrown at once, then catches itself; the arms fly up.
    thrown = {"light": 0.14, "": 0.24, "hard": 0.36}[hard]
    stage.lean(partner, at + 0.22, 0.1, pitch=thrown * (0.9 if behind else -1.0), rise=0.2)
    stage.lean(partner, at + 0.75, 0.1, pitch=0.12, rise=0.3)
    if hard != "light":
        for side in ("left", "right"):
            flung = (across(side, 0.42), stage.dice.between(f"fling {side}", -0.05, 0.2), 0.28)
            moment = at + 0.4 + stage.reaction
            stage.pose_hand(partner, side, flung, moment, 0.15, reach=0.4, tolerance=0.1)
    stage.look(partner, "head", at + stage.reaction, done + 0.6)
    stage.look(actor, "head", at + 0.3, done)
    stage.clock = max(at + 0.15, done)
    conclude(stage, facts)


_STUMBLES = {"light": (0.2, 0.32), "": (0.42, 0.6), "hard": (0.8, 1.1)}


@dataclass(frozen=True)
class _Blow:
    """A punch of the bank and where its wrist ends, metres above and ahead of the pelvis."""

    tag: str
    height: float
    ahead: float


_BLOWS = {
    "head": _Blow("punch_high", 0.60, 0.62),
    "": _Blow("punch", 0.36, 0.72),
    "body": _Blow("punch", 0.28, 0.64),
}
_FOREARM_AHEAD = 0.34
"""Metres from the pelvis to a forearm that is held up against a blow."""


def _guard(stage: Stage, person: int, side: str, at: float, hold: float, reach: float) -> None:
    point = (across(side, 0.10), 0.16, 0.27)
    stage.pose_hand(person, side, point, at, hold, reach=reach, tolerance=0.08)


def _punch(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    side, block, count = facts["side"], facts["block"], int(facts["count"])
    blow = _BLOWS[facts["height"]]
    # The fist would reach the body of the partner; a forearm's width before it is stopped.
    stance = Stance(blow.ahead + _FOREARM_AHEAD)
    stage.meet(stance, facts["approach"], facts["distance"])
    reach = max(stage.reach_seconds(), stage.reaction + 0.4)
    raised = stage.clock + 0.45
    first = raised + reach
    interval = reach + 0.5
    last = first + (count - 1) * interval
    _guard(stage, actor, OTHER[side], raised, last + 0.3 - raised, 0.45)
    _guard(stage, partner, OTHER[block], raised + stage.reaction, last + 0.1 - raised, 0.45)
    for number in range(count):
        at = first + number * interval
        _guard(stage, actor, side, at - reach - 0.05, 0.05, 0.42)
        target = (0.0, blow.height, blow.ahead + PALM)
        stage.pose_hand(actor, side, target, at, 0.06, reach=reach, joint="pelvis", tolerance=0.08)
        stage.contacts.append(
            ContactEvent(
                at, 0.12, partner, f"{block}_elbow", actor, f"{side}_wrist", (0.0, 0.0, 0.0),
                0.06, 0.4, True, (across(block, 0.17), 0.0, 0.0),
            )
        )  # fmt: skip
        stage.lean(partner, at, 0.15, pitch=-0.08, rise=0.3)
        stage.perform(actor, blow.tag, at, reach + 0.45, side)
    stage.look(actor, "head", stage.clock - 0.5, last + 0.3)
    stage.look(partner, f"{side}_wrist", raised - 0.2, last + 0.2)
    stage.clock = last + 0.2
    conclude(stage, facts)


_KICKS = {"low": -0.48, "": -0.18, "high": 0.16}
"""Metres of the ankle above the pelvis at the end of a kick."""


def _kick(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    side, dodge, count = facts["side"], facts["dodge"], int(facts["count"])
    height = _KICKS[facts["height"]]
    ahead = math.sqrt((0.9 * LEG) ** 2 - (height + 0.085) ** 2)
    stage.meet(Stance(ahead + 0.36), facts["approach"], facts["distance"])
    reach = max(0.5, stage.reach_seconds())
    first = stage.pause("before", 0.05, 0.3) + reach
    interval = 2 * reach + 0.45
    for number in range(count):
        at = first + number * interval
        foot = (across(side, 0.04), height, ahead)
        stage.pose_hand(
            actor, side, foot, at, 0.05, reach=reach, joint="pelvis", effector=f"{side}_ankle",
            tolerance=0.08,
        )  # fmt: skip
        back_lean = {"low": 0.0, "": -0.1, "high": -0.3}[facts["height"]]
        stage.lean(actor, at, 0.05, pitch=back_lean, rise=reach)
        stage.perform(actor, "kick", at, 2 * reach, side)
        _dodge(stage, partner, dodge, at, reach)
        if number + 1 < count:
            _come_back(stage, partner, dodge, at + 0.35, interval - 0.35 - reach)
    for person in (actor, partner):
        for hand in ("left", "right"):
            _guard(stage, person, hand, first - 0.1, (count - 1) * interval + 0.3, 0.45)
    last = first + (count - 1) * interval
    stage.look(actor, "head", stage.clock - 0.8, last + 0.3)
    stage.look(partner, f"{side}_ankle", first - reach + 0.1, last + 0.2)
    stage.clock = last + reach
    conclude(stage, facts)


_DODGES = {
    "back": (-0.45, 0.0),
    "left": (-0.10, 0.42),
    "right": (-0.10, -0.42),
    "duck": (-0.25, 0.0),
}


def _dodge(stage: Stage, person: int, way: str, at: float, reach: float) -> None:
    ahead, left = _DODGES[way]
    start = at - reach + stage.reaction
    stage.shift(person, ahead, left, start, max(0.4, at - start))
    if way == "duck":
        stage.dip(person, at - 0.05, 0.2, 0.32, rise=0.35)
        stage.lean(person, at - 0.05, 0.2, pitch=0.5, rise=0.35)
    elif way == "back":
        stage.lean(person, at, 0.15, pitch=-0.22, rise=0.35)
    else:
        stage.lean(person, at, 0.15, roll=-0.2 if way == "left" else 0.2, rise=0.35)


def _come_back(stage: Stage, person: int, way: str, start: float, seconds: float) -> None:
    ahead, left = _DODGES[way]
    stage.shift(person, -ahead, -left, start, max(0.4, min(0.8, seconds)))


_GRIP_HEIGHT = 0.02


def _grab(stage: Stage, facts: Mapping[str, str]) -> None:
    actor, partner = stage.actor, stage.partner
    side, held, hold_on = facts["side"], facts["other_side"], facts["where"]
    stance = Stance(0.40 + ahead_of_hand(_GRIP_HEIGHT, 0.0, 0.88))
    stage.meet(stance, facts["approach"], facts["distance"])
    reach = stage.reach_seconds()
    at = stage.clock + reach
    spot = (
        wrist(held) if hold_on == "wrist" else Spot(f"{held}_elbow", (across(held, 0.03), 0.0, 0.0))
    )
    outcome = facts["outcome"]
    pull = at + 0.35
    step = stage.dice.between("pull", 0.40, 0.60)
    seconds = {"slow": 1.3, "": 0.9, "quick": 0.6}[facts["speed"]]
    count = int(facts["count"])
    # Every tug but the last only stretches the arms.
    tugs = (count - 1) * 0.7
    end = pull + tugs + seconds
    release = end + 0.1 if outcome == "follows" else pull + tugs + seconds * 0.55
    stage.touch(actor, side, spot, release - at, at=at, reach=reach, tolerance=0.05)
    for tug in range(count - 1):
        moment = pull + tug * 0.7 + 0.3
        stage.lean(actor, moment, 0.05, pitch=-0.18, rise=0.28)
        stage.lean(partner, moment + 0.05, 0.05, pitch=0.14, rise=0.28)
    start = pull + tugs
    stage.shift(actor, -step, 0.0, start, seconds)
    stage.lean(actor, start + seconds / 2, 0.1, pitch=-0.2, rise=0.4)
    late = stage.reaction
    if outcome == "follows":
        stage.shift(partner, step, 0.0, start + late, seconds)
        stage.lean(partner, start + late + 0.3, 0.1, pitch=0.28, rise=0.35)
        end = start + late + seconds
    else:
        stage.lean(partner, start + 0.2, 0.2, pitch=-0.2, rise=0.3)
        done = stage.shift(partner, -0.4, 0.0, release, 0.7)
        home = (across(held, 0.12), -0.02, 0.16)
        stage.pose_hand(partner, held, home, release + 0.4, 0.3, reach=0.4, tolerance=0.08)
        end = max(end, done)
    stage.look(partner, f"{side}_wrist", at - 0.2, start)
    stage.look(partner, "head", start, end)
    stage.clock = end
    conclude(stage, facts)


HANDS = Choice("hands", {"": 0.45, "both": 0.55})

FAMILIES = (
    Family(
        "push",
        (
            HANDS,
            Choice("side", SIDE.weights, {"hands": ("",)}),
            Choice("way", {"front": 0.75, "behind": 0.25}),
            Choice("strength", {"": 0.3, "light": 0.35, "hard": 0.35}),
            COMES_OR_WAITS, DISTANCE, AFTER,
        ),
        _push,
    ),
    Family(
        "punch",
        (
            SIDE,
            Choice("block", {"left": 0.5, "right": 0.5}),
            Choice("height", {"": 0.4, "head": 0.35, "body": 0.25}),
            Choice("count", {"1": 0.5, "2": 0.35, "3": 0.15}),
            SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _punch,
    ),
    Family(
        "kick",
        (
            SIDE,
            Choice("height", {"": 0.4, "low": 0.3, "high": 0.3}),
            Choice("dodge", {"back": 0.4, "left": 0.2, "right": 0.2, "duck": 0.2}),
            Choice("count", {"1": 0.7, "2": 0.3}),
            SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _kick,
    ),
    Family(
        "grab",
        (
            SIDE,
            Choice("other_side", {"left": 0.5, "right": 0.5}),
            Choice("where", {"wrist": 0.6, "arm": 0.4}),
            Choice("outcome", {"follows": 0.6, "free": 0.4}),
            Choice("count", {"1": 0.6, "2": 0.25, "3": 0.15}),
            SPEED, APPROACH, DISTANCE, AFTER,
        ),
        _grab,
    ),
)  # fmt: skip
