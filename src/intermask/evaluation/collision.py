"""Where two bodies stand in each other: by joints, and by capsules around bones.

Positions are (..., 2, t, 22, 3): people, frames, SMPL's joints; metres. Sources by name: DIGHT
(interpenetration), MAGNet (capsules and their radii).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.evaluation.physics import MM
from intermask.skeleton import SMPL22

JOINT_CLEARANCE = 0.12
"""Metres that joints of two people keep apart unless bodies overlap (DIGHT)."""

MIN_DEPTH = 0.05
"""Metres of overlap of two capsules that soft bodies are granted (MAGNet)."""

_ROUNDING = 1e-5
"""Metres by which sums of lengths may be off."""

_RADII = {
    ("pelvis", "spine1"): 0.12,
    ("spine1", "spine2"): 0.11,
    ("spine2", "spine3"): 0.10,
    ("spine3", "neck"): 0.06,
    ("neck", "head"): 0.09,
    ("left_shoulder", "left_elbow"): 0.05,
    ("right_shoulder", "right_elbow"): 0.05,
    ("left_elbow", "left_wrist"): 0.04,
    ("right_elbow", "right_wrist"): 0.04,
    ("left_hip", "left_knee"): 0.07,
    ("right_hip", "right_knee"): 0.07,
    ("left_knee", "left_ankle"): 0.06,
    ("right_knee", "right_ankle"): 0.06,
}
"""Radius in metres of the capsule around each bone (MAGNet)."""

CAPSULES = tuple(SMPL22.indices(*bone) for bone in _RADII)
"""(start, end) joints of the 13 capsules."""

RADII = tuple(_RADII.values())
"""Their radii in metres."""

_FOREARMS = tuple(number for number, (_, end) in enumerate(_RADII) if end.endswith("wrist"))


@dataclass(frozen=True)
class Penetration:
    """How capsules of two people overlap; all are (...)."""

    frames: Tensor
    """Share of frames with any overlap."""
    deepest: Tensor
    """Mean over all frames of the deepest overlap, mm; 0 where there is none."""
    total: Tensor
    """Mean over all frames of the sum of overlaps, mm."""


def interpenetration(positions: Tensor) -> Tensor:
    """Mean over frames (...) of how far joints of two people are below `JOINT_CLEARANCE`, mm.

    max(0.12 m - smallest distance between a joint of one and a joint of the other, 0) (DIGHT).
    """
    first, second = positions.unbind(-4)
    return MM * (JOINT_CLEARANCE - closest_joints(first, second)).clamp_min(0.0).mean(-1)


def closest_joints(first: Tensor, second: Tensor) -> Tensor:
    """Smallest distance (..., t) in metres of joints (..., t, i, 3) from joints (..., t, k, 3)."""
    apart = first[..., :, None, :] - second[..., None, :, :]
    return apart.norm(dim=-1).flatten(-2).amin(-1)


def capsule_penetration(positions: Tensor) -> Penetration:
    """Overlap of 13 capsules of one person with those of the other, frame by frame (MAGNet)."""
    depths = MM * capsule_depths(positions).flatten(-2)
    return Penetration(
        (depths > 0).any(-1).to(depths.dtype).mean(-1),
        depths.amax(-1).mean(-1),
        depths.sum(-1).mean(-1),
    )


def capsule_depths(positions: Tensor) -> Tensor:
    """Depth (..., t, 13, 13), metres, of each capsule of person 1 in each one of person 2.

    Sum of both radii less the distance of the bones. Below `MIN_DEPTH` it counts 0, and so does a
    forearm in a forearm, for people who hold hands (MAGNet).
    """
    starts, ends = (list(column) for column in zip(*CAPSULES, strict=True))
    first, second = positions.unbind(-4)
    a, b = first[..., starts, None, :], first[..., ends, None, :]
    c, d = second[..., None, starts, :], second[..., None, ends, :]
    radii = positions.new_tensor(RADII)
    thick = radii[:, None] + radii
    # Most capsules are so far apart that the middles of their bones tell it already.
    middles = (a + b - c - d).norm(dim=-1)
    halves = (b - a).norm(dim=-1) + (d - c).norm(dim=-1)
    near = (middles - halves) / 2 <= thick - MIN_DEPTH + _ROUNDING
    for forearm in _FOREARMS:
        near[..., forearm, list(_FOREARMS)] = False
    thick = thick.expand(near.shape)
    distances = segment_distances(*(end.expand(*near.shape, 3)[near] for end in (a, b, c, d)))
    found = thick[near] - distances
    depths = torch.zeros_like(middles)
    depths[near] = torch.where(found >= MIN_DEPTH, found, torch.zeros_like(found))
    return depths


def segment_distances(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Distance (...) between segments ``ab`` and ``cd``; ends (..., 3) broadcast.

    The distance of two points on the segments is convex in both places: it is smallest where the
    whole lines are closest, if that lies inside of both segments, or else at an end of one.
    """
    at_ends = (
        point_distances(a, c, d),
        point_distances(b, c, d),
        point_distances(c, a, b),
        point_distances(d, a, b),
    )
    closest = torch.stack(torch.broadcast_tensors(*at_ends)).amin(0)
    u, v, w = b - a, d - c, a - c
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    determinant = uu * vv - uv * uv
    # Of parallel lines the closest points are at ends as well.
    crossing = determinant > 1e-9 * uu * vv
    safe = torch.where(crossing, determinant, torch.ones_like(determinant))
    s, t = (uv * vw - vv * uw) / safe, (uu * vw - uv * uw) / safe
    inside = crossing & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    between = (w + s[..., None] * u - t[..., None] * v).norm(dim=-1)
    return torch.where(inside, torch.minimum(between, closest), closest)


def point_distances(point: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Distance (...) of points (..., 3) from segments; a segment without length is a point."""
    along = end - start
    length = along.square().sum(-1).clamp_min(1e-12)
    place = (((point - start) * along).sum(-1) / length).clamp(0.0, 1.0)
    return (point - start - place[..., None] * along).norm(dim=-1)
