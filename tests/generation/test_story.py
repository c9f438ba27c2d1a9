"""Stories by a tiny random model: final frames, one body, one floor, no seam, exact resumption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from golden_files import largest_error
from intermask.config import SamplingConfig
from intermask.errors import UserError
from intermask.generation.consolidate import ConsolidationOptions
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import GenerationOptions
from intermask.generation.story import continued, planned, tell, told
from intermask.generation.story_plan import OVERLAP_FRAMES, Window
from intermask.generation.story_script import StoryScene
from intermask.generation.story_work import FinishedWindows
from intermask.generation.world import SceneFrame, place_given
from intermask.motion import Caption, Motion, SMPLXMotion
from intermask.skeleton import SMPL22
from tiny_model import CODES, HashedWords, tiny_model
from tiny_smplx import rest_body, tiny_smplx_model
from walking import walking_pair
from worlds import moved

QUICK = ConsolidationOptions(rounds=2, settling=None)
SCENES = [
    StoryScene("Two people dance salsa.", 2.0),
    StoryScene("One person pushes the other.", 1.0),
    StoryScene("They bow.", 1.5),
]
PARTS = ("positions", "rotations", "root_rotations")
HERE = SceneFrame(torch.eye(3).double(), torch.zeros(3).double(), torch.zeros(2).double())


@pytest.fixture(scope="module")
def generator() -> InteractionGenerator:
    return InteractionGenerator(tiny_model(), HashedWords(), consolidation=QUICK)


@pytest.fixture(scope="module")
def story(generator: InteractionGenerator) -> Motion:
    return tell(generator, SCENES, 3)


def same(a: Motion, b: Motion) -> bool:
    return all(torch.equal(getattr(a, part), getattr(b, part)) for part in PARTS)


def bones(motion: Motion) -> Tensor:
    """Lengths (2, t, 21) in metres."""
    parents = list(SMPL22.parents[1:])
    positions = motion.positions.double()
    return (positions[:, :, 1:] - positions[:, :, parents]).norm(dim=-1)


# --- What a story is -----------------------------------------------------------------------------


def test_a_story_tells_its_scenes_in_order(story: Motion, tmp_path: Path) -> None:
    assert story.frames == 135
    assert story.captions == (
        Caption("Two people dance salsa.", 0.0, 2.0),
        Caption("One person pushes the other.", 2.0, 3.0),
        Caption("They bow.", 3.0, 4.5),
    )
    assert (story.caption, story.seed, story.model) == (
        "Two people dance salsa. One person pushes the other. They bow.", 3, "tiny",
    )  # fmt: skip
    assert Motion.load(story.save(tmp_path / "story")).captions == story.captions
    assert bool(torch.isfinite(story.positions).all())


def test_the_seed_decides(generator: InteractionGenerator, story: Motion) -> None:
    assert same(tell(generator, SCENES, 3), story)
    assert not same(tell(generator, SCENES, 4), story)


def test_what_comes_later_changes_nothing_before_it(
    generator: InteractionGenerator, story: Motion
) -> None:
    """Frames that are there are final: bit for bit."""
    assert same(tell(generator, SCENES[:2], 3), replace(story.cropped(0, 90), captions=()))
    other = tell(generator, [SCENES[0], replace(SCENES[1], seed=9), SCENES[2]], 3)
    assert same(other.cropped(0, 60), story.cropped(0, 60))
    assert not same(other.cropped(60, 90), story.cropped(60, 90))


def test_it_comes_window_by_window(generator: InteractionGenerator, story: Motion) -> None:
    plan = planned(generator, SCENES, 3)
    reached = 0
    for part in told(generator, plan):
        assert same(part, story.cropped(reached, reached + part.frames))
        reached += part.frames
    assert reached == story.frames


def test_everybody_keeps_one_body_over_many_windows(generator: InteractionGenerator) -> None:
    options = GenerationOptions(sampling=SamplingConfig(steps=1))
    long = tell(generator, [StoryScene("They bow.", 0.5)] * 15, 1, options)
    lengths = bones(long)
    assert float((lengths - lengths[:, :1]).abs().max()) < 1e-5


def test_sentences_without_seconds_are_estimated(generator: InteractionGenerator) -> None:
    plan = planned(generator, ["Two people dance salsa.", "One person pushes the other."])
    assert [each.end for each in plan.captions] == [4.0, 6.0]


def test_sentences_and_seeds_are_checked_before_anything_is_made(
    generator: InteractionGenerator,
) -> None:
    for scenes, seed, complaint in [
        ([], 0, "no prompt"),
        (["They bow.", " "], 0, "prompt 2 is empty"),
        (["They bow.", "a " * 40], 0, "prompt 2 is too long"),
        (["They bow."], -1, "the seed is -1"),
        ([StoryScene("They bow.", 0.1)], 0, "scene 1 lasts 0.1 seconds"),
    ]:
        with pytest.raises(UserError, match=complaint):
            planned(generator, scenes, seed)  # type: ignore[arg-type]


# --- One window beside the last ------------------------------------------------------------------


def window(frames: int = 40, overlap: int = OVERLAP_FRAMES) -> Window:
    return Window(2, "They bow.", 5, 100, frames, overlap, 8)


def canonical_walk(frames: int) -> tuple[Motion, Tensor]:
    """People who walk, and their features (2, t, 262) as models see them."""
    walk = walking_pair(frames + 4)
    placed = place_given(walk, torch.ones(2, walk.frames, dtype=torch.bool), "shared", 4, True)
    return walk, placed.features[:, :frames].clone()


def test_a_window_goes_on_wherever_in_the_world(
    generator: InteractionGenerator, monkeypatch: Any
) -> None:
    """Turned and moved far away, the model sees the same and the new frames are moved alike."""
    walk, features = canonical_walk(OVERLAP_FRAMES + 48)
    seen: list[Tensor] = []

    def drawn(requests: Any, known: Any, options: Any) -> list[Tensor]:
        seen.append(known[0].tokens)
        return [features]

    monkeypatch.setattr(generator, "features", drawn)
    overlap = walk.cropped(0, OVERLAP_FRAMES)
    yaw, shift = 2.0, (30.0, 0.0, -50.0)
    here = continued(generator, overlap, window(), HERE)
    there = continued(generator, moved(overlap, yaw, shift), window(), HERE)
    assert torch.equal(*seen)
    assert bool((seen[0][..., : OVERLAP_FRAMES // 4] < CODES).all())
    assert bool((seen[0][..., OVERLAP_FRAMES // 4 :] >= CODES).all())
    expected = moved(here, yaw, shift)
    assert largest_error(there.positions, expected.positions) < 1e-3
    assert largest_error(there.root_rotations, expected.root_rotations) < 1e-3


def test_the_floor_stays_where_it_is() -> None:
    """People in the air are seen in the air, so that no window moves the floor."""
    pair = walking_pair(40)
    jump = replace(pair, positions=pair.positions + torch.tensor([0.0, 0.3, 0.0]))
    kept = torch.ones(2, 40, dtype=torch.bool)
    for rule in ("per_person", "shared"):
        placed = place_given(jump, kept, rule, 4, grounded=True)
        heights = placed.features[:, :, 1:66:3].reshape(2, -1, 22)[:, :40]
        assert largest_error(heights, jump.positions[..., 1]) < 1e-5
        again = placed.frame.to_world(placed.motion)
        assert largest_error(again.positions, jump.positions) < 1e-5
        assert float(placed.frame.origin[1]) == 0.0
        assert float(placed.frame.floors.abs().max()) == 0.0


@pytest.mark.parametrize("away", [0.0, 0.3, 0.8])
def test_a_draft_that_leaps_away_is_led_to(
    generator: InteractionGenerator, monkeypatch: Any, away: float
) -> None:
    """People who walk; what is drawn goes on ``away`` metres to the side, from one frame on."""
    walk, leap = canonical_walk(OVERLAP_FRAMES + 48)
    leap[:, OVERLAP_FRAMES:, 0:66:3] += away
    monkeypatch.setattr(generator, "features", lambda requests, known, options: [leap])
    overlap = walk.cropped(0, OVERLAP_FRAMES)
    new = continued(generator, overlap, window(40), HERE)
    both = torch.cat((overlap.positions, new.positions), 1).double()
    walked = walk.positions[:, : both.shape[1]].double()
    speed = both.diff(dim=1).norm(dim=-1).amax() * 30
    # a minimum-jerk way is 1.9 times as fast in its middle as on average
    assert float(speed) < float(walked.diff(dim=1).norm(dim=-1).amax() * 30) + 1.9 * 0.65
    bends = both.diff(n=2, dim=1).norm(dim=-1).amax((0, 2)) * 900
    inside = walked.diff(n=2, dim=1).norm(dim=-1).amax() * 900
    assert float(bends[OVERLAP_FRAMES - 3 : OVERLAP_FRAMES + 2].max()) < float(inside) + 14.0


def test_drafts_that_lead_people_away_from_each_other_are_left(
    generator: InteractionGenerator, monkeypatch: Any
) -> None:
    walk, near = canonical_walk(OVERLAP_FRAMES + 48)
    far = near.clone()
    far[1, :, 2:66:3] += torch.linspace(0.0, 8.0, near.shape[1])[:, None]
    overlap = walk.cropped(0, OVERLAP_FRAMES)
    options = GenerationOptions(sampling=SamplingConfig(steps=1, drafts=2))
    for drafts in ([far, near], [near, far]):
        monkeypatch.setattr(generator, "features", lambda *_, drafts=drafts: drafts)
        new = continued(generator, overlap, window(40), HERE, options)
        apart = (new.positions[0, -1, 0] - new.positions[1, -1, 0]).norm()
        assert float(apart) < 3.0


def test_people_with_hands_have_stories_too() -> None:
    generator = InteractionGenerator(tiny_smplx_model(), HashedWords(), body=rest_body())
    story = tell(generator, [StoryScene("Two people shake hands.", 1.5), StoryScene("Bow.", 1.0)])
    assert isinstance(story, SMPLXMotion)
    assert story.positions.shape == (2, 75, 55, 3)


# --- Going on after an interruption --------------------------------------------------------------


class Interrupted(Exception):
    """The power went out."""


def killed_after(frames: int) -> Any:
    def on_progress(done: int, total: int) -> None:
        if done >= frames:
            raise Interrupted

    return on_progress


def test_a_killed_story_goes_on_as_if_nothing_had_been(
    generator: InteractionGenerator, story: Motion, tmp_path: Path
) -> None:
    finished = FinishedWindows(tmp_path / ".story")
    with pytest.raises(Interrupted):
        tell(generator, SCENES, 3, finished=finished, on_progress=killed_after(90))
    assert len(list(finished.folder.iterdir())) == 2
    seen: list[int] = []
    again = tell(
        generator, SCENES, 3, finished=finished, on_progress=lambda done, total: seen.append(done)
    )
    assert same(again, story)
    assert again.captions == story.captions
    assert seen[:2] == [60, 90]  # nothing was drawn for these
    finished.remove()
    assert not finished.folder.exists()


def test_only_what_would_be_made_again_is_taken(
    generator: InteractionGenerator, story: Motion, tmp_path: Path
) -> None:
    finished = FinishedWindows(tmp_path / ".story")
    tell(generator, SCENES, 3, finished=finished)

    def drawn(scenes: list[StoryScene], seed: int = 3, **changes: Any) -> int:
        """Windows that are made, of three."""
        made = set()
        one = changes.pop("generator", generator)
        options = GenerationOptions(on_step=lambda *_: made.add(len(list(folder.iterdir()))))
        folder = finished.folder
        tell(one, scenes, seed, replace(options, **changes), finished)
        return len(made)

    assert drawn(SCENES) == 0
    assert drawn([*SCENES[:2], StoryScene("They spar.", 1.0)]) == 1
    assert drawn([SCENES[0], replace(SCENES[1], seconds=1.2), SCENES[2]]) == 2
    assert drawn(SCENES, seed=4) == 3
    assert drawn(SCENES, sampling=SamplingConfig(steps=2)) == 3
    other = InteractionGenerator(tiny_model(), HashedWords(), consolidation=QUICK)
    next(other.model.transformer.parameters()).data += 1e-3
    assert drawn(SCENES, generator=other) == 3
    assert drawn(SCENES) == 0


def test_a_broken_window_is_made_again(
    generator: InteractionGenerator, story: Motion, tmp_path: Path
) -> None:
    finished = FinishedWindows(tmp_path / ".story")
    tell(generator, SCENES, 3, finished=finished)
    first, *_ = sorted(finished.folder.iterdir())
    first.write_bytes(first.read_bytes()[:100])
    assert same(tell(generator, SCENES, 3, finished=finished), story)
