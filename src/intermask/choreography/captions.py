"""Sentences from grammars that are data: `grammar/FAMILY.toml` and `grammar/common.toml`.

A shape is a sentence with slots:

- ``{A}`` and ``{B}`` are the actor and the partner, ``{A's}`` and ``{B's}`` the same as owners,
  ``{they}`` both. Who is named first is "one person" or the like, who is named again "the first
  person"; so shapes may be joined to a story about the same two people.
- ``[fact: words | other words]`` stands for the words if that fact is told, else for the others
  (or nothing). ``{fact}`` and ``{fact.form}`` inside are looked up under ``facts.FACT.FORM`` by the
  fact's value. Outside of brackets they make the shape tell the fact always.
- ``{slot}`` is one of the alternatives under ``slots``.
- ``<name>`` is put in from ``macros`` before anything else is read.

Every fact of a scene is told with probability one half, whatever the shape: first it is decided
what to tell, then a shape is drawn that can tell it. One caption in ten tells no fact.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from itertools import pairwise
from typing import Any

from intermask.choreography.dice import Dice
from intermask.choreography.scene import Caption

_BRACKET = re.compile(r"\[([a-z_]+):([^\[\]|]*)(?:\|([^\[\]]*))?\]")
_SLOT = re.compile(r"\{([^{}]+)\}")
_MACRO = re.compile(r"<([a-z_]+)>")
_PEOPLE = ("A", "B", "A's", "B's", "they")

PLAIN_SHARE = 0.1
"""Share of captions that tell no fact at all."""

_ALTERNATIVES = 12
"""How many synonyms are looked through at most; more never differ in what they tell."""


@dataclass(frozen=True)
class Shape:
    """A sentence with slots, and what it can tell."""

    name: str
    text: str

    @cached_property
    def options(self) -> frozenset[str]:
        """Facts that it may tell or leave out."""
        return frozenset(match[1] for match in _BRACKET.finditer(self.text))

    @cached_property
    def always(self) -> frozenset[str]:
        """Slots outside of brackets, facts among them."""
        bare = _BRACKET.sub("", self.text)
        return frozenset(match[1].partition(".")[0] for match in _SLOT.finditer(bare))


@dataclass(frozen=True)
class Grammar:
    """Everything that is said about one family.

    shapes: whole captions. held_out: captions of shapes that no training clip has. clauses: what
    can be joined to chains.
    """

    family: str
    shapes: tuple[Shape, ...]
    held_out: tuple[Shape, ...]
    clauses: tuple[Shape, ...]
    slots: Mapping[str, Sequence[str]]
    facts: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]
    """fact -> form -> value -> alternatives; the form of a bare ``{fact}`` is ``word``."""


@cache
def read_grammar(family: str) -> Grammar:
    """The grammar of a family that ships with the package, with the common words in it."""
    common, own = _table("common"), _table(family)
    facts = {
        fact: {**common["facts"].get(fact, {}), **own.get("facts", {}).get(fact, {})}
        for fact in {**common["facts"], **own.get("facts", {})}
    }
    macros = {**common["macros"], **own.get("macros", {})}
    return Grammar(
        family,
        _shapes(family, own["shapes"], macros),
        _shapes(f"{family}.held_out", own["held_out"], macros),
        _shapes(f"{family}.clause", own["clauses"], macros),
        own.get("slots", {}),
        facts,
    )


def read_joints() -> Mapping[str, Sequence[Shape]]:
    """How clauses are joined to chains: shapes of ``two`` and ``three``, and those held out."""
    return {name: _shapes(f"chain.{name}", texts, {}) for name, texts in _table("chain").items()}


def _table(name: str) -> dict[str, Any]:
    source = files("intermask.choreography").joinpath("grammar", f"{name}.toml")
    return tomllib.loads(source.read_text("utf-8"))


def _shapes(name: str, texts: Sequence[str], macros: Mapping[str, str]) -> tuple[Shape, ...]:
    return tuple(
        Shape(f"{name}.{number}", _MACRO.sub(lambda match: macros[match[1]], text))
        for number, text in enumerate(texts, 1)
    )


@dataclass
class Naming:
    """How the two people of one caption are called, in the order in which they come up."""

    dice: Dice
    order: list[int] = field(default_factory=list)
    both: bool = False
    """Whether the two have been named together."""
    sentences: int = 0
    """How many sentences or clauses have gone before the present one."""

    _SCHEMES = (
        (("one person", "the first person"), ("the other", "the other")),
        (("one person", "the first person"), ("the other person", "the other person")),
        (("one person", "the first one"), ("the other", "the other one")),
        (("a person", "the first person"), ("another person", "the other person")),
        (("someone", "the first person"), ("another person", "the other person")),
        (("one of two people", "the first"), ("the other", "the other")),
        (("the first person", "the first person"), ("the second person", "the second person")),
    )
    _TOGETHER = ("two people", "two people", "two people", "the two people", "both people")

    def named(self, person: int) -> str:
        """The name of a person at this place of the text."""
        known = person in self.order
        if not known:
            self.order.append(person)
        schemes = self._SCHEMES[:3] if self.both else self._SCHEMES
        scheme = self.dice.one_of("scheme", schemes)
        if not known and len(self.order) == 2 and self.sentences:
            # "Another person" would be a third one in a sentence of its own.
            return scheme[1][1]
        return scheme[self.order.index(person)][1 if known else 0]

    def together(self) -> str:
        """The name of both."""
        if self.order or self.both:
            return self.dice.one_of("they", ("they", "the two", "both of them", "they"))
        self.both = True
        return self.dice.one_of("together", self._TOGETHER)


def realise(
    grammar: Grammar,
    shape: Shape,
    facts: Mapping[str, str],
    stated: frozenset[str],
    people: tuple[int, int],
    naming: Naming,
    dice: Dice,
) -> str:
    """Words of a shape, without a capital letter or a full stop.

    Args:
        people: actor and partner.
    """

    earlier = naming.sentences

    def choose_option(match: re.Match[str]) -> str:
        return match[2] if match[1] in stated else (match[3] or "")

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name in _PEOPLE:
            naming.sentences = earlier + match.string.count(". ", 0, match.start())
            if name == "they":
                return naming.together()
            word = naming.named(people[0 if name[0] == "A" else 1])
            return _owner(word) if name.endswith("'s") else word
        return _words(grammar, name, facts, dice)

    text = _BRACKET.sub(choose_option, shape.text)
    # Words of a slot may have slots of their own, of people above all.
    for _ in range(3):
        if not _SLOT.search(text):
            break
        text = _expand(text, grammar, facts, dice)
    text = _SLOT.sub(fill, text)
    naming.sentences = earlier + 1
    return tidy(text)


def _expand(text: str, grammar: Grammar, facts: Mapping[str, str], dice: Dice) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[1] in _PEOPLE:
            return match[0]
        return _words(grammar, match[1], facts, dice)

    return _SLOT.sub(fill, text)


def _words(grammar: Grammar, name: str, facts: Mapping[str, str], dice: Dice) -> str:
    fact, _, form = name.partition(".")
    if fact in grammar.facts:
        choices = grammar.facts[fact][form or "word"][facts[fact]]
    else:
        choices = grammar.slots[name]
    if isinstance(choices, str):
        return choices
    return choices[int(dice.share(f"word {name}") * _ALTERNATIVES) * len(choices) // _ALTERNATIVES]


def _owner(word: str) -> str:
    return f"{word.replace('one of two people', 'one person')}'s"


def tidy(text: str) -> str:
    """Spaces and commas where they belong, and "an" before a vowel."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ([,.;])", r"\1", text)
    text = re.sub(r",+(?=[,.;])", "", text)
    text = re.sub(r"\b([Aa]) (?=(?!one\b)[aeiou])", r"\1n ", text)
    return text.strip()


def sentence(text: str) -> str:
    """Text with capital letters after full stops and a full stop at its end."""
    text = tidy(text)
    if not text.endswith("."):
        text += "."
    return re.sub(r"(?:^|(?<=\. ))[a-z]", lambda match: match[0].upper(), text)


def told(facts: Mapping[str, str], dice: Dice, wanted: frozenset[str]) -> frozenset[str]:
    """Which of the facts a caption tells: each with probability one half, and what is wanted.

    Some captions tell nothing beyond what is done, as people often do.
    """
    if dice.share("plain") < PLAIN_SHARE:
        return wanted
    told_share = 0.5 / (1 - PLAIN_SHARE)
    return wanted | {name for name in facts if dice.share(f"tell {name}") < told_share}


def eligible(shapes: Sequence[Shape], facts: Mapping[str, str], tell: frozenset[str],
             known: frozenset[str]) -> list[Shape]:  # fmt: skip
    """Shapes that can tell all of it and need tell nothing else.

    Args:
        known: all facts of the grammar: a shape that always tells one that is not to be told, or
            that the scene does not have, is out.
    """
    return [
        shape
        for shape in shapes
        if tell <= shape.options | shape.always and (shape.always & known) <= tell
    ]


def draw_shape(
    grammar: Grammar,
    shapes: Sequence[Shape],
    facts: Mapping[str, str],
    tell: frozenset[str],
    dice: Dice,
    wanted: frozenset[str] = frozenset(),
) -> tuple[Shape, frozenset[str]]:
    """A shape, and the facts it tells: ``tell``, or as much of it as a shape can tell."""
    known = frozenset(grammar.facts)
    drop = dice.shuffled("drop", sorted(tell - wanted)) + dice.shuffled("drop", sorted(wanted))
    for count in range(len(drop) + 1):
        rest = tell - set(drop[:count])
        fitting = eligible(shapes, facts, rest, known)
        if fitting:
            # A shape that could tell much more is rather left to those who do.
            weights = {shape: 1 / (1 + len((shape.options & facts.keys()) - rest))
                       for shape in fitting}  # fmt: skip
            return dice.weighted("shape", weights), rest
    raise ValueError(
        f"the grammar of {grammar.family} has no shape that tells no fact; add one without {{fact}}"
    )


def write_captions(
    grammar: Grammar,
    facts: Mapping[str, str],
    people: tuple[int, int],
    dice: Dice,
    wanted: frozenset[str] = frozenset(),
    held_out: bool = False,
) -> tuple[Caption, Caption, Caption]:
    """Three captions of different shapes about one act.

    Args:
        people: actor and partner.
        wanted: facts that every caption tells.
        held_out: draw from the shapes that training never sees.
    """
    left = list(grammar.held_out if held_out else grammar.shapes)
    captions: list[Caption] = []
    for number in range(3):
        own = dice.under(number)
        shape, stated = draw_shape(grammar, left, facts, told(facts, own, wanted), own, wanted)
        if len(left) > 1:
            left.remove(shape)
        text = realise(grammar, shape, facts, stated, people, Naming(own), own)
        captions.append(Caption(sentence(text), shape.name, stated))
    first, second, third = captions
    return first, second, third


def repeated_words(text: str) -> list[str]:
    """Words that stand twice in a row in one sentence."""
    sentences = (re.findall(r"[a-z']+", part) for part in text.lower().split(". "))
    return [first for words in sentences for first, second in pairwise(words) if first == second]
