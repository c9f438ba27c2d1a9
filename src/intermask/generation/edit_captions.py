"""What is said of a motion that is being edited: which sentence counts, and what is told after."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from intermask.errors import UserError
from intermask.motion import Caption, Motion


def sentence_for(given: Motion, prompt: str | None, seconds: float) -> str:
    """What is asked for, or else what the motion says of itself at a time."""
    text = given.caption
    if prompt is not None:
        text = prompt
    elif given.captions:
        text = min(given.captions, key=lambda each: _away(each, seconds)).text
    if not text.strip():
        raise UserError(
            "the motion has no caption that could be used again; say what happens in it"
            if prompt is None
            else "the prompt is empty; write what the two people do"
        )
    return text


def _away(caption: Caption, seconds: float) -> float:
    """Seconds from a time to the part that a caption is of."""
    return max(caption.start - seconds, seconds - caption.end, 0.0)


def edited_captions(
    captions: tuple[Caption, ...], ranges: Sequence[tuple[float, float]], prompt: str
) -> tuple[Caption, ...]:
    """Captions of parts, with the prompt in place of what they said of the ranges."""
    if not captions:
        return ()
    left = list(captions)
    for start, end in ranges:
        pieces = [
            piece
            for each in left
            for piece in (
                replace(each, end=min(each.end, start)),
                replace(each, start=max(each.start, end)),
            )
        ]
        left = [piece for piece in pieces if piece.end > piece.start]
    left += [Caption(prompt, start, end) for start, end in ranges]
    return tuple(sorted(left, key=lambda each: each.start))


def extended_captions(
    given: Motion, prompt: str, before: float, after: float
) -> tuple[Caption, ...]:
    """What is told of the parts of a motion that grew by seconds before and after.

    Empty where one sentence tells of all of it.
    """
    end = before + given.seconds
    inside = given.captions or (Caption(given.caption, 0.0, given.seconds),)
    moved = [replace(each, start=each.start + before, end=each.end + before) for each in inside]
    lead = [Caption(prompt, 0.0, before)] if before else []
    tail = [Caption(prompt, end, end + after)] if after else []
    told = tuple(each for each in (*lead, *moved, *tail) if each.text)
    return told if len({each.text for each in told}) > 1 else ()


_NUMBERED = re.compile(
    r"\b((?:person|dancer|fighter|actor|player|character)\s+#?)(1|2|one|two|a|b)\b"
    r"|\b(first|second)(?=\s+(?:person|dancer|fighter|actor|player|character|one)\b)",
    re.IGNORECASE,
)
_OTHER = {"1": "2", "one": "two", "a": "b", "first": "second"}
_OTHER |= {other: each for each, other in _OTHER.items()}


def swap_caption(caption: str) -> str:
    """A caption in which the people have exchanged their numbers: person 1 and person 2.

    Whoever is told apart without a number (one person, the other) may be either.
    """

    def exchanged(match: re.Match[str]) -> str:
        word = match[2] or match[3]
        other = _OTHER[word.lower()]
        if word.isupper():
            other = other.upper()
        elif word[0].isupper():
            other = other.capitalize()
        return f"{match[1] or ''}{other}"

    return _NUMBERED.sub(exchanged, caption)
