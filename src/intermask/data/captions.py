"""Sentences about two people, derived from the geometry of their motion by rules.

Capture archives often come with two words of text for half a minute. `interaction_facts` finds
what else could be said; here it is said, three sentences a clip: a short one, one with the main
event, and a detailed one. Whatever uses them must say that they are derived.

"left" and "right" are used for sides only, so that a mirrored clip can exchange the two words.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intermask.data.interaction_facts import (
    APART_M,
    Array,
    ClipFacts,
    Event,
    Kind,
    measure_clip,
    take_signals,
)
from intermask.errors import UserError

STILL_M_S = 0.12  # mean speed of the feet


@dataclass(frozen=True, kw_only=True)
class CaptionStyle:
    """Words for one kind of motion.

    activity: what both do, as in "they ...": "dance salsa". roles: names of person 1 and 2 ("the
    lead", "the follow"), or None for "one person" and "the other". short: whole sentences that are
    true of every clip, used in turn as first caption; by default made from the activity.
    """

    activity: str = "move together"
    roles: tuple[str, str] | None = None
    short: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.activity.strip():
            raise UserError('An activity is needed for captions, such as "dance salsa".')

    @property
    def openings(self) -> tuple[str, ...]:
        """First captions to choose from."""
        return self.short or (
            f"Two people {self.activity}.",
            f"A couple {_third_person(self.activity)}.",
            f"Two people {self.activity} with each other.",
        )


def salsa_style() -> CaptionStyle:
    """Words for salsa: person 1 leads, person 2 follows."""
    return CaptionStyle(
        activity="dance salsa",
        roles=("the lead", "the follow"),
        short=(
            "Two people dance salsa.",
            "A couple dances salsa.",
            "Two people dance salsa.",
            "Two people are dancing salsa together.",
            "Two dancers dance a salsa.",
            "One person leads the other in a salsa dance.",
        ),
    )


def captions_of_clips(
    positions: Array,
    clips: Sequence[tuple[int, int]],
    style: CaptionStyle,
    key: str = "",
) -> list[tuple[str, str, str]]:
    """Three captions (short, medium, detailed) for each clip of a take.

    positions: ``(2, t, 22, 3)`` metres, y-up, 30 fps. clips: (start, stop) frames. key: name of
    the take; wording varies with it and the clip's number, and with nothing else.
    """
    signals = take_signals(np.asarray(positions, dtype=np.float64))
    result = []
    for number, (start, stop) in enumerate(clips):
        facts = measure_clip(signals, start, stop)
        variant = zlib.crc32(f"{key}/{number}".encode())
        result.append(describe(facts, style, variant))
    return result


_IMPORTANCE: dict[Kind, float] = {
    "turn": 3.0,
    "low": 4.0,
    "approach": 3.5,
    "part": 3.5,
    "couple turn": 2.5,
    "bend": 2.0,
    "circle": 1.5,
    "open": 1.2,
    "travel": 1.0,
}


def describe(facts: ClipFacts, style: CaptionStyle, variant: int = 0) -> tuple[str, str, str]:
    """Short, medium and detailed caption of a clip; ``variant`` chooses among wordings."""
    short = style.openings[variant % len(style.openings)]
    ranked = sorted(facts.events, key=lambda event: -_weight(event))
    names = _Names(style, variant // 7)
    medium = _medium(facts, ranked[:1], style, names, variant // 11)
    chosen = sorted(ranked[:3], key=lambda event: event.start)
    detailed = _detailed(facts, chosen, style, _Names(style, 1), variant // 13)
    return short, medium, detailed


def _weight(event: Event) -> float:
    return _IMPORTANCE[event.kind] + min(abs(event.degrees), 1080.0) / 360.0


class _Names:
    """What to call the two people in one caption, by order of mention where they have no role."""

    def __init__(self, style: CaptionStyle, variant: int) -> None:
        self.roles = style.roles if variant % 2 else None
        self.mentioned: list[int] = []

    def __call__(self, person: int) -> str:
        if self.roles is not None:
            return self.roles[person]
        if person not in self.mentioned:
            self.mentioned.append(person)
        return "one person" if self.mentioned[0] == person else "the other"


def _medium(
    facts: ClipFacts, events: Sequence[Event], style: CaptionStyle, names: _Names, variant: int
) -> str:
    if _is_waiting(facts):
        return _waiting(facts, style)
    if not events:
        return f"Two people {style.activity}{_setting(facts, variant)}."
    event = events[0]
    if event.kind == "travel":
        return f"Two people {style.activity} and move across the floor."
    clause = _clause(event, names, variant)
    setting = "" if event.kind in ("approach", "part") else _setting(facts, variant)
    joint = ", and " if "," in setting else " and "
    # "Two people dance and they turn" needs its subject only once.
    wordings = (
        f"Two people {style.activity} and {clause.removeprefix('they ')}.",
        f"{_capital(clause)} while they {style.activity}.",
        f"Two people {style.activity}{setting}{joint}{clause.removeprefix('they ')}.",
    )
    return wordings[variant % 3].replace("They ", "Two people ", 1)


def _detailed(
    facts: ClipFacts, events: Sequence[Event], style: CaptionStyle, names: _Names, variant: int
) -> str:
    if _is_waiting(facts):
        return _waiting(facts, style)
    meets = any(event.kind in ("approach", "part") for event in events)
    setting = "" if meets else _setting(facts, variant, full=True)
    opening = f"Two people {style.activity}{setting}."
    if not events:
        pace = "slowly, with small steps" if facts.foot_speed < 0.45 else "with quick small steps"
        return f"{opening} They step back and forth {pace}."
    parts = [_clause(event, names, variant + number) for number, event in enumerate(events)]
    for number in range(1, len(parts)):
        before, now = events[number - 1], events[number]
        if now.kind == before.kind == "turn" and now.person == before.person:
            parts[number] = _turn_again(now, before, names)
    joined = parts[0]
    if len(parts) == 2:
        joined = f"{parts[0]}, {'and then' if variant % 2 else 'then'} {parts[1]}"
    elif len(parts) == 3:
        last = "finally" if variant % 2 else "then"
        joined = f"{parts[0]}, then {parts[1]}, and {last} {parts[2]}"
    return f"{opening} {_capital(joined)}."


def _is_waiting(facts: ClipFacts) -> bool:
    return not facts.events and facts.foot_speed < STILL_M_S


def _waiting(facts: ClipFacts, style: CaptionStyle) -> str:
    where = "facing each other" if facts.arrangement == "facing" else "near each other"
    apart = ", some distance apart," if facts.distance_median > APART_M else ""
    return f"Two people stand {where}{apart} ready to {style.activity}."


def _setting(facts: ClipFacts, variant: int, full: bool = False) -> str:
    """Where they are to each other and how they hold on: " face to face, holding both hands"."""
    where = {
        "facing": (" face to face", " facing each other"),
        "side by side": (" side by side", " next to each other"),
        "first behind": (" one behind the other", " one behind the other"),
        "second behind": (" one behind the other", " one behind the other"),
        "back to back": (" back to back", " back to back"),
        "": ("", ""),
    }[facts.arrangement][variant % 2]
    hold = {
        "both hands": (", holding both hands", ", with both hands joined"),
        "one hand": (", holding one hand", " hand in hand"),
        "close": (" in a close hold", ", holding each other closely"),
        "none": (" without holding hands", " without touching"),
        "some": ("", ""),
    }[facts.hold][variant // 2 % 2]
    near = ""
    if full and facts.hold != "close":
        if facts.distance_median < 0.55:
            near = " close together"
        elif facts.distance_median > APART_M:
            near = " some distance apart"
    return where + near + hold


def _clause(event: Event, names: _Names, variant: int) -> str:
    """One event as a clause without a full stop."""
    if event.kind == "turn":
        return _turn_clause(event, names, variant)
    if event.kind == "couple turn":
        turning = _turning(event.degrees).replace("turns", "turn").replace("spins", "turn")
        return f"they {turning.replace('makes', 'make')} together"
    if event.person is not None:
        name = names(event.person)
        if event.kind == "low":
            up = " and comes up again" if event.ends else ""
            return (f"{name} sinks low to the floor{up}", f"{name} drops down low{up}")[variant % 2]
        return f"{name} bends forward" + (" and straightens up" if event.ends else "")
    return {
        "approach": ("they walk towards each other", "they come together")[variant % 2],
        "part": ("they step apart", "they let go and move apart")[variant % 2],
        "open": (
            "they open out to arm's length and come back together",
            "they step apart and come back together",
        )[variant % 2],
        "circle": ("they circle around each other", "they change places in a circle")[variant % 2],
        "travel": "they move across the floor",
    }[event.kind]


def _turn_clause(event: Event, names: _Names, variant: int) -> str:
    person = event.person or 0
    under = (" under their raised hands", " under a raised arm")[variant // 3 % 2]
    under = under if event.raised else ""
    if person == 1 and event.raised and variant % 2 == 0:
        lead = names(0)
        return f"{lead} {_turning(event.degrees, names(1))}{under}"
    return f"{names(person)} {_turning(event.degrees)}{under}"


def _turn_again(event: Event, before: Event, names: _Names) -> str:
    """A second turn by the same person, said shortly."""
    again = " again" if event.degrees * before.degrees > 0 else ""
    under = " under their raised hands" if event.raised and not before.raised else ""
    return f"{names(event.person or 0)} {_turning(event.degrees)}{again}{under}"


def _turning(degrees: float, whom: str = "") -> str:
    """ "turns once to the left", or what somebody does with ``whom``: "spins the follow ..."."""
    side = "left" if degrees > 0 else "right"
    halves = max(1, round(abs(degrees) / 180.0))
    if halves == 1:
        half = f"turns {whom} halfway around" if whom else "makes a half turn"
        return f"{half} to the {side}"
    verb = "spins" if whom or halves >= 3 else "turns"
    return f"{verb} {whom} {_times(halves)} to the {side}".replace("  ", " ")


def _times(halves: int) -> str:
    """How often, from a number of half turns: "once", "one and a half times", "twice"."""
    numbers = ("no", "one", "two", "three", "four", "five", "six")
    whole = min(halves // 2, len(numbers) - 1)
    if halves % 2:
        return f"{numbers[whole]} and a half times"
    return {1: "once", 2: "twice"}.get(whole, f"{numbers[whole]} times")


def _third_person(activity: str) -> str:
    """ "dance salsa" -> "dances salsa"."""
    verb, _, rest = activity.partition(" ")
    ending = "es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s"
    return f"{verb}{ending} {rest}".strip()


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
