"""Whether the contacts that a sentence asks for happen in a motion, and when."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from intermask.adherence.truth import ActTruth, CaptionTruth, ClipTruth, exchanged
from intermask.choreography.overlay import contact_distances, posed_of
from intermask.choreography.scene import ContactEvent
from intermask.data.clip_motion import fitted_motion
from intermask.motion import FPS, Motion
from intermask.representation import decode_positions, decode_rotations
from intermask.solver.bodies import Posed

NEAR_M = 0.15
"""Metres within which a contact happens."""
WINDOW_SECONDS = 0.5
"""What a contact may be early or late against the clip of its caption."""
EARLY_SECONDS = 1.0
"""So long before its time it must not have happened."""


@dataclass(frozen=True)
class ContactOutcome:
    """What became of the contacts of one caption.

    Attributes:
        in_window: of every act, the contact happens in its window, and not a second before.
        any_time: of every act, it happens at some time.
        every_limb: as ``in_window``, with all limbs that touch at once in the clip.
        nearest: metres of the act that comes least near, in its window.
    """

    in_window: bool
    any_time: bool
    every_limb: bool
    nearest: float


def decoded_motion(features: Tensor) -> Motion:
    """Two people as decoded: places are left as they are, bones tell how joints are turned.

    Args:
        features: (2, t, 262) unnormalised.
    """
    return fitted_motion(decode_positions(features), decode_rotations(features))


def judge_contacts(motion: Motion, truth: ClipTruth, caption: CaptionTruth) -> ContactOutcome:
    """Whether a motion has the contacts of a caption.

    A caption does not say which of the two arrays its "one person" is, and training exchanges the
    people at random: the two may be in each other's place, but then in all acts of the clip.

    Args:
        motion: as long as the clip, whose windows count.
        truth: of the clip.
        caption: decides what may be otherwise than in the clip (`ActTruth.alternatives`).
    """
    bodies = posed_of(motion)
    ways = [_judge_as(bodies, truth, caption, exchange) for exchange in (False, True)]
    best = max(ways, key=lambda way: (way.in_window, way.any_time, -way.nearest))
    return ContactOutcome(
        in_window=best.in_window,
        any_time=any(way.any_time for way in ways),
        every_limb=any(way.every_limb for way in ways),
        nearest=best.nearest,
    )


def _judge_as(
    bodies: Posed, truth: ClipTruth, caption: CaptionTruth, exchange: bool
) -> ContactOutcome:
    outcomes = [
        _judge_act(bodies, act, caption.of_act(number, len(truth.acts)), exchange)
        for number, act in truth.touches
    ]
    return ContactOutcome(
        all(each.in_window for each in outcomes),
        all(each.any_time for each in outcomes),
        all(each.every_limb for each in outcomes),
        max((each.nearest for each in outcomes), default=0.0),
    )


def _judge_act(
    bodies: Posed, act: ActTruth, stated: frozenset[str], exchange: bool
) -> ContactOutcome:
    """The best of all forms that the caption allows."""
    together = all if act.takes_all(stated) else any
    outcomes = []
    for events in act.alternatives(stated):
        actual = [exchanged(event) for event in events] if exchange else events
        courses = [contact_distances(bodies, event) for event in actual]
        met = [
            _in_window(course, event, opens)
            for course, event, opens in zip(courses, actual, act.opens, strict=True)
        ]
        nearest = [_nearest(course, event) for course, event in zip(courses, actual, strict=True)]
        outcomes.append(
            ContactOutcome(
                together(met),
                together(bool((course <= NEAR_M).any()) for course in courses),
                all(met),
                max(nearest) if together is all else min(nearest),
            )
        )
    return ContactOutcome(
        any(each.in_window for each in outcomes),
        any(each.any_time for each in outcomes),
        any(each.every_limb for each in outcomes),
        min(each.nearest for each in outcomes),
    )


def _in_window(course: Tensor, event: ContactEvent, opens: bool) -> bool:
    before = round((event.seconds - EARLY_SECONDS) * FPS)
    if opens and 0 <= before < len(course) and float(course[before]) <= NEAR_M:
        return False
    return _nearest(course, event) <= NEAR_M


def _nearest(course: Tensor, event: ContactEvent) -> float:
    """Metres of the nearest frame of the window; of a motion that ends before, of its last."""
    first = round((event.seconds - WINDOW_SECONDS) * FPS)
    last = round((event.seconds + event.duration + WINDOW_SECONDS) * FPS)
    end = len(course) - 1
    return float(course[max(0, min(first, end)) : last + 1].amin())
