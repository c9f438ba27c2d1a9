"""The overlay: two people of the base layer meet as a scene says.

First what hangs on one person alone (trunks bend, pelves sink over standing feet, heads turn to
what is looked at), then whole-clip least squares on both at once (`intermask.solver`): contacts
are met on minimum-jerk paths, planted feet stay, nobody is inside the other or below the floor,
and everything else stays near the base layer and as calm as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from intermask.choreography.bank import MotionBank
from intermask.choreography.base_layer import perform
from intermask.choreography.bodies import Body
from intermask.choreography.footwork import bend_leg
from intermask.choreography.scene import ContactEvent, Gaze, Lean, ScenePlan
from intermask.data.limbs import LEGS
from intermask.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from intermask.kinematics import global_rotations
from intermask.motion import FPS, Motion
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, SMPL22
from intermask.solver.bodies import Bodies, Posed
from intermask.solver.flesh import BETWEEN_PEOPLE, WITHIN_A_PERSON
from intermask.solver.solve import SolverOptions, solve
from intermask.solver.terms import AboveFloor, Apart, Near, Planted, Smooth, Term

SMALLEST, LARGEST = 0.92, 1.08
"""Body sizes, in those of the mean adult."""

_PELVIS_SHARE = 0.4
"""Share of a bend that the hips take; the spine's three joints take the rest."""
_LOOK_RISE = 0.3
"""Seconds in which a head turns."""
_WIDEST_LOOK, _STEEPEST_LOOK = 1.2, 0.7
"""Radians that a head turns to a side, and up or down."""
_STILL = 0.004
"""Metres a frame below which a low foot stands."""
_LOW = (0.13, 0.05)
"""Metres of ankles and balls above the floor up to which they may stand."""
_BOW = 0.08
"""Height of a reach's bow, as a share of its way."""

_STIFF = {"pelvis": 8.0, "spine1": 6.0, "spine2": 6.0, "spine3": 6.0, "neck": 3.0, "head": 3.0,
          "left_hip": 3.0, "right_hip": 3.0, "left_knee": 3.0, "right_knee": 3.0,
          "left_ankle": 3.0, "right_ankle": 3.0, "left_foot": 3.0, "right_foot": 3.0,
          "left_collar": 2.0, "right_collar": 2.0, "left_wrist": 4.0, "right_wrist": 4.0}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OverlayOptions:
    """Weights of what a scene should meet, a squared metre a frame."""

    holding: float = 200.0
    """Of a contact while it holds."""
    reaching: float = 60.0
    """Of a hand on its way there and back."""
    staying: float = 0.2
    """Of a joint's way from the base layer."""
    smoothness: float = 40.0
    planting: float = 100.0
    separating: float = 20.0
    give: float = 0.02
    """Metres of overlap that flesh is granted."""
    floor: float = 20.0
    turning: float = 0.01
    moving: float = 0.3
    rounds: int = 60


def stage(
    bank: MotionBank,
    plan: ScenePlan,
    generator: torch.Generator,
    options: OverlayOptions | None = None,
) -> Motion:
    """A scene as motion of two people; its caption is the plan's first.

    Args:
        bank: what people can do.
        plan: the scene.
        generator: sizes of bodies, and choices of the base layer.
        options: weights.
    """
    options = options or OverlayOptions()
    frames = round(plan.seconds * FPS)
    people = []
    for person in plan.people:
        size = SMALLEST + (LARGEST - SMALLEST) * float(torch.rand((), generator=generator))
        offsets = size * torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
        people.append(perform(bank, person, frames, offsets, generator))
    bases = [_bent(body, plan, person) for person, body in enumerate(people)]
    looking = [_looking(body, bases[1 - person], plan.gazes, person)
               for person, body in enumerate(bases)]  # fmt: skip
    met = _met(looking, plan, options)
    posed = met.posed()
    return Motion(
        posed.positions.float(),
        met.rotations[:, :, 1:].float(),
        met.rotations[:, :, 0].float(),
        caption=plan.captions[0],
    )


def envelope(frames: int, start: float, end: float, rise: float) -> Tensor:
    """(t) 1 from start to end, in seconds, coming and going on minimum-jerk curves."""
    seconds = torch.arange(frames) / FPS
    rise = max(rise, 1e-3)
    return minimum_jerk((seconds - start) / rise + 1) * minimum_jerk((end - seconds) / rise + 1)


def minimum_jerk(share: Tensor) -> Tensor:
    """From 0 at share <= 0 to 1 at share >= 1 without speed or acceleration at either end."""
    share = share.clamp(0.0, 1.0)
    return share**3 * (10 - 15 * share + 6 * share**2)


# --- One person alone ----------------------------------------------------------------------------


def _bent(body: Body, plan: ScenePlan, person: int) -> Body:
    """With the trunk's bends and the pelvis' dips, over the same ankles."""
    leans = [lean for lean in plan.leans if lean.person == person]
    dips = [dip for dip in plan.dips if dip.person == person]
    if not leans and not dips:
        return body
    bend = torch.zeros(body.frames, 3)
    for lean in leans:
        bend = bend + _times(lean, body.frames)[:, None] * torch.tensor(
            (lean.pitch, lean.yaw, lean.roll)
        )
    down = torch.zeros(body.frames)
    for dip in dips:
        way = envelope(body.frames, dip.seconds, dip.seconds + dip.duration, dip.rise_seconds)
        down = torch.maximum(down, dip.depth * way)
    rotations = body.rotations.clone()
    hips = axis_angle_to_matrix(_PELVIS_SHARE * bend)
    rotations[:, 0] = rotations[:, 0] @ hips
    for hip in SMPL22.indices("left_hip", "right_hip"):
        rotations[:, hip] = hips.mT @ rotations[:, hip]
    spine = axis_angle_to_matrix((1 - _PELVIS_SHARE) / 3 * bend)
    for joint in SMPL22.indices("spine1", "spine2", "spine3"):
        rotations[:, joint] = rotations[:, joint] @ spine
    root = body.root.clone()
    root[:, 1] -= down
    moved = Body(body.offsets, root, rotations)
    before, feet = body.positions(), global_rotations(body.rotations[:, 0], body.rotations[:, 1:])
    world = global_rotations(rotations[:, 0], rotations[:, 1:])
    positions = moved.positions()
    for leg in LEGS:
        ankle = leg[2]
        bend_leg(rotations, positions, world, leg, before[:, ankle], feet[:, ankle])
    return Body(body.offsets, root, rotations)


def _times(lean: Lean, frames: int) -> Tensor:
    return envelope(frames, lean.seconds, lean.seconds + lean.duration, lean.rise_seconds)


def _looking(body: Body, other: Body, gazes: Sequence[Gaze], person: int) -> Body:
    """With the head turned to what is looked at."""
    own = [gaze for gaze in gazes if gaze.person == person]
    if not own:
        return body
    neck, head, chest = SMPL22.indices("neck", "head", "spine3")
    rotations = body.rotations.clone()
    eyes, seen = body.positions()[:, head], other.positions()
    world = global_rotations(rotations[:, 0], rotations[:, 1:])
    for gaze in own:
        ahead = seen[:, SMPL22.index(gaze.joint)] - eyes
        x, y, z = (world[:, chest].mT @ ahead[..., None])[..., 0].unbind(-1)
        yaw = torch.atan2(x, z)
        # Nobody looks behind: what is out of sight is not turned to.
        yaw = torch.where(yaw.abs() < 2.4, yaw, torch.zeros_like(yaw))
        yaw = yaw.clamp(-_WIDEST_LOOK, _WIDEST_LOOK)
        pitch = -torch.atan2(y, torch.hypot(x, z)).clamp(-_STEEPEST_LOOK, _STEEPEST_LOOK)
        weight = envelope(body.frames, gaze.start, gaze.end, _LOOK_RISE)
        zero = torch.zeros_like(yaw)
        for joint, share in ((neck, 0.4), (head, 0.6)):
            turn = axis_angle_to_matrix(torch.stack((zero, share * yaw, zero), -1))
            nod = axis_angle_to_matrix(torch.stack((share * pitch, zero, zero), -1))
            rotations[:, joint] = _towards(rotations[:, joint], turn @ nod, weight)
    return replace(body, rotations=rotations)


def _towards(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Rotations (t, 3, 3) on the shortest way between two, at shares (t)."""
    return start @ axis_angle_to_matrix(share[:, None] * matrix_to_axis_angle(start.mT @ end))


# --- Both at once --------------------------------------------------------------------------------


def _met(people: Sequence[Body], plan: ScenePlan, options: OverlayOptions) -> Bodies:
    """Both people, with everything met that a scene asks for."""
    offsets, root, rotations = (
        torch.stack([getattr(body, name) for body in people]).double()
        for name in ("offsets", "root", "rotations")
    )
    base = Bodies(offsets, root, rotations)
    posed = base.posed()
    feet = posed.positions[:, :, list(FEET)]
    terms: list[Term] = [
        Near(posed.positions, posed.positions.new_tensor(options.staying)),
        Smooth(posed.positions, options.smoothness),
        Planted(feet, options.planting * _standing(feet)),
        AboveFloor(options.floor),
        Apart(posed, (0, 1), BETWEEN_PEOPLE, options.give, options.separating),
        *(
            Apart(posed, (person, person), WITHIN_A_PERSON, options.give, options.separating)
            for person in (0, 1)
        ),
        *_reaches(plan.contacts, posed, options),
    ]
    stiffness = tuple(options.turning * _STIFF.get(name, 1.0) for name in SMPL22.names)
    how = SolverOptions(
        spacing=2, rounds=options.rounds, turning=stiffness, moving=options.moving
    )
    return solve(base, terms, options=how)


def _standing(feet: Tensor) -> Tensor:
    """(p, t, 4) 1 where an ankle or a ball of (p, t, 4, 3) stands."""
    low = feet[..., 1] < feet.new_tensor(_LOW * 2)
    step = feet.diff(dim=1).norm(dim=-1)
    still = torch.minimum(
        torch.cat((step[:, :1], step), 1), torch.cat((step, step[:, -1:]), 1)
    )
    return (low & (still < _STILL)).to(feet)


class Reach:
    """A point of one body on its way to a point of a body, there, and on its way back.

    Args:
        event: what meets what.
        origin: (t, 3) where the effector would be without the event.
        share: (t) how far of the way from there to the target it shall be.
        weights: (t).
    """

    def __init__(self, event: ContactEvent, origin: Tensor, share: Tensor, weights: Tensor) -> None:
        self.event, self.origin, self.share, self.weights = event, origin, share, weights
        self._effector, self._joint = SMPL22.indices(event.effector, event.joint)
        self._own = origin.new_tensor(event.effector_offset)
        self._there = origin.new_tensor(event.offset)

    def __call__(self, posed: Posed) -> Tensor:
        event, share = self.event, self.share[:, None]
        target = posed.points(event.target, self._joint, self._there)
        way = target - self.origin
        bow = _BOW * 4 * share * (1 - share) * way.detach().norm(dim=-1, keepdim=True)
        wanted = self.origin + share * way + bow * way.new_tensor((0.0, 1.0, 0.0))
        away = posed.points(event.actor, self._effector, self._own) - wanted
        return (self.weights * away.square().sum(-1)).sum()


def _reaches(
    events: Sequence[ContactEvent], base: Posed, options: OverlayOptions
) -> list[Reach]:
    """A term for each event; an effector goes from one event straight on to the next one."""
    terms = []
    for event in events:
        others = [
            each for each in events
            if (each.actor, each.effector) == (event.actor, event.effector) and each is not event
        ]  # fmt: skip
        start, end = event.seconds, event.seconds + event.duration
        before = [each for each in others if each.seconds + each.duration <= start + 1e-6]
        after = [each for each in others if each.seconds >= end - 1e-6]
        frames = base.positions.shape[1]
        seconds = torch.arange(frames, dtype=torch.float64) / FPS
        came = minimum_jerk((seconds - start) / event.reach_seconds + 1)
        went = minimum_jerk((end - seconds) / event.reach_seconds + 1)
        effector = SMPL22.index(event.effector)
        own = base.positions.new_tensor(event.effector_offset)
        origin = base.points(event.actor, effector, own)
        if before:
            last = max(before, key=lambda each: each.seconds)
            gap = start - last.seconds - last.duration
            if gap < event.reach_seconds + last.reach_seconds:
                # from where it was: the target of the event before, as the base layer has it
                joint = SMPL22.index(last.joint)
                there = base.points(last.target, joint, base.positions.new_tensor(last.offset))
                gone = seconds < start
                origin = torch.where(gone[:, None], there, origin)
                came = minimum_jerk((seconds - start) / max(gap, 1e-3) + 1)
        if after:
            following = min(after, key=lambda each: each.seconds)
            gap = following.seconds - end
            if gap < event.reach_seconds + following.reach_seconds:
                went = torch.where(seconds > end, torch.zeros_like(went), went)
        share = came * went
        holds = (seconds >= start - 0.5 / FPS) & (seconds <= end + 0.5 / FPS)
        weights = torch.where(
            holds, options.holding, options.reaching * (share > 0).double()
        )
        terms.append(Reach(event, origin, share, weights))
    return terms


def contact_error(motion: Motion, event: ContactEvent) -> Tensor:
    """Metres (n) between the two points of an event, over the frames in which it holds."""
    rotations = torch.cat((motion.root_rotations[:, :, None], motion.rotations), 2)
    posed = Posed(motion.positions, _orientations(rotations))
    effector, joint = SMPL22.indices(event.effector, event.joint)
    first = round(event.seconds * FPS)
    last = min(round((event.seconds + event.duration) * FPS), motion.frames - 1)
    own = posed.points(event.actor, effector, motion.positions.new_tensor(event.effector_offset))
    there = posed.points(event.target, joint, motion.positions.new_tensor(event.offset))
    return (own - there).norm(dim=-1)[min(first, last) : last + 1]


def _orientations(rotations: Tensor) -> Tensor:
    return global_rotations(rotations[:, :, 0], rotations[:, :, 1:])
