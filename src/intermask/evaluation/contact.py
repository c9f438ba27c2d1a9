"""Whether named joints of two people touch, and whether a caption asks them to.

Contacts of joints, not of skin: a palm reaches some 9 cm beyond its wrist, and a joint lies some
10 cm deep in its body, so distances between joints that touch are stated, not zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import Tensor

from intermask.evaluation.collision import closest_joints
from intermask.skeleton import SMPL22

HAND_REACH = 0.20
"""Metres from a wrist to a joint of the partner whom the hand touches: a palm and some flesh."""

HANDS_JOINED = 0.25
"""Metres from wrist to wrist of two hands that hold each other: two palms, and some error."""

WRISTS = ("left_wrist", "right_wrist")
FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot")
TRUNK = ("spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
SHOULDERS = ("left_shoulder", "right_shoulder", "left_collar", "right_collar")


@dataclass(frozen=True)
class Contact:
    """Joints of one person near joints of the other, whichever of them is person 1."""

    name: str
    joints: tuple[str, ...]
    others: tuple[str, ...]
    distance: float
    """Metres."""
    words: str = ""
    """Regular expression of what captions say that ask for it."""


HANDS_ON_PARTNER = Contact("hands on partner", WRISTS, SMPL22.names, HAND_REACH)
"""A hand of one touches the other anywhere."""

_OTHER = r"(?:the other|another|each other|one another|the (?:first|second)|him|her|his|their)\b"

REQUIRED = (
    Contact(
        "hands joined",
        WRISTS,
        WRISTS,
        HANDS_JOINED,
        r"\b(?:shak(?:e|es|ing)|hold(?:s|ing)?|join(?:s|ing)?|clasp(?:s|ing)?) "
        r"(?:[\w']+ ){0,2}hands?\b"
        r"|\bhand in hand\b|\bhigh[- ]?fiv",
    ),
    Contact(
        "embrace", WRISTS, (*TRUNK, *SHOULDERS), HAND_REACH, r"\bhug(?:s|ging)?\b|\bembrac(?:e|ing)"
    ),
    Contact(
        "hand on shoulder or back",
        WRISTS,
        (*TRUNK, *SHOULDERS),
        HAND_REACH,
        r"\b(?:on|pats?|taps?|touch(?:es)?) (?:\w+ ){0,3}(?:shoulders?|back)\b",
    ),
    Contact(
        "hand strikes or holds",
        WRISTS,
        SMPL22.names,
        HAND_REACH,
        rf"\b(?:push|pull|grab|slap|punch|hit|lift|carr(?:y|ie)|pick)(?:s|es)? (?:up )?{_OTHER}",
    ),
    Contact("foot strikes", FEET, SMPL22.names, HAND_REACH, rf"\bkick(?:s|es)? {_OTHER}"),
)
"""Contacts that captions ask for, by plain words; what they word otherwise is not found."""


def contact_frames(positions: Tensor, contact: Contact) -> Tensor:
    """Frames (..., t) of positions (..., 2, t, 22, 3), metres, in which a contact is there."""
    joints, others = list(SMPL22.indices(*contact.joints)), list(SMPL22.indices(*contact.others))
    first, second = positions.unbind(-4)
    near = closest_joints(first[..., joints, :], second[..., others, :]) <= contact.distance
    return near | (
        closest_joints(second[..., joints, :], first[..., others, :]) <= contact.distance
    )


def contact_share(positions: Tensor, contact: Contact) -> Tensor:
    """Share of frames (...) in which a contact is there."""
    return contact_frames(positions, contact).double().mean(-1)


def required_contacts(caption: str) -> tuple[Contact, ...]:
    """Contacts that a caption asks for, of those in `REQUIRED`.

    "not" and "without" are not understood: look at the sentence before blaming a motion.
    """
    lowered = caption.lower()
    return tuple(contact for contact in REQUIRED if re.search(contact.words, lowered))
