"""What one person of a scene is asked to do: where to be when, and which actions to show.

Places are on the floor, (x, z) in metres; a heading is a yaw in radians about +y, 0 facing +z and
pi/2 facing +x, as in `geometry.yaw_matrix`. Seconds count from the beginning of the scene.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waypoint:
    """A place that the pelvis is above at a time."""

    seconds: float
    place: tuple[float, float]
    heading: float | None = None
    """Yaw in radians; None: along the path."""


@dataclass(frozen=True)
class Act:
    """An action of the motion bank, in place: its key moment is at ``start + seconds / 2``."""

    start: float
    seconds: float
    tag: str


@dataclass(frozen=True)
class PersonPlan:
    """One person's way and actions through a scene."""

    waypoints: tuple[Waypoint, ...]
    acts: tuple[Act, ...] = ()
    style: str = "stand"
    """Activity tag of the bank for the time between the acts, where the person stays in place."""
    mirrored: bool = False
    """Whether the bank's segments are played as in a mirror."""
