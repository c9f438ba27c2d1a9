"""The base layer: one person of real motion who goes a planned way and does planned actions.

`perform` plans a way (`paths`), searches the bank for the chain of clips that goes it
(`matching`), joins them (`blending`), lays the result along the way, adds gestures on top,
puts the feet down (`footwork`), and gives every rest a stance of its own (`stances`). What two
people do to each other comes later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from intermask.choreography.bank import MotionBank, Segment, track_world
from intermask.choreography.blending import blend_rotations, blend_values
from intermask.choreography.bodies import Body
from intermask.choreography.footwork import plant_feet
from intermask.choreography.matching import (
    RATES,
    Chain,
    Forced,
    Library,
    find_chain,
    sample,
    sample_rotations,
    within,
)
from intermask.choreography.paths import Way, planned_way
from intermask.choreography.plans import Act, PersonPlan
from intermask.choreography.stances import take_stances
from intermask.data.limbs import smooth_in_time
from intermask.errors import UserError
from intermask.geometry import (
    quaternion_inverse,
    quaternion_multiply,
    quaternion_to_matrix,
)
from intermask.motion import FPS
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22
from intermask.timeline import minimum_jerk

_UPPER = SMPL22.indices(
    "spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
_LEG = SMPL22.indices("left_knee", "left_ankle")
_FADE_SECONDS = 0.33
"""Time in which a gesture of the upper body comes and goes."""
_PULL_SECONDS = {"moving": 0.35, "resting": 0.5}
"""Time constant with which a person is drawn to the planned way."""
_HOLD = 30.0
"""How much more the pace of a clip counts where the person stands or acts: nobody glides."""
_CARRIED = 0.08
"""Metres that an action goes ahead below which it stays in place."""


def perform(
    bank: MotionBank,
    plan: PersonPlan,
    frames: int,
    offsets: Tensor,
    generator: torch.Generator,
) -> Body:
    """One person who does what a plan says.

    Tags may name a side: "wave_left" is done with the left hand or foot, whatever the plan says of
    mirroring; "wave" as it was captured, or as in a mirror if the plan is mirrored. An action
    whose time differs from the clip's is played at most 15 % slower or faster; the rest of the
    time is spent like the time between actions.

    Args:
        bank: the motion bank.
        plan: way and actions.
        frames: length of the result.
        offsets: (22, 3) rest offsets of the person, metres.
        generator: decides between equally good clips; the same state gives the same body.

    Raises:
        UserError: a tag or style that the bank does not have, or a plan without a way.
    """
    _check_style(bank, plan.style)
    library = _library(bank)
    scale = _leg_length(offsets) / _leg_length(torch.tensor(MEAN_ADULT_OFFSETS.copy()))
    way = planned_way(plan, frames)
    small = Way(way.track / way.track.new_tensor((scale, scale, 1.0)), way.resting)
    casts = [_cast(library, act, plan.mirrored, generator) for act in plan.acts]
    forced = _in_order([each for each in casts if not each.is_upper], frames)
    clips = [each.forced for each in forced]
    small = _carried(library, small, clips)
    chain = find_chain(library, small, plan.style, clips, generator)
    quaternions, root, contacts = _joined(library, chain)
    track = _laid_along(library, chain, small, contacts, clips)
    for cast in casts:
        if cast.is_upper:
            quaternions = _with_gesture(library, quaternions, cast)
    place, rotations = track_world(track, root, quaternion_to_matrix(quaternions))
    planted = plant_feet(Body(offsets, scale * place, rotations), contacts)
    return take_stances(planted, way.resting, generator)


@dataclass(frozen=True)
class _Cast:
    """The clip that an action is played by."""

    forced: Forced
    segment: Segment

    @property
    def is_upper(self) -> bool:
        return self.segment.layer == "upper"


@lru_cache(maxsize=2)
def _library(bank: MotionBank) -> Library:
    return Library(bank)


def _check_style(bank: MotionBank, style: str) -> None:
    known = sorted({segment.tag for segment in bank.segments if segment.kind == "rest"})
    if style not in known:
        raise UserError(f"the motion bank has no style {style!r}; it has {', '.join(known)}")


def _leg_length(offsets: Tensor) -> float:
    return float(offsets[list(_LEG)].norm(dim=-1).sum())


def _cast(library: Library, act: Act, mirrored: bool, generator: torch.Generator) -> _Cast:
    """Choose a clip for an action, and when it is played how fast."""
    choices = _candidates(library, act.tag, mirrored)
    number = choices[int(torch.randint(len(choices), (1,), generator=generator))]
    segment = library.segments[number]
    start = segment.start + (library.half if number >= len(library.bank.segments) else 0)
    wanted = segment.frames / max(act.seconds * FPS, 1.0)
    rate = min(max(wanted, RATES[0]), RATES[-1])
    moment = FPS * (act.start + act.seconds / 2)
    begin = round(moment - segment.key / rate)
    position = start + segment.key - (moment - begin) * rate
    end = round(moment + (segment.frames - 1 - segment.key) / rate)
    return _Cast(Forced(begin, end, position, rate, start), segment)


def _candidates(library: Library, tag: str, mirrored: bool) -> list[int]:
    """Clips of a tag, on the side that it names, or on the plan's."""
    count = len(library.bank.segments)
    acts = [number for number, each in enumerate(library.segments) if each.kind == "act"]
    plain = [number for number in acts if library.segments[number].tag == tag]
    if plain:
        return [number for number in plain if (number >= count) == mirrored]
    name, _, side = tag.rpartition("_")
    sided = [
        number for number in acts
        if library.segments[number].tag == name and library.segments[number].side == side
    ]  # fmt: skip
    if not sided:
        known = sorted({library.segments[number].tag for number in acts})
        raise UserError(
            f"the motion bank has no action {tag!r}; it has {', '.join(known)}, with _left or "
            "_right behind where a side acts"
        )
    return sided


def _in_order(casts: Sequence[_Cast], frames: int) -> list[_Cast]:
    """Actions of the whole body one after another: who comes later cuts off who is not done."""
    ordered = sorted(casts, key=lambda each: each.forced.begin)
    result = []
    for number, cast in enumerate(ordered):
        forced = cast.forced
        if forced.begin < 0:
            position = float(forced.positions(torch.tensor(0)))
            forced = replace(forced, begin=0, position=position)
        end = min(forced.end, frames)
        if number + 1 < len(ordered):
            end = min(end, ordered[number + 1].forced.begin)
        if end > forced.begin:
            result.append(replace(cast, forced=replace(forced, end=end)))
    return result


def _joined(library: Library, chain: Chain) -> tuple[Tensor, Tensor, Tensor]:
    """Quaternions (t, 22, 4), pelvis (t, 3) seen from the track, and contacts (t, 4)."""

    def before(jump: int) -> tuple[Tensor, Tensor]:
        back = chain.rates[jump] * torch.tensor((2.0, 1.0), dtype=torch.float64)
        return chain.positions[jump] - back, chain.clips[jump].expand(2)

    quaternions = blend_rotations(
        sample_rotations(library, chain.positions, chain.clips),
        chain.jumps,
        lambda jump: sample_rotations(library, *before(jump)),
    )
    root = blend_values(
        sample(library, library.root, chain.positions, chain.clips),
        chain.jumps,
        lambda jump: sample(library, library.root, *before(jump)),
    )
    nearest = within(library, chain.positions, chain.clips).round().long()
    return quaternions, root, library.contacts[nearest]


def _carried(library: Library, way: Way, acts: Sequence[Forced]) -> Way:
    """The way with what actions go ahead: a jump is not undone, but walked off on the next leg."""
    track = way.track.clone()
    frames = len(track)
    for act in acts:
        own = torch.arange(act.begin, act.end)
        clip = sample(library, library.track, act.positions(own), act.clips(own))
        if float((clip[-1, :2] - clip[0, :2]).norm()) < _CARRIED:
            continue
        turn = way.track[act.begin, 2] - clip[0, 2]
        gap = clip[:, :2] - clip[:1, :2]
        sine, cosine = turn.sin(), turn.cos()
        ahead = torch.stack(
            (cosine * gap[:, 0] + sine * gap[:, 1], cosine * gap[:, 1] - sine * gap[:, 0]), 1
        )
        track[act.begin : act.end, :2] += ahead
        track[act.end :, :2] += ahead[-1] * _left_to_go(way, act.end, frames)[:, None]
    return Way(track, way.resting)


def _left_to_go(way: Way, begin: int, frames: int) -> Tensor:
    """(frames - begin) share of the first leg after a frame that is not gone yet."""
    moving = ~way.resting[begin:]
    started = moving.int().cumsum(0) > 0
    ended = started & way.resting[begin:]
    leg = moving & (ended.int().cumsum(0) == 0)
    step = torch.zeros(frames - begin)
    step[1:] = way.track[begin:, :2].diff(dim=0).norm(dim=1)
    gone = (step * leg).cumsum(0)
    return 1 - gone / gone[-1].clamp_min(1e-6) if len(gone) else gone


def _laid_along(
    library: Library, chain: Chain, way: Way, contacts: Tensor, acts: Sequence[Forced]
) -> Tensor:
    """(t, 3) the track: the clips' own pace, drawn to the planned way, by least squares."""
    now = sample(library, library.track, chain.positions, chain.clips)
    then = sample(library, library.track, chain.positions + chain.rates, chain.clips)
    pace = smooth_in_time((then - now)[None], 1.5)[0]
    acting = torch.zeros(len(now), dtype=torch.bool)
    for act in acts:
        acting[act.begin : act.end] = True
    standing = contacts[:, :2].any(1) & contacts[:, 2:].any(1) & way.resting
    hold = torch.where(standing | acting, _HOLD, 1.0)
    seconds = torch.where(way.resting, _PULL_SECONDS["resting"], _PULL_SECONDS["moving"])
    pull = (seconds * FPS).pow(-2)
    yaw = _drawn(pace[:, 2:], way.track[:, 2:], hold, pull)
    turn = yaw[:, 0] - now[:, 2]
    sine, cosine = turn.sin(), turn.cos()
    step = torch.stack(
        (cosine * pace[:, 0] + sine * pace[:, 1], cosine * pace[:, 1] - sine * pace[:, 0]), 1
    )
    place = _drawn(step, way.track[:, :2], hold, pull)
    return torch.cat((place, yaw), 1)


def _drawn(step: Tensor, goal: Tensor, hold: Tensor, pull: Tensor) -> Tensor:
    """(t, c) with given steps (t, c), as far as they ``hold``, near a ``goal`` that ``pull``s."""
    frames = len(goal)
    normal = torch.diag(pull.double())
    right = pull.double()[:, None] * goal.double()
    weight, wanted = hold[:-1].double(), step[:-1].double()
    own = torch.arange(frames - 1)
    normal[own, own] += weight
    normal[own + 1, own + 1] += weight
    normal[own, own + 1] -= weight
    normal[own + 1, own] -= weight
    right[:-1] -= weight[:, None] * wanted
    right[1:] += weight[:, None] * wanted
    return torch.linalg.solve(normal, right).float()


def _with_gesture(library: Library, quaternions: Tensor, cast: _Cast) -> Tensor:
    """The upper body taken over by a gesture, which fades in and out."""
    frames = len(quaternions)
    begin, end = max(cast.forced.begin, 0), min(cast.forced.end, frames)
    if end <= begin:
        return quaternions
    own = torch.arange(begin, end)
    gesture = sample_rotations(library, cast.forced.positions(own), cast.forced.clips(own))
    fade = _FADE_SECONDS * FPS
    edge = torch.minimum(own - cast.forced.begin, cast.forced.end - 1 - own) / fade
    weight = minimum_jerk(edge)[:, None, None]
    result = quaternions.clone()
    upper = list(_UPPER)
    # The chest shall look where it looked in the clip, whatever the hips do now.
    chest = quaternion_multiply(gesture[:, 0], gesture[:, upper[0]])
    goal = gesture[:, upper].clone()
    goal[:, 0] = quaternion_multiply(quaternion_inverse(quaternions[begin:end, 0]), chest)
    result[begin:end, upper] = _between(quaternions[begin:end, upper], goal, weight)
    return result


def _between(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Quaternions (..., 4) between two, by spherical interpolation."""
    second = torch.where((first * second).sum(-1, keepdim=True) < 0, -second, second)
    angle = torch.acos((first * second).sum(-1, keepdim=True).clamp(-1, 1))
    small = angle < 1e-4
    sine = angle.sin().where(~small, torch.ones_like(angle))
    a = torch.where(small, 1 - weight, ((1 - weight) * angle).sin() / sine)
    b = torch.where(small, weight.expand_as(a), (weight * angle).sin() / sine)
    return torch.nn.functional.normalize(a * first + b * second, dim=-1)
