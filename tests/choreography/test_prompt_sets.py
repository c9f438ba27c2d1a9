"""Prompts that no grammar wrote: how many there are and what is expected of them."""

from __future__ import annotations

import re

import torch

from intermask.choreography.drawing import draw_scene
from intermask.choreography.families import FAMILIES
from intermask.choreography.prompt_sets import free_prompts, minimal_pairs, outside_prompts

FIELDS = ("side", "other_side", "actor", "turn")


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z']+", text.lower()))


def test_as_many_as_promised_and_all_different() -> None:
    prompts = [*free_prompts(), *outside_prompts()]
    assert len(free_prompts()) == 150 and len(outside_prompts()) == 50
    assert len({words(prompt.text) for prompt in prompts}) == 200
    assert len(minimal_pairs()) == 20


def test_expectations_name_what_the_families_have() -> None:
    for prompt in free_prompts():
        assert prompt.family == "chain" or (prompt.family,) == prompt.acts
        assert (prompt.family == "chain") == (len(prompt.acts) > 1)
        for act in prompt.acts:
            facts = {choice.name: choice.weights for choice in FAMILIES[act].choices}
            if prompt.speed:
                assert prompt.speed in facts["speed"]
            if prompt.side:
                assert prompt.side in facts["side"]
            if prompt.actor and act != "sneak":
                assert {"comes": "actor", "waits": "partner"}[prompt.actor] in facts["approach"]
            if prompt.turn:
                assert prompt.turn in facts["direction"]


def test_every_family_is_asked_for() -> None:
    asked = {act for prompt in free_prompts() for act in prompt.acts}
    assert asked == set(FAMILIES) - {"stand"}


def test_contacts_are_those_of_the_families() -> None:
    generator = torch.Generator().manual_seed(0)
    for prompt in free_prompts():
        if prompt.family == "chain":
            continue
        assert prompt.family is not None
        plan = FAMILIES[prompt.family].draw(generator, {"side": prompt.side} if prompt.side else {})
        assert bool(prompt.touches) == bool(plan.required_contacts)
        met = {
            frozenset((e.effector.split("_")[-1], e.joint.split("_")[-1]))
            for e in plan.required_contacts
        }
        for touch in prompt.touches:
            both = {frozenset((touch.effector, touch.joint)), frozenset((touch.effector, "elbow"))}
            assert both & met, (prompt, met)


def test_pairs_differ_in_one_expectation() -> None:
    for first, second in minimal_pairs():
        assert first.family == second.family
        different = [name for name in FIELDS if getattr(first, name) != getattr(second, name)]
        assert len(different) == 1, first
        assert first.touches == second.touches


def test_no_grammar_wrote_them() -> None:
    generator = torch.Generator().manual_seed(1)
    captions = {words(text) for _ in range(1500) for text in draw_scene(generator).captions}
    for prompt in (*free_prompts(), *outside_prompts()):
        assert words(prompt.text) not in captions, prompt.text
