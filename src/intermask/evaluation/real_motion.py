"""Physical metrics of a dataset's own clips: what real motion scores, beside which others stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from intermask import representation
from intermask.data.layout import Clip, InterHumanFolder
from intermask.errors import UserError
from intermask.evaluation import physics
from intermask.evaluation.measurement import PhysicalMetrics, mean_of, measure
from intermask.motion import FPS


@dataclass(frozen=True)
class RealMotion:
    """What clips of a dataset score."""

    metrics: PhysicalMetrics
    """Means over clips."""
    jerk: float
    """Mean over clips and time of the `physics.jerk_curve`, m/s³: the reference of AUJ."""
    clips: int


def measure_real_motion(
    folder: InterHumanFolder, split: str, progress: Callable[[int, int], None] | None = None
) -> RealMotion:
    """Physical metrics of a split of a dataset in InterHuman's layout.

    Raises:
        FileNotFoundError: the split's list or a clip's file is missing.
        UserError: the dataset holds single people, or the split no clip of four frames.
    """
    if folder.people != 2:
        raise UserError(f"{folder.root} holds single people; give a dataset of two people a clip")
    names = folder.names(split)
    clips = []
    for number, name in enumerate(names):
        clip = positions_on_floor(folder.read(name))
        if clip.shape[1] >= physics.JERK_FRAMES:
            clips.append(clip)
        if progress is not None:
            progress(number + 1, len(names))
    if not clips:
        raise UserError(
            f"the split {split!r} of {folder.root} has no clip of {physics.JERK_FRAMES} frames or "
            "more to compare with; choose another with --split"
        )
    curves = [physics.jerk_curve(clip.double()).mean().item() for clip in clips]
    jerk = math.fsum(curves) / len(curves)
    metrics = mean_of([measure(clip, FPS, jerk) for clip in clips])
    return RealMotion(metrics, jerk, len(clips))


def positions_on_floor(clip: Clip) -> Tensor:
    """Joint positions (2, t, 22, 3) of a clip, metres, y up, their lowest point on the floor."""
    positions = representation.z_up_to_y_up(representation.split_loaded(clip.loaded)[0])
    floor = positions[..., 1].amin()
    return positions - positions.new_tensor((0.0, 1.0, 0.0)) * floor
