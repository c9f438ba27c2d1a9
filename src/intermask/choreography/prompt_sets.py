"""Prompts that no grammar wrote, and what is to be expected of a motion made from each.

How they were written is told in ``prompts/README.md``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Touch:
    """Joints that have to meet, without their sides: ``wrist`` on ``collar``."""

    effector: str
    joint: str


@dataclass(frozen=True)
class Prompt:
    """A prompt and what it asks for; None and 0 where it leaves something open."""

    text: str
    family: str | None
    """One of the sixteen, ``chain``, or None: nothing that the dataset shows."""
    acts: tuple[str, ...] = ()
    touches: tuple[Touch, ...] = ()
    """Contacts that have to happen, one for each act that needs any, in this order."""
    side: str | None = None
    other_side: str | None = None
    actor: str | None = None
    """``comes`` or ``waits``."""
    turn: str | None = None
    count: int = 0
    speed: str | None = None
    pair: str | None = None
    """Name of the minimal pair."""


@cache
def free_prompts() -> tuple[Prompt, ...]:
    """150 prompts about what the dataset shows, 40 of them in 20 minimal pairs."""
    table = tomllib.loads(_text("free.toml"))
    contacts = {family: Touch(**row) for family, row in table["contacts"].items()}
    prompts = []
    for row in table["prompts"]:
        acts = tuple(row.pop("acts", (row["family"],)))
        touches = tuple(contacts[act] for act in acts if act in contacts)
        prompts.append(Prompt(**row, acts=acts, touches=touches))
    return tuple(prompts)


@cache
def outside_prompts() -> tuple[Prompt, ...]:
    """50 prompts about what the dataset does not show: both people are to stand and live."""
    return tuple(Prompt(text, None) for text in tomllib.loads(_text("outside.toml"))["prompts"])


def minimal_pairs() -> tuple[tuple[Prompt, Prompt], ...]:
    """The pairs of `free_prompts`."""
    names = dict.fromkeys(prompt.pair for prompt in free_prompts() if prompt.pair)
    pairs = []
    for name in names:
        first, second = (prompt for prompt in free_prompts() if prompt.pair == name)
        pairs.append((first, second))
    return tuple(pairs)


def _text(name: str) -> str:
    return files("intermask.choreography").joinpath("prompts", name).read_text("utf-8")
