"""Draws of the whole dataset: which family, alone or in a chain, and what is kept from training."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch

from intermask.choreography.chain import draw_chain
from intermask.choreography.dice import Dice
from intermask.choreography.families import FAMILIES, INTERACTIONS, STANDING
from intermask.choreography.family import Family
from intermask.choreography.scene import ScenePlan

STANDING_SHARE = 0.06
"""Share of scenes in which two people only stand or talk."""

CHAIN_SHARE = 1 / 3
"""Share of scenes of two or three acts."""

_ATTEMPTS = 1000

# Facts with two values that change one visible thing.
_PAIR_FACTS = ("side", "answer_side", "shoulder", "other_side", "approach", "direction", "dodge",
               "block", "turn", "speed", "height", "depth", "strength", "length")  # fmt: skip
_OPPOSITES = {"left": "right", "clockwise": "counterclockwise", "slow": "quick", "low": "high",
              "slight": "deep", "light": "hard", "brief": "long", "actor": "partner",
              "head": "body"}  # fmt: skip


@dataclass(frozen=True)
class Combination:
    """Facts of a family that do not come together in training."""

    family: str
    facts: Mapping[str, str]

    def is_in(self, plan: ScenePlan) -> bool:
        """Whether an act of a scene has all of them."""
        return any(
            part.family == self.family and self.facts.items() <= part.facts.items()
            for part in plan.parts
        )


@dataclass(frozen=True)
class MinimalPair:
    """Two scenes that differ in one fact, which all of their captions tell."""

    fact: str
    first: ScenePlan
    second: ScenePlan

    @property
    def is_minimal(self) -> bool:
        """Whether nothing else is another, and every caption can be told from its counterpart.

        A scene that would be too long with one of the values is drawn anew, with other facts; and
        who comes to whom cannot be told where a caption names the two together.
        """
        others = [
            {name: value for name, value in plan.facts.items() if name != self.fact}
            for plan in (self.first, self.second)
        ]
        texts = zip(self.first.captions, self.second.captions, strict=True)
        return others[0] == others[1] and all(one != other for one, other in texts)


@cache
def held_out_combinations() -> tuple[Combination, ...]:
    """The combinations that training never sees."""
    text = files("intermask.choreography").joinpath("held_out.toml").read_text("utf-8")
    return tuple(
        Combination(row["family"], row["facts"]) for row in tomllib.loads(text)["combinations"]
    )


def is_held_out(plan: ScenePlan) -> bool:
    """Whether a scene has a combination that training never sees."""
    return any(combination.is_in(plan) for combination in held_out_combinations())


def draw_scene(generator: torch.Generator, held_out_shapes: bool = False) -> ScenePlan:
    """One scene of the dataset, the same for the same state of the generator.

    Args:
        held_out_shapes: use the sentence shapes that are kept from training.
    """
    dice = Dice.thrown(generator)
    kind = dice.share("kind")
    if kind < STANDING_SHARE:
        return STANDING.draw(generator, held_out_shapes=held_out_shapes)
    if kind < STANDING_SHARE + CHAIN_SHARE:
        return draw_chain(generator, held_out_shapes)
    name = dice.weighted("family", {family.name: family.weight for family in INTERACTIONS})
    return FAMILIES[name].draw(generator, held_out_shapes=held_out_shapes)


def pair_facts(family: Family) -> dict[str, tuple[str, str]]:
    """Facts of a family that a minimal pair may turn round, and the two values."""
    pairs = {}
    for choice in family.choices:
        if choice.name in _PAIR_FACTS:
            for value, opposite in _OPPOSITES.items():
                if value in choice.weights and opposite in choice.weights:
                    pairs[choice.name] = (value, opposite)
    return pairs


def draw_pair(
    generator: torch.Generator, family: str | None = None, fact: str | None = None
) -> MinimalPair:
    """Two scenes that are the same but for one fact: what hangs on it is the other way round.

    Args:
        family: None: any of the sixteen.
        fact: None: any that has an opposite, and that the scene has.
    """
    dice = Dice.thrown(generator)
    chosen = FAMILIES[family] if family else dice.one_of("family", INTERACTIONS)
    pairs = pair_facts(chosen)
    name = fact or dice.one_of("fact", sorted(pairs))
    for _ in range(_ATTEMPTS):
        state = generator.get_state()
        scenes = []
        for value in pairs[name]:
            generator.set_state(state)
            scenes.append(chosen.draw(generator, {name: value}, frozenset({name})))
        pair = MinimalPair(name, scenes[0], scenes[1])
        if pair.is_minimal:
            return pair
    raise RuntimeError(f"no two scenes of {chosen.name} that differ in {name} alone were found")
