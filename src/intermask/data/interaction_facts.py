"""Find in the geometry of two people what a sentence could say about them.

How far apart they are, whether they face each other, who turns how often and to which side,
whether they hold hands or go down, whether they come together or part. `captions` words it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
TRAVEL_M = 1.0
CIRCLE_DEG = 150.0
SMOOTHING_FRAMES = 3.0

_WRISTS = SMPL22.indices("left_wrist", "right_wrist")
_BACK = SMPL22.indices(
    "spine2", "spine3", "left_collar", "right_collar", "left_shoulder", "right_shoulder"
)
_FEET = SMPL22.indices("left_foot", "right_foot")
_PELVIS, _HEAD, _NECK = SMPL22.index("pelvis"), SMPL22.index("head"), SMPL22.index("neck")


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
        "side by side": float(((abs(first) < 0.6) & (abs(second) < 0.6) & (together > 0.6)).mean()),
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
