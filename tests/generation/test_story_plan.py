"""Plans of stories: windows cover the scenes, and none depends on what comes after it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intermask.errors import UserError
from intermask.generation.story_plan import AHEAD_FRAMES, OVERLAP_FRAMES, StoryPlan, plan_story
from intermask.generation.story_script import StoryScene

LONGEST = 300


def plan(seconds: list[float], seed: int = 0, seeds: dict[int, int] | None = None) -> StoryPlan:
    scenes = [StoryScene(f"Scene {n}.", s, (seeds or {}).get(n)) for n, s in enumerate(seconds)]
    return plan_story(scenes, seconds, seed, LONGEST, 4)


@given(st.lists(st.floats(0.5, 60.0), min_size=1, max_size=6))
def test_windows_follow_each_other_and_fit_the_model(seconds: list[float]) -> None:
    made = plan(seconds)
    reached = 0
    for window in made.windows:
        assert window.start == reached
        assert window.frames >= 15
        assert window.made <= LONGEST
        assert window.overlap % 4 == 0
        assert window.overlap == (OVERLAP_FRAMES if reached >= OVERLAP_FRAMES else reached // 4 * 4)
        assert window.overlap + window.frames + AHEAD_FRAMES >= window.made
        reached += window.frames
    assert made.frames == reached == sum(round(each * 30) for each in seconds)
    assert [window.scene for window in made.windows] == sorted(w.scene for w in made.windows)


@given(st.lists(st.floats(0.5, 30.0), min_size=2, max_size=5))
def test_what_comes_later_changes_nothing_before_it(seconds: list[float]) -> None:
    shorter = plan(seconds[:-1]).windows
    assert plan(seconds).windows[: len(shorter)] == shorter


def test_long_scenes_are_cut_into_equal_parts_of_one_sentence() -> None:
    windows = plan([10.0, 20.0]).windows
    assert [(window.text, window.frames) for window in windows] == [
        ("Scene 0.", 300), ("Scene 1.", 200), ("Scene 1.", 200), ("Scene 1.", 200),
    ]  # fmt: skip
    assert len({window.seed for window in windows}) == 4


def test_captions_tell_when_scenes_begin_and_end() -> None:
    captions = plan([2.0, 12.0]).captions
    assert [(each.text, each.start, each.end) for each in captions] == [
        ("Scene 0.", 0.0, 2.0), ("Scene 1.", 2.0, 14.0),
    ]  # fmt: skip


def test_a_seed_of_its_own_changes_one_scene() -> None:
    usual, other = plan([2.0, 2.0, 2.0]).windows, plan([2.0, 2.0, 2.0], seeds={1: 5}).windows
    same = [a.seed == b.seed for a, b in zip(usual, other, strict=True)]
    assert same == [True, False, True]
    assert all(
        a.seed != b.seed for a, b in zip(usual, plan([2.0] * 3, seed=1).windows, strict=True)
    )


def test_scenes_and_models_that_are_too_short() -> None:
    with pytest.raises(UserError, match=r"scene 2 lasts 0.3 seconds; .* 0.5 or more"):
        plan([2.0, 0.3])
    with pytest.raises(UserError, match=r"at most 2 seconds; .* 2.2 or more"):
        plan_story([StoryScene("They bow.")], [1.0], 0, 60, 4)
