"""Find where feet stand and hold them there: planted feet neither slide nor shiver nor hover.

`foot_contacts` finds the frames, `planted_feet` says where ankles and toes should be; moving the
rest of the body after them is the work of `rigid_bones.project_onto_bones`. A foot that is in the
air is not touched, except for a few frames before and after a contact in which the correction
blends in and out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.generation.smoothing import smooth_positions
from intermask.skeleton import FEET
from intermask.timeline import runs, smoothstep


@dataclass(frozen=True, kw_only=True)
class FootLockOptions:
    """When a foot counts as planted, and how softly it is held. Lengths in metres."""

    ankle_height: float = 0.045
    """An ankle stands if it is at most this much above its lowest height in the clip."""
    toe_height: float = 0.04
    """The same for the ball of the foot."""
    highest_ankle: float = 0.13
    """An ankle's lowest height counts as the floor's only up to here: else the person is held up,
    lies or kneels, and the ankle is compared with this height."""
    highest_toe: float = 0.06
    """The same for the ball of the foot."""
    speed: float = 0.40
    """Metres a second below which a foot near the floor stands."""
    speed_sigma: float = 2.0
    """Frames of the Gaussian under which speed is measured: token jitter is no movement."""
    shortest: int = 4
    """Contacts of fewer frames are dropped; gaps of fewer than half as many are closed."""
    slack: float = 0.05
    """A standing foot that strays further than this from one point stands on several."""
    blend: int = 5
    """Frames in which a correction fades before and after a contact."""


def foot_contacts(positions: Tensor, fps: float, options: FootLockOptions) -> Tensor:
    """Frames (p, t, 4) bool in which left ankle, left toes, right ankle, right toes stand.

    Args:
        positions: (p, t, 22, 3) metres, y up, floor at y = 0.
        fps: frames a second.
        options: thresholds.
    """
    feet = positions[..., list(FEET), :]
    limits = feet.new_tensor((options.highest_ankle, options.highest_toe) * 2)
    margins = feet.new_tensor((options.ankle_height, options.toe_height) * 2)
    height = feet[..., 1]
    level = torch.minimum(torch.quantile(height, 0.05, dim=1, keepdim=True), limits)
    smooth = smooth_positions(feet, options.speed_sigma)
    step = (smooth[:, 1:] - smooth[:, :-1]).norm(dim=-1) * fps
    unknown = torch.full_like(step[:, :1] if step.shape[1] else height[:, :1], torch.inf)
    # the slower of before and after; a clip of one frame has neither and no contacts
    speed = torch.minimum(torch.cat((step, unknown), 1), torch.cat((unknown, step), 1))
    standing = (height < level + margins) & (speed < options.speed)
    for person in range(positions.shape[0]):
        for joint in range(len(FEET)):
            _tidy(standing[person, :, joint], options.shortest)
    return standing


def planted_feet(positions: Tensor, contacts: Tensor, options: FootLockOptions) -> Tensor:
    """Where ankles and toes (p, t, 4, 3) should be so that planted feet stand still.

    A contact's point is the mean of its frames, not below the floor. Where only one of ankle and
    toes stands, it carries the other along, so the foot keeps its attitude.

    Args:
        positions: (p, t, 22, 3) metres.
        contacts: (p, t, 4) bool from `foot_contacts`.
        options: slack and blending.
    """
    feet = positions[..., list(FEET), :]
    shifts = torch.zeros_like(feet)
    for person in range(feet.shape[0]):
        for pair in ((0, 1), (2, 3)):
            ankle, toes = (
                _anchors(feet[person, :, joint], contacts[person, :, joint], options)
                for joint in pair
            )
            for joint, own, other in ((pair[0], ankle, toes), (pair[1], toes, ankle)):
                carried = other.held & ~own.held
                both = _Anchors(
                    torch.where(carried[:, None], other.shift, own.shift), own.held | carried
                )
                shifts[person, :, joint] = _blended(both, options.blend)
    return feet + shifts


@dataclass(frozen=True)
class _Anchors:
    """Corrections (t, 3) of one joint's path, known in the frames ``held`` (t)."""

    shift: Tensor
    held: Tensor


def _anchors(path: Tensor, standing: Tensor, options: FootLockOptions) -> _Anchors:
    """Each contact of a path (t, 3) pulled to its own point."""
    shift, held = torch.zeros_like(path), torch.zeros_like(standing)
    for start, stop in runs(standing):
        for first, last in _quiet_parts(path, start, stop, options):
            point = path[first:last].mean(0)
            point[1] = point[1].clamp_min(0.0)
            shift[first:last] = point - path[first:last]
            held[first:last] = True
    return _Anchors(shift, held)


def _quiet_parts(
    path: Tensor, start: int, stop: int, options: FootLockOptions
) -> Iterator[tuple[int, int]]:
    """Cut a contact where the foot drifts on, leaving room to blend between two points."""
    part = path[start:stop]
    if bool(((part - part.mean(0)).norm(dim=-1) <= options.slack).all()):
        if stop - start >= 2:
            yield start, stop
        return
    middle = (start + stop) // 2
    gap = max(1, options.blend // 2)
    if middle - gap > start:
        yield from _quiet_parts(path, start, middle - gap, options)
    if stop > middle + gap:
        yield from _quiet_parts(path, middle + gap, stop, options)


def _blended(anchors: _Anchors, blend: int) -> Tensor:
    """Corrections for all frames (t, 3): the known ones, and smooth ways between them and zero."""
    shift, frames = anchors.shift.clone(), len(anchors.held)
    for start, stop in runs(~anchors.held):
        for frame in range(start, stop):
            value = torch.zeros_like(shift[0])
            weights = 0.0
            for edge, distance in ((start - 1, frame - start + 1), (stop, stop - frame)):
                if 0 <= edge < frames:
                    # a short gap is crossed from one correction to the other without touching zero
                    reach = float(min(blend, stop - start) + 1)
                    weight = float(smoothstep(torch.tensor(1.0 - distance / reach)))
                    value = value + weight * anchors.shift[edge]
                    weights += weight
            shift[frame] = value / max(1.0, weights)
    return shift


def _tidy(standing: Tensor, shortest: int) -> None:
    """Close short gaps and drop short contacts of one joint's flags (t), in place."""
    for start, stop in runs(~standing):
        if start > 0 and stop < len(standing) and stop - start < max(2, shortest // 2 + 1):
            standing[start:stop] = True
    for start, stop in runs(standing):
        if stop - start < shortest:
            standing[start:stop] = False
