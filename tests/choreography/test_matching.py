"""The chain of clips: it does not leave its clips, plays what it must, and goes the way."""

from __future__ import annotations

from functools import cache

import torch

from intermask.choreography.bank import load_bank
from intermask.choreography.matching import (
    DECISION_FRAMES,
    RATES,
    Chain,
    Forced,
    Library,
    find_chain,
    within,
)
from intermask.choreography.paths import Way, planned_way
from intermask.choreography.plans import PersonPlan, Waypoint

FRAMES = 150


@cache
def library() -> Library:
    return Library(load_bank())


def walk() -> Way:
    plan = PersonPlan((Waypoint(0.5, (0, 0)), Waypoint(3.5, (0, 3.2))))
    return planned_way(plan, FRAMES)


def found(*forced: Forced) -> Chain:
    generator = torch.Generator().manual_seed(0)
    return find_chain(library(), walk(), "stand", forced, generator)


def test_a_clip_is_played_on_until_a_jump() -> None:
    chain = found()
    steps = chain.positions.diff()
    jumped = [frame - 1 for frame in chain.jumps]
    on = torch.ones(FRAMES - 1, dtype=torch.bool)
    on[jumped] = False
    torch.testing.assert_close(steps[on], chain.rates[:-1][on])
    assert set(chain.rates.tolist()) <= set(RATES)
    assert all(frame % DECISION_FRAMES == 0 for frame in chain.jumps)
    assert torch.equal(within(library(), chain.positions, chain.clips), chain.positions)
    middle = library().segment_of[chain.positions.round().long()]
    assert torch.equal(middle, library().segment_of[chain.clips])


def test_the_way_is_gone() -> None:
    chain = found()
    segments = [library().segments[int(library().segment_of[clip])] for clip in chain.clips]
    assert {each.tag for each in segments[50:90]} == {"walk"}
    assert segments[0].tag == segments[-1].tag == "stand"


def test_what_must_be_played_is_played_in_time() -> None:
    segment = load_bank().tagged("wave")[0]
    forced = Forced(40, 85, float(segment.start), 1.0, segment.start)
    chain = found(forced)
    torch.testing.assert_close(chain.positions[40:85], forced.positions(torch.arange(40, 85)))
    assert 40 in chain.jumps


def test_the_mirror_image_is_searched_too() -> None:
    both = library()
    assert len(both.segments) == 2 * len(load_bank().segments)
    left = both.ways[1, : both.half].view(-1, 3, 3)
    right = both.ways[1, both.half :].view(-1, 3, 3)
    mirror = torch.tensor((-1.0, 1.0, -1.0))
    torch.testing.assert_close(right, left * mirror, atol=1e-3, rtol=1e-3)
