"""What people do and do not do, measured on the motion bank: how joints bend, how fast all changes.

The bank's own frames say it, together with their mirror images. Where it shows less than bodies
can do, because its captures moved a joint little, a margin is added and stated here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from intermask.choreography.bank import MotionBank, track_world
from intermask.evaluation import physics
from intermask.geometry import matrix_to_axis_angle
from intermask.kinematics import forward_kinematics
from intermask.motion import FPS
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22
from intermask.solver.flesh import WITHIN_A_PERSON, overlaps

WINDOW_SECONDS = 2.0
"""Length of the pieces of the bank whose jerk is measured."""

_SHARE = 0.999
"""Share of the bank's frames, from either end, that a joint's range takes in."""
_MARGIN = 0.4
"""Radians that a joint may go beyond what the bank shows: it has eight minutes, not everything."""
_WIDER = {"collar": 0.6, "wrist": 0.6, "ankle": 0.6}
"""Margins of joints that the captures held too still: a shoulder blade goes up by some 40 degrees
with a raised arm, a hand bends by 70, and nobody kneels in the bank or sits on the floor."""
_TWIST = {"elbow": 1.0}
"""Margins about the limb's own axis: of all the turning of a forearm, the bank leaves the elbow
hardly any and gives it to the wrist. Either will do."""

_HINGES = {"left_elbow": (0, 2), "right_elbow": (0, 2), "left_knee": (1, 2), "right_knee": (1, 2)}
"""Axis along the lower limb in the T-pose, and axis towards which the limb folds (or from it)."""
_FOLDS = {"left_elbow": 1.0, "right_elbow": -1.0, "left_knee": 1.0, "right_knee": 1.0}
"""Sign by which the moved axis shows that the limb is folded."""


@dataclass(frozen=True)
class Plausible:
    """Ranges of the bank.

    Attributes:
        lowest: (21, 3) radians, rotation vectors of joints 1 to 21, with their margins.
        highest: (21, 3).
        jerk: 5 % and 95 % of the mean jerk of pieces of two seconds, m/s³.
        peak_jerk: 99 % of the largest jerk of any joint in such a piece, m/s³.
        own_overlap: 99 % of the deepest overlap of a person's own limbs and trunk, metres.
        skate: mean slide of feet, mm a frame; see `physics.skate`.
    """

    lowest: Tensor
    highest: Tensor
    jerk: tuple[float, float]
    peak_jerk: float
    own_overlap: float
    skate: float


@lru_cache(maxsize=2)
def measure_bank(bank: MotionBank) -> Plausible:
    """The ranges of a bank; remembered."""
    vectors = matrix_to_axis_angle(torch.cat((bank.rotations, bank.mirrored.rotations)).double())
    ends = vectors[:, 1:].quantile(torch.tensor((1 - _SHARE, _SHARE)).double(), dim=0)
    margins = torch.tensor([_margins(name) for name in SMPL22.names[1:]]).double()
    jerks, peaks, slides, depths = [], [], [], []
    for places in _pieces(bank):
        sizes = physics.jerk_magnitudes(places[None])
        jerks.append(float(sizes.mean()))
        peaks.append(float(sizes.amax()))
        slides.append(float(physics.skate(places[None])[0]))
        depths.append(float(overlaps(places, places, WITHIN_A_PERSON, 0.0).amax()))
    low, high = _quantile(jerks, 0.05), _quantile(jerks, 0.95)
    return Plausible(
        ends[0] - margins,
        ends[1] + margins,
        (low, high),
        _quantile(peaks, 0.99),
        _quantile(depths, 0.99),
        sum(slides) / len(slides),
    )


def excess(plausible: Plausible, rotations: Tensor) -> Tensor:
    """Radians (..., 21) by which rotations (..., 21, 3, 3) to parents leave their ranges."""
    vectors = matrix_to_axis_angle(rotations.double())
    beyond = torch.maximum(plausible.lowest - vectors, vectors - plausible.highest)
    return beyond.amax(-1).clamp_min(0.0)


def bent_backwards(rotations: Tensor) -> dict[str, Tensor]:
    """Radians (...) by which elbows and knees of rotations (..., 21, 3, 3) bend the wrong way."""
    result = {}
    for name, (along, across) in _HINGES.items():
        turned = rotations[..., SMPL22.index(name) - 1, :, :]
        result[name] = torch.asin((-_FOLDS[name] * turned[..., across, along]).clamp(-1.0, 1.0))
    return result


def _margins(name: str) -> tuple[float, float, float]:
    """Of a joint's rotation vector. Arms lie along x in the T-pose."""
    kind = name.rpartition("_")[2]
    margin = _WIDER.get(kind, _MARGIN)
    return _TWIST.get(kind, margin), margin, margin


def _pieces(bank: MotionBank) -> Iterator[Tensor]:
    """Joints (t, 22, 3) of all pieces of two seconds, half overlapping; single ones of 1 s or more.

    Shorter ones are the ends of longer segments, or actions that belong into a longer motion.
    """
    offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
    window = round(WINDOW_SECONDS * FPS)
    for segment in bank.segments:
        frames = slice(segment.start, segment.stop)
        place, world = track_world(bank.track[frames], bank.root[frames], bank.rotations[frames])
        joints = forward_kinematics(offsets, place, world[:, 0], world[:, 1:])
        for start in range(0, max(1, len(joints) - window + 1), window // 2):
            piece = joints[start : start + window]
            if len(piece) >= window // 2:
                yield piece


def _quantile(values: list[float], share: float) -> float:
    return float(torch.tensor(values).double().quantile(share))
