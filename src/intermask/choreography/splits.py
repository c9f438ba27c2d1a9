"""Which scene of the dataset serves what: training, validation, or one of the tests.

Scene i of a seed is always the same scene with the same purpose, however many are made. What is
held out is held out by drawing: a training scene with a held-out combination of facts is drawn
anew, so that no clip of training has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch

from intermask.choreography.dice import Dice
from intermask.choreography.drawing import (
    Combination,
    MinimalPair,
    draw_pair,
    draw_scene,
    held_out_combinations,
    is_held_out,
    pair_facts,
)
from intermask.choreography.families import FAMILIES
from intermask.choreography.scene import ScenePlan
from intermask.errors import UserError

T = TypeVar("T")

Split = Literal["train", "val", "test", "test_combinations", "test_shapes", "test_pairs"]

PURPOSES: dict[Split, str] = {
    "train": "for training",
    "val": "held-out clips, to choose among trainings",
    "test": "held-out clips",
    "test_combinations": "a family with facts that never come together in training",
    "test_shapes": "told in sentence shapes that no training caption has",
    "test_pairs": "minimal pairs: two clips that differ in one fact, which all captions tell",
}
"""What the clips of each split are there for."""

CYCLE = 100
"""Scenes after which the purposes come round again."""

_SHARES: tuple[tuple[Split, bool, int], ...] = (
    ("train", False, 82),
    ("train", True, 5),
    ("val", False, 3),
    ("test", False, 4),
    ("test_combinations", False, 2),
    ("test_shapes", False, 2),
    ("test_pairs", True, 2),
)
"""Split, whether it is a minimal pair, and how many scenes of a cycle."""

_FIRST, _STRIDE = 66, 61
"""Where the cycle begins, and its steps, without a common divisor with it: so that even ten scenes
have one to validate with and one to test with."""
_ATTEMPTS = 1000


@dataclass(frozen=True)
class Role:
    """What a scene is for. A pair has two clips."""

    split: Split
    paired: bool

    @property
    def clips(self) -> int:
        """Number of clips it becomes, if they pass the gate."""
        return 2 if self.paired else 1


@dataclass(frozen=True)
class Drawn:
    """One scene, or a minimal pair of two.

    fact: in which a pair differs; "" of one scene.
    """

    role: Role
    plans: tuple[ScenePlan, ...]
    fact: str = ""


def role_of(number: int, families: Sequence[str] | None = None) -> Role:
    """What scene ``number`` is for, whatever the seed.

    Args:
        number: of the scene.
        families: the only ones that are drawn. Where none of them has what a purpose needs, the
            scene is for training or the plain test instead.
    """
    place = (_FIRST + number * _STRIDE) % CYCLE
    for split, paired, share in _SHARES:
        place -= share
        if place < 0:
            role = Role(split, paired)
            break
    if role.paired and not _with_pairs(families):
        return Role("train" if split == "train" else "test", False)
    if role.split == "test_combinations" and not _combinations(families):
        return Role("test", False)
    return role


def generator_of(seed: int, number: int) -> torch.Generator:
    """The generator of one scene, independent of all others."""
    digest = hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest))


def draw(generator: torch.Generator, role: Role, families: Sequence[str] | None = None) -> Drawn:
    """A scene, or a pair, that may serve a purpose.

    Args:
        generator: of this scene alone.
        role: what it is for.
        families: only these, each alike often, and no chains. None: all, as `draw_scene` does.
    """
    dice = Dice.thrown(generator)
    if role.paired:
        pair = _anew(lambda: _pair(generator, families), _trained_pair)
        return Drawn(role, (pair.first, pair.second), pair.fact)
    if role.split == "test_combinations":
        # All of its captions tell the combination: without it they would ask for nothing new.
        chosen = dice.one_of("combination", _combinations(families))
        facts = dict(chosen.facts)
        return Drawn(role, (FAMILIES[chosen.family].draw(generator, facts, frozenset(facts)),))
    shapes = role.split == "test_shapes"
    plan = _anew(lambda: _scene(generator, families, shapes), lambda found: not is_held_out(found))
    return Drawn(role, (plan,))


def check_families(families: Sequence[str]) -> None:
    """Raise a `UserError` that names what there is unless all families exist, one at least."""
    unknown = [name for name in families if name not in FAMILIES]
    if unknown or not families:
        raise UserError(
            f"families given: {', '.join(families) or 'none'}; "
            f"{'unknown is ' + ', '.join(unknown) + '; ' if unknown else ''}"
            f"choose from {', '.join(FAMILIES)}"
        )


def _scene(generator: torch.Generator, families: Sequence[str] | None, shapes: bool) -> ScenePlan:
    if families is None:
        return draw_scene(generator, held_out_shapes=shapes)
    name = Dice.thrown(generator).one_of("family", families)
    return FAMILIES[name].draw(generator, held_out_shapes=shapes)


def _pair(generator: torch.Generator, families: Sequence[str] | None) -> MinimalPair:
    return draw_pair(generator, Dice.thrown(generator).one_of("family", _with_pairs(families)))


def _trained_pair(pair: MinimalPair) -> bool:
    return not is_held_out(pair.first) and not is_held_out(pair.second)


def _with_pairs(families: Sequence[str] | None) -> list[str]:
    return [name for name in families or FAMILIES if pair_facts(FAMILIES[name])]


def _combinations(families: Sequence[str] | None) -> list[Combination]:
    return [each for each in held_out_combinations() if each.family in (families or FAMILIES)]


def _anew(draw_one: Callable[[], T], is_right: Callable[[T], bool]) -> T:
    for _ in range(_ATTEMPTS):
        drawn = draw_one()
        if is_right(drawn):
            return drawn
    raise RuntimeError(f"nothing that fits its split in {_ATTEMPTS} draws")
