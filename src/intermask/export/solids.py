"""The simple solids out of which a drawn body is blended, and how finely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermask.skeleton import Skeleton

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Detail:
    """How finely a surface is cut out of its solids, in metres."""

    grid: float
    """Between samples of the distance field."""
    blend: float
    """Over which neighbouring solids flow into each other."""
    skin: float
    """Over which the surface passes from one joint to the next."""
    margin: float
    """Around the solids that is sampled."""


BODY_DETAIL = Detail(grid=0.016, blend=0.030, skin=0.022, margin=0.06)


@dataclass(frozen=True)
class Solid:
    """A part of the body that moves with one joint.

    Round cone from ``start`` to ``stop`` with radii ``radii`` (2), or, where ``turn`` and three
    ``radii`` are given, an ellipsoid around ``start`` with axes along the columns of ``turn``.
    Metres, in the pose in which the body is bound. ``sole``: cut off below this height.
    """

    joint: int
    start: Array
    stop: Array
    radii: tuple[float, ...]
    turn: Array | None = None
    sole: float | None = None

    def distance(self, points: Array) -> Array:
        """Signed distance (n) of points (n, 3), negative inside, near the surface."""
        if self.turn is None:
            along = self.stop - self.start
            share = (points - self.start) @ along / max(float(along @ along), 1e-12)
            share = np.clip(share, 0.0, 1.0)
            radius = self.radii[0] + share * (self.radii[1] - self.radii[0])
            axis = self.start + share[:, None] * along
            distance = np.linalg.norm(points - axis, axis=1) - radius
        else:
            local = (points - self.start) @ self.turn
            radii = np.array(self.radii)
            scaled = np.linalg.norm(local / radii, axis=1)
            steep = np.linalg.norm(local / radii**2, axis=1)
            distance = scaled * (scaled - 1.0) / np.maximum(steep, 1e-9)
        if self.sole is not None:
            distance = np.maximum(distance, self.sole - points[:, 1])
        return np.asarray(distance)


class Builder:
    """Collects solids of one body in its bound pose; lengths are a mean adult's."""

    def __init__(self, skeleton: Skeleton, joints: Array, turns: Array, size: float) -> None:
        self.at = {name: joints[joint] for joint, name in enumerate(skeleton.names)}
        self.size = size
        self.solids: list[Solid] = []
        self._skeleton, self._turns = skeleton, turns

    @property
    def has_fingers(self) -> bool:
        """Whether the hands have joints of their own."""
        return "left_index1" in self.at

    def place(self, name: str, x: float, y: float, z: float) -> Array:
        """A point beside a joint, in the joint's own axes."""
        turn = self._turns[self._skeleton.index(name)]
        return np.asarray(self.at[name] + turn @ (x, y, z) * self.size)

    def cone(
        self, owner: str, start: Array, stop: Array, first: float, last: float,
        sole: float | None = None,
    ) -> None:  # fmt: skip
        """A round cone that moves with a joint; ``sole``: cut off below this height."""
        radii = (first * self.size, last * self.size)
        self.solids.append(Solid(self._skeleton.index(owner), start, stop, radii, sole=sole))

    def ellipsoid(self, owner: str, centre: Array, *radii: float) -> None:
        """An ellipsoid along the axes of the joint that it moves with."""
        joint = self._skeleton.index(owner)
        scaled = tuple(radius * self.size for radius in radii)
        self.solids.append(Solid(joint, centre, centre, scaled, self._turns[joint]))
