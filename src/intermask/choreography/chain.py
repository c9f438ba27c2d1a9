"""Two or three acts in a row, told in one caption."""

from __future__ import annotations

import re

import torch

from intermask.choreography.captions import (
    Naming,
    draw_shape,
    read_grammar,
    read_joints,
    realise,
    sentence,
    told,
)
from intermask.choreography.dice import Dice
from intermask.choreography.families import FAMILIES, INTERACTIONS
from intermask.choreography.family import Family, make_plan
from intermask.choreography.scene import Caption, Part, ScenePlan
from intermask.choreography.staging import Stage

_THREE = 0.3
_SAME_ACTOR = 0.6
_ATTEMPTS = 200


def draw_chain(generator: torch.Generator, held_out_shapes: bool = False) -> ScenePlan:
    """A scene of two or three different acts, of ten seconds at most.

    Args:
        held_out_shapes: join the acts as no caption of the training clips does.
    """
    dice = Dice.thrown(generator)
    count = 3 if dice.share("three") < _THREE else 2
    for attempt in range(_ATTEMPTS):
        own = dice.under(attempt)
        stage, parts = _play(own, _families(own, count))
        if stage.fits:
            return make_plan("chain", stage, parts, _captions(parts, own, held_out_shapes))
    raise RuntimeError(f"no chain that keeps within time and room in {_ATTEMPTS} attempts")


def _families(dice: Dice, count: int) -> list[Family]:
    chosen: list[Family] = []
    for number in range(count):
        place = "first" if number == 0 else "later"
        weights = {
            family.name: family.weight
            for family in INTERACTIONS
            if place in family.places and family not in chosen
        }
        chosen.append(FAMILIES[dice.weighted(f"family {number}", weights)])
    return chosen


def _play(dice: Dice, families: list[Family]) -> tuple[Stage, tuple[Part, ...]]:
    actor = int(dice.share("actor") < 0.5)
    stage = Stage(dice.under("stage"), actor)
    parts = []
    for number, family in enumerate(families):
        if number and dice.share(f"same {number}") >= _SAME_ACTOR:
            actor = 1 - actor
        own = dice.under(f"act {number}")
        values = family.decide(own.under("facts"), chained=True)
        if number == 0 and "approach" in values:
            # Somebody may come for the first act, but chains do not tell of it.
            approach = own.one_of("approach", ("actor", "none", "none"))
            part = family.stage_part(stage, own, actor, {**values, "approach": approach})
            facts = {name: value for name, value in values.items() if value}
            part = Part(part.family, part.start, part.end, part.actor, facts)
        else:
            part = family.stage_part(stage, own, actor, values)
        parts.append(part)
    return stage, tuple(parts)


def _captions(
    parts: tuple[Part, ...], dice: Dice, held_out: bool
) -> tuple[Caption, Caption, Caption]:
    kind = {2: "two", 3: "three"}[len(parts)] + ("_held_out" if held_out else "")
    joints = list(read_joints()[kind])
    captions = []
    for number in range(3):
        own = dice.under(f"caption {number}")
        joint = own.one_of("joint", joints)
        if len(joints) > 1:
            joints.remove(joint)
        captions.append(_tell(parts, joint.text, joint.name, own))
    first, second, third = captions
    return first, second, third


def _tell(parts: tuple[Part, ...], joint: str, name: str, dice: Dice) -> Caption:
    naming = Naming(dice)
    stated: set[str] = set()
    words: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        own, grammar = dice.under(number), read_grammar(part.family)
        wanted: frozenset[str] = frozenset()
        shape, tell = draw_shape(
            grammar, grammar.clauses, part.facts, told(part.facts, own, wanted), own
        )
        people = (part.actor, 1 - part.actor)
        words[str(number)] = realise(grammar, shape, part.facts, tell, people, naming, own)
        stated |= {f"{number}.{fact}" for fact in tell}
    text = re.sub(r"\{(\d)\}", lambda match: words[match[1]], joint)
    return Caption(sentence(text), name, frozenset(stated))
