"""Minimal pairs: is it the named side, and the named person?

Two captions differ in one fact. Of what either of them asks for, a motion does that whose contact
comes nearer at any time; it is right if that is what its own caption asks for. Guessing is right
in one half. Clips in which the rule does not know its way about (two hands that hold each other
touch each other alike, so nobody can say who took whose) are left out: it is first asked about the
clip itself, where the answer is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from intermask.adherence import gestures
from intermask.adherence.truth import ActTruth, CaptionTruth, ClipTruth, Events, exchanged
from intermask.choreography.overlay import contact_distances, posed_of
from intermask.motion import Motion
from intermask.solver.bodies import Posed

Question = Literal["side", "actor"]

QUESTIONS: dict[str, Question] = {
    "side": "side",
    "shoulder": "side",
    "other_side": "side",
    "block": "side",
    "approach": "actor",
}
"""Facts in which a pair may differ, and what they ask. The others are no question of limbs."""

CLEAR_M = 0.05
"""Metres by which the right contact comes nearer in a clip that is asked about."""


def pair_question(truth: ClipTruth) -> Question | None:
    """What a clip of a minimal pair asks; None if nothing that joints tell."""
    question = QUESTIONS.get(truth.pair_fact)
    (act,) = truth.acts if len(truth.acts) == 1 else (None,)
    if question is None or act is None or truth.pair_fact not in act.facts:
        return None
    gestured = act.family in ("wave", "kick") and truth.pair_fact in ("side", "approach")
    bowed = act.family == "bow" and question == "actor"
    return question if act.contacts or gestured or bowed else None


def answer(motion: Motion, truth: ClipTruth, caption: CaptionTruth) -> tuple[bool, float]:
    """Whether a motion shows the named side or person, and by how many metres.

    Gestures without contact are clear or not: 1 m or 0.

    Args:
        motion: of that caption.
        truth: of a clip for which there is a `pair_question`.
        caption: one of the clip's.
    """
    (act,) = truth.acts
    if pair_question(truth) == "actor":
        return _actor(motion, act, caption.stated)
    if not act.contacts:
        gesture = _gesture(motion, act.family)
        right = gesture is not None and gesture.side == act.facts["side"]
        return right, float(gesture is not None)
    bodies = posed_of(motion)
    asked, _ = _nearest(bodies, act, caption.stated, (False, True))
    opposite, _ = _nearest(bodies, act.with_other(truth.pair_fact), caption.stated, (False, True))
    return asked < opposite, abs(asked - opposite)


def is_clear(motion: Motion, truth: ClipTruth, caption: CaptionTruth) -> bool:
    """Whether the clip itself is read rightly, and by far enough."""
    right, metres = answer(motion, truth, caption)
    return right and metres >= CLEAR_M


def _actor(motion: Motion, act: ActTruth, stated: frozenset[str]) -> tuple[bool, float]:
    """Whether the one who came (or the one who waited) is the one who acts."""
    if act.contacts:
        bodies = posed_of(motion)
        found = [_nearest(bodies, act, stated, (exchange,)) for exchange in (False, True)]
        (kept, _), (turned, _) = found
        _, frame = min(found)
        person = act.actor if kept < turned else 1 - act.actor
        clear = abs(kept - turned)
    else:
        gesture = _gesture(motion, act.family)
        if gesture is None:
            return False, 0.0
        person, frame, clear = gesture.person, gesture.frame, 1.0
    came = gestures.comer(motion.positions, frame)
    if came is None:
        return False, 0.0
    return (person == came) == (act.facts["approach"] == "actor"), clear


def _nearest(
    bodies: Posed, act: ActTruth, stated: frozenset[str], exchanges: Iterable[bool]
) -> tuple[float, int]:
    """Metres between the points of the nearest allowed contact at any time, and the frame."""
    best = (float("inf"), 0)
    for exchange in exchanges:
        for events in act.alternatives(stated):
            best = min(best, _of_events(bodies, events, exchange))
    return best


def _of_events(bodies: Posed, events: Events, exchange: bool) -> tuple[float, int]:
    courses = [
        contact_distances(bodies, exchanged(event) if exchange else event) for event in events
    ]
    return min((float(course.amin()), int(course.argmin())) for course in courses)


def _gesture(motion: Motion, family: str) -> gestures.Gesture | None:
    rules = {"wave": gestures.wave, "kick": gestures.kick, "bow": gestures.bow}
    return rules[family](motion.positions)
