"""Grammars are whole, and sentences are put together as English has it."""

from __future__ import annotations

import itertools
import re

import pytest

from intermask.choreography.captions import (
    Grammar,
    Naming,
    Shape,
    draw_shape,
    read_grammar,
    realise,
    repeated_words,
    sentence,
    tidy,
)
from intermask.choreography.dice import Dice
from intermask.choreography.families import FAMILIES

PLAIN = Grammar("plain", (), (), (), {"thing": ["a book"]}, {"side": {"word": {"left": "left"}}})


def said(text: str, stated: frozenset[str] = frozenset(), seed: int = 0, people=(0, 1)) -> str:  # type: ignore[no-untyped-def]
    dice = Dice(seed)
    words = realise(PLAIN, Shape("x", text), {"side": "left"}, stated, people, Naming(dice), dice)
    return sentence(words)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_shape_has_words_for_every_value(name: str) -> None:
    grammar, choices = read_grammar(name), FAMILIES[name].choices
    values = {choice.name: [value for value in choice.weights if value] for choice in choices}
    longest = max(map(len, values.values()))
    for shape in (*grammar.shapes, *grammar.held_out, *grammar.clauses):
        known = shape.options | (shape.always & grammar.facts.keys())
        assert known <= values.keys(), (shape.name, known - values.keys())
        for turn, seed in itertools.product(range(longest), range(4)):
            facts = {fact: each[turn % len(each)] for fact, each in values.items()}
            for stated in (known, frozenset(shape.always & known)):
                dice = Dice(seed)
                text = realise(grammar, shape, facts, stated, (0, 1), Naming(dice), dice)
                assert not re.search(r"[{}\[\]|<>]", text), (shape.name, text)
                assert not repeated_words(text), text


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_fact_can_be_told_and_left_out(name: str) -> None:
    grammar = read_grammar(name)
    facts = {choice.name for choice in FAMILIES[name].choices}
    for kind in (grammar.shapes, grammar.held_out):
        told = {fact for shape in kind for fact in shape.options | shape.always}
        assert facts <= told, facts - told
    assert any(not shape.always & grammar.facts.keys() for shape in grammar.shapes)


def test_shapes_are_all_different() -> None:
    for name in FAMILIES:
        grammar = read_grammar(name)
        texts = [shape.text for shape in (*grammar.shapes, *grammar.held_out, *grammar.clauses)]
        assert len(set(texts)) == len(texts)


def test_brackets_tell_or_leave_out() -> None:
    assert said("they wave[side: the {side} hand| a hand]", frozenset({"side"})).endswith(
        " wave the left hand."
    )
    assert said("they wave[side: the {side} hand| a hand]").endswith(" wave a hand.")
    assert said("hold {thing}") == "Hold a book."


def test_who_comes_up_first_is_one_person() -> None:
    texts = {said("{A} waves. {B} nods. {A} leaves", seed=seed) for seed in range(40)}
    assert "One person waves. The other nods. The first person leaves." in texts
    assert not any("another person nods" in text.lower() for text in texts)
    assert texts == {said("{B} waves. {A} nods. {B} leaves", seed=seed) for seed in range(40)}


def test_both_are_two_people_first_and_they_later() -> None:
    text = said("{they} meet. {they} wave")
    assert re.match(r"(Two|The two|Both) people meet\. (They|The two|Both of them) wave\.", text)


def test_spaces_commas_and_articles() -> None:
    assert tidy("a  unhurried wave , then") == "an unhurried wave, then"
    assert tidy("a one-handed wave") == "a one-handed wave"
    assert sentence("they wave. then they bow") == "They wave. Then they bow."


def test_what_is_told_does_not_hang_on_the_shape() -> None:
    grammar = read_grammar("handshake")
    facts = {"side": "left", "count": "2"}
    for seed in range(50):
        tell = frozenset(("side", "count"))
        shape, stated = draw_shape(grammar, grammar.shapes, facts, tell, Dice(seed))
        assert stated == tell
        assert tell <= shape.options


def test_more_than_a_shape_can_tell_is_dropped_but_never_what_is_wanted() -> None:
    shapes = (Shape("a", "they wave[side: {side}]"), Shape("b", "they wave"))
    for seed in range(20):
        shape, stated = draw_shape(
            PLAIN, shapes, {"side": "left", "count": "2"}, frozenset(("side", "count")),
            Dice(seed), frozenset(("side",)),
        )  # fmt: skip
        assert shape.name == "a" and stated == {"side"}
