"""What a family of interactions declares, and how one scene of it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from intermask.choreography.captions import read_grammar, write_captions
from intermask.choreography.dice import Dice
from intermask.choreography.scene import Caption, Part, ScenePlan
from intermask.choreography.staging import LONGEST, WIDEST, Stage
from intermask.errors import UserError

_ATTEMPTS = 100


@dataclass(frozen=True)
class Choice:
    """One fact of a scene, how often it has which value, and when it has one at all.

    The value "" means that there is nothing to tell, such as a speed that is neither slow nor
    quick.
    """

    name: str
    weights: Mapping[str, float]
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values of earlier facts that this fact needs."""
    needs: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """For single values: which values of earlier facts each of them needs."""
    alone: bool = False
    """Whether it only makes sense in a scene of one act: how the two came, where they go."""


SIDE = Choice("side", {"right": 0.6, "left": 0.4})
SPEED = Choice("speed", {"": 0.4, "slow": 0.3, "quick": 0.3})
APPROACH = Choice(
    "approach", {"actor": 0.35, "partner": 0.2, "both": 0.25, "none": 0.2}, alone=True
)
DISTANCE = Choice(
    "distance",
    {"": 0.4, "near": 0.3, "far": 0.3},
    {"approach": ("actor", "partner", "both")},
    alone=True,
)
AFTER = Choice("after", {"": 0.5, "leaves": 0.3, "apart": 0.2}, alone=True)


@dataclass(frozen=True)
class Family:
    """An interaction: its facts, and how it is staged.

    play: writes one act into a stage, given the values of all choices ("" where there is nothing
    to tell). openings: whether the act can begin a scene, or follow another, or both.
    """

    name: str
    choices: tuple[Choice, ...]
    play: Callable[[Stage, Mapping[str, str]], None]
    weight: float = 1.0
    places: frozenset[str] = frozenset({"first", "later"})
    """Where in a chain it may stand; empty: nowhere."""

    def decide(
        self, dice: Dice, fixed: Mapping[str, str] | None = None, chained: bool = False
    ) -> dict[str, str]:
        """Values of all choices.

        Args:
            fixed: values that are given, and that are not "". The others are what they would be
                without, but for those that a fixed value needs.
            chained: leave what only makes sense alone empty.

        Raises:
            UserError: a fixed fact or value that the family does not have.
        """
        fixed = fixed or {}
        self._check(fixed)
        implied = self._implied(fixed)
        values: dict[str, str] = {}
        for choice in self.choices:
            if choice.name in fixed:
                values[choice.name] = fixed[choice.name]
            elif _holds(choice.when, values) and not (chained and choice.alone):
                weights = {
                    value: weight
                    for value, weight in choice.weights.items()
                    if _holds(choice.needs.get(value, {}), values)
                    and value in implied.get(choice.name, choice.weights)
                }
                values[choice.name] = dice.weighted(choice.name, weights)
            else:
                values[choice.name] = ""
        return values

    def _implied(self, fixed: Mapping[str, str]) -> dict[str, set[str]]:
        """Values that earlier facts may have, where a fixed one needs it."""
        implied: dict[str, set[str]] = {}
        for choice in self.choices:
            value = fixed.get(choice.name)
            if value:
                for needed in (choice.when, choice.needs.get(value, {})):
                    for name, values in needed.items():
                        implied[name] = implied.get(name, set(values)) & set(values)
        return implied

    def _check(self, fixed: Mapping[str, str]) -> None:
        known = {choice.name: choice.weights for choice in self.choices}
        for name, value in fixed.items():
            if name not in known:
                raise UserError(
                    f"the family {self.name} has no fact {name!r}; it has {', '.join(known)}"
                )
            if value not in known[name]:
                values = ", ".join(repr(choice) for choice in known[name])
                raise UserError(f"{name} of {self.name} cannot be {value!r}; give one of {values}")

    def draw(
        self,
        generator: torch.Generator,
        fixed: Mapping[str, str] | None = None,
        wanted: frozenset[str] = frozenset(),
        held_out_shapes: bool = False,
    ) -> ScenePlan:
        """One scene.

        Draws from generators in the same state with another value of one fixed fact are a minimal
        pair: everything else that does not hang on that fact is the same.

        Args:
            fixed: facts that are given.
            wanted: facts that all three captions tell.
            held_out_shapes: use the sentence shapes that are kept from training.

        Raises:
            UserError: a fixed fact or value that the family does not have.
        """
        thrown = Dice.thrown(generator)
        for attempt in range(_ATTEMPTS):
            dice = thrown.under(attempt)
            actor = int(dice.share("actor") < 0.5)
            values = self.decide(dice.under("facts"), fixed)
            stage = Stage(dice.under("stage"), actor)
            part = self.stage_part(stage, dice.under("act"), actor, values)
            if stage.fits:
                break
        else:
            raise UserError(
                f"no scene of {self.name} with {dict(fixed or {})} keeps within {LONGEST:.0f} s "
                f"and {WIDEST:.0f} m; fix fewer facts"
            )
        captions = write_captions(
            read_grammar(self.name), part.facts, (actor, 1 - actor), dice.under("captions"),
            wanted, held_out_shapes,
        )  # fmt: skip
        return make_plan(self.name, stage, (part,), captions)

    def stage_part(self, stage: Stage, dice: Dice, actor: int, values: Mapping[str, str]) -> Part:
        """Write this act into a stage, after what is there."""
        start = stage.clock
        stage.begin_act(dice, actor, values.get("speed", ""))
        self.play(stage, values)
        return Part(self.name, start, stage.clock, actor, {n: v for n, v in values.items() if v})


def _holds(needed: Mapping[str, tuple[str, ...]], values: Mapping[str, str]) -> bool:
    return all(values.get(name) in allowed for name, allowed in needed.items())


def make_plan(
    name: str, stage: Stage, parts: tuple[Part, ...], captions: tuple[Caption, Caption, Caption]
) -> ScenePlan:
    """The finished scene of a stage."""
    seconds = stage.finish()
    return ScenePlan(
        name, seconds, stage.plans(), tuple(sorted(stage.contacts, key=lambda e: e.seconds)),
        tuple(stage.gazes), tuple(stage.leans), tuple(stage.dips), parts, captions,
    )  # fmt: skip
