"""Sentences about two people, derived from the geometry of their motion by rules.

Capture archives often come with two words of text for half a minute. What a sentence can say is in
the positions: how far apart the people are, whether they face each other, who turns how often and
to which side, whether they hold hands, whether they come together or part. `measure_clip` finds
it, `captions_of_clips` says it, three sentences a clip: a short one, one with the main event, and
a detailed one. Whatever uses them must say that they are derived.

"left" and "right" are used for sides only, so that a mirrored clip can exchange the two words.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intermask.errors import UserError
from intermask.motion import FPS
from intermask.skeleton import SMPL22

Array = NDArray[np.float64]

Hold = Literal["both hands", "one hand", "close", "none", "some"]
Arrangement = Literal["facing", "side by side", "first behind", "second behind", "back to back", ""]
Kind = Literal["turn", "couple turn", "low", "bend", "approach", "part", "open", "circle", "travel"]

TURN_RATE_DEG_S = 60.0  # slower yaw is swaying
TURN_MINIMUM_DEG = 150.0
TURN_GAP_S = 0.25  # a turn may pause this long between two steps
HAND_HOLD_M = 0.42  # wrist to wrist: two palms lie between
CLOSE_HOLD_M = 0.30  # wrist to the partner's back or shoulder
APART_M = 1.2
TOGETHER_M = 0.95
LOW_PELVIS = 0.72  # share of the person's standing pelvis height
BENT_HEAD = 0.82  # share of the standing head height
STILL_M_S = 0.12  # mean speed of the feet
TRAVEL_M = 1.0
CIRCLE_DEG = 150.0
SMOOTHING_FRAMES = 3.0

_WRISTS = SMPL22.indices("left_wrist", "right_wrist")
_BACK = SMPL22.indices(
    "spine2", "spine3", "left_collar", "right_collar", "left_shoulder", "right_shoulder"
)
_FEET = SMPL22.indices("left_foot", "right_foot")
_PELVIS, _HEAD, _NECK = SMPL22.index("pelvis"), SMPL22.index("head"), SMPL22.index("neck")


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


@dataclass(frozen=True)
class Event:
    """Something that happens in a clip, in frames of the take.

    person: 0, 1, or None for both. degrees: of a turn, positive to the own left. raised: under
    raised joined hands. ends: whether a low or bent posture is over by the end of the clip.
    """

    kind: Kind
    start: int
    stop: int
    person: int | None = None
    degrees: float = 0.0
    raised: bool = False
    ends: bool = True


@dataclass(frozen=True)
class ClipFacts:
    """What geometry says about one clip. Distances in metres between the pelvises."""

    seconds: float
    distance_start: float
    distance_median: float
    distance_end: float
    arrangement: Arrangement
    hold: Hold
    foot_speed: float
    events: tuple[Event, ...]


@dataclass(frozen=True)
class TakeSignals:
    """Signals of a whole take, computed once for all of its clips; t frames."""

    positions: Array  # (2, t, 22, 3)
    yaw: Array  # (2, t) degrees, unwrapped, positive to the own left
    distance: Array  # (t,) horizontal, metres
    bearing: Array  # (t,) degrees, unwrapped: direction from person 1 to person 2
    ahead: Array  # (2, t) cosine between facing and the direction to the partner
    wrists: Array  # (t, 2, 2) metres, wrist of person 1 (left, right) to wrist of person 2
    closest_hold: Array  # (t,) metres, wrist of person 1 to the back of person 2
    foot_speed: Array  # (t,) metres a second
    turns: tuple[Event, ...]


def take_signals(positions: Array) -> TakeSignals:
    """Signals of positions ``(2, t, 22, 3)``: metres, y-up, 30 fps."""
    sides = [list(SMPL22.indices(f"{side}_hip", f"{side}_shoulder")) for side in ("left", "right")]
    left = (positions[:, :, sides[0]] - positions[:, :, sides[1]]).sum(axis=2)
    # left x up = forward
    facing = np.stack([-left[..., 2], left[..., 0]], axis=-1)
    facing = facing / np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-6)
    yaw = np.degrees(np.unwrap(np.arctan2(facing[..., 0], facing[..., 1]), axis=1))
    between = (positions[1, :, _PELVIS] - positions[0, :, _PELVIS])[:, (0, 2)]
    distance = np.linalg.norm(between, axis=-1)
    unit = between / np.maximum(distance, 1e-6)[:, None]
    ahead = np.stack([(facing[0] * unit).sum(-1), -(facing[1] * unit).sum(-1)])
    bearing = np.degrees(np.unwrap(np.arctan2(unit[:, 0], unit[:, 1])))
    first, second = positions[0][:, list(_WRISTS)], positions[1][:, list(_WRISTS)]
    wrists = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1)
    back = positions[1][:, list(_BACK)]
    hold = np.linalg.norm(first[:, :, None] - back[:, None], axis=-1).min(axis=(1, 2))
    steps = np.linalg.norm(np.diff(positions[:, :, list(_FEET)], axis=1), axis=-1)
    speed = steps.mean(axis=(0, 2)) * FPS
    yaw = _smooth(yaw)
    signals = TakeSignals(
        positions, yaw, distance, bearing, ahead, wrists, hold, np.append(speed, speed[-1:]), ()
    )
    turns = [turn for person in (0, 1) for turn in _turns(signals, person)]
    return TakeSignals(**{**signals.__dict__, "turns": tuple(_join_couple_turns(turns))})


def measure_clip(signals: TakeSignals, start: int, stop: int) -> ClipFacts:
    """Facts of frames ``start`` to ``stop`` (excluded) of a take."""
    span = slice(start, stop)
    distance = signals.distance[span]
    events = [
        *_cut_turns(signals, start, stop),
        *_postures(signals, start, stop),
        *_distances(signals, start, stop),
        *_paths(signals, start, stop),
    ]
    return ClipFacts(
        seconds=(stop - start) / FPS,
        distance_start=float(distance[0]),
        distance_median=float(np.median(distance)),
        distance_end=float(distance[-1]),
        arrangement=_arrangement(signals, span),
        hold=_hold(signals, span),
        foot_speed=float(signals.foot_speed[span].mean()),
        events=tuple(sorted(events, key=lambda event: (event.start, event.kind))),
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


# --------------------------------------------------------------------------- measuring


def _smooth(values: Array) -> Array:
    """Gaussian along the last axis, ends held."""
    reach = int(3 * SMOOTHING_FRAMES)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTHING_FRAMES) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate(
        [values[..., :1].repeat(reach, -1), values, values[..., -1:].repeat(reach, -1)], -1
    )
    return np.apply_along_axis(lambda row: np.convolve(row, kernel, "valid"), -1, padded)


def _segments(mask: NDArray[np.bool_], gap: int = 0) -> list[tuple[int, int]]:
    """(start, stop) of runs of True; runs up to ``gap`` frames apart are joined."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] <= gap:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return runs


def _turns(signals: TakeSignals, person: int) -> list[Event]:
    rate = np.gradient(signals.yaw[person]) * FPS if signals.yaw.shape[1] > 1 else np.zeros(1)
    turns = []
    for sign in (1.0, -1.0):
        for start, stop in _segments(rate * sign > TURN_RATE_DEG_S, round(TURN_GAP_S * FPS)):
            degrees = float(signals.yaw[person, stop - 1] - signals.yaw[person, start])
            if abs(degrees) >= TURN_MINIMUM_DEG:
                raised = _raised(signals, person, slice(start, stop))
                turns.append(Event("turn", start, stop, person, degrees, raised))
    return sorted(turns, key=lambda turn: turn.start)


def _raised(signals: TakeSignals, person: int, span: slice) -> bool:
    """Whether joined hands are above the turning person's neck for a good part of a turn."""
    height = signals.positions[person, span, _NECK, 1][:, None, None]
    first = signals.positions[0, span][:, list(_WRISTS), 1][:, :, None]
    second = signals.positions[1, span][:, list(_WRISTS), 1][:, None]
    joined = signals.wrists[span] < HAND_HOLD_M
    above = joined & (first > height) & (second > height)
    return float(above.any(axis=(1, 2)).mean()) >= 0.3


def _join_couple_turns(turns: list[Event]) -> list[Event]:
    """Two people who turn the same way at the same time turn as a couple."""
    joined: list[Event] = []
    used: set[int] = set()
    for i, one in enumerate(turns):
        for j in range(i + 1, len(turns)):
            two = turns[j]
            overlap = min(one.stop, two.stop) - max(one.start, two.start)
            longer = max(one.stop - one.start, two.stop - two.start)
            same = one.degrees * two.degrees > 0 and one.person != two.person
            alike = 0.6 < one.degrees / two.degrees < 1.6
            if same and alike and overlap > 0.6 * longer and not {i, j} & used:
                used |= {i, j}
                start, stop = min(one.start, two.start), max(one.stop, two.stop)
                degrees = (one.degrees + two.degrees) / 2
                joined.append(Event("couple turn", start, stop, None, degrees))
    return joined + [turn for i, turn in enumerate(turns) if i not in used]


def _cut_turns(signals: TakeSignals, start: int, stop: int) -> list[Event]:
    """Turns of the take that still are turns inside the clip."""
    cut = []
    for turn in signals.turns:
        first, last = max(turn.start, start), min(turn.stop, stop)
        if last - first < 2:
            continue
        people = (0, 1) if turn.person is None else (turn.person,)
        yaw = signals.yaw[list(people)]
        degrees = float((yaw[:, last - 1] - yaw[:, first]).mean())
        if abs(degrees) >= TURN_MINIMUM_DEG:
            cut.append(Event(turn.kind, first, last, turn.person, degrees, turn.raised))
    return cut


def _postures(signals: TakeSignals, start: int, stop: int) -> list[Event]:
    events = []
    for person in (0, 1):
        heights = signals.positions[person, :, :, 1]
        pelvis = heights[:, _PELVIS] / np.percentile(heights[:, _PELVIS], 90)
        head = heights[:, _HEAD] / np.percentile(heights[:, _HEAD], 90)
        low = pelvis < LOW_PELVIS
        bent = (head < BENT_HEAD) & ~low
        for kind, mask in (("low", low), ("bend", bent)):
            runs = _segments(mask[start:stop], round(0.3 * FPS))
            runs = [run for run in runs if run[1] - run[0] >= 0.3 * FPS]
            if runs and not (kind == "bend" and low[start:stop].any()):
                last = start + runs[-1][1]
                kinds: Kind = "low" if kind == "low" else "bend"
                events.append(
                    Event(kinds, start + runs[0][0], last, person, ends=last < stop - 0.3 * FPS)
                )
    return events


def _distances(signals: TakeSignals, start: int, stop: int) -> list[Event]:
    distance = signals.distance[start:stop]
    events = []
    near = np.flatnonzero(distance < TOGETHER_M)
    if distance[0] > APART_M and len(near) and distance[0] - distance.min() > 0.5:
        events.append(Event("approach", start, start + int(near[0])))
    if distance[-1] > APART_M and len(near) and distance[-1] - distance.min() > 0.5:
        events.append(Event("part", start + int(near[-1]), stop))
    widest = int(distance.argmax())
    before, after = distance[: widest + 1].min(), distance[widest:].min()
    if distance[widest] > 1.05 and max(before, after) < distance[widest] - 0.35 and not events:
        first = max(widest - 15, 0)
        events.append(Event("open", start + first, start + widest))
    return events


def _paths(signals: TakeSignals, start: int, stop: int) -> list[Event]:
    events = []
    bearing = signals.bearing[start:stop]
    # Where both stand in one spot, or far away, the direction between them says nothing.
    usable = 0.3 < float(np.median(signals.distance[start:stop])) < 1.2
    if usable and abs(bearing[-1] - bearing[0]) > CIRCLE_DEG:
        events.append(Event("circle", start, stop, degrees=float(bearing[-1] - bearing[0])))
    middle = signals.positions[:, start:stop, _PELVIS].mean(axis=0)[:, (0, 2)]
    if float(np.linalg.norm(middle[-1] - middle[0])) > TRAVEL_M:
        events.append(Event("travel", start, stop))
    return events


def _arrangement(signals: TakeSignals, span: slice) -> Arrangement:
    first, second = signals.ahead[0, span], signals.ahead[1, span]
    together = np.cos(np.radians(signals.yaw[0, span] - signals.yaw[1, span]))
    found: dict[Arrangement, float] = {
        "facing": float(((first > 0.5) & (second > 0.5)).mean()),
        "second behind": float(((first < -0.5) & (second > 0.5)).mean()),
        "first behind": float(((first > 0.5) & (second < -0.5)).mean()),
        "back to back": float(((first < -0.5) & (second < -0.5)).mean()),
        "side by side": float(
            ((abs(first) < 0.6) & (abs(second) < 0.6) & (together > 0.6)).mean()
        ),
    }
    best = max(found, key=lambda name: found[name])
    return best if found[best] >= 0.55 else ""


def _hold(signals: TakeSignals, span: slice) -> Hold:
    joined = signals.wrists[span] < HAND_HOLD_M
    straight = joined[:, 0, 0] & joined[:, 1, 1]
    crossed = joined[:, 0, 1] & joined[:, 1, 0]
    both = float((straight | crossed).mean())
    any_hand = joined.any(axis=(1, 2))
    close = float(((signals.closest_hold[span] < CLOSE_HOLD_M) & any_hand).mean())
    if close >= 0.6:
        return "close"
    if both >= 0.55:
        return "both hands"
    if float(any_hand.mean()) >= 0.65:
        return "one hand"
    return "none" if float(any_hand.mean()) < 0.1 else "some"


# --------------------------------------------------------------------------- wording

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
