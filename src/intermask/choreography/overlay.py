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
from torch.nn import functional

from intermask.choreography.bank import MotionBank
from intermask.choreography.base_layer import perform
from intermask.choreography.bodies import Body
from intermask.choreography.footwork import bend_leg
from intermask.choreography.plausible import Plausible, measure_bank
from intermask.choreography.scene import ContactEvent, Dip, Gaze, Lean, ScenePlan
from intermask.data.limbs import ARMS, LEGS, two_bone
from intermask.geometry import axis_angle_to_matrix, matrix_to_axis_angle, rotation_between
from intermask.kinematics import global_rotations
from intermask.motion import FPS, Motion
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, SMPL22
from intermask.solver.bodies import Bodies, Posed
from intermask.solver.flesh import BETWEEN_PEOPLE, WITHIN_A_PERSON
from intermask.solver.solve import SolverOptions, solve
from intermask.solver.terms import AboveFloor, Apart, Near, Planted, Smooth, Term, WithinLimits
from intermask.timeline import minimum_jerk

SMALLEST, LARGEST = 0.92, 1.08
"""Body sizes, in those of the mean adult."""

_PELVIS_SHARE = 0.4
"""Share of a bend that the hips take; the spine's three joints take the rest."""
_BALANCE = 0.12
"""Metres that hips go back when the trunk is level: else a person would fall over."""
_LOOK_RISE = 0.3
"""Seconds in which a head turns."""
_WIDEST_LOOK, _STEEPEST_LOOK = 1.2, 0.7
"""Radians that a head turns to a side, and up or down."""
_STILL = 0.004
"""Metres a frame below which a low foot stands."""
_LOW = (0.13, 0.05)
"""Metres of ankles and balls above the floor up to which they may stand."""
_SHORTEST_RETURN = 0.66
"""Seconds in which a hand goes home at the quickest."""
_DRAWN = 1.0
"""How much a frame's own elbow side (metres) counts beside the side of the frame before."""
_SURE = 0.02
"""Metres that are added to that at least."""
_FROM_SHOULDER, _OUTWARDS = 0.32, 0.5
"""Metres from its own shoulder at which a hand passes; and how far outwards, for each ahead."""
_NEARLY = 0.3
"""Share of a way before its end over which that ceases."""
_ARM_OF = {arm[2]: arm for arm in ARMS}
_TAKEN = 0.35
"""Share of a reach from which an arm is bent for it alone."""
_BOW = 0.08
"""Height of a reach's bow, as a share of its way."""

_STIFF = {"pelvis": 20.0, "spine1": 20.0, "spine2": 20.0, "spine3": 20.0, "neck": 10.0,
          "head": 10.0, "left_hip": 3.0, "right_hip": 3.0, "left_knee": 3.0, "right_knee": 3.0,
          "left_ankle": 3.0, "right_ankle": 3.0, "left_foot": 3.0, "right_foot": 3.0,
          "left_collar": 15.0, "right_collar": 15.0, "left_wrist": 8.0,
          "right_wrist": 8.0}  # fmt: skip
"""How much stiffer than a shoulder or an elbow a joint is: arms reach before trunks lean."""


_LIMITED = SMPL22.indices(
    "left_collar", "right_collar", "left_wrist", "right_wrist", "left_elbow", "right_elbow",
    "left_shoulder", "right_shoulder", "left_ankle", "right_ankle", "left_knee", "right_knee",
)  # fmt: skip
_SPARE = 0.1
"""Radians before a joint's limit from which it is held back."""
_STEADY = {name: 20.0 for name in ("pelvis", "spine1", "spine2", "spine3")} | {
    name: 30.0 for name in ("neck", "head", "left_collar", "right_collar")
}
"""How much more the place of a joint counts than that of a limb's: who is touched stays there."""


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
    separating: float = 300.0
    give: float = 0.02
    """Metres of overlap that flesh is granted."""
    floor: float = 20.0
    bending: float = 5.0
    """Of a squared radian that a joint bends further than in the bank."""
    turning: float = 0.01
    moving: float = 0.3
    rounds: int = 24


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
    met = _met(looking, plan, measure_bank(bank), options)
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


# --- One person alone ----------------------------------------------------------------------------


def _bent(body: Body, plan: ScenePlan, person: int) -> Body:
    """With the trunk's bends and the pelvis' dips, over the same ankles."""
    leans = [lean for lean in plan.leans if lean.person == person]
    dips = [dip for dip in plan.dips if dip.person == person]
    if not leans and not dips:
        return body
    bend = torch.zeros(body.frames, 3)
    for lean in leans:
        turn = torch.tensor((lean.pitch, lean.yaw, lean.roll))
        bend = bend + _times(lean, body.frames)[:, None] * turn
    down = torch.zeros(body.frames)
    for dip in dips:
        down = torch.maximum(down, dip.depth * _times(dip, body.frames))
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
    ahead = body.rotations[:, 0] @ torch.tensor((0.0, 0.0, 1.0))
    level = functional.normalize(ahead * torch.tensor((1.0, 0.0, 1.0)), dim=-1)
    root -= _BALANCE * bend[:, :1].sin() * level
    moved = Body(body.offsets, root, rotations)
    before, feet = body.positions(), body.orientations()
    positions, world = moved.positions(), moved.orientations()
    for leg in LEGS:
        ankle = leg[2]
        bend_leg(rotations, positions, world, leg, before[:, ankle], feet[:, ankle])
    return Body(body.offsets, root, rotations)


def _times(bend: Lean | Dip, frames: int) -> Tensor:
    return envelope(frames, bend.seconds, bend.seconds + bend.duration, bend.rise_seconds)


def _looking(body: Body, other: Body, gazes: Sequence[Gaze], person: int) -> Body:
    """With the head turned to what is looked at."""
    own = [gaze for gaze in gazes if gaze.person == person]
    if not own:
        return body
    neck, head, chest = SMPL22.indices("neck", "head", "spine3")
    rotations = body.rotations.clone()
    eyes, seen = body.positions()[:, head], other.positions()
    world = body.orientations()
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


@dataclass(frozen=True)
class Course:
    """How an effector comes to a contact and goes from it, over t frames."""

    event: ContactEvent
    last: ContactEvent | None
    """The contact that the effector comes from; None: from where the base layer has it."""
    origin: Tensor
    """(t, 3) where the effector would be without any contact."""
    share: Tensor
    """(t) how far of the way from there to the target it shall be."""
    lead: Tensor
    """(t) how much of the limb's pose is the contact's, or that of the one before."""
    coming: Tensor
    """(t) bool, the frames before the contact."""
    holds: Tensor
    """(t) bool, the frames in which the contact holds."""
    end: int
    """Last of these frames, or of all where there are none."""

    @property
    def effector(self) -> int:
        """Its joint."""
        return SMPL22.index(self.event.effector)

    def points(self, posed: Posed) -> tuple[Tensor, Tensor]:
        """Where the effector's point (t, 3) is, and where it shall be."""
        event, share = self.event, self.share[:, None]
        origin = self.origin
        if self.last is not None:
            before = _point(posed, self.last.target, self.last.joint, self.last.offset)
            origin = torch.where(self.coming[:, None], before, origin)
        target = _point(posed, event.target, event.joint, event.offset)
        # A hand that lets go leaves from where it was, and does not follow what it held.
        held = target[: self.end + 1]
        left = torch.cat((held, held[-1:].expand(len(target) - len(held), 3)))
        way = left - origin
        bow = _BOW * 4 * share * (1 - share) * way.detach().norm(dim=-1, keepdim=True)
        wanted = origin + share * way + bow * way.new_tensor((0.0, 1.0, 0.0))
        if self.effector in _ARM_OF:
            wanted = wanted + self._past_shoulder(posed, wanted.detach())
        return _point(posed, event.actor, event.effector, event.effector_offset), wanted

    def _past_shoulder(self, posed: Posed, wanted: Tensor) -> Tensor:
        """(t, 3) metres ahead and outwards: a hand does not pass through its own shoulder."""
        own = self.event.actor
        shoulder = _ARM_OF[self.effector][0]
        near = wanted - posed.positions[own, :, shoulder].detach()
        chest = posed.orientations[own, :, SMPL22.index("spine3")].detach()
        side = _OUTWARDS if shoulder == ARMS[0][0] else -_OUTWARDS
        away = chest @ chest.new_tensor((side, 0.0, 1.0))
        free = minimum_jerk((1 - self.share) / _NEARLY)[:, None]
        if self.last is not None:
            free = free * ~self.coming[:, None]
        return free * (_FROM_SHOULDER - near.norm(dim=-1, keepdim=True)).clamp_min(0.0) * away


def _courses(events: Sequence[ContactEvent], base: Posed) -> list[Course]:
    """A course for each event; an effector goes from one event straight on to the next one."""
    frames = base.positions.shape[1]
    seconds = torch.arange(frames).to(base.positions) / FPS
    courses = []
    for event in events:
        start, end = event.seconds, event.seconds + event.duration
        came = minimum_jerk((seconds - start) / event.reach_seconds + 1)
        back = max(event.reach_seconds, _SHORTEST_RETURN)
        went = minimum_jerk((end - seconds) / back + 1)
        origin = _point(base, event.actor, event.effector, event.effector_offset)
        last, following = _neighbours(event, events)
        if last is not None:
            gap = start - last.seconds - last.duration
            came = minimum_jerk((seconds - start) / max(gap, 1e-3) + 1)
        if following is not None:
            went = torch.where(seconds > end, torch.zeros_like(went), went)
        holds = (seconds >= start - 0.5 / FPS) & (seconds <= end + 0.5 / FPS)
        share = torch.where(holds, torch.ones_like(came), came * went)
        lead = share
        if last is not None:
            between = (seconds < start) & (seconds >= last.seconds + last.duration)
            lead = torch.where(between, torch.ones_like(share), share)
        held = holds.nonzero()
        let_go = int(held[-1]) if len(held) else frames - 1
        courses.append(Course(event, last, origin, share, lead, seconds < start, holds, let_go))
    return courses


def _neighbours(
    event: ContactEvent, events: Sequence[ContactEvent]
) -> tuple[ContactEvent | None, ContactEvent | None]:
    """The events of the same effector right before and after: nearer than to go back between."""
    start, end = event.seconds, event.seconds + event.duration
    same = (event.actor, event.effector)
    own = [each for each in events if (each.actor, each.effector) == same and each is not event]
    before = [each for each in own if each.seconds + each.duration <= start + 1e-6]
    after = [each for each in own if each.seconds >= end - 1e-6]
    last = max(before, key=lambda each: each.seconds, default=None)
    following = min(after, key=lambda each: each.seconds, default=None)
    if last is not None:
        gap = start - last.seconds - last.duration
        last = last if gap < event.reach_seconds + last.reach_seconds else None
    if following is not None:
        gap = following.seconds - end
        following = following if gap < event.reach_seconds + following.reach_seconds else None
    return last, following


def _point(posed: Posed, person: int, joint: str, offset: Sequence[float]) -> Tensor:
    return posed.points(person, SMPL22.index(joint), posed.positions.new_tensor(offset))


def _posed(people: Sequence[Body]) -> Posed:
    return Posed(
        torch.stack([body.positions() for body in people]),
        torch.stack([body.orientations() for body in people]),
    )


def _reaching(people: Sequence[Body], courses: Sequence[Course]) -> list[Body]:
    """Arms bent so that hands are on their courses: where the solver begins.

    A straight arm that hangs cannot tell a solver that it has an elbow, and the trunk would do the
    arm's work.
    """
    base = targets = _posed(people)
    reached = list(people)
    for _ in range(2):  # hands that meet hands are met where these went
        for person, body in enumerate(people):
            rotations = body.rotations.clone()
            for arm in ARMS:
                own = [
                    course
                    for course in courses
                    if course.event.actor == person and course.effector == arm[2]
                ]
                if own:
                    _bend_arm(rotations, base, targets, person, arm, own)
            reached[person] = replace(body, rotations=rotations)
        targets = _posed(reached)
    return reached


def _bend_arm(
    rotations: Tensor,
    posed: Posed,
    targets: Posed,
    person: int,
    arm: tuple[int, ...],
    courses: Sequence[Course],
) -> None:
    """Turn upper arm, forearm and hand in place until the hand is on its courses."""
    shoulder, elbow, wrist = arm
    positions, world = posed.positions[person], posed.orientations[person]
    start, middle, end = (positions[:, joint] for joint in arm)
    leads = torch.stack([course.lead for course in courses])
    first = leads.argmax(0)
    frames = torch.arange(len(first))
    wanted = torch.stack([course.points(targets)[1] for course in courses])[first, frames]
    hand = torch.stack([course.points(posed)[0] for course in courses])[first, frames] - end
    share = leads.amax(0)[:, None]
    straight = functional.normalize(wanted - start, dim=-1) * hand.norm(dim=-1, keepdim=True)
    goal = torch.where(share > 0, wanted - hand - share * (straight - hand), end)
    lengths = [float((b - a)[0].norm()) for a, b in ((start, middle), (middle, end))]
    side = _carried(_elbow_side(posed, person, arm), goal - start)
    new_middle, new_end = two_bone(start, goal, side, *lengths)
    upper, fore = _hinged(new_middle - start, new_end - new_middle, side, arm)
    # Where a contact only begins to lead, the arm is still turned about itself as it was.
    kept = rotation_between(middle - start, new_middle - start) @ world[:, shoulder]
    upper = _towards(kept, upper, share[:, 0])
    kept = rotation_between(end - middle, new_end - new_middle) @ world[:, elbow]
    fore = _towards(kept, fore, share[:, 0])
    collar = SMPL22.parents[shoulder]
    # An elbow comes from its own side of the arm, and goes back to it, without a jump.
    taken = minimum_jerk(share[:, 0] / _TAKEN)
    for joint, goal_turn in ((shoulder, world[:, collar].mT @ upper), (elbow, upper.mT @ fore)):
        rotations[:, joint] = _towards(rotations[:, joint], goal_turn, taken)
    level = torch.eye(3).to(positions).expand(len(first), 3, 3)
    rotations[:, wrist] = _towards(rotations[:, wrist], level, share[:, 0])


def _hinged(
    upper: Tensor, fore: Tensor, side: Tensor, arm: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Orientations (t, 3, 3) of an upper arm and forearm that lie so, of an elbow that is a hinge.

    In the T-pose elbows fold forwards, about y.

    Args:
        upper: (t, 3) from shoulder to elbow.
        fore: (t, 3) from elbow to wrist.
        side: (t, 3) where the elbow points.
        arm: joints from shoulder to wrist.
    """
    rest = torch.tensor(MEAN_ADULT_OFFSETS).to(upper)
    out = functional.normalize(upper, dim=-1)
    # The forearm itself says where the elbow folds to, unless the arm is straight.
    ahead = functional.normalize(fore, dim=-1) - 0.05 * side
    ahead = functional.normalize(ahead - (ahead * out).sum(-1, keepdim=True) * out, dim=-1)
    along = out if arm == ARMS[0] else -out
    turn = torch.stack((along, torch.linalg.cross(ahead, along), ahead), -1)
    turn = _aimed(turn, rest[arm[1]], upper)
    return turn, _aimed(turn, rest[arm[2]], fore)


def _aimed(turn: Tensor, rest: Tensor, bone: Tensor) -> Tensor:
    """Orientations (t, 3, 3) turned the short way until a bone of the T-pose (3,) lies so."""
    return rotation_between((turn @ rest[:, None])[..., 0], bone) @ turn


def _elbow_side(posed: Posed, person: int, arm: tuple[int, ...]) -> Tensor:
    """(t, 3) where an elbow shall point: where it does, and a little down, back and outwards."""
    positions = posed.positions[person]
    start, middle, end = (positions[:, joint] for joint in arm)
    along = functional.normalize(end - start, dim=-1)
    bend = (middle - start) - ((middle - start) * along).sum(-1, keepdim=True) * along
    chest = posed.orientations[person, :, SMPL22.index("spine3")]
    outwards = 0.5 if arm == ARMS[0] else -0.5
    return bend + 0.1 * (chest @ chest.new_tensor((outwards, -0.8, -0.4)))


def _carried(side: Tensor, line: Tensor) -> Tensor:
    """Sides (t, 3) across lines (t, 3) from shoulder to hand, which turn slowly.

    Where a line runs through its side, the side would jump from above it to below. Each frame's is
    therefore that of the frame before, carried along and drawn to what it shall be. What comes of
    that is late, and is therefore drawn to once more, backwards in time.
    """
    along = functional.normalize(line, dim=-1)
    wanted = side - (side * along).sum(-1, keepdim=True) * along
    forwards = _followed(wanted, along)
    sure = wanted.norm(dim=-1, keepdim=True) + _SURE
    return _followed((sure * forwards).flip(0), along.flip(0)).flip(0)


def _followed(wanted: Tensor, along: Tensor) -> Tensor:
    """Unit sides (t, 3) across unit lines (t, 3), each that of before, drawn to a wanted one."""
    found = [functional.normalize(wanted[0], dim=0)]
    for goal, line in zip(wanted[1:], along[1:], strict=True):
        drawn = found[-1] + _DRAWN * goal
        found.append(functional.normalize(drawn - (drawn @ line) * line, dim=0))
    return torch.stack(found)


def _met(
    people: Sequence[Body], plan: ScenePlan, limits: Plausible, options: OverlayOptions
) -> Bodies:
    """Both people, with everything met that a scene asks for."""
    # A solver settles to the millimetre in double precision only.
    people = [
        Body(body.offsets.double(), body.root.double(), body.rotations.double()) for body in people
    ]
    courses = _courses(plan.contacts, _posed(people))
    base = _together(people).posed()
    start = _together(_reaching(people, courses))
    feet = base.positions[:, :, list(FEET)]
    near = options.staying * base.positions.new_tensor(
        [_STEADY.get(name, 1.0) for name in SMPL22.names]
    )
    posed = start.posed()
    terms: list[Term] = [
        Near(posed.positions, near),
        Smooth(posed.positions, options.smoothness),
        Planted(feet, options.planting * _standing(feet) * _not_kicking(courses, base)),
        AboveFloor(options.floor),
        Apart(posed, (0, 1), BETWEEN_PEOPLE, options.give, options.separating),
        *(
            Apart(posed, (person, person), WITHIN_A_PERSON, options.give, options.separating)
            for person in (0, 1)
        ),
        WithinLimits(limits.lowest + _SPARE, limits.highest - _SPARE, _LIMITED, options.bending),
        *(_Reached(course, options) for course in courses),
    ]
    stiffness = tuple(options.turning * _STIFF.get(name, 1.0) for name in SMPL22.names)
    how = SolverOptions(spacing=2, rounds=options.rounds, turning=stiffness, moving=options.moving)
    return solve(start, terms, options=how)


def _together(people: Sequence[Body]) -> Bodies:
    return Bodies(
        torch.stack([body.offsets for body in people]),
        torch.stack([body.root for body in people]),
        torch.stack([body.rotations for body in people]),
    )


def _standing(feet: Tensor) -> Tensor:
    """(p, t, 4) 1 where an ankle or a ball of (p, t, 4, 3) stands."""
    low = feet[..., 1] < feet.new_tensor(_LOW * 2)
    step = feet.diff(dim=1).norm(dim=-1)
    still = torch.minimum(torch.cat((step[:, :1], step), 1), torch.cat((step, step[:, -1:]), 1))
    return (low & (still < _STILL)).to(feet)


def _not_kicking(courses: Sequence[Course], base: Posed) -> Tensor:
    """(p, t, 4) 0 where a foot is on its way to somebody."""
    free = base.positions.new_ones(*base.positions.shape[:2], len(FEET))
    for course in courses:
        for leg, (ankle, ball) in enumerate((FEET[:2], FEET[2:])):
            if course.effector in (ankle, ball):
                away = (course.share > 0).to(free)[:, None]
                free[course.event.actor, :, 2 * leg : 2 * leg + 2] *= 1 - away
    return free


class _Reached:
    """A point of one body is on its course to a point of a body, there, and back."""

    def __init__(self, course: Course, options: OverlayOptions) -> None:
        moving = options.reaching * (course.lead > 0)
        self.course = course
        self.weights = torch.where(course.holds, options.holding, moving).double()

    def __call__(self, posed: Posed) -> Tensor:
        there, wanted = self.course.points(posed)
        return (self.weights * (there - wanted).square().sum(-1)).sum()


def posed_of(motion: Motion) -> Posed:
    """Joints of a motion and their orientations in the world."""
    return Posed(motion.positions, global_rotations(motion.root_rotations, motion.rotations))


def contact_distances(posed: Posed, event: ContactEvent) -> Tensor:
    """Metres (t) between the two points of an event, in every frame."""
    own = _point(posed, event.actor, event.effector, event.effector_offset)
    there = _point(posed, event.target, event.joint, event.offset)
    return (own - there).norm(dim=-1)


def contact_error(motion: Motion, event: ContactEvent) -> Tensor:
    """Metres (n) between the two points of an event, over the frames in which it holds."""
    first = round(event.seconds * FPS)
    last = min(round((event.seconds + event.duration) * FPS), motion.frames - 1)
    return contact_distances(posed_of(motion), event)[min(first, last) : last + 1]
