"""From waypoints to a way: where a person is and faces in every frame, at speeds people have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from intermask.choreography.plans import PersonPlan, Waypoint
from intermask.data.limbs import smooth_in_time
from intermask.errors import UserError
from intermask.motion import FPS

STANDING_STEP = 0.05
"""Metres between two waypoints below which a person stays where they are."""
SIDEWAYS = math.radians(50)
"""Angle between path and given headings from which a short leg is walked sideways or backwards."""
SIDEWAYS_METRES = 1.6
"""Longer legs are walked ahead: people turn around for them."""
RAMP_SECONDS = 0.6
"""Time to get going, and to come to a halt."""

_CORNER_FRAMES = 4.0
"""Deviation of the Gaussian that rounds corners and changes of speed."""
_TURN_SPEED = 2.4
"""Radians a second of a turn, on average."""
_TURN_SECONDS = (0.45, 1.5)
_RESTING_SPEED, _RESTING_TURN = 0.06, 0.15
"""Metres and radians a second below which a person rests."""


@dataclass(frozen=True)
class Way:
    """A planned way.

    Attributes:
        track: (t, 3) x and z in metres and yaw in radians, without jumps.
        resting: (t) whether the person stays in place.
    """

    track: Tensor
    resting: Tensor


@dataclass(frozen=True)
class _Leg:
    """From one waypoint to the next."""

    begin: float
    end: float
    length: float
    direction: float | None
    """Yaw of the path; None where the person stays."""


def planned_way(plan: PersonPlan, frames: int) -> Way:
    """The way through the waypoints of a plan; before the first and after the last one, rest.

    A leg whose two headings are given and lie more than `SIDEWAYS` from the path is walked
    sideways or backwards if it is shorter than `SIDEWAYS_METRES`. On any other the person looks
    along the path, and takes up given headings on arrival.

    Raises:
        UserError: no waypoint, or waypoints that are not in order of time.
    """
    points = plan.waypoints
    if not points:
        raise UserError("a plan without waypoints was given; a person needs at least one place")
    if any(after.seconds <= before.seconds for before, after in pairwise(points)):
        times = ", ".join(f"{point.seconds:g}" for point in points)
        raise UserError(f"waypoints at {times} s were given; expected later and later times")
    legs = [_leg(before, after) for before, after in pairwise(points)]
    seconds = torch.arange(frames, dtype=torch.float64) / FPS
    place = _places(points, legs, seconds)
    yaw = _yaws(points, legs, seconds)
    track = torch.cat((place, yaw[:, None]), 1).float()
    speed = FPS * torch.gradient(track, dim=0)[0] if frames > 1 else torch.zeros_like(track)
    resting = (speed[:, :2].norm(dim=1) < _RESTING_SPEED) & (speed[:, 2].abs() < _RESTING_TURN)
    return Way(track, resting)


def _leg(before: Waypoint, after: Waypoint) -> _Leg:
    across, ahead = (b - a for a, b in zip(before.place, after.place, strict=True))
    length = math.hypot(across, ahead)
    direction = math.atan2(across, ahead) if length > STANDING_STEP else None
    return _Leg(before.seconds, after.seconds, length, direction)


def _places(points: Sequence[Waypoint], legs: Sequence[_Leg], seconds: Tensor) -> Tensor:
    """(t, 2) smoothed x and z."""
    places = torch.tensor([point.place for point in points], dtype=torch.float64)
    result = places[:1].expand(len(seconds), 2).clone()
    for number, leg in enumerate(legs):
        still_before = number == 0 or legs[number - 1].direction is None
        still_after = number == len(legs) - 1 or legs[number + 1].direction is None
        share = _progress(leg, seconds, still_before, still_after)
        passed = seconds >= leg.begin
        way = places[number] + share[:, None] * (places[number + 1] - places[number])
        result = torch.where(passed[:, None], way, result)
    return smooth_in_time(result[None], _CORNER_FRAMES)[0]


def _progress(leg: _Leg, seconds: Tensor, from_rest: bool, to_rest: bool) -> Tensor:
    """Share (t) of a leg that is done: speed goes up from rest and down to it evenly."""
    duration = leg.end - leg.begin
    ramp = min(RAMP_SECONDS, 0.45 * duration)
    first, last = (ramp if from_rest else 0.0), (ramp if to_rest else 0.0)
    speed = 1 / (duration - first / 2 - last / 2)
    since = (seconds - leg.begin).clamp(0, duration)
    done = speed * since
    if first:
        early = since.clamp(max=first)
        done = done - speed * (early - early**2 / (2 * first))
    if last:
        late = (since - (duration - last)).clamp(min=0)
        done = done - speed * late**2 / (2 * last)
    return done


def _yaws(points: Sequence[Waypoint], legs: Sequence[_Leg], seconds: Tensor) -> Tensor:
    """(t) yaw as a sum of smooth turns, each the short way round."""
    yaw = _first_heading(points, legs)
    turns: list[tuple[float, float, float]] = []

    def turn_to(heading: float, moment: float, share_before: float, limit: float) -> None:
        nonlocal yaw
        angle = math.remainder(heading - yaw, math.tau)
        if abs(angle) < 1e-6:
            return
        low, high = _TURN_SECONDS
        duration = min(max(low, min(abs(angle) / _TURN_SPEED, high)), max(limit, low))
        turns.append((angle, moment - share_before * duration, duration))
        yaw += angle

    for number, leg in enumerate(legs):
        begin, end = points[number].heading, points[number + 1].heading
        if leg.direction is None:
            if end is not None:
                turn_to(end, leg.end, 1.0, leg.end - leg.begin)
        elif begin is not None and end is not None and _is_sideways(leg, begin, end):
            angle = math.remainder(end - yaw, math.tau)
            turns.append((angle, leg.begin, leg.end - leg.begin))
            yaw += angle
        else:
            turn_to(leg.direction, leg.begin, 0.5, leg.end - leg.begin)
            if end is not None and _halts(legs, number):
                turn_to(end, leg.end, 0.75, leg.end - leg.begin)
    result = torch.full_like(seconds, _first_heading(points, legs))
    for angle, start, duration in turns:
        share = ((seconds - start) / duration).clamp(0, 1)
        result = result + angle * share * share * (3 - 2 * share)
    return result


def _halts(legs: Sequence[_Leg], number: int) -> bool:
    return number == len(legs) - 1 or legs[number + 1].direction is None


def _is_sideways(leg: _Leg, begin: float, end: float) -> bool:
    assert leg.direction is not None
    away = [abs(math.remainder(heading - leg.direction, math.tau)) for heading in (begin, end)]
    return leg.length < SIDEWAYS_METRES and min(away) > SIDEWAYS


def _first_heading(points: Sequence[Waypoint], legs: Sequence[_Leg]) -> float:
    if points[0].heading is not None:
        return points[0].heading
    moving = [leg.direction for leg in legs if leg.direction is not None]
    given = [point.heading for point in points if point.heading is not None]
    return (moving or given or [0.0])[0]
