"""What a capture file does not say: how long its unit is, and which way is up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from intermask.data.bvh_file import Array
from intermask.skeleton import SMPL22

ADULT_HEIGHT_M = (1.25, 1.85)
"""Metres from ankle to head joint of grown-ups, from 1.5 to 2.1 m tall."""
PLAUSIBLE_HEIGHT_M = (1.0, 1.9)
"""The same of anybody worth importing; outside of it, a unit is wrong."""
TYPICAL_HEIGHT_M = 1.45

_UNITS = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254}
_UNITS_OF_MAPPING = {
    "cmu_daz": {"centimetres of a body shrunk to a 128th": 1.28},
    "cmu_motionbuilder": {"CMU's unit, 1/0.45 inch": 0.0254 / 0.45},
}
_DECIDED = 0.7
"""Share of a direction's length along one axis from which on it counts as that axis."""


@dataclass(frozen=True)
class Unit:
    """Metres of one unit of a file, what it is, and the size of the person that follows."""

    metres: float
    name: str
    height: float
    """Metres from ankle to head joint."""

    def describe(self) -> str:
        """One sentence."""
        return (
            f"1 unit = {self.metres:.4g} m ({self.name}), guessed from a person of "
            f"{self.height:.2f} m from ankle to head joint; --scale says otherwise"
        )


def rest_height(rest: Array) -> float:
    """Length from ankle over knee, hip and neck to the head of a rest pose ``(22, 3)``, its units.

    Segment by segment, so that it is the same whatever the rest pose is: some files fold the legs.
    """
    at = {name: rest[SMPL22.index(name)] for name in SMPL22.names}
    hips = (at["left_hip"] + at["right_hip"]) / 2
    leg = [at[f"left_{joint}"] for joint in ("ankle", "knee", "hip")]
    segments = (*pairwise(leg), (hips, at["neck"]), (at["neck"], at["head"]))
    return float(sum(np.linalg.norm(end - start) for start, end in segments))


def guess_unit(height: float, mapping: str = "") -> Unit:
    """The unit in which a person of this `rest_height` is of human size.

    Common units are tried first, then those of known conversions, then smaller people; if none
    fits, the unit is what makes a typical adult.

    Args:
        height: in units of the file, above zero.
        mapping: name of the joint mapping that fits the file.
    """
    known = _UNITS | _UNITS_OF_MAPPING.get(mapping, {})
    for low, high in (ADULT_HEIGHT_M, PLAUSIBLE_HEIGHT_M):
        fitting = {name: unit for name, unit in known.items() if low <= height * unit <= high}
        if fitting:
            name = min(fitting, key=lambda each: abs(math.log(height * known[each])))
            return Unit(known[name], name, height * known[name])
    unit = float(f"{TYPICAL_HEIGHT_M / height:.3g}")
    return Unit(unit, "no common unit makes a person", height * unit)


def upright_turn(rest: Array, positions: Array) -> Array:
    """Rotation ``(3, 3)`` that brings a file's up axis to y; identity where y is up already.

    Another axis is up where both the rest pose and the people's average posture say so (Blender
    writes z up). One alone decides nothing: rest poses lie in some files, people in others.

    Args:
        rest: ``(22, 3)`` rest pose. positions: ``(t, 22, 3)``, both in the file's axes.
    """
    spine = [SMPL22.index("pelvis"), SMPL22.index("neck")]
    resting = _axis_of(rest[spine[1]] - rest[spine[0]])
    moving = _axis_of((positions[:, spine[1]] - positions[:, spine[0]]).mean(axis=0))
    if resting is None or resting != moving or resting == (1, 1):
        return np.eye(3)
    axis, sign = resting
    up = np.zeros(3)
    up[axis] = sign
    if axis == 1:
        return np.diag([1.0, -1.0, -1.0])
    ahead = np.array([1.0, 0.0, 0.0]) if axis == 2 else np.array([0.0, 0.0, 1.0])
    # Rows are where x, y and z come from: x (or z) stays, the file's up becomes y.
    if axis == 2:
        return np.stack([ahead, up, np.cross(ahead, up)])
    return np.stack([np.cross(up, ahead), up, ahead])


def _axis_of(direction: Array) -> tuple[int, int] | None:
    """(axis, sign) that a direction is nearly along, or None."""
    axis = int(np.argmax(np.abs(direction)))
    length = float(np.linalg.norm(direction))
    if length == 0 or abs(direction[axis]) < _DECIDED * length:
        return None
    return axis, int(np.sign(direction[axis]))
