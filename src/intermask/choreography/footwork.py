"""Feet that stand where they stand.

The clips say when a heel or a ball of a foot bears weight. While one does, its sliding is taken
back by moving the foot; in between, in the air, one correction goes over into the next. Legs reach
the corrected feet as chains of two bones, and the pelvis sinks a little where they would be too
short.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from intermask.choreography.bodies import Body
from intermask.data.limbs import LEGS, ramp, smooth_in_time, two_bone
from intermask.geometry import rotation_between, yaw_matrix
from intermask.motion import FPS
from intermask.timeline import minimum_jerk, runs

BALL_HEIGHT = 0.02
"""Metres of the foot joint above the floor when it bears weight."""
LOWEST_ANKLE = 0.055
"""Metres of an ankle above the floor: there is a heel below it."""

_LOW = (0.16, 0.06)
"""Metres above the floor up to which an ankle, and the ball of a foot, may bear weight."""
_SLOW = 1.0
"""Metres a second below which a foot may begin to bear weight."""
_CLEARANCE, _SWING_FRAMES = 0.034, 6
"""Metres that a foot comes off the floor in swings of so many frames."""
_RISING = 3.0
"""Frames in which it does."""
_SWINGING = 0.5
"""Metres a second from which a foot without weight swings; a slower one stands, unlabelled."""
_SHORTEST_STANCE = 3
"""Frames; a foot that bears weight for less does not."""
_LARGEST_TURN = 0.6
"""Radians that a foot may be turned."""
_STRETCH = 0.992
"""Share of the leg's length that a leg may reach."""
_DEEPEST = 0.10
"""Metres that the pelvis may sink for short legs."""
_UP = (0.0, 1.0, 0.0)


def plant_feet(body: Body, contacts: Tensor) -> Body:
    """The same body with feet that do not slide while they bear weight.

    Args:
        body: t frames.
        contacts: (t, 4) whether left ankle, left foot, right ankle, right foot bear weight.
    """
    world = body.orientations()
    positions = body.positions()
    goals = [
        _planted(positions, world, leg, contacts[:, 2 * side : 2 * side + 2])
        for side, leg in enumerate(LEGS)
    ]
    down = _sink(positions, body.offsets, [ankle for ankle, _ in goals])
    rotations = body.rotations.clone()
    for leg, (ankle, turn) in zip(LEGS, goals, strict=True):
        bend_leg(rotations, positions - down[:, None], world, leg, ankle, turn)
    return Body(body.offsets, body.root - down, rotations)


def sunk(body: Body, ankles: Sequence[Tensor]) -> Body:
    """The same body, its pelvis as low as legs need that reach for ankles (t, 3)."""
    down = _sink(body.positions(), body.offsets, ankles)
    return Body(body.offsets, body.root - down, body.rotations)


def _sink(positions: Tensor, offsets: Tensor, ankles: Sequence[Tensor]) -> Tensor:
    """(t, 3) metres down."""
    depth = [
        _too_short(positions, leg, ankle, offsets) for leg, ankle in zip(LEGS, ankles, strict=True)
    ]
    return _eased(torch.stack(depth).amax(0))[:, None] * positions.new_tensor(_UP)


def _planted(
    positions: Tensor, world: Tensor, leg: tuple[int, ...], contacts: Tensor
) -> tuple[Tensor, Tensor]:
    """Where an ankle shall be (t, 3), and how its foot shall be turned in the world (t, 3, 3)."""
    _, _, ankle, ball = leg
    # A label comes from one clip; in a blend with another the foot may be in the air still.
    ends = positions[:, (ankle, ball)]
    low = ends[..., 1] < positions.new_tensor(_LOW)
    slow = torch.gradient(ends, dim=0)[0].norm(dim=-1) < _SLOW / FPS
    heel_stands, ball_stands = (
        _steady(_landed((contacts & low)[:, index], slow[:, index])) for index in (0, 1)
    )
    foot = positions[:, ball] - positions[:, ankle]
    yaw = torch.atan2(foot[:, 0], foot[:, 2])
    turning = torch.remainder(yaw.diff() + torch.pi, 2 * torch.pi) - torch.pi
    turn = _held(turning[:, None], heel_stands)[:, 0].clamp(-_LARGEST_TURN, _LARGEST_TURN)
    turned = (yaw_matrix(turn) @ foot[..., None])[..., 0]
    tip = positions[:, ankle] + turned
    standing = heel_stands | ball_stands
    both = ball_stands[1:] & ball_stands[:-1]
    slide = torch.where(both[:, None], tip.diff(dim=0), positions[:, ankle].diff(dim=0))
    shift = _held(slide[:, (0, 2)], standing)
    lift = _bridged(BALL_HEIGHT - tip[:, 1:2], ball_stands)[:, 0]
    lift = torch.maximum(lift, _clearance(tip, ball_stands) - tip[:, 1])
    lift = smooth_in_time(lift[None, :, None], 0.8)[0, :, 0]
    lift = torch.maximum(lift, LOWEST_ANKLE - positions[:, ankle, 1])
    moved = torch.stack((shift[:, 0], lift, shift[:, 1]), 1)
    return positions[:, ankle] + moved, yaw_matrix(turn) @ world[:, ankle]


def _clearance(tip: Tensor, stands: Tensor) -> Tensor:
    """(t) least height of the ball (t, 3) of a foot: off the floor while it swings, as toes are."""
    height = torch.full((len(stands),), BALL_HEIGHT)
    step = functional.pad(tip.diff(dim=0)[:, (0, 2)].norm(dim=-1), (1, 0))
    for start, stop in runs(~stands):
        swings = float(step[start:stop].mean()) > _SWINGING / FPS
        if stop - start < _SWING_FRAMES or not swings:
            continue
        since, left = torch.arange(1.0, stop - start + 1), torch.arange(stop - start, 0.0, -1)
        rise = ramp(since, 0.0, _RISING) if start > 0 else torch.ones_like(since)
        fall = ramp(left, 0.0, _RISING) if stop < len(stands) else torch.ones_like(left)
        height[start:stop] += _CLEARANCE * rise * fall
    return height


def _landed(stands: Tensor, slow: Tensor) -> Tensor:
    """(t) contact that does not begin before the foot has come to rest."""
    result = stands.clone()
    for start, stop in runs(stands):
        if start > 0:
            rests = slow[start:stop].nonzero()
            result[start : start + int(rests[0, 0]) if len(rests) else stop] = False
    return result


def _steady(stands: Tensor) -> Tensor:
    """(t) contact without gaps and stances of a frame or two."""
    result = stands.clone()
    for start, stop in runs(~stands):
        if start > 0 and stop < len(stands) and stop - start < _SHORTEST_STANCE:
            result[start:stop] = True
    for start, stop in runs(result):
        if stop - start < _SHORTEST_STANCE:
            result[start:stop] = False
    return result


def _held(slide: Tensor, standing: Tensor) -> Tensor:
    """Corrections (t, c) that take back what slides (t - 1, c) while something stands.

    Every stance is free to move as a whole. Its place is the one with the smallest corrections
    there, and between it and its neighbours: least squares.
    """
    stances = runs(standing)
    frames = len(standing)
    if not stances:
        return slide.new_zeros(frames, slide.shape[1])
    inner = [-functional.pad(slide[a : b - 1].cumsum(0), (0, 0, 1, 0)) for a, b in stances]
    normal = torch.zeros(len(stances), len(stances), dtype=torch.float64)
    right = torch.zeros(len(stances), slide.shape[1], dtype=torch.float64)
    for number, part in enumerate(inner):
        normal[number, number] += len(part)
        right[number] -= part.sum(0)
    for number, (this, following) in enumerate(pairwise(stances)):
        weight = 40.0 / (following[0] - this[1] + 1)
        gap = inner[number + 1][0] - inner[number][-1]
        normal[number, number] += weight
        normal[number + 1, number + 1] += weight
        normal[number, number + 1] -= weight
        normal[number + 1, number] -= weight
        right[number] += weight * gap
        right[number + 1] -= weight * gap
    places = torch.linalg.solve(normal, right).to(slide.dtype)
    result = slide.new_zeros(frames, slide.shape[1])
    for (start, stop), part, place in zip(stances, inner, places, strict=True):
        result[start:stop] = part + place
    return _bridged(result, standing)


def _bridged(values: Tensor, known: Tensor) -> Tensor:
    """Values (t, c) where known; between, they go over smoothly, and at the ends they stay."""
    spans = runs(known)
    if not spans:
        return torch.zeros_like(values)
    result = values.clone()
    result[: spans[0][0]] = values[spans[0][0]]
    result[spans[-1][1] :] = values[spans[-1][1] - 1]
    for (_, stop), (start, _) in pairwise(spans):
        share = torch.arange(1, start - stop + 1) / (start - stop + 1)
        share = minimum_jerk(share)[:, None]
        result[stop:start] = values[stop - 1] + share * (values[start] - values[stop - 1])
    return result


def _too_short(positions: Tensor, leg: tuple[int, ...], goal: Tensor, offsets: Tensor) -> Tensor:
    """(t) metres by which the hip is too high for the leg to reach the ankle's goal."""
    hip, knee, ankle, _ = leg
    reach = _STRETCH * float(offsets[[knee, ankle]].norm(dim=-1).sum())
    span = positions[:, hip] - goal
    level = span[:, (0, 2)].norm(dim=-1).clamp(max=reach)
    return (span[:, 1] - (reach**2 - level**2).sqrt()).clamp(0.0, _DEEPEST)


def _eased(sink: Tensor) -> Tensor:
    """(t) at least nearly as deep, and smooth."""
    widest = functional.max_pool1d(sink[None], 7, stride=1, padding=3)
    return smooth_in_time(widest[..., None], 3.0)[0, :, 0]


def bend_leg(
    rotations: Tensor, positions: Tensor, world: Tensor, leg: tuple[int, ...], goal: Tensor,
    foot: Tensor,
) -> None:  # fmt: skip
    """Turn thigh, shank and foot of a leg in place until the ankle is at its goal."""
    hip, knee, ankle, _ = leg
    start, middle, end = (positions[:, joint] for joint in (hip, knee, ankle))
    lengths = [float((b - a)[0].norm()) for a, b in ((start, middle), (middle, end))]
    along = functional.normalize(end - start, dim=-1)
    bend = (middle - start) - ((middle - start) * along).sum(-1, keepdim=True) * along
    pole = bend + 0.03 * world[:, hip, :, 2]
    new_middle, new_end = two_bone(start, goal, pole, *lengths)
    thigh = rotation_between(middle - start, new_middle - start) @ world[:, hip]
    shank = rotation_between(end - middle, new_end - new_middle) @ world[:, knee]
    rotations[:, hip] = world[:, 0].transpose(-1, -2) @ thigh
    rotations[:, knee] = thigh.transpose(-1, -2) @ shank
    rotations[:, ankle] = shank.transpose(-1, -2) @ foot
