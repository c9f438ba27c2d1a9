"""The gate: which scenes became motion that is good enough, and what is wrong with the others.

It looks at the motion alone and at what the plan promises, with the metrics that models are
measured by (`evaluation.physics`, `evaluation.collision`) and the ranges of the motion bank
(`plausible`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from intermask.choreography.overlay import contact_error
from intermask.choreography.plausible import Plausible, bent_backwards, excess
from intermask.choreography.scene import ContactEvent, ScenePlan
from intermask.evaluation import physics
from intermask.evaluation.collision import capsule_depths
from intermask.motion import FPS, Motion
from intermask.skeleton import SMPL22
from intermask.solver.flesh import WITHIN_A_PERSON, overlaps

SKATE_MM = 8.0
"""Mean slide of a person's feet a frame."""
CONTACT_M = 0.03
"""Mean distance of the two points of a contact while it holds."""
LARGEST_TOLERANCE_M = 0.06
"""What a contact's own tolerance may allow at most, where it is larger than `CONTACT_M`."""
DEPTH_M = 0.06
"""Deepest overlap of the two bodies."""
BELOW_FLOOR_M = 0.03
"""How deep a joint may be below the floor."""
BEYOND = 0.15
"""Radians that a joint may be outside its range: to the overlay the ends are soft."""
BACKWARDS = 0.25
"""Radians that elbows and knees may bend the wrong way: joints that are straight look so."""
EARLY_M = 0.15
"""A contact happens within this distance; a second before its time it must not."""
EARLY_SECONDS = 1.0
SERIES_SECONDS = 1.5
"""Contacts of the same limbs that follow each other this soon are one series, such as claps."""

CALMER = 0.5
"""Share of the bank's lower end of jerk that is still alive. A person who waits for the partner's
whole way is calmer than pieces of two seconds, of which the calmest have a shift of weight."""
LIVELIER = 1.25
"""Share of its upper end. Hands that are reached out and taken back move on top of what the base
layer does, in which the people of the bank kept their arms still."""
POP = 1.5
"""Share of the bank's peak of jerk that the stop of a punch or a clap on the partner may have; a
limb that jumps to another place between two frames has twice that and more."""

REASONS = {
    "contact": f"a required contact is missed by more than {100 * CONTACT_M:.0f} cm",
    "early": "a contact happens a second before its time",
    "skate": f"feet slide by more than {SKATE_MM:.0f} mm a frame",
    "penetration": f"the bodies overlap by {100 * DEPTH_M:.0f} cm or more",
    "own body": "limbs of a person overlap deeper than in the bank",
    "floor": f"a joint is more than {100 * BELOW_FLOOR_M:.0f} cm below the floor",
    "joint limits": "a joint bends further than in the bank and its margin",
    "bent backwards": "an elbow or a knee bends the wrong way",
    "jerk": "a person moves more jerkily than the bank, or stands as if frozen",
    "pop": "a joint jumps",
    "not finite": "a number is none",
}
"""Why a scene may fail."""


@dataclass(frozen=True)
class Measures:
    """What the gate measured; of both people, the worse figure."""

    contact_errors: tuple[float, ...]
    """Metres, of each required contact: the mean over its hold."""
    skate: float
    """mm a frame."""
    depth: float
    """Metres of the deepest overlap of the two bodies."""
    own_depth: float
    """Metres of the deepest overlap within a person."""
    lowest: float
    """Metres, of the lowest joint."""
    beyond: float
    """Radians by which the worst joint leaves its range."""
    worst_joint: str
    backwards: float
    """Radians by which an elbow or a knee bends the wrong way."""
    jerk: tuple[float, float]
    """m/s³, mean of each person."""
    peak_jerk: float
    """m/s³."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a scene.

    reasons: keys of `REASONS`, none if it passed. details: one sentence for each.
    """

    measures: Measures | None
    """None of motion that is not finite."""
    reasons: tuple[str, ...]
    details: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the scene may become a clip."""
        return not self.reasons


def judge(plan: ScenePlan, motion: Motion, plausible: Plausible) -> Verdict:
    """Whether the motion of a scene does what its plan says, in a way that people move.

    Args:
        plan: the scene.
        motion: the two people who played it.
        plausible: ranges of the bank.
    """
    if not all(bool(torch.isfinite(each).all()) for each in _numbers(motion)):
        return Verdict(None, ("not finite",), (REASONS["not finite"],))
    measures = measure_scene(plan, motion, plausible)
    found = {
        "contact": _missed(plan, measures),
        "early": _early(plan, motion),
        "skate": _over("feet slide", measures.skate, SKATE_MM, "mm a frame"),
        "penetration": _over("the bodies overlap", 100 * measures.depth, 100 * DEPTH_M, "cm"),
        "own body": _over(
            "own limbs overlap", 100 * measures.own_depth, 100 * plausible.own_overlap, "cm"
        ),
        "floor": _over(
            "a joint is below the floor", -100 * measures.lowest, 100 * BELOW_FLOOR_M, "cm"
        ),
        "joint limits": _over(
            f"{measures.worst_joint} leaves its range", measures.beyond, BEYOND, "rad"
        ),
        "bent backwards": _over("bent the wrong way", measures.backwards, BACKWARDS, "rad"),
        "jerk": _unlike(measures.jerk, plausible.jerk),
        "pop": _over("peak jerk", measures.peak_jerk, POP * plausible.peak_jerk, "m/s³"),
    }
    failed = {reason: detail for reason, detail in found.items() if detail}
    return Verdict(measures, tuple(failed), tuple(failed.values()))


def measure_scene(plan: ScenePlan, motion: Motion, plausible: Plausible) -> Measures:
    """The figures that `judge` looks at."""
    positions = motion.positions
    beyond = excess(plausible, motion.rotations).amax((0, 1))
    worst = int(beyond.argmax())
    jerks = physics.jerk_magnitudes(positions)
    first, second = jerks.mean((1, 2)).tolist()
    return Measures(
        contact_errors=tuple(
            float(contact_error(motion, event).mean()) for event in plan.required_contacts
        ),
        skate=float(physics.skate(positions).amax()),
        depth=float(capsule_depths(positions).amax()),
        own_depth=max(
            float(overlaps(person, person, WITHIN_A_PERSON, 0.0).amax()) for person in positions
        ),
        lowest=float(positions[..., 1].amin()),
        beyond=float(beyond[worst]),
        worst_joint=SMPL22.names[worst + 1],
        backwards=max(float(each.amax()) for each in bent_backwards(motion.rotations).values()),
        jerk=(first, second),
        peak_jerk=float(jerks.amax()),
    )


def allowed_error(event: ContactEvent) -> float:
    """Metres by which a contact may be missed."""
    return min(max(event.tolerance, CONTACT_M), LARGEST_TOLERANCE_M)


def begins_series(events: Sequence[ContactEvent], event: ContactEvent) -> bool:
    """Whether no contact of the same limbs and people goes shortly before."""
    return not any(
        (other.actor, other.effector, other.target) == (event.actor, event.effector, event.target)
        and 0 <= event.seconds - other.seconds - other.duration < SERIES_SECONDS
        for other in events
        if other is not event
    )


def _numbers(motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
    return motion.positions, motion.rotations, motion.root_rotations


def _missed(plan: ScenePlan, measures: Measures) -> str:
    return "; ".join(
        f"{event.effector} at {event.joint} at {event.seconds:.1f} s: {100 * error:.1f} cm of "
        f"{100 * allowed_error(event):.0f}"
        for event, error in zip(plan.required_contacts, measures.contact_errors, strict=True)
        if error > allowed_error(event)
    )


def _early(plan: ScenePlan, motion: Motion) -> str:
    found = []
    for event in plan.required_contacts:
        before = round((event.seconds - EARLY_SECONDS) * FPS)
        if before < 0 or not begins_series(plan.required_contacts, event):
            continue
        apart = float(_distance(motion, event, before))
        if apart < EARLY_M:
            found.append(
                f"{event.effector} is {100 * apart:.0f} cm from {event.joint} a second before "
                f"{event.seconds:.1f} s"
            )
    return "; ".join(found)


def _distance(motion: Motion, event: ContactEvent, frame: int) -> Tensor:
    """Metres () between the two points of a contact in one frame."""
    moment = replace(event, seconds=0.0, duration=0.0)
    return contact_error(motion.cropped(frame, frame + 1), moment)[0]


def _over(what: str, value: float, limit: float, unit: str) -> str:
    return f"{what}: {value:.3g} {unit}, at most {limit:.3g}" if value > limit else ""


def _unlike(jerks: tuple[float, float], usual: tuple[float, float]) -> str:
    low, high = CALMER * usual[0], LIVELIER * usual[1]
    return "; ".join(
        f"person {person} has a jerk of {jerk:.0f} m/s³, expected {low:.0f} to {high:.0f}"
        for person, jerk in enumerate(jerks, 1)
        if not low <= jerk <= high
    )
