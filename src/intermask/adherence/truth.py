"""What a clip of the open dataset is known to show, read from its ``ground_truth/NAME.json``.

Of every act the contacts that come first count: an act that has happened has had them, and what
follows (a second pat, a third clap) hangs on their timing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from intermask.choreography.gate import begins_series
from intermask.choreography.scene import ContactEvent
from intermask.errors import UserError

TOGETHER_SECONDS = 0.4
"""Contacts of an act that begin within this time of its first one begin together."""

PARTNER_SIDES = {
    "pat": "shoulder",
    "sneak": "shoulder",
    "hand_over": "other_side",
    "help_up": "other_side",
    "lead": "other_side",
    "grab": "other_side",
    "punch": "block",
}
"""The fact that says which side of the partner's body is met. In other families that follows from
the actor's side: right hands shake right hands."""

_OTHER = {"left": "right", "right": "left"}

Events = tuple[ContactEvent, ...]


@dataclass(frozen=True)
class ActTruth:
    """One act: its facts, and the contacts with which it begins."""

    family: str
    actor: int
    facts: Mapping[str, str]
    contacts: Events
    """One for each limb that touches; empty for an act without contact."""
    opens: tuple[bool, ...]
    """Of each contact, whether the same limbs have not just met before (`gate.begins_series`)."""

    def alternatives(self, stated: frozenset[str]) -> Iterator[Events]:
        """The contacts in every form that a caption allows.

        What the caption does not state may be otherwise: the side of either person, whether a push
        comes from the front, whether a wrist or an arm is grabbed.

        Args:
            stated: facts of this act that the caption tells.
        """
        for turned in self._turned(stated):
            yield turned
            if self.family == "push" and "way" not in stated:
                yield tuple(_from_behind(event) for event in turned)
            if self.family == "grab" and "where" not in stated:
                yield tuple(_elsewhere_on_the_arm(event) for event in turned)

    def with_other(self, fact: str) -> ActTruth:
        """The same act with another side of one person, as its minimal pair has it."""
        partner = PARTNER_SIDES.get(self.family)
        if fact == partner:
            sides = frozenset({1 - self.actor})
        elif partner is None:
            sides = frozenset({0, 1})
        else:
            sides = frozenset({self.actor})
        return replace(self, contacts=tuple(mirrored(event, sides) for event in self.contacts))

    def takes_all(self, stated: frozenset[str]) -> bool:
        """Whether a caption asks for all of the contacts: it says that both hands are used."""
        return "hands" in stated and self.facts.get("hands") == "both"

    def _turned(self, stated: frozenset[str]) -> Iterator[Events]:
        actor, partner = self.actor, 1 - self.actor
        own = "side" in self.facts and "side" not in stated
        name = PARTNER_SIDES.get(self.family)
        if name is None:
            choices = [frozenset[int]()] + [frozenset({0, 1})] * own
        else:
            other = name in self.facts and name not in stated
            flips = product(
                (False, True) if own else (False,), (False, True) if other else (False,)
            )
            choices = [
                frozenset({actor} if mine else ()) | frozenset({partner} if theirs else ())
                for mine, theirs in flips
            ]
        for sides in choices:
            yield tuple(mirrored(event, sides) for event in self.contacts)


@dataclass(frozen=True)
class CaptionTruth:
    """A sentence and the facts that it states; of the second act of a chain ``2.side``."""

    text: str
    stated: frozenset[str]

    def of_act(self, number: int, acts: int) -> frozenset[str]:
        """Facts that it states of the act with this number, from 0."""
        if acts == 1:
            return self.stated
        prefix = f"{number + 1}."
        return frozenset(
            name.removeprefix(prefix) for name in self.stated if name.startswith(prefix)
        )


@dataclass(frozen=True)
class ClipTruth:
    """All that is known about a clip."""

    name: str
    family: str
    split: str
    acts: tuple[ActTruth, ...]
    captions: tuple[CaptionTruth, ...]
    pair_fact: str = ""
    """Of a minimal pair, what differs."""
    pair_other: str = ""
    """Of a minimal pair, the other clip."""

    @property
    def touches(self) -> tuple[tuple[int, ActTruth], ...]:
        """Acts with a contact, and their numbers from 0."""
        return tuple((number, act) for number, act in enumerate(self.acts) if act.contacts)


def read_truth(root: Path, name: str) -> ClipTruth | None:
    """The ground truth of a clip; None for clips that came from a source folder.

    Raises:
        UserError: a file that `data make open` did not write.
    """
    path = root / "ground_truth" / f"{name}.json"
    if not path.is_file():
        return None
    try:
        return truth_of(json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no ground truth of the open dataset ({error!r}); make the dataset again "
            "with `intermask data make open`"
        ) from error


def truth_of(content: Mapping[str, Any]) -> ClipTruth:
    """The truth of a clip from what `making.make_draw` wrote about it."""
    events = tuple(_event(row) for row in content["contacts"])
    parts = content["parts"]
    acts = []
    for number, part in enumerate(parts):
        end = parts[number + 1]["start"] if number + 1 < len(parts) else float("inf")
        start = part["start"] if number else float("-inf")
        own = _first_contacts([event for event in events if start <= event.seconds < end])
        opens = tuple(begins_series(events, event) for event in own)
        acts.append(ActTruth(part["family"], part["actor"], part["facts"], own, opens))
    captions = tuple(
        CaptionTruth(row["text"], frozenset(row["stated"])) for row in content["captions"]
    )
    pair = content.get("pair", {})
    return ClipTruth(
        content["name"], content["family"], content.get("split", ""), tuple(acts), captions,
        pair.get("fact", ""), pair.get("other", ""),
    )  # fmt: skip


def mirrored(event: ContactEvent, people: frozenset[int]) -> ContactEvent:
    """A contact with the limbs and the touched points of some people on their other side."""
    if event.actor in people:
        event = replace(
            event,
            effector=_other_side(event.effector),
            effector_offset=_across(event.effector_offset),
        )
    if event.target in people:
        event = replace(event, joint=_other_side(event.joint), offset=_across(event.offset))
    return event


def exchanged(event: ContactEvent) -> ContactEvent:
    """A contact with the two people in each other's place."""
    return replace(event, actor=1 - event.actor, target=1 - event.target)


def _event(row: Mapping[str, Any]) -> ContactEvent:
    points = {key: tuple(row[key]) for key in ("offset", "effector_offset")}
    return ContactEvent(**{**row, **points})


def _first_contacts(events: Sequence[ContactEvent]) -> Events:
    """Of every limb the first contact, of those that begin together with the very first."""
    firsts: dict[tuple[int, str], ContactEvent] = {}
    for event in sorted(events, key=lambda each: each.seconds):
        firsts.setdefault((event.actor, event.effector), event)
    together = list(firsts.values())
    return tuple(
        event for event in together if event.seconds - together[0].seconds <= TOGETHER_SECONDS
    )


def _other_side(joint: str) -> str:
    side, _, name = joint.partition("_")
    return f"{_OTHER[side]}_{name}" if side in _OTHER else joint


def _across(point: tuple[float, float, float]) -> tuple[float, float, float]:
    return -point[0], point[1], point[2]


def _from_behind(event: ContactEvent) -> ContactEvent:
    """On the back instead of the chest, or the other way round, and seen so on the other side."""
    return replace(event, offset=(-event.offset[0], event.offset[1], -event.offset[2]))


def _elsewhere_on_the_arm(event: ContactEvent) -> ContactEvent:
    """At the wrist instead of the elbow, or the other way round."""
    side, _, name = event.joint.partition("_")
    other = "elbow" if name == "wrist" else "wrist"
    return replace(event, joint=f"{side}_{other}", offset=(0.0, 0.0, 0.0))
