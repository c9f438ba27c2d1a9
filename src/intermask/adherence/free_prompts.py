"""Prompts that no grammar wrote (`choreography.prompt_sets`): what can be read off a motion.

There is no clip to hold a motion against, so there are no windows: the contacts that a prompt asks
for have to happen, one after the other, at any time. Either array may be the actor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from intermask.adherence import gestures
from intermask.adherence.contacts import NEAR_M
from intermask.adherence.gestures import SIDES
from intermask.choreography.overlay import contact_distances, posed_of
from intermask.choreography.prompt_sets import Prompt, Touch
from intermask.choreography.reach import TORSO, palm_offset
from intermask.choreography.scene import BODY, ContactEvent, Point
from intermask.choreography.staging import shoulder
from intermask.evaluation import physics
from intermask.motion import Motion
from intermask.skeleton import MEAN_ADULT_OFFSETS, rest_positions
from intermask.solver.bodies import Posed

STANDING_SHARE = 0.6
"""Share of a standing person's pelvis height above which somebody stands."""
UPRIGHT_FRAMES = 0.95
"""Share of the frames in which that has to be so."""
ALIVE_SPEED = 0.02
"""Metres a second of the mean joint below which a person is frozen. In the open dataset the calmest
people, who only wait, have 0.03."""

_REST = rest_positions(MEAN_ADULT_OFFSETS)
_STANDING_M = float(_REST[0, 1] - _REST[:, 1].min())

_SIDE_TOLD_BY_HAND = ("handshake", "high_five", "pat", "push", "punch", "grab", "sneak")
"""Families whose contact tells which hand of the actor is used. Where hands of either side may hold
each other (a hand over, a help, a lead), nobody can say whose is meant."""
_LIKE_MEETS_LIKE = ("handshake", "high_five")
"""Families in which right hands meet right hands."""
_WITHOUT_TOUCH = ("wave", "bow", "kick")
_ACTOR_TOLD_BY_HAND = ("pat", "push", "sneak")
"""Families whose contact tells who acts: one touches, and the other is touched."""

_LOW = re.compile(
    r"\b(l(ie|ies|ying)|sit|sits|sitting|sleeps?|swim\w*|crawl\w*|knee|kneel\w*|shoelaces|"
    r"cartwheel\w*|leapfrog|float\w*|climb\w*|rides?|riding|driving|row|falls?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Bearing:
    """How two people bear themselves; of each figure the worse of the two.

    Attributes:
        upright: share of the frames in which the pelvis is above `STANDING_SHARE` of its height
            when standing.
        speed: metres a second of the mean joint.
        skate: mm a frame that standing feet slide.
        jerk: m/s³, mean over joints.
    """

    upright: float
    speed: float
    skate: float
    jerk: float

    @property
    def stands(self) -> bool:
        """Whether both stand."""
        return self.upright >= UPRIGHT_FRAMES

    @property
    def lives(self) -> bool:
        """Whether neither is frozen."""
        return self.speed > ALIVE_SPEED


def bearing(positions: Tensor) -> Bearing:
    """How two people (2, t, 22, 3) bear themselves; who is not finite neither stands nor lives."""
    if not bool(torch.isfinite(positions).all()):
        return Bearing(0.0, 0.0, 1e3, 1e6)
    upright = positions[:, :, 0, 1] > STANDING_SHARE * _STANDING_M
    return Bearing(
        float(upright.float().mean(1).amin()),
        float(gestures.speeds(positions).amin()),
        float(physics.skate(positions).amax()),
        float(physics.jerk_magnitudes(positions).mean((1, 2)).amax()),
    )


def may_be_low(prompt: str) -> bool:
    """Whether a prompt names a posture, or a doing, for which people need not stand."""
    return bool(_LOW.search(prompt))


def touches_in_order(motion: Motion, prompt: Prompt) -> bool:
    """Whether all contacts of a prompt happen, each after the one before."""
    bodies = posed_of(motion)
    acts = [act for act in prompt.acts if act not in _WITHOUT_TOUCH]
    begin = 0
    for number, (act, touch) in enumerate(zip(acts, prompt.touches, strict=True)):
        # Sides are told of the first act; those of a chain tell none.
        sides = (prompt.side, prompt.other_side) if number == 0 else (None, None)
        places = (touch, replace(touch, joint="elbow")) if act == "grab" else (touch,)
        course = _course(bodies, [event for each in places for event in _events(each, *sides)])
        met = (course[begin:] <= NEAR_M).nonzero()
        if not len(met):
            return False
        begin += int(met[0])
    return True


def side_is_right(motion: Motion, prompt: Prompt) -> bool | None:
    """Whether the named side is used, or touched, rather than the other; None if nobody can say."""
    family = prompt.family or ""
    if prompt.turn:
        return gestures.turning(motion.positions) == prompt.turn
    if family == "wave" and prompt.side:
        wave = gestures.wave(motion.positions)
        return wave is not None and wave.side == prompt.side
    if family == "kick" and prompt.side:
        return gestures.kick(motion.positions).side == prompt.side
    if family not in _SIDE_TOLD_BY_HAND or not prompt.touches:
        return None
    by_side: dict[str, list[ContactEvent]]
    if prompt.side:
        named = prompt.side
        like = family in _LIKE_MEETS_LIKE
        by_side = {
            side: _events(prompt.touches[0], side, side if like else prompt.other_side)
            for side in SIDES
        }
    elif prompt.other_side:
        named = prompt.other_side
        by_side = {side: _events(prompt.touches[0], prompt.side, side) for side in SIDES}
    else:
        return None
    bodies = posed_of(motion)
    nearest = {side: float(_course(bodies, events).amin()) for side, events in by_side.items()}
    return nearest[named] <= min(nearest.values()) < max(nearest.values())


def actor_is_right(motion: Motion, prompt: Prompt) -> bool | None:
    """Whether the one who comes, or the one who waits, acts; None if nobody can say."""
    if prompt.actor is None:
        return None
    found = _actor(motion, prompt)
    if found is None:
        return None
    frame, person = found
    came = gestures.comer(motion.positions, frame)
    return came is not None and (person == came) == (prompt.actor == "comes")


def _actor(motion: Motion, prompt: Prompt) -> tuple[int, int] | None:
    """Frame and person of the act; None where a motion does not tell."""
    if prompt.family == "bow":
        bow = gestures.bow(motion.positions)
        return (0, 0) if bow is None else (bow.frame, bow.person)
    if prompt.family not in _ACTOR_TOLD_BY_HAND:
        return None
    bodies = posed_of(motion)
    events = list(_events(prompt.touches[0], prompt.side, prompt.other_side))
    courses = [
        _course(bodies, [event for event in events if event.actor == person]) for person in (0, 1)
    ]
    person = int(float(courses[1].amin()) < float(courses[0].amin()))
    return int(courses[person].argmin()), person


def _course(bodies: Posed, events: Sequence[ContactEvent]) -> Tensor:
    """Metres (t) of the nearest of several contacts."""
    return torch.stack([contact_distances(bodies, event) for event in events]).amin(0)


def _events(touch: Touch, side: str | None, other_side: str | None) -> list[ContactEvent]:
    """All contacts that a touch may be."""
    own = (side,) if side else SIDES
    other = (other_side,) if other_side else SIDES
    return [
        ContactEvent(
            0.0, 0.0, actor, f"{mine}_{touch.effector}", 1 - actor, joint, offset, 0.0, 0.0, True,
            palm_offset(f"{mine}_{touch.effector}"),
        )
        for actor, mine in product((0, 1), own)
        for joint, offset in _spots(touch.joint, other)
    ]  # fmt: skip


def _spots(joint: str, sides: Sequence[str]) -> Iterator[tuple[str, Point]]:
    """Points of a body that stand for a joint: skin rather than bone, hands and forearms whole."""
    if joint == "spine3":
        yield from ((joint, (0.0, 0.08, TORSO)), (joint, (0.0, 0.05, -TORSO)))
        return
    for side in sides:
        name = f"{side}_{joint}"
        if joint == "collar":
            yield name, shoulder(side).offset
        elif joint == "elbow":
            along = 0.17 if side == "left" else -0.17
            yield from ((name, BODY), (name, (along, 0.0, 0.0)))
        else:
            yield from ((name, BODY), (name, palm_offset(name)))
