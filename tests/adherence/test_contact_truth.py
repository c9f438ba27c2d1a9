"""Laws of the contact truth, on a few scenes of the open dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from intermask.adherence.contacts import decoded_motion, judge_contacts
from intermask.adherence.free_prompts import actor_is_right, side_is_right, touches_in_order
from intermask.adherence.pairs import answer, is_clear
from intermask.adherence.truth import CaptionTruth, ClipTruth, exchanged, mirrored, truth_of
from intermask.choreography.bank import load_bank
from intermask.choreography.families import FAMILIES
from intermask.choreography.overlay import stage
from intermask.choreography.prompt_sets import Prompt, free_prompts
from intermask.data.batching import canonical_people
from intermask.geometry import matrix_to_rot6d
from intermask.motion import FPS, Motion
from intermask.representation import y_up_to_z_up
from intermask.skeleton import SMPL22

SCENES: dict[str, dict[str, str]] = {
    "handshake": {"side": "right", "approach": "none", "count": "2"},
    "pat": {"side": "right", "shoulder": "left", "way": "front", "approach": "actor"},
    "push": {"hands": "", "side": "left", "way": "front", "approach": "actor"},
    "high_five": {"hands": "", "side": "left", "count": "1", "approach": "both"},
}


@dataclass(frozen=True)
class Scene:
    """A made clip and all that is known about it."""

    truth: ClipTruth
    motion: Motion

    @property
    def told(self) -> CaptionTruth:
        """A caption that states every fact."""
        return CaptionTruth("", frozenset(self.truth.acts[0].facts))

    @property
    def untold(self) -> CaptionTruth:
        """A caption that states nothing."""
        return CaptionTruth("", frozenset())


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    torch.set_num_threads(1)
    made = {}
    for number, (family, facts) in enumerate(SCENES.items()):
        generator = torch.Generator().manual_seed(number)
        given = {name: value for name, value in facts.items() if value}
        plan = FAMILIES[family].draw(generator, given)
        content: dict[str, Any] = {"name": family, "split": "test", **plan.ground_truth()}
        content["pair"] = {"fact": "side", "other": ""}
        made[family] = Scene(truth_of(content), stage(load_bank(), plan, generator))
    return made


@pytest.fixture(params=list(SCENES))
def scene(request: Any, scenes: dict[str, Scene]) -> Scene:
    return scenes[request.param]


def features_of(motion: Motion) -> torch.Tensor:
    places = y_up_to_z_up(motion.positions).flatten(-2)
    loaded = torch.cat((places, matrix_to_rot6d(motion.rotations).flatten(-2)), -1)
    return canonical_people(loaded, "shared")


def earlier(motion: Motion, seconds: float) -> Motion:
    """The same, so much earlier, or later; the last, or first, pose is held."""
    frames = torch.arange(motion.frames + max(0, round(-seconds * FPS)))
    shown = (frames + round(seconds * FPS)).clamp(0, motion.frames - 1)
    return replace(
        motion,
        positions=motion.positions[:, shown],
        rotations=motion.rotations[:, shown],
        root_rotations=motion.root_rotations[:, shown],
    )


def test_a_clip_does_what_all_of_its_captions_say(scene: Scene) -> None:
    for caption in (*scene.truth.captions, scene.told, scene.untold):
        outcome = judge_contacts(scene.motion, scene.truth, caption)
        assert outcome.in_window and outcome.any_time and outcome.every_limb, outcome


def test_features_say_the_same_as_the_clip(scene: Scene) -> None:
    seen = decoded_motion(features_of(scene.motion))
    from_clip = judge_contacts(scene.motion, scene.truth, scene.told)
    outcome = judge_contacts(seen, scene.truth, scene.told)
    assert outcome.in_window
    assert outcome.nearest == pytest.approx(from_clip.nearest, abs=0.03)


def test_people_may_be_in_each_others_place(scene: Scene) -> None:
    assert judge_contacts(scene.motion.swapped(), scene.truth, scene.told).every_limb


def test_a_hand_30_cm_away_does_not_touch(scene: Scene) -> None:
    """The nearer arm of the one is where it was, 30 cm further from the other."""
    (event,) = scene.truth.acts[0].contacts
    wrist = SMPL22.index(event.effector)
    pelvis = scene.motion.positions[:, :, 0]
    away = pelvis[event.actor] - pelvis[event.target]
    away = 0.3 * away / away.norm(dim=-1, keepdim=True)
    positions = scene.motion.positions.clone()
    positions[event.actor, :, wrist] += away
    outcome = judge_contacts(replace(scene.motion, positions=positions), scene.truth, scene.told)
    assert not outcome.in_window and not outcome.any_time


@pytest.mark.parametrize("seconds", [2.0, -2.0])
def test_a_contact_at_another_time_is_none(scene: Scene, seconds: float) -> None:
    """It happens, but not in its window: a later motion is as much longer."""
    outcome = judge_contacts(earlier(scene.motion, seconds), scene.truth, scene.told)
    assert not outcome.in_window
    assert outcome.any_time or seconds > 0


def test_the_other_side_is_wrong_where_the_caption_tells_the_side(scene: Scene) -> None:
    mirrored_motion = scene.motion.mirrored()
    assert not judge_contacts(mirrored_motion, scene.truth, scene.told).in_window
    assert judge_contacts(mirrored_motion, scene.truth, scene.untold).in_window


def test_other_captions_are_rarely_true(scenes: dict[str, Scene]) -> None:
    wrong = [
        judge_contacts(one.motion, other.truth, other.told).in_window
        for name, one in scenes.items()
        for another, other in scenes.items()
        if name != another
    ]
    assert sum(wrong) <= len(wrong) / 4


def test_the_named_side_is_told_from_the_other(scene: Scene) -> None:
    assert is_clear(scene.motion, scene.truth, scene.told)
    right, _ = answer(scene.motion.swapped(), scene.truth, scene.told)
    assert right
    right, _ = answer(scene.motion.mirrored(), scene.truth, scene.told)
    assert not right


@pytest.mark.parametrize("family", ["pat", "push"])
def test_the_named_actor_is_told_from_the_other(scenes: dict[str, Scene], family: str) -> None:
    """The one who comes acts; of a caption in which the other one comes, that is wrong."""
    scene = scenes[family]
    (act,) = scene.truth.acts
    asked = replace(scene.truth, pair_fact="approach")
    right, _ = answer(scene.motion, asked, scene.told)
    assert right
    waits = replace(act, facts={**act.facts, "approach": "partner"})
    right, _ = answer(scene.motion, replace(asked, acts=(waits,)), scene.told)
    assert not right


def test_free_prompts_are_read_as_the_clips_are(scene: Scene) -> None:
    """The contact of a family happens in its clips, with the side that is true of them."""
    family, facts = scene.truth.family, scene.truth.acts[0].facts
    like = next(prompt for prompt in free_prompts() if prompt.acts == (family,))
    prompt = Prompt("", family, (family,), like.touches, side=facts["side"])
    assert touches_in_order(scene.motion, prompt)
    assert side_is_right(scene.motion, prompt)
    assert not side_is_right(scene.motion.mirrored(), prompt)


def test_every_free_prompt_can_be_asked(scenes: dict[str, Scene]) -> None:
    scene = scenes["pat"]
    for prompt in free_prompts():
        touches_in_order(scene.motion, prompt)
        assert side_is_right(scene.motion, prompt) in (None, False, True)
        assert actor_is_right(scene.motion, prompt) in (None, False, True)


def test_mirroring_and_exchanging_undo_themselves(scene: Scene) -> None:
    (event,) = scene.truth.acts[0].contacts
    both = frozenset({0, 1})
    assert mirrored(mirrored(event, both), both) == event
    assert mirrored(event, both).effector != event.effector
    assert exchanged(exchanged(event)) == event


def test_captions_of_chains_state_facts_of_their_acts() -> None:
    caption = CaptionTruth("", frozenset({"1.side", "2.count"}))
    assert caption.of_act(0, 2) == {"side"} and caption.of_act(1, 2) == {"count"}
