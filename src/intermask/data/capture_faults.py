"""Find and bridge capture faults, and bring motion to another frame rate.

Optical capture solved to Euler angles flips where a joint passes gimbal lock: for a few frames the
whole body turns or a limb jumps, then it comes back. The signs are rates that no dancer reaches;
the remedy is to drop these frames and bridge them from the good ones on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import roma
import torch
from numpy.typing import NDArray

from intermask.geometry import axis_angle_to_matrix, geodesic_angle, matrix_to_axis_angle

Array = NDArray[np.float64]

REFERENCE_FPS = 60.0
ROOT_TURN_LIMIT_DEG = 14.0  # between two frames at 60 fps: 840 degrees a second
JUMP_LIMIT_M = 0.06  # second difference of any joint at 60 fps: 216 m/s2
MERGE_GAP_S = 0.1  # the good frames between two flips this close are on the wrong side of one
MARGIN_FRAMES = 1  # on either side of a run: the frame before a flip is already off
MAX_PASSES = 6
LOW_PASS_DEVIATION = 0.5  # of a Gaussian, in frames of the lower rate
MAX_BRIDGE_S = 0.75  # a longer bridge would invent a dance; such frames stay and are reported


@dataclass(frozen=True)
class CaptureFaults:
    """What was found in one person's take, in frames of the source rate.

    flagged: frames that showed a sign. bridged: frames replaced. runs: (first, last) frame of each
    bridge, both included. remaining: frames that still show a sign afterwards.
    """

    frames: int
    fps: float
    flagged: int = 0
    bridged: int = 0
    runs: tuple[tuple[int, int], ...] = ()
    remaining: tuple[int, ...] = ()

    @property
    def longest_bridge_seconds(self) -> float:
        """Length of the longest bridge, 0 without any."""
        return max((last - first + 1 for first, last in self.runs), default=0) / self.fps


def faulty_frames(positions: Array, root_rotations: Array, fps: float) -> NDArray[np.bool_]:
    """Frames ``(t,)`` that no person can have moved through.

    positions: ``(t, j, 3)`` metres. root_rotations: ``(t, 3, 3)``. The limits are stated at 60 fps
    and scale with the rate: angles by its ratio, second differences by its square.
    """
    ratio = REFERENCE_FPS / fps
    bad = np.zeros(len(positions), dtype=bool)
    if len(positions) < 3:
        return bad
    root = torch.from_numpy(root_rotations)
    turns = torch.rad2deg(geodesic_angle(root[1:], root[:-1])).numpy()
    bad[1:] |= turns > ROOT_TURN_LIMIT_DEG * ratio
    second = positions[2:] - 2 * positions[1:-1] + positions[:-2]
    jumps = np.linalg.norm(second, axis=-1).max(axis=-1)
    bad[1:-1] |= jumps > JUMP_LIMIT_M * ratio**2
    return bad


def runs_of(bad: NDArray[np.bool_], gap: int, margin: int) -> list[tuple[int, int]]:
    """(first, last) of each run of bad frames; runs up to ``gap`` frames apart become one.

    The result is widened by ``margin`` frames on either side, and again joined where it touches.
    """
    runs: list[tuple[int, int]] = []
    for frame in np.flatnonzero(bad).tolist():
        first, last = max(frame - margin, 0), min(frame + margin, len(bad) - 1)
        if runs and frame - margin - runs[-1][1] <= max(gap - margin, 1):
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return runs


def bridge_rotations(rotations: Array, runs: list[tuple[int, int]]) -> Array:
    """Replace runs of frames in rotations ``(t, ..., 3, 3)`` by slerp between their neighbours.

    A run at an end of the take has one neighbour and holds it.
    """
    result = rotations.copy()
    for first, last, before, after, weights in _bridges(runs, len(rotations)):
        result[first : last + 1] = slerp(rotations[before], rotations[after], weights)
    return result


def bridge_positions(positions: Array, runs: list[tuple[int, int]]) -> Array:
    """Replace runs of frames in positions ``(t, ..., 3)`` by straight lines between neighbours."""
    result = positions.copy()
    for first, last, before, after, weights in _bridges(runs, len(positions)):
        weight = weights.reshape(-1, *[1] * (positions.ndim - 1))
        result[first : last + 1] = (1 - weight) * positions[before] + weight * positions[after]
    return result


def _bridges(runs: list[tuple[int, int]], count: int) -> list[tuple[int, int, int, int, Array]]:
    """(first, last, frame before, frame after, weights) of each run that has a good neighbour."""
    bridges = []
    for first, last in runs:
        before, after = first - 1, last + 1
        if before < 0 and after >= count:
            continue
        weights = (np.arange(first, last + 1) - before) / (after - before)
        if before < 0:
            before = after
        if after >= count:
            after = before
        bridges.append((first, last, before, after, weights))
    return bridges


def bridge_faults(
    look: Callable[[list[tuple[int, int]]], tuple[Array, Array]], frames: int, fps: float
) -> CaptureFaults:
    """Find runs of faulty frames whose bridging leaves none, widening them as needed.

    look: takes runs and returns positions ``(t, j, 3)`` metres and root rotations ``(t, 3, 3)``
    of the take with these runs bridged.
    """
    gap = round(MERGE_GAP_S * fps)
    limit = MAX_BRIDGE_S * fps
    marked = np.zeros(frames, dtype=bool)
    runs: list[tuple[int, int]] = []
    bad = faulty_frames(*look(runs), fps)
    flagged = int(bad.sum())
    for _ in range(MAX_PASSES):
        if not bad.any():
            break
        wider = [
            run for run in runs_of(marked | bad, gap, MARGIN_FRAMES) if run[1] - run[0] < limit
        ]
        if wider == runs:
            break
        runs = wider
        for first, last in runs:
            # the margin is added anew on each pass, so that a bridge that is too steep grows
            marked[first : last + 1] = True
        bad = faulty_frames(*look(runs), fps)
    bridged = sum(last - first + 1 for first, last in runs)
    return CaptureFaults(
        frames, fps, flagged, bridged, tuple(runs), tuple(np.flatnonzero(bad).tolist())
    )


def slerp(start: Array, end: Array, weights: Array) -> Array:
    """Rotations between ``start`` and ``end`` ``(..., 3, 3)`` at ``weights (n,)``: ``(n, ...)``."""
    first, last = torch.from_numpy(start), torch.from_numpy(end)
    turn = matrix_to_axis_angle(first.transpose(-1, -2) @ last)
    weight = torch.from_numpy(weights).reshape(-1, *[1] * turn.ndim)
    return (first @ axis_angle_to_matrix(weight * turn)).numpy()


def resample_positions(positions: Array, fps: float, target_fps: float) -> Array:
    """Positions ``(t, ..., 3)`` at another rate, by linear interpolation."""
    low, weights = _sample_times(len(positions), fps, target_fps)
    positions = low_pass(positions, fps, target_fps)
    high = np.minimum(low + 1, len(positions) - 1)
    weight = weights.reshape(-1, *[1] * (positions.ndim - 1))
    return (1 - weight) * positions[low] + weight * positions[high]


def resample_rotations(rotations: Array, fps: float, target_fps: float) -> Array:
    """Rotations ``(t, ..., 3, 3)`` at another rate, by slerp."""
    low, weights = _sample_times(len(rotations), fps, target_fps)
    if fps > target_fps:
        mixed = torch.from_numpy(low_pass(rotations, fps, target_fps))
        rotations = roma.special_procrustes(mixed).numpy()
    if not weights.any():
        return rotations[low]
    high = np.minimum(low + 1, len(rotations) - 1)
    first, last = torch.from_numpy(rotations[low]), torch.from_numpy(rotations[high])
    turn = matrix_to_axis_angle(first.transpose(-1, -2) @ last)
    weight = torch.from_numpy(weights).reshape(-1, *[1] * (turn.ndim - 1))
    return (first @ axis_angle_to_matrix(weight * turn)).numpy()


def low_pass(values: Array, fps: float, target_fps: float) -> Array:
    """Gaussian over time ``(t, ...)`` before frames are left out; unchanged for a higher rate.

    Taking every second frame of a capture folds its jitter into the motion. On salsa at 60 fps
    this halves the jerk and moves joints by 1 mm on average.
    """
    deviation = LOW_PASS_DEVIATION * fps / target_fps
    if fps <= target_fps:
        return values
    reach = int(np.ceil(3 * deviation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([values[:1].repeat(reach, 0), values, values[-1:].repeat(reach, 0)])
    result = np.zeros_like(values)
    for shift, weight in enumerate(kernel):
        result += weight * padded[shift : shift + len(values)]
    return result


def _sample_times(count: int, fps: float, target_fps: float) -> tuple[NDArray[np.intp], Array]:
    """Source frame below each target frame and the weight of the next one."""
    target_count = int(np.floor((count - 1) * target_fps / fps + 1e-6)) + 1
    times = np.arange(target_count) * (fps / target_fps)
    low = np.floor(times + 1e-6).astype(np.intp)
    weights = np.clip(times - low, 0.0, 1.0)
    weights[weights < 1e-6] = 0.0
    return low, weights
