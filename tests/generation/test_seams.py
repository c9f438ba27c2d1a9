"""Seams of edits by the built-in model: nothing is quicker there than in the clip itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from intermask import Motion, load_generator
from intermask.generation.consolidate import ConsolidationOptions
from intermask.generation.generator import InteractionGenerator
from intermask.generation.pacing import excess, pace_of, paced
from intermask.generation.requests import GenerationOptions
from intermask.kinematics import bone_offsets
from intermask.solver.bodies import Bodies
from walking import walking_pair
from worlds import moved

SALSA = "Two people dance salsa."
FPS = 30.0


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    """The built-in model; what settles bodies has tests of its own, and takes time."""
    made = load_generator(device="cpu")
    made.consolidation = ConsolidationOptions(settling=None)
    return made


@pytest.fixture(scope="module")
def options(generator: InteractionGenerator) -> GenerationOptions:
    sampling = replace(generator.model.config.sampling, steps=8, drafts=1, revisions=0)
    return GenerationOptions(sampling=sampling)


@pytest.fixture(scope="module")
def dance(generator: InteractionGenerator, options: GenerationOptions) -> Motion:
    (made,) = generator([SALSA], 3.0, 0, options)
    return moved(made, 1.9, (55.0, 0.0, -210.0))


def quickest(motion: Motion, kept: Tensor) -> tuple[float, float]:
    """Largest speed and acceleration beside seams, as shares of the clip's own."""
    positions = motion.positions.double()
    pace = pace_of(positions, kept, FPS)
    beyond = excess(positions, kept, replace(pace, steps=0 * pace.steps, changes=0 * pace.changes))
    return tuple(
        float(part.max() / most.max())
        for part, most in zip(beyond, (pace.steps, pace.changes), strict=True)
    )  # type: ignore[return-value]


@pytest.mark.parametrize("case", ["edit", "one person", "after", "before"])
def test_speed_and_acceleration_at_seams_are_within_the_clips_range(
    generator: InteractionGenerator, options: GenerationOptions, dance: Motion, case: str
) -> None:
    kept = torch.ones(2, 90, dtype=torch.bool)
    if case == "edit":
        made = generator.edit(dance, [(1.0, 2.0)], seed=1, options=options)
        kept[:, 30:60] = False
    elif case == "one person":
        made = generator.edit(dance, [(1.0, 2.0)], person=2, seed=2, options=options)
        kept[1, 30:60] = False
    else:
        short = dance.cropped(0, 45)
        made = generator.extend(short, **{case: 1.5}, seed=3, options=options)  # type: ignore[arg-type]
        kept[:, slice(45, 90) if case == "after" else slice(0, 45)] = False
    speed, acceleration = quickest(made, kept)
    assert speed <= 1.05 and acceleration <= 1.05


def test_a_pace_is_kept_where_it_can_be() -> None:
    """People who are 30 cm off, eased into a walk much too quickly, get there calmly."""
    walk = walking_pair(60).positions.double()
    kept = (torch.arange(60) < 20).expand(2, -1)
    off = torch.linspace(0, 0.3, 4, dtype=torch.double)
    hasty = walk.clone()
    hasty[:, 20:, :, 0] += 0.3
    hasty[:, 19:23, :, 0] = walk[:, 19:23, :, 0] + off[:, None]
    motion = walking_pair(60)
    roots, turns = motion.root_rotations.double(), motion.rotations.double()
    bodies = Bodies(
        bone_offsets(walk, roots, turns), hasty[:, :, 0], torch.cat((roots[:, :, None], turns), 2)
    )
    pace = pace_of(walk, kept, FPS)
    calm = paced(bodies, walk, kept, FPS).posed().positions
    before, after = (
        sum(float(each.sum()) for each in excess(at, kept, pace)) for at in (hasty, calm)
    )
    assert after < 0.05 * before
    # Nor is it made up for behind the seam.
    for order, most in ((1, pace.steps), (2, pace.changes)):
        was, is_now = (at[:, 30:].diff(n=order, dim=1).norm(dim=-1) for at in (hasty, calm))
        assert (is_now <= 1.1 * torch.maximum(was, most)).all()
    assert float((calm - walk)[kept].abs().max()) < 1e-6
    assert torch.equal(calm[:, 45:], bodies.posed().positions[:, 45:])


def test_what_keeps_the_pace_is_left_alone() -> None:
    motion = walking_pair(40)
    walk, roots, turns = (
        each.double() for each in (motion.positions, motion.root_rotations, motion.rotations)
    )
    bodies = Bodies(
        bone_offsets(walk, roots, turns), walk[:, :, 0], torch.cat((roots[:, :, None], turns), 2)
    )
    kept = (torch.arange(40) < 20).expand(2, -1)
    assert paced(bodies, walk, kept, FPS) is bodies
