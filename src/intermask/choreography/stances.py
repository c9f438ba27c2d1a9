"""How somebody stands: nobody twice in the same way.

The bank's quiet pieces are a few takes, whose feet stand as those of one person did. Whoever comes
to rest therefore takes up a stance that is drawn anew: feet, weight, trunk, head and hanging arms.
It comes in over the last step, and a foot that stands does not move. Who stands for long shifts the
weight from time to time, and sets the free foot anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from intermask.choreography.bodies import Body
from intermask.choreography.footwork import bend_leg, sunk
from intermask.data.limbs import ARMS, LEGS, ramp, smooth_in_time
from intermask.geometry import axis_angle_to_matrix, yaw_matrix
from intermask.motion import FPS
from intermask.skeleton import SMPL22
from intermask.timeline import minimum_jerk, runs

AHEAD, WIDTH, TOES_OUT = 0.13, (0.15, 0.30), (0.08, 0.36)
"""Metres that one foot is ahead of the other at most, and between the ankles from side to side;
radians that a foot points out."""
WEIGHT = (0.012, 0.036)
"""Metres that the pelvis is to the side of the leg that bears more."""
PITCH, TWIST = (-0.05, 0.07), 0.05
"""Radians of the trunk, from upright forwards, and of the shoulders against the hips to a side."""
HEAD_PITCH = (-0.05, 0.12)
"""Radians that a face looks down."""
ELBOW, HAND = (0.32, 0.75), (0.23, 0.30)
"""Radians that the elbow of a hanging arm is bent; metres from its wrist to the body's middle."""

_LEFT_AHEAD = 0.75
"""How often the left foot is the one ahead: of two people face to face feet then pass each other.
"""
_SHORTEST = 0.5
"""Seconds of a rest that is worth a stance."""
_COMING = 0.6
"""Seconds in which trunk and arms take it up, and give it up again."""
_SHIFTS, _SHIFTING = (2.2, 4.5), (0.7, 1.1)
"""Seconds from one shift of the weight to the next, and of one."""
_STEP_CHANCE, _STEP_SECONDS, _STEP_LIFT = 0.5, 0.4, 0.035
"""How often the free foot is set anew after a shift; seconds and metres of its lift."""
_HIP_DROP = 1.2
"""Radians that the hip of the free leg drops for each metre of shift."""
_LARGEST_BEND = 0.14
"""Radians by which trunk and head are turned at most."""
_LOW, _STILL, _GAP = (0.13, 0.05), 0.005, 5
"""Metres of ankle and ball above the floor, and metres a frame, up to which a foot stands; frames
between two stances that are one."""
_HANGING = (0.25, 0.08)
"""Metres of a wrist above the pelvis: from there down an arm begins to hang, and hangs."""
_HANGING_FRAMES = 5.0
"""Deviation of the Gaussian over that, against hands that fly up."""
_REACH, _LARGEST_RISE = 0.988, 0.03
"""Share of its length that the straighter leg reaches; metres that the pelvis rises for it."""
_FURTHEST_STEP = 0.13
"""Metres that a stance moves a foot at most."""


@dataclass(frozen=True)
class _Hold:
    """A value that holds over some frames."""

    begin: int
    end: int
    value: Tensor


def take_stances(body: Body, resting: Tensor, generator: torch.Generator) -> Body:
    """The same body with a stance of its own in each of its rests.

    Args:
        body: t frames, whose feet are planted.
        resting: (t) where the person stays in place.
        generator: draws the stances.
    """
    rests = [(a, b) for a, b in runs(resting) if b - a >= _SHORTEST * FPS]
    if not rests:
        return body
    positions, world = body.positions(), body.orientations()
    heading = _heading(world[:, 0])
    shifts = [_shifts(rest, heading, generator) for rest in rests]
    root = body.root + _weight(shifts, body.frames)
    rotations = _trunk(body, positions, world, rests, shifts, heading, generator)
    rotations = _arms(rotations, positions, world, rests, body, generator)
    moved = Body(body.offsets, root, rotations)
    goals = [
        _foot(side, positions, world, rests, shifts, heading, generator) for side in (0, 1)
    ]  # fmt: skip
    ankles = [ankle for ankle, _ in goals]
    moved = sunk(_risen(moved, ankles, rests), ankles)
    rotations = moved.rotations.clone()
    positions, world = moved.positions(), moved.orientations()
    for leg, (ankle, turn) in zip(LEGS, goals, strict=True):
        bend_leg(rotations, positions, world, leg, ankle, turn)
    return Body(body.offsets, moved.root, rotations)


@dataclass(frozen=True)
class _Shifts:
    """What a rest does with the weight: holds of the shift to the left, metres."""

    holds: tuple[tuple[int, int, float], ...]
    left: Tensor
    """(3) where left is."""


def _between(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _heading(pelvis: Tensor) -> Tensor:
    ahead = pelvis[:, :, 2]
    return torch.atan2(ahead[:, 0], ahead[:, 2])


def _mean_angle(angles: Tensor) -> Tensor:
    return torch.atan2(angles.sin().mean(), angles.cos().mean())


def _shifts(rest: tuple[int, int], heading: Tensor, generator: torch.Generator) -> _Shifts:
    begin, end = rest
    sign = 1.0 if _between(generator, 0, 1) < 0.5 else -1.0
    holds = []
    start = begin
    while True:
        value = sign * _between(generator, *WEIGHT)
        stop = start + round(FPS * _between(generator, *_SHIFTS))
        following = stop + round(FPS * _between(generator, *_SHIFTING))
        last = following > end - FPS
        holds.append((start, end if last else stop, value))
        if last:
            break
        start, sign = following, -sign
    yaw = _mean_angle(heading[begin:end])
    left = torch.stack((yaw.cos(), torch.zeros_like(yaw), -yaw.sin()))
    return _Shifts(tuple(holds), left)


def _course(frames: int, holds: Sequence[_Hold]) -> Tensor:
    """(t, c) values that hold, and go over from one to the next on minimum-jerk curves."""
    result = holds[0].value.expand(frames, -1).clone()
    for hold in holds:
        result[hold.begin :] = hold.value
    for first, second in pairwise(holds):
        gap = second.begin - first.end
        share = minimum_jerk(torch.arange(1, gap + 1) / (gap + 1))[:, None]
        result[first.end : second.begin] = first.value + share * (second.value - first.value)
    return result


def _with_motion(frames: int, holds: Sequence[_Hold]) -> list[_Hold]:
    """The holds of rests, and nothing in between where somebody goes for longer."""
    coming = round(_COMING * FPS)
    nothing = torch.zeros_like(holds[0].value)
    result: list[_Hold] = []
    if holds[0].begin > coming:
        result.append(_Hold(0, holds[0].begin - coming, nothing))
    for first, second in pairwise(holds):
        result.append(first)
        if second.begin - first.end > 3 * coming:
            result.append(_Hold(first.end + coming, second.begin - coming, nothing))
    result.append(holds[-1])
    if holds[-1].end + coming < frames:
        result.append(_Hold(holds[-1].end + coming, frames, nothing))
    return result


def _weight(shifts: Sequence[_Shifts], frames: int) -> Tensor:
    """(t, 3) metres that the pelvis moves."""
    holds = [
        _Hold(begin, end, value * each.left) for each in shifts for begin, end, value in each.holds
    ]
    return _course(frames, _with_motion(frames, holds))


def _trunk(
    body: Body,
    positions: Tensor,
    world: Tensor,
    rests: Sequence[tuple[int, int]],
    shifts: Sequence[_Shifts],
    heading: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Rotations with the hips tilted to the free leg, and with trunks and heads of their own."""
    neck, head = SMPL22.indices("neck", "head")
    back = yaw_matrix(-heading)
    trunk = (back @ (positions[:, neck] - positions[:, 0])[..., None])[..., 0]
    lean = torch.atan2(trunk[:, 2], trunk[:, 1])
    face = torch.asin(-world[:, head, 1, 2].clamp(-1, 1))
    holds = []
    for begin, end in rests:
        pitch = _between(generator, *PITCH) - float(lean[begin:end].median())
        twist = _between(generator, -TWIST, TWIST)
        pitch = min(max(pitch, -_LARGEST_BEND), _LARGEST_BEND)
        nod = _between(generator, *HEAD_PITCH) - float(face[begin:end].median()) - pitch
        nod = min(max(nod, -2 * _LARGEST_BEND), _LARGEST_BEND)
        holds.append(_Hold(begin, end, torch.tensor((pitch, twist, nod))))
    pitches, twists, nods = _course(body.frames, _with_motion(body.frames, holds)).unbind(-1)
    drop = [
        _Hold(begin, end, torch.tensor((_HIP_DROP * value,)))
        for each in shifts
        for begin, end, value in each.holds
    ]
    roll = _course(body.frames, _with_motion(body.frames, drop))[:, 0]
    nothing = torch.zeros_like(pitches)
    rotations = body.rotations.clone()
    tilt = torch.stack((nothing, nothing, roll), -1)
    rotations[:, 0] = rotations[:, 0] @ axis_angle_to_matrix(tilt)
    spine = torch.stack((pitches, twists, -roll), -1) / 3
    turn = axis_angle_to_matrix(spine)
    for joint in SMPL22.indices("spine1", "spine2", "spine3"):
        rotations[:, joint] = rotations[:, joint] @ turn
    half = axis_angle_to_matrix(torch.stack((nods / 2, -twists / 2, nothing), -1))
    for joint in (neck, head):
        rotations[:, joint] = rotations[:, joint] @ half
    return rotations


def _arms(
    rotations: Tensor,
    positions: Tensor,
    world: Tensor,
    rests: Sequence[tuple[int, int]],
    body: Body,
    generator: torch.Generator,
) -> Tensor:
    """Rotations with hanging arms bent, their hands near the thighs."""
    chest = SMPL22.index("spine3")
    size = float(body.offsets.norm(dim=-1).sum()) / 4.9
    result = rotations.clone()
    for side, arm in zip((1.0, -1.0), ARMS, strict=True):
        shoulder, elbow, wrist = arm
        collar = SMPL22.parents[shoulder]
        upper = positions[:, elbow] - positions[:, shoulder]
        fore = positions[:, wrist] - positions[:, elbow]
        bend = torch.acos(functional.cosine_similarity(upper, fore, dim=-1).clamp(-1, 1))
        out = side * (world[:, 0].mT @ (positions[:, wrist] - positions[:, 0])[..., None])[:, 0, 0]
        hangs = ramp(positions[:, wrist, 1] - positions[:, 0, 1], *_HANGING)
        hangs = smooth_in_time(hangs[None], _HANGING_FRAMES)[0]
        holds = []
        for begin, end in rests:
            wanted = _between(generator, *ELBOW), _between(generator, *HAND)
            more = wanted[0] - float(bend[begin:end].median())
            inward = float(out[begin:end].median()) - size * wanted[1]
            more, inward = min(max(more, -0.2), 0.5), min(max(inward, -0.06), 0.16)
            holds.append(_Hold(begin, end, torch.tensor((more, inward / (0.55 * size)))))
        course = _course(body.frames, _with_motion(body.frames, holds)) * hangs[:, None]
        bends, inwards = course.unbind(-1)
        nothing = torch.zeros_like(bends)
        # The upper arm goes back as the forearm comes forward.
        swing = axis_angle_to_matrix(torch.stack((0.35 * bends, nothing, -side * inwards), -1))
        frame = world[:, collar].mT @ world[:, chest]
        result[:, shoulder] = frame @ swing @ frame.mT @ rotations[:, shoulder]
        fold = axis_angle_to_matrix(torch.stack((nothing, -side * bends, nothing), -1))
        result[:, elbow] = rotations[:, elbow] @ fold
    return result


def _risen(body: Body, ankles: Sequence[Tensor], rests: Sequence[tuple[int, int]]) -> Body:
    """The body on straighter legs where it rests: one of them nearly straight."""
    positions = body.positions()
    spare = []
    for (hip, knee, foot, _), ankle in zip(LEGS, ankles, strict=True):
        length = _REACH * float(body.offsets[[knee, foot]].norm(dim=-1).sum())
        span = ankle - positions[:, hip]
        level = span[:, (0, 2)].square().sum(-1)
        spare.append((length**2 - level).clamp_min(0).sqrt() + span[:, 1])
    least = torch.stack(spare).amin(0)
    holds = [
        _Hold(begin, end, least[begin:end].median().clamp(0.0, _LARGEST_RISE)[None])
        for begin, end in rests
    ]
    rise = _course(body.frames, _with_motion(body.frames, holds))
    return Body(body.offsets, body.root + rise * rise.new_tensor((0.0, 1.0, 0.0)), body.rotations)


def _foot(
    side: int,
    positions: Tensor,
    world: Tensor,
    rests: Sequence[tuple[int, int]],
    shifts: Sequence[_Shifts],
    heading: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Where an ankle shall be (t, 3), and how its foot shall be turned in the world (t, 3, 3)."""
    frames = len(positions)
    ankle, ball = LEGS[side][2:]
    holds: list[_Hold] = []
    steps: list[tuple[int, int]] = []
    stands = _stands(positions[:, (ankle, ball)])
    drawn = [
        [_drawn(side, rest, positions, heading, generator) for _ in each.holds]
        for rest, each in zip(rests, shifts, strict=True)
    ]
    chances = [[_between(generator, 0, 1) for _ in each.holds] for each in shifts]
    for begin, end in stands:
        number = next((n for n, (a, b) in enumerate(rests) if min(end, b) > max(begin, a)), None)
        if number is None:
            holds.append(_Hold(begin, end, torch.zeros(4)))
            continue
        # A foot that carries little weight may be set anew after a shift.
        value, start = drawn[number][0], begin
        for count, (first, _, weight) in enumerate(shifts[number].holds):
            moment = first + 4
            done = moment + round(_STEP_SECONDS * FPS)
            free = weight < 0 if side == 0 else weight > 0
            if count == 0 or moment <= begin:
                if moment <= begin and count and holds:
                    value = drawn[number][0]
                continue
            if free and chances[number][count] < _STEP_CHANCE and done + 6 < end:
                holds.append(_Hold(start, moment, value))
                steps.append((moment, done))
                value, start = drawn[number][count], done
        holds.append(_Hold(start, end, value))
    if not holds:
        return positions[:, ankle], world[:, ankle]
    course = _course(frames, holds)
    turn = yaw_matrix(course[:, 3])
    # The foot turns about its ball.
    goal = (
        positions[:, ball] + (turn @ (positions[:, ankle] - positions[:, ball])[..., None])[..., 0]
    )
    goal = goal + course[:, :3]
    for begin, end in steps:
        share = torch.arange(1, end - begin + 1) / (end - begin + 1)
        goal[begin:end, 1] += _STEP_LIFT * (4 * share * (1 - share)).square()
    return goal, turn @ world[:, ankle]


def _drawn(
    side: int,
    rest: tuple[int, int],
    positions: Tensor,
    heading: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """(4) metres that a foot moves to its place in a stance, and radians that it turns."""
    begin, end = rest
    yaw = _mean_angle(heading[begin:end])
    back = yaw_matrix(-yaw)
    ankles = torch.stack([positions[begin:end, leg[2]].median(0).values for leg in LEGS])
    ball, ankle = (positions[begin:end, LEGS[side][n]].median(0).values for n in (3, 2))
    own = back @ (ankle - ankles.mean(0))
    foot = back @ (ball - ankle)
    sign = 1.0 if side == 0 else -1.0
    first = sign if _between(generator, 0, 1) < _LEFT_AHEAD else -sign
    ahead = first * 0.5 * AHEAD * _between(generator, 0.1, 1.0)
    out = sign * 0.5 * _between(generator, *WIDTH)
    toes = sign * _between(generator, *TOES_OUT)
    move = torch.stack((out - own[0], torch.zeros(()), ahead - own[2]))
    move = move * (_FURTHEST_STEP / move.norm().clamp_min(1e-6)).clamp(max=1.0)
    turn = (toes - torch.atan2(foot[0], foot[2])).clamp(-0.35, 0.35)
    return torch.cat((yaw_matrix(yaw) @ move, turn[None]))


def _stands(ends: Tensor) -> list[tuple[int, int]]:
    """Frames in which a foot stands, from its ankle and its ball (t, 2, 3)."""
    low = ends[..., 1] < ends.new_tensor(_LOW)
    step = functional.pad(ends.diff(dim=0)[..., (0, 2)].norm(dim=-1), (0, 0, 1, 0))
    after = functional.pad(step[1:], (0, 0, 0, 1))
    stands = (low & (torch.minimum(step, after) < _STILL)).any(1)
    for begin, end in runs(~stands):
        if begin > 0 and end < len(stands) and end - begin < _GAP:
            stands[begin:end] = True
    return [(begin, end) for begin, end in runs(stands) if end - begin >= 3]
