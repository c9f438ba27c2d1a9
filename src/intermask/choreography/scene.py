"""A scene of two people on paper: paths, contacts, gazes, leans, and the sentences about it.

Axes and seconds are those of `plans`. A point in a joint's own frame is given where the T-pose has
it: x to the person's left, y up, z ahead, metres from the joint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from intermask.choreography.plans import PersonPlan

Point = tuple[float, float, float]
"""Metres in a joint's own frame."""

BODY: Point = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class ContactEvent:
    """A point of one body meets a point of a body: ground truth, and a goal of the solver.

    It holds from ``seconds`` for ``duration``. The effector comes to it on a minimum-jerk path
    within ``reach_seconds`` before, and goes back as slowly, or on to its next event. The events
    of one effector never hold at the same time. Where actor and target are the same person the
    event shapes a pose (a hand kept before one's own chest) and is no contact between people.
    """

    seconds: float
    duration: float
    actor: int
    effector: str
    """Joint of the actor, such as ``right_wrist``."""
    target: int
    joint: str
    """Joint of the target that carries the point."""
    offset: Point
    """The point to be met, in the frame of ``joint``."""
    tolerance: float
    """Metres within which the two points count as met."""
    reach_seconds: float
    required: bool = True
    """Whether captions tell of it; the others only shape the motion."""
    effector_offset: Point = BODY
    """The point that meets it, in the effector's frame: a palm is 9 cm beyond its wrist."""

    @property
    def between_people(self) -> bool:
        """Whether it joins the two people."""
        return self.actor != self.target


@dataclass(frozen=True)
class Gaze:
    """One person looks at a joint of the other."""

    person: int
    joint: str
    start: float
    end: float


@dataclass(frozen=True)
class Lean:
    """The trunk is bent against the base layer's, shared out over the spine, radians.

    Pitch bends forwards, yaw turns to the person's left, roll leans to the right. The bend is
    whole from ``seconds`` for ``duration``, comes within ``rise_seconds`` and goes as slowly.
    Leans of one person that overlap add up.
    """

    person: int
    seconds: float
    duration: float
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    rise_seconds: float = 0.5


@dataclass(frozen=True)
class Dip:
    """The pelvis is ``depth`` metres lower than the base layer's, over the same feet.

    Timed as a `Lean`.
    """

    person: int
    seconds: float
    duration: float
    depth: float
    rise_seconds: float = 0.6


@dataclass(frozen=True)
class Part:
    """One act of a scene: which family, between which seconds, by whom, and what is true of it."""

    family: str
    start: float
    end: float
    actor: int
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Caption:
    """One sentence or two about a scene.

    shape: name of the sentence shape. stated: names of the facts that the words tell; of the
    second act of a chain, ``2.side``.
    """

    text: str
    shape: str
    stated: frozenset[str]


@dataclass(frozen=True)
class ScenePlan:
    """What one draw gives: everything that is known about a scene before anybody moves."""

    family: str
    """Name of the family, or ``chain``."""
    seconds: float
    people: tuple[PersonPlan, PersonPlan]
    contacts: tuple[ContactEvent, ...]
    gazes: tuple[Gaze, ...]
    leans: tuple[Lean, ...]
    dips: tuple[Dip, ...]
    parts: tuple[Part, ...]
    wordings: tuple[Caption, Caption, Caption]

    @property
    def captions(self) -> tuple[str, str, str]:
        """Three captions."""
        first, second, third = self.wordings
        return first.text, second.text, third.text

    @property
    def facts(self) -> Mapping[str, str]:
        """All that captions may state; of a chain with the number of the act: ``2.side``."""
        if len(self.parts) == 1:
            return self.parts[0].facts
        return {
            f"{number}.{name}": value
            for number, part in enumerate(self.parts, 1)
            for name, value in part.facts.items()
        }

    @property
    def required_contacts(self) -> tuple[ContactEvent, ...]:
        """Contacts between the people that captions tell of."""
        return tuple(event for event in self.contacts if event.required and event.between_people)

    def ground_truth(self) -> dict[str, Any]:
        """Roles, sides and the contact schedule as plain lists and dictionaries, for JSON."""
        return {
            "family": self.family,
            "seconds": self.seconds,
            "parts": [{**asdict(part), "facts": dict(part.facts)} for part in self.parts],
            "contacts": [asdict(event) for event in self.required_contacts],
            "captions": [
                {"text": caption.text, "shape": caption.shape, "stated": sorted(caption.stated)}
                for caption in self.wordings
            ],
        }
