"""All physical metrics of a motion at once, and their mean over motions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.evaluation import physics
from intermask.evaluation.collision import capsule_penetration, interpenetration
from intermask.evaluation.contact import HANDS_ON_PARTNER, contact_share
from intermask.kinematics import bone_length_drift
from intermask.motion import FPS
from intermask.skeleton import SMPL22


@dataclass(frozen=True, kw_only=True)
class PhysicalMetrics:
    """Physical metrics of one motion, or their means over several."""

    skate: float
    """Slide of standing feet, mm a thirtieth of a second; mean of both people."""
    floating: float
    """Height of the lowest joint above the floor, mm."""
    interpenetration: float
    """How far joints of both people are below 0.12 m, mm."""
    penetrating_frames: float
    """Share of frames in which capsules overlap."""
    deepest_penetration: float
    """Deepest overlap of capsules, mm, mean over all frames."""
    total_penetration: float
    """Sum of overlaps of capsules, mm, mean over all frames."""
    jerk: float
    """m/s³, mean over joints, people and frames."""
    peak_jerk: float
    """Largest jerk of any joint in any frame, m/s³."""
    jerk_area: float | None
    """Area between the jerk curve and real motion's, m/s²; None without real motion."""
    bone_drift: float
    """Deviation of bone lengths over time, over their mean; mean of all bones."""
    hand_contact: float
    """Share of frames with a hand on the partner."""
    person_correlation: float | None
    """Mean Pearson correlation of the two people's poses; None if one of them stays still."""

    def numbers(self) -> dict[str, float | None]:
        """Metrics by name, in order."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def measure(
    positions: Tensor, fps: float = FPS, reference_jerk: float | None = None
) -> PhysicalMetrics:
    """Physical metrics of one motion.

    Args:
        positions: (2, t, j, 3) metres, y up, floor at y = 0. Of SMPL-X only the 22 body joints
            are looked at.
        fps: frames a second.
        reference_jerk: mean of the `physics.jerk_curve` of real motion, m/s³.

    Raises:
        UserError: another shape, numbers that are not finite, or fewer than four frames.
    """
    if positions.ndim != 4 or len(positions) != 2 or positions.shape[2] < SMPL22.joint_count:
        raise UserError(
            f"positions have shape {tuple(positions.shape)}; expected (2, frames, 22, 3)"
        )
    if not bool(torch.isfinite(positions).all()):
        raise UserError("positions hold NaN or infinite numbers; mend the motion first")
    body = positions[:, :, : SMPL22.joint_count].double()
    curve = physics.jerk_curve(body, fps)
    penetration = capsule_penetration(body)
    correlation = float(physics.person_correlation(physics.pose_features(body)))
    area = None
    if reference_jerk is not None:
        area = float(physics.area_under_jerk(curve, reference_jerk, fps))
    return PhysicalMetrics(
        skate=float(physics.skate(body, fps).mean()),
        floating=float(physics.floating(body)),
        interpenetration=float(interpenetration(body)),
        penetrating_frames=float(penetration.frames),
        deepest_penetration=float(penetration.deepest),
        total_penetration=float(penetration.total),
        jerk=float(physics.jerk(body, fps)),
        peak_jerk=float(physics.peak_jerk(curve)),
        jerk_area=area,
        bone_drift=float(bone_length_drift(body).mean()),
        hand_contact=float(contact_share(body, HANDS_ON_PARTNER)),
        person_correlation=None if math.isnan(correlation) else correlation,
    )


def mean_of(metrics: Sequence[PhysicalMetrics]) -> PhysicalMetrics:
    """Mean of every metric over motions, each motion counting once; where one has none, without it.

    Raises:
        UserError: no motion.
    """
    if not metrics:
        raise UserError("there is no motion to take a mean of")
    columns = {
        each.name: [value for one in metrics if (value := getattr(one, each.name)) is not None]
        for each in fields(PhysicalMetrics)
    }
    return PhysicalMetrics(
        **{  # type: ignore[arg-type]
            name: math.fsum(values) / len(values) if values else None
            for name, values in columns.items()
        }
    )
