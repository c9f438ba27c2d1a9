"""Where people can stand and what they can reach, on the mean adult's skeleton.

Stances are solved with these lengths before anybody moves; bodies a little larger or smaller make
up for it with the trunk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermask.choreography.plans import PersonPlan, Waypoint
from intermask.choreography.scene import BODY, ContactEvent, Dip, Point, ScenePlan
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions

_REST = rest_positions(MEAN_ADULT_OFFSETS)


def _length(*joints: str) -> float:
    rows = MEAN_ADULT_OFFSETS[list(SMPL22.indices(*joints))]
    return float(np.linalg.norm(rows, axis=1).sum())


ARM = _length("right_elbow", "right_wrist")
"""Metres from shoulder to wrist of a straight arm."""

LEG = _length("right_knee", "right_ankle")
"""Metres from hip to ankle of a straight leg."""

PALM = 0.09
"""Metres from the wrist to the middle of the palm."""

TORSO = 0.12
"""Metres from the middle of the chest to its surface, in front and behind."""

LEAN_ALLOWANCE = 0.22
"""Metres that trunk and shoulder girdle add to a reach: 30 % of three quarters of a metre."""


@dataclass(frozen=True)
class Pose:
    """A place on the floor and a heading; see `plans`."""

    place: tuple[float, float]
    heading: float

    def point(self, ahead: float, left: float = 0.0) -> tuple[float, float]:
        """The place so many metres ahead and to the left."""
        x, z = self.place
        sine, cosine = math.sin(self.heading), math.cos(self.heading)
        return x + ahead * sine + left * cosine, z + ahead * cosine - left * sine


def direction(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Heading in radians from one place to another."""
    return math.atan2(end[0] - start[0], end[1] - start[1])


def turned(angle: float) -> float:
    """The same angle between -pi and pi."""
    return math.remainder(angle, math.tau)


@dataclass(frozen=True)
class Stance:
    """How two people stand to each other.

    distance: metres between the pelves. bearing: radians to the left, from straight ahead of the
    actor to the partner. facing: the partner's heading minus the actor's.
    """

    distance: float
    bearing: float = 0.0
    facing: float = math.pi

    @property
    def face_to_face(self) -> bool:
        """Whether the two look at each other."""
        return abs(turned(self.facing - math.pi)) < 0.5 and abs(self.bearing) < 0.5

    def partner(self, actor: Pose) -> Pose:
        """Where the partner of an actor stands."""
        ahead = self.distance * math.cos(self.bearing)
        left = self.distance * math.sin(self.bearing)
        return Pose(actor.point(ahead, left), turned(actor.heading + self.facing))

    def actor(self, partner: Pose) -> Pose:
        """Where the actor of a partner stands."""
        heading = turned(partner.heading - self.facing)
        away = heading + self.bearing
        x, z = partner.place
        return Pose(
            (x - self.distance * math.sin(away), z - self.distance * math.cos(away)), heading
        )


def ahead_of_hand(height: float, across: float, extension: float) -> float:
    """Metres ahead of the pelvis that the right palm reaches.

    Args:
        height: of the palm above the pelvis.
        across: of the palm to the left of the body's middle; the right shoulder is at -0.18.
        extension: share of the length of arm and hand that is used, up to 1.
    """
    shoulder = _REST[SMPL22.index("right_shoulder")]
    length = extension * (ARM + PALM)
    left_over = length**2 - (height - shoulder[1]) ** 2 - (across - shoulder[0]) ** 2
    if left_over < 0:
        raise ValueError(
            f"a hand {height:.2f} m above the pelvis and {across:.2f} m across is out of reach of "
            f"{extension:.2f} of the arm; give a place nearer to the shoulder or more of the arm"
        )
    return float(shoulder[2]) + math.sqrt(left_over)


def palm_offset(joint: str) -> Point:
    """The middle of the palm in a wrist's frame; zero for any other joint."""
    if not joint.endswith("_wrist"):
        return BODY
    return (PALM if joint.startswith("left") else -PALM, 0.0, 0.0)


def pose_at(waypoints: Sequence[Waypoint], seconds: float) -> Pose:
    """Place and heading at a time, straight from each waypoint to the next."""
    after = next((n for n, way in enumerate(waypoints) if way.seconds > seconds), len(waypoints))
    if after == 0:
        return Pose(waypoints[0].place, _heading(waypoints, 0))
    if after == len(waypoints):
        return Pose(waypoints[-1].place, _heading(waypoints, after - 1))
    first, second = waypoints[after - 1], waypoints[after]
    share = (seconds - first.seconds) / (second.seconds - first.seconds)
    x, z = (
        start + share * (end - start) for start, end in zip(first.place, second.place, strict=True)
    )
    heading = _heading(waypoints, after - 1)
    return Pose((x, z), heading + share * turned(_heading(waypoints, after) - heading))


def _heading(waypoints: Sequence[Waypoint], number: int) -> float:
    own = waypoints[number].heading
    if own is not None:
        return own
    before = waypoints[max(0, number - 1)].place
    after = waypoints[min(len(waypoints) - 1, number + 1)].place
    return direction(before, after)


def gap(people: tuple[PersonPlan, PersonPlan], seconds: float) -> float:
    """Metres between the two pelves at a time."""
    first, second = (pose_at(plan.waypoints, seconds).place for plan in people)
    return math.dist(first, second)


def _upright(pose: Pose, joint: str, offset: Point, lowered: float) -> NDArray[np.float64]:
    """World place of a point of somebody who stands upright in the rest pose."""
    x, y, z = _REST[SMPL22.index(joint)] + np.asarray(offset)
    across, along = pose.point(z, x)
    return np.array((across, y - lowered, along))


def beyond_reach(plan: ScenePlan, event: ContactEvent) -> float:
    """Metres by which a contact is farther than the bodies reach; negative where it is within.

    Measured between the roots of the limbs that meet, of two people who stand upright where their
    paths have them in the middle of the contact, less the lengths of these limbs and
    `LEAN_ALLOWANCE` for everybody who may lean.
    """
    seconds = event.seconds + event.duration / 2
    actor, target = (
        pose_at(plan.people[p].waypoints, seconds) for p in (event.actor, event.target)
    )
    lowered = [
        max(
            (dip.depth for dip in plan.dips if dip.person == person and _covers(dip, seconds)),
            default=0.0,
        )
        for person in (0, 1)
    ]
    root, length = _limb(event.effector, event.effector_offset)
    start = _upright(actor, root, BODY, lowered[event.actor])
    root, target_length = _limb(event.joint, event.offset)
    on_limb = root != event.joint
    end = _upright(target, root, BODY if on_limb else event.offset, lowered[event.target])
    allowed = length + target_length + LEAN_ALLOWANCE * (2 if on_limb else 1)
    return float(np.linalg.norm(end - start)) - allowed


def _covers(dip: Dip, seconds: float) -> bool:
    return dip.seconds <= seconds <= dip.seconds + dip.duration


def _limb(joint: str, offset: Point) -> tuple[str, float]:
    """The joint at the root of a limb, and the length from there to a point of the limb."""
    side, _, part = joint.partition("_")
    beyond = float(np.linalg.norm(offset))
    if part == "wrist":
        return f"{side}_shoulder", ARM + beyond
    if part == "elbow":
        return f"{side}_shoulder", _length(joint) + beyond
    if part in ("ankle", "foot"):
        return f"{side}_hip", LEG + beyond + (_length(joint) if part == "foot" else 0.0)
    return joint, 0.0
