"""What scenes are for, and that nothing that is held out is trained on."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from intermask.choreography.drawing import is_held_out
from intermask.choreography.splits import (
    CYCLE,
    PURPOSES,
    Drawn,
    check_families,
    draw,
    generator_of,
    role_of,
)
from intermask.errors import UserError


def drawn(number: int, families: tuple[str, ...] | None = None, seed: int = 0) -> Drawn:
    return draw(generator_of(seed, number), role_of(number, families), families)


def test_a_cycle_has_every_purpose_and_is_mostly_training() -> None:
    clips = Counter[str]()
    for number in range(CYCLE):
        clips[role_of(number).split] += role_of(number).clips
    assert set(clips) == set(PURPOSES)
    assert clips["train"] > 0.8 * clips.total()
    assert any(role_of(number).paired for number in range(20))
    assert {role_of(number).split for number in range(10)} >= {"train", "val", "test"}


def test_a_scene_is_the_same_every_time_and_another_for_another_seed() -> None:
    assert drawn(17).plans == drawn(17).plans
    assert drawn(17).plans != drawn(17, seed=1).plans
    states = [tuple(generator_of(0, number).get_state().tolist()) for number in range(50)]
    assert len(set(states)) == 50


def test_only_the_test_of_combinations_has_held_out_ones() -> None:
    for number in range(2 * CYCLE):
        found = drawn(number)
        if found.role.split == "test_combinations":
            (plan,) = found.plans
            assert is_held_out(plan)
            told = [caption.stated for caption in plan.wordings]
            assert all(len(stated) >= 2 for stated in told)
        else:
            assert not any(is_held_out(plan) for plan in found.plans)


def test_held_out_shapes_are_told_in_their_test_only() -> None:
    for number in range(CYCLE):
        found = drawn(number)
        shapes = [caption.shape for plan in found.plans for caption in plan.wordings]
        assert all("held_out" in shape for shape in shapes) == (
            found.role.split == "test_shapes"
        ), shapes


def test_a_pair_differs_in_its_fact_alone() -> None:
    numbers = [number for number in range(CYCLE) if role_of(number).paired]
    assert numbers
    for number in numbers:
        found = drawn(number)
        first, second = (dict(plan.facts) for plan in found.plans)
        assert first.pop(found.fact) != second.pop(found.fact)
        assert first == second


def test_only_the_families_that_were_asked_for() -> None:
    for number in range(CYCLE):
        for plan in drawn(number, ("hug", "stand")).plans:
            assert plan.family in ("hug", "stand")
    # Two people who stand have nothing to hold out, and nothing to turn round.
    assert {role_of(number, ("stand",)).split for number in range(CYCLE)} == {
        "train", "val", "test", "test_shapes",
    }  # fmt: skip
    assert all(role_of(number, ("stand",)).clips == 1 for number in range(CYCLE))


def test_families_that_do_not_exist() -> None:
    check_families(["hug"])
    with pytest.raises(UserError, match="unknown is tango"):
        check_families(["hug", "tango"])
    with pytest.raises(UserError, match="families given: none"):
        check_families([])


def test_drawing_leaves_the_common_randomness_alone() -> None:
    before = torch.get_rng_state()
    drawn(5)
    assert bool((before == torch.get_rng_state()).all())
