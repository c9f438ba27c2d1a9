"""Editing: what is kept is kept to the bit in motions of any length, whatever is made beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from intermask.errors import UserError
from intermask.generation.consolidate import ConsolidationOptions
from intermask.generation.edit_captions import swap_caption
from intermask.generation.edit_windows import CONTEXT_FRAMES, edit_windows, window_seeds
from intermask.generation.editing import mirror, swap
from intermask.generation.generator import InteractionGenerator
from intermask.motion import Caption, Motion
from tiny_model import HashedWords, tiny_model
from walking import walking_pair
from worlds import moved

QUICK = ConsolidationOptions(rounds=2, settling=None, pacing=False)
PARTS = ("positions", "rotations", "root_rotations")


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    return InteractionGenerator(tiny_model(), HashedWords(), consolidation=QUICK)


@pytest.fixture(scope="module")
def short_sighted() -> InteractionGenerator:
    """A model that sees two seconds."""
    return InteractionGenerator(tiny_model(max_frames=60), HashedWords(), consolidation=QUICK)


def far_away(frames: int) -> Motion:
    return replace(moved(walking_pair(frames), 2.1, (431.7, 3.3, -1250.9)), caption="They bow.")


def same(a: Motion, b: Motion) -> bool:
    return all(torch.equal(getattr(a, part), getattr(b, part)) for part in PARTS)


def assert_kept(made: Motion, given: Motion, kept: torch.Tensor) -> None:
    for part in PARTS:
        assert torch.equal(getattr(made, part)[kept], getattr(given, part)[kept])
    assert bool((made.positions != given.positions)[~kept].any(-1).any(-1).all())
    assert bool(torch.isfinite(made.positions).all())


# --- What is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize("person", [None, 1, 2])
@pytest.mark.parametrize("seen", ["whole", "in windows"])
def test_an_edit_changes_the_range_and_nothing_else(
    generator: InteractionGenerator, short_sighted: InteractionGenerator, person, seen: str
) -> None:
    given = far_away(50 if seen == "whole" else 150)
    made = (generator if seen == "whole" else short_sighted).edit(
        given, [(0.5, 1.2)], person=person, seed=3
    )
    kept = torch.ones(2, given.frames, dtype=torch.bool)
    kept[slice(None) if person is None else person - 1, 15:36] = False
    assert_kept(made, given, kept)
    assert (made.caption, made.seed, made.model) == ("They bow.", 3, "tiny")


def test_an_edit_is_a_completion_of_the_rest(generator: InteractionGenerator) -> None:
    given = walking_pair(60)
    edited = generator.edit(given, [(0.5, 1.5)], "They bow.", seed=4)
    completed = generator.complete(given, "They bow.", [(0.0, 0.5), (1.5, 2.0)], seed=4)
    varied = generator.vary(given, "They bow.", keep_ends=0.5, seed=4)
    assert same(edited, completed) and same(edited, varied)


@pytest.mark.parametrize(
    ("frames", "before", "after"), [(30, 0.5, 0.7), (10, 0.0, 1.0), (8, 0.6, 0.0), (130, 4.0, 4.0)]
)
def test_an_extension_holds_the_motion(
    short_sighted: InteractionGenerator, frames: int, before: float, after: float
) -> None:
    """Also of motions too short, or too long, for the model, and by more than it makes at once."""
    given = far_away(frames)
    made = short_sighted.extend(given, "They turn.", before, after, seed=1)
    lead = round(30 * before)
    assert made.frames == lead + frames + round(30 * after)
    assert same(made.cropped(lead, lead + frames), given)
    assert bool(torch.isfinite(made.positions).all())
    assert made.caption == ("They turn. They bow." if before else "They bow. They turn.")
    assert [each.text for each in made.captions if each.text == "They bow."] == ["They bow."]
    inside = next(each for each in made.captions if each.text == "They bow.")
    assert inside.start == pytest.approx(before)
    assert made.captions[-1].end == pytest.approx(made.seconds)


@pytest.mark.parametrize("person", [1, 2])
def test_a_reaction_to_a_long_motion(short_sighted: InteractionGenerator, person: int) -> None:
    given = far_away(140)
    made = short_sighted.react(given, person, "They bow.")
    kept = torch.zeros(2, 140, dtype=torch.bool)
    kept[person - 1] = True
    assert_kept(made, given, kept)


def test_a_story_keeps_its_other_captions(generator: InteractionGenerator) -> None:
    captions = (Caption("They walk.", 0.0, 1.0), Caption("They bow.", 1.0, 2.0))
    given = replace(walking_pair(60), captions=captions, caption="They walk. They bow.")
    made = generator.edit(given, [(1.2, 1.6)])
    assert made.caption == "They bow."
    assert [(each.text, each.start, each.end) for each in made.captions] == [
        ("They walk.", 0.0, 1.0), ("They bow.", 1.0, 1.2), ("They bow.", 1.2, 1.6),
        ("They bow.", 1.6, 2.0),
    ]  # fmt: skip


def test_seeds_decide_what_is_new(short_sighted: InteractionGenerator) -> None:
    given = far_away(100)
    first, again, other = (short_sighted.vary(given, seed=seed) for seed in (5, 5, 6))
    assert same(first, again) and not same(first, other)


# --- Windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [60, 100, 300])
@pytest.mark.parametrize(
    "ranges",
    [[(0, 400)], [(0, 50)], [(350, 400)], [(190, 210)], [(20, 380)], [(0, 390)], [(10, 400)],
     [(0, 30), (370, 400)], [(100, 130), (140, 300)]],
)  # fmt: skip
def test_windows_make_every_new_frame_once_and_see_what_is_beside(
    ranges: list[tuple[int, int]], longest: int
) -> None:
    new = torch.zeros(400, dtype=torch.bool)
    for first, last in ranges:
        new[first:last] = True
    done, anything = ~new, bool((~new).any())
    context = min(CONTEXT_FRAMES, longest // 4)
    for window in edit_windows(new, longest):
        assert 0 <= window.start <= window.first < window.last <= window.stop <= 400
        assert window.stop - window.start <= longest
        inside = slice(window.first, window.last)
        assert not done[inside].any()  # runs of new frames are apart
        if anything:
            seen = done[window.start : window.stop]
            beside = done[max(0, window.first - context) : window.last + context]
            assert seen.any() and int(seen.sum()) >= min(context, int(beside.sum()))
        done[inside] = True
        anything = True
    assert bool(done.all())


def test_what_fits_is_one_window() -> None:
    new = torch.zeros(100, dtype=torch.bool)
    new[10:20] = new[50:60] = True
    assert edit_windows(new, 100) == [(0, 100, 0, 100)]


def test_seeds_of_windows() -> None:
    seeds = window_seeds(7, 5)
    assert seeds[0] == 7 and seeds[:3] == window_seeds(7, 3)
    assert len({*seeds, *window_seeds(8, 5)}) == 10


# --- Exchange and mirror -------------------------------------------------------------------------


def test_swap_and_mirror_undo_themselves_and_turn_their_captions() -> None:
    told = (Caption("The first person lifts their left arm.", 0.0, 1.0),)
    motion = replace(walking_pair(30), caption="Person 1 turns right.", captions=told)
    assert same(swap(swap(motion)), motion) and same(mirror(mirror(motion)), motion)
    assert torch.equal(swap(motion).positions[0], motion.positions[1])
    assert swap(motion).caption == "Person 2 turns right."
    assert swap(motion).captions[0].text == "The second person lifts their left arm."
    assert mirror(motion).caption == "Person 1 turns left."
    assert mirror(motion).captions[0].text == "The first person lifts their right arm."


@pytest.mark.parametrize(
    ("caption", "swapped"),
    [
        ("Person A pushes person B.", "Person B pushes person A."),
        ("One person pushes the other.", "One person pushes the other."),
        ("First they bow, then the second dancer turns.",
         "First they bow, then the first dancer turns."),
        ("Person one and PERSON TWO", "Person two and PERSON ONE"),
        ("A person bows.", "A person bows."),
    ],
)  # fmt: skip
def test_numbers_of_people_are_exchanged(caption: str, swapped: str) -> None:
    assert swap_caption(caption) == swapped
    assert swap_caption(swapped) == caption


# --- What cannot be done -------------------------------------------------------------------------


def test_unusable_edits_are_named(generator: InteractionGenerator) -> None:
    given = walking_pair(60)
    with pytest.raises(UserError, match="no range"):
        generator.edit(given, [], "They bow.")
    with pytest.raises(UserError, match=r"range to make anew 1:3 leaves the motion.*2\.00 s"):
        generator.edit(given, [(1, 3)], "They bow.")
    with pytest.raises(UserError, match="all of the motion is to be made anew"):
        generator.edit(given, [(0, 2)], "They bow.")
    with pytest.raises(UserError, match="no caption"):
        generator.vary(replace(given, caption=""), keep_ends=0.5)
    with pytest.raises(UserError, match="prompt is empty"):
        generator.vary(given, " ", 0.5)
    with pytest.raises(UserError, match="1 seconds cannot be kept at both ends"):
        generator.vary(given, "They bow.", 1.0)
    with pytest.raises(UserError, match="nothing to add"):
        generator.extend(given, "They bow.")
    for seconds in (-1.0, 601.0, float("nan"), 0.01):
        with pytest.raises(UserError, match="cannot be added after"):
            generator.extend(given, "They bow.", after=seconds)
    with pytest.raises(UserError, match=r"0\.33 seconds.*make it longer first"):
        generator.edit(given.cropped(0, 10), [(0.1, 0.2)], "They bow.")
    with pytest.raises(UserError, match="25 frames a second"):
        generator.extend(replace(given, fps=25.0), "They bow.", after=1.0)
