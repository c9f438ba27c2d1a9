"""Writing down a scene: the clock, two people on the floor, and what they do to each other.

Families call these few steps; a `Stage` keeps count of time and places. Paths are planned
backwards: the stance is set first, and whoever comes is put where the walk to it must begin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from intermask.choreography.dice import Dice
from intermask.choreography.plans import Act, PersonPlan, Waypoint
from intermask.choreography.reach import Pose, Stance, direction, palm_offset, turned
from intermask.choreography.scene import BODY, ContactEvent, Dip, Gaze, Lean, Point

LONGEST = 10.0
"""Seconds that no scene is longer than."""

WIDEST = 6.0
"""Metres that no scene is wider than, along either axis of the floor."""

COMFORTABLE = 0.75
"""Metres between two people who stand face to face before one comes nearer."""

CLEARANCE = 0.62
"""Metres that a path keeps from somebody who is walked around, pelvis to pelvis."""

_BACK_FROM_SHOULDER = 0.42
"""Metres from the pelvis up to where a lean of the trunk moves the arms."""


@dataclass(frozen=True)
class Tempo:
    """Ranges that one speed stands for."""

    walk: tuple[float, float]
    """Metres a second."""
    reach: tuple[float, float]
    """Seconds of a minimum-jerk reach."""
    interval: tuple[float, float]
    """Seconds from one touch to the next of a series."""
    pause: float
    """Factor on waiting times."""


TEMPI = {
    "slow": Tempo((0.75, 0.9), (0.7, 0.8), (0.7, 0.8), 1.4),
    "": Tempo((1.1, 1.3), (0.52, 0.62), (0.5, 0.58), 1.0),
    "quick": Tempo((1.6, 1.8), (0.4, 0.44), (0.36, 0.4), 0.6),
}


@dataclass(frozen=True)
class Spot:
    """A point on a body that can be touched, in the frame of its joint."""

    joint: str
    offset: Point = BODY
    outwards: Point = (0.0, 0.0, 0.1)
    """From the point to where a hand hovers between two touches, metres."""


def palm(side: str) -> Spot:
    """The middle of a palm."""
    joint = f"{side}_wrist"
    return Spot(joint, palm_offset(joint), (0.0, 0.12, 0.0))


def wrist(side: str) -> Spot:
    """A wrist, to be held."""
    return Spot(f"{side}_wrist")


def shoulder(side: str, behind: bool = False) -> Spot:
    """The top of a shoulder, where a hand comes from in front, or from behind."""
    sign = 1.0 if side == "left" else -1.0
    return Spot(f"{side}_collar", (sign * 0.10, 0.075, -0.03 if behind else 0.0), (0.0, 0.1, 0.0))


def chest(across: float = 0.0, height: float = 0.09) -> Spot:
    """The front of the chest, metres to the left of its middle and above the spine's top joint."""
    return Spot("spine3", (across, height, 0.12), (0.0, 0.0, 0.12))


def back(across: float = 0.0, height: float = 0.05) -> Spot:
    """The back, as `chest`."""
    return Spot("spine3", (across, height, -0.13), (0.0, 0.0, -0.12))


class Stage:
    """A scene that is being written. Times are seconds, places metres, angles radians."""

    def __init__(self, dice: Dice, actor: int) -> None:
        self.dice = dice
        self.actor = actor
        self.clock = 0.0
        self.tempo = TEMPI[""]
        self.poses: list[Pose] = []
        self.waypoints: tuple[list[Waypoint], list[Waypoint]] = ([], [])
        self.acts: tuple[list[Act], list[Act]] = ([], [])
        self.contacts: list[ContactEvent] = []
        self.gazes: list[Gaze] = []
        self.leans: list[Lean] = []
        self.dips: list[Dip] = []
        self.styles = ["stand", "stand"]
        self._count = 0

    @property
    def partner(self) -> int:
        """The person who is not the actor."""
        return 1 - self.actor

    @property
    def reaction(self) -> float:
        """Seconds until the partner answers, of this act."""
        return self.dice.between("reaction", 0.15, 0.35)

    def begin_act(self, dice: Dice, actor: int, speed: str) -> None:
        """What follows is done by that person at that speed."""
        self.dice, self.actor, self.tempo = dice, actor, TEMPI[speed]

    def wait(self, seconds: float) -> float:
        """Let time pass; the new time."""
        self.clock += seconds
        return self.clock

    def pause(self, name: str, low: float, high: float) -> float:
        """Let some time between the two pass, longer at low speed; the new time."""
        return self.wait(self.dice.between(name, low, high) * self.tempo.pause)

    def reach_seconds(self) -> float:
        """How long a reach of this act takes."""
        return self.dice.between("reach", *self.tempo.reach)

    def interval(self) -> float:
        """Seconds from one touch to the next in a series of this act."""
        return self.dice.between("interval", *self.tempo.interval)

    # Where people are.

    def meet(
        self, stance: Stance, approach: str = "actor", distance: str = "", noticed: bool = True
    ) -> None:
        """Bring the two into a stance; the clock is then where both have arrived.

        Args:
            stance: how they shall stand.
            approach: who comes: ``actor``, ``partner``, ``both`` or ``none``.
            distance: ``near`` or ``far`` for how far the way is; "" for anything between.
            noticed: whether the one who waits looks at the one who comes.
        """
        if self.poses:
            self._regroup(stance)
        else:
            self._enter(stance, approach, distance, noticed)

    def _enter(self, stance: Stance, approach: str, distance: str, noticed: bool) -> None:
        dice = self.dice
        actor = Pose((0.0, -stance.distance / 2), 0.0)
        places = [actor, stance.partner(actor)]
        if self.actor == 1:
            places.reverse()
        self.poses = places
        comers = {"actor": [self.actor], "partner": [self.partner], "both": [0, 1]}
        ranges = {"near": (0.9, 1.5), "far": (2.6, 3.4)}
        way = dice.between("way", *ranges.get(distance, (1.4, 2.6)))
        speed = dice.between("walk", *self.tempo.walk)
        coming = comers.get(approach, [])
        start = dice.between("start", 0.2, 0.5)
        seconds = way / len(coming or [0]) / speed + 0.5
        for person, pose in enumerate(places):
            if person in coming:
                length = way / len(coming)
                origin = self._origin(person, length)
                heading = direction(origin, pose.place)
                self._mark(person, 0.0, Pose(origin, heading))
                self._mark(person, start, Pose(origin, heading))
                self._mark(person, start + seconds, pose)
                if noticed:
                    self.look(1 - person, "head", max(0.0, start - 0.1), start + seconds)
            else:
                self._mark(person, 0.0, pose)
        if not coming and stance.face_to_face and stance.distance < 0.55:
            self._step_in(stance, start)
            return
        self.clock = start + (seconds if coming else 0.0) + dice.between("settle", 0.05, 0.2)

    def _step_in(self, stance: Stance, start: float) -> None:
        """Both make half a step into a stance that is too near to stand in for long."""
        step = (COMFORTABLE - stance.distance) / 2
        for person, pose in enumerate(self.poses):
            before = Pose(pose.point(-step), pose.heading)
            self.waypoints[person].clear()
            self._mark(person, 0.0, before)
            self._mark(person, start, before)
            self._mark(person, start + 0.8, pose)
        self.clock = start + 0.8

    def _origin(self, person: int, length: float) -> tuple[float, float]:
        """Where a way to a person's place begins, from behind and past nobody."""
        pose, other = self.poses[person], self.poses[1 - person].place
        clear = min(0.55, 0.9 * math.dist(pose.place, other))
        origins = []
        for attempt in range(12):
            angle = self.dice.between(f"angle{person}.{attempt}", -1.0, 1.0) * (0.5 + 0.1 * attempt)
            origin = Pose(pose.place, pose.heading + math.pi + angle).point(length)
            origins.append(origin)
            if _distance(origin, pose.place, other) >= clear:
                return origin
        return max(origins, key=lambda origin: _distance(origin, pose.place, other))

    def _regroup(self, stance: Stance) -> None:
        """The actor goes to the partner; face to face, both turn first where they have to."""
        mover, anchor = self.actor, self.partner
        base = self.poses[anchor]
        if stance.face_to_face:
            base = Pose(base.place, direction(base.place, self.poses[mover].place))
        elif abs(stance.facing) < 0.5 and abs(stance.bearing) < 0.5:
            # To stand behind somebody who is faced: that one has turned away first.
            away = direction(self.poses[mover].place, base.place)
            if abs(turned(away - base.heading)) > 1.2:
                base = Pose(base.place, away)
        goal = stance.actor(base)
        arrivals = [self.turn(anchor, base.heading), self.walk(mover, goal)]
        self.clock = max(arrivals)

    def walk(self, person: int, goal: Pose, pace: float | None = None) -> float:
        """Send somebody somewhere, around the other if need be; when they arrive.

        pace: metres a second; None: as fast as this act's speed says, slower over a few steps.
        """
        start, other = self.poses[person], self.poses[1 - person].place
        way = [start.place, *_around(start.place, goal.place, other), goal.place]
        lengths = [math.dist(a, b) for a, b in pairwise(way)]
        if sum(lengths) < 0.06:
            return self.turn(person, goal.heading)
        middle = sum(self.tempo.walk) / 2
        speed = pace or min(middle, 0.5 + 0.35 * sum(lengths))
        self._mark(person, self.clock, start)
        time = self.clock
        for number, (place, length) in enumerate(zip(way[1:], lengths, strict=True), 1):
            time += length / speed + (0.2 if number in (1, len(lengths)) else 0.0)
            last = number == len(lengths)
            if last:
                needed = abs(turned(goal.heading - start.heading)) / 3.0
                time = max(time, self.clock + 0.6, self.clock + needed)
                self._mark(person, time, goal)
            else:
                self.waypoints[person].append(Waypoint(time, place, None))
        return time

    def turn(self, person: int, heading: float) -> float:
        """Turn somebody in place; when it is done."""
        angle = abs(turned(heading - self.poses[person].heading))
        if angle < 0.1:
            return self.clock
        self._mark(person, self.clock, self.poses[person])
        done = self.clock + 0.35 + angle / 3.0
        self._mark(person, done, Pose(self.poses[person].place, heading))
        return done

    def shift(
        self, person: int, ahead: float, left: float, start: float, seconds: float, turn: float = 0
    ) -> float:
        """Step somewhere near without turning there; when it is done."""
        pose = self.poses[person]
        self._mark(person, start, pose)
        goal = Pose(pose.point(ahead, left), pose.heading + turn)
        self._mark(person, start + seconds, goal)
        return start + seconds

    def leave(self, person: int, length: float, bend: float = 0.0) -> float:
        """Walk away from the other, ``bend`` radians from straight; when it is done."""
        pose, other = self.poses[person], self.poses[1 - person].place
        away = direction(other, pose.place) + bend
        goal = Pose(Pose(pose.place, away).point(length), away)
        speed = self.dice.between("leave", *self.tempo.walk)
        self._mark(person, self.clock, pose)
        # The body turns over the first steps; from there on it goes ahead.
        first = Pose(Pose(pose.place, away).point(0.3), away)
        turning = self.clock + 0.45 + 0.25 * abs(turned(away - pose.heading))
        self._mark(person, turning, first)
        self._mark(person, turning + (length - 0.3) / speed + 0.2, goal)
        return turning + (length - 0.3) / speed + 0.2

    def _mark(self, person: int, seconds: float, pose: Pose) -> None:
        ways = self.waypoints[person]
        if ways and seconds <= ways[-1].seconds + 1e-6:
            seconds = ways[-1].seconds
            ways.pop()
        ways.append(Waypoint(seconds, pose.place, turned(pose.heading)))
        self.poses[person] = pose

    # What they do.

    def touch(
        self,
        person: int,
        side: str,
        spot: Spot,
        hold: float,
        at: float | None = None,
        reach: float | None = None,
        lean: float = 1.0,
        tolerance: float = 0.04,
        effector: str = "",
        required: bool = True,
    ) -> float:
        """One hand (or ``effector``) meets the other person; when it does.

        Args:
            lean: factor on the trunk's share of the reach; 0: none.
        """
        reach = reach or self.reach_seconds()
        at = self.clock + reach if at is None else at
        joint = effector or f"{side}_wrist"
        self.contacts.append(
            ContactEvent(
                at, hold, person, joint, 1 - person, spot.joint, spot.offset, tolerance, reach,
                required, palm_offset(joint),
            )
        )  # fmt: skip
        self.look(person, spot.joint, at - reach - 0.2, at + min(hold, 0.4))
        if lean:
            self._lean_in(person, side, at, hold, reach, lean)
        return at

    def _lean_in(
        self, person: int, side: str, at: float, hold: float, reach: float, factor: float
    ) -> None:
        self._count += 1
        share = self.dice.between(f"lean{self._count}", 0.15, 0.30)
        pitch = math.asin(share * 0.35 / _BACK_FROM_SHOULDER) * factor
        # A right hand that reaches out turns the trunk to the left.
        yaw = (0.6 if side == "right" else -0.6) * pitch
        self.lean(person, at, hold, pitch=pitch, yaw=yaw, rise=reach)

    def tap(
        self, person: int, side: str, spot: Spot, count: int, hold: float = 0.1, lean: float = 1.0
    ) -> list[float]:
        """Touch several times in a row, the hand hovering between; when each touch is."""
        interval = max(self.interval(), hold + 0.25)
        first = self.touch(person, side, spot, hold, lean=0.0)
        reach = self.reach_seconds()
        if lean:
            self._lean_in(person, side, first, (count - 1) * interval + hold, reach, lean)
        times = [first]
        lifted = Spot(spot.joint, _sum(spot.offset, spot.outwards))
        for number in range(1, count):
            at = first + number * interval
            half = (interval - hold) / 2
            self._hover(person, side, lifted, at - half, half)
            self.touch(person, side, spot, hold, at=at, reach=half, lean=0.0)
            times.append(at)
        return times

    def _hover(self, person: int, side: str, spot: Spot, at: float, reach: float) -> None:
        joint = f"{side}_wrist"
        self.contacts.append(
            ContactEvent(
                at, 0.0, person, joint, 1 - person, spot.joint, spot.offset, 0.06, reach, False,
                palm_offset(joint),
            )
        )  # fmt: skip

    def pose_hand(
        self,
        person: int,
        side: str,
        point: Point,
        at: float,
        hold: float,
        reach: float | None = None,
        joint: str = "spine3",
        effector: str = "",
        tolerance: float = 0.06,
    ) -> None:
        """Keep a palm (or ``effector``) at a point of one's own body's frame."""
        end = effector or f"{side}_wrist"
        self.contacts.append(
            ContactEvent(
                at, hold, person, end, person, joint, point, tolerance,
                reach or self.reach_seconds(), False, palm_offset(end),
            )
        )  # fmt: skip

    def look(self, person: int, joint: str, start: float, end: float) -> None:
        """Look at a joint of the other person."""
        if end > max(start, 0.0):
            self.gazes.append(Gaze(person, joint, max(start, 0.0), end))

    def lean(
        self,
        person: int,
        at: float,
        hold: float,
        pitch: float = 0.0,
        yaw: float = 0.0,
        roll: float = 0.0,
        rise: float = 0.4,
    ) -> None:
        """Bend the trunk; see `scene.Lean`."""
        self.leans.append(Lean(person, at, hold, pitch, yaw, roll, rise))

    def dip(self, person: int, at: float, hold: float, depth: float, rise: float = 0.6) -> None:
        """Lower the pelvis; see `scene.Dip`."""
        self.dips.append(Dip(person, at, hold, depth, rise))

    def perform(self, person: int, tag: str, moment: float, seconds: float, side: str = "") -> None:
        """An action of the bank with its key moment then; ``side`` is the limb it is done with."""
        name = f"{tag}_{side}" if side else tag
        self.acts[person].append(Act(moment - seconds / 2, seconds, name))

    # The end.

    @property
    def fits(self) -> bool:
        """Whether the scene keeps within the time and the room that a scene may take."""
        places = [way.place for ways in self.waypoints for way in ways]
        spans = [max(place[axis] for place in places) - min(place[axis] for place in places)
                 for axis in (0, 1)]  # fmt: skip
        return self.finish() <= LONGEST and max(spans) <= WIDEST

    def finish(self, shortest: float = 3.0) -> float:
        """Close both paths and tidy what overlaps; the length of the scene in seconds."""
        arrivals = [ways[-1].seconds for ways in self.waypoints]
        released = [event.seconds + event.duration + 0.35 for event in self.contacts]
        end = max(self.clock, *arrivals, *released, shortest)
        end = math.ceil(end * 30) / 30
        for person in (0, 1):
            if self.waypoints[person][-1].seconds < end - 1e-6:
                self._mark(person, end, self.poses[person])
        return end

    def plans(self) -> tuple[PersonPlan, PersonPlan]:
        """What either person is asked to do."""
        first, second = (
            PersonPlan(
                tuple(self.waypoints[person]), tuple(sorted(self.acts[person], key=_start)),
                self.styles[person], self.dice.under("bank").share(f"mirrored{person}") < 0.5,
            )
            for person in (0, 1)
        )  # fmt: skip
        return first, second


def _start(act: Act) -> float:
    return act.start


def _sum(first: Point, second: Point) -> Point:
    a, b, c = (x + y for x, y in zip(first, second, strict=True))
    return a, b, c


def _distance(
    start: tuple[float, float], end: tuple[float, float], other: tuple[float, float]
) -> float:
    """Metres from a place to the nearest one of a straight way."""
    dx, dz = end[0] - start[0], end[1] - start[1]
    share = ((other[0] - start[0]) * dx + (other[1] - start[1]) * dz) / (dx * dx + dz * dz)
    share = min(1.0, max(0.0, share))
    return math.dist((start[0] + share * dx, start[1] + share * dz), other)


def _around(
    start: tuple[float, float], goal: tuple[float, float], other: tuple[float, float]
) -> list[tuple[float, float]]:
    """Corners that keep a straight way from running through somebody."""
    dx, dz = goal[0] - start[0], goal[1] - start[1]
    length = math.hypot(dx, dz)
    if length < 1e-6:
        return []
    along = ((other[0] - start[0]) * dx + (other[1] - start[1]) * dz) / length
    aside = ((other[0] - start[0]) * dz - (other[1] - start[1]) * dx) / length
    if abs(aside) > 0.4 or not 0.1 < along < length - 0.1:
        return []
    step = -(CLEARANCE + 0.15) if aside >= 0 else CLEARANCE + 0.15
    # (dz, -dx) / length points to the side on which `aside` is positive.
    corner_x = other[0] + step * dz / length
    corner_z = other[1] - step * dx / length
    return [(corner_x, corner_z)]
