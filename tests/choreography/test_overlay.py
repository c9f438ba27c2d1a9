"""The overlay: contacts are met when the plan says, feet stay, and the rest stays as it was."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch

from intermask.choreography.bank import load_bank
from intermask.choreography.families import FAMILIES
from intermask.choreography.overlay import contact_error, envelope, stage
from intermask.choreography.plans import PersonPlan, Waypoint
from intermask.choreography.scene import Caption, ContactEvent, Dip, Gaze, Lean, ScenePlan
from intermask.evaluation import physics
from intermask.kinematics import global_rotations
from intermask.motion import FPS, Motion
from intermask.skeleton import SMPL22
from intermask.timeline import minimum_jerk

SECONDS = 3.0


def standing(**parts: tuple) -> ScenePlan:
    """Two people who face each other, 0.9 m apart, and what else is asked of them."""
    people = tuple(
        PersonPlan((Waypoint(0.0, place, heading), Waypoint(SECONDS, place, heading)))
        for place, heading in (((0.0, 0.0), 0.0), ((0.0, 0.9), math.pi))
    )
    caption = Caption("Two people stand.", "plain", frozenset())
    empty: dict[str, tuple] = {"contacts": (), "gazes": (), "leans": (), "dips": ()}
    return ScenePlan("stand", SECONDS, people, parts=(), wordings=(caption,) * 3, **(empty | parts))  # type: ignore[arg-type]


@cache
def staged(**parts: tuple) -> Motion:
    return stage(load_bank(), standing(**parts), torch.Generator().manual_seed(0))


def at(seconds: float) -> int:
    return round(seconds * FPS)


TOUCH = ContactEvent(
    1.5, 0.5, 0, "right_wrist", 1, "left_shoulder", (0.0, 0.0, 0.08), 0.03, 0.6,
    effector_offset=(-0.09, 0.0, 0.0),
)  # fmt: skip


def test_minimum_jerk_rests_at_both_ends() -> None:
    share = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64)
    values = minimum_jerk(share)
    assert values[0] == 0 and values[-1] == 1
    torch.testing.assert_close(values + minimum_jerk(1 - share), torch.ones_like(values))
    assert values.diff(n=2).abs().max() < 2e-4
    whole = envelope(90, 1.0, 2.0, 0.5)
    assert whole[30:60].min() == 1 and whole[:14].max() == 0 and whole[76:].max() == 0


def test_a_contact_is_met_while_it_holds_and_not_long_before_or_after() -> None:
    touched = staged(contacts=(TOUCH,))
    assert contact_error(touched, TOUCH).max() < 0.02
    wrist, shoulder = SMPL22.indices("right_wrist", "left_shoulder")
    away = (touched.positions[0, :, wrist] - touched.positions[1, :, shoulder]).norm(dim=-1)
    assert away[: at(0.8)].min() > 0.4
    assert away[at(2.7) :].min() > 0.4


def test_who_is_touched_and_all_that_touches_nothing_stays() -> None:
    plain, touched = staged(), staged(contacts=(TOUCH,))
    moved = (touched.positions - plain.positions).norm(dim=-1)
    trunk = list(SMPL22.indices("pelvis", "spine1", "spine2", "spine3", "neck", "head"))
    assert moved[1][:, trunk].max() < 0.06
    assert moved[1].mean() < 0.02, "an arm may swing"
    left = list(SMPL22.indices("left_wrist", "left_ankle", "right_ankle", "pelvis"))
    assert moved[0][:, left].max() < 0.10
    assert moved[0].amax(0)[SMPL22.index("right_wrist")] > 0.4


def test_feet_do_not_slide_for_a_reach() -> None:
    assert physics.skate(staged(contacts=(TOUCH,)).positions).max() < 4


def test_an_elbow_folds_forwards() -> None:
    touched = staged(contacts=(TOUCH,))
    turned = touched.rotations[0, :, SMPL22.index("right_elbow") - 1]
    # In the T-pose the right forearm points along -x and folds towards +z.
    assert (-turned[at(1.5) : at(2.0), 2, 0]).min() > -0.15


def test_hands_go_from_contact_to_contact_without_going_home() -> None:
    second = ContactEvent(
        2.2, 0.3, 0, "right_wrist", 1, "left_shoulder", (0.0, 0.1, 0.12), 0.03, 0.5,
        effector_offset=(-0.09, 0.0, 0.0),
    )  # fmt: skip
    touched = staged(contacts=(TOUCH, second))
    assert contact_error(touched, TOUCH).max() < 0.02
    assert contact_error(touched, second).max() < 0.02
    wrist = touched.positions[0, :, SMPL22.index("right_wrist")]
    ends = wrist[at(2.0)], wrist[at(2.2)]
    between = wrist[at(2.0) : at(2.2) + 1]
    for end in ends:
        assert (between - end).norm(dim=-1).max() < (ends[0] - ends[1]).norm() + 0.03


def test_a_bow_bends_the_trunk_over_standing_feet() -> None:
    plain = staged()
    bowed = staged(leans=(Lean(0, 1.0, 1.0, pitch=0.9),))
    head, ankle = SMPL22.indices("head", "left_ankle")
    middle = at(1.5)
    lowered = plain.positions[0, middle, head] - bowed.positions[0, middle, head]
    assert lowered[1] > 0.1 and lowered[2] < -0.2, "down and ahead"
    assert (plain.positions - bowed.positions)[0, middle, 0, 2] > 0.05, "hips go back"
    moved = (bowed.positions - plain.positions)[0, :, ankle].norm(dim=-1)
    assert moved.max() < 0.03
    torch.testing.assert_close(bowed.positions[1], plain.positions[1], atol=0.01, rtol=0)


def test_a_dip_lowers_the_pelvis_over_standing_feet() -> None:
    plain = staged()
    lower = staged(dips=(Dip(1, 1.0, 1.0, 0.3),))
    drop = (plain.positions - lower.positions)[1, at(1.5)]
    assert drop[0, 1] == pytest.approx(0.3, abs=0.03)
    assert drop[list(SMPL22.indices("left_ankle", "right_ankle"))].norm(dim=-1).max() < 0.03


def test_a_look_turns_the_head_to_its_goal() -> None:
    def angle(motion: Motion) -> torch.Tensor:
        rotations = torch.cat((motion.root_rotations[:, :, None], motion.rotations), 2)
        world = global_rotations(rotations[0, :, 0], rotations[0, :, 1:])
        head, seen = SMPL22.index("head"), SMPL22.index("left_foot")
        ahead = motion.positions[1, :, seen] - motion.positions[0, :, head]
        ahead = torch.nn.functional.normalize(ahead, dim=-1)
        return torch.acos((world[:, head, :, 2] * ahead).sum(-1).clamp(-1, 1))

    looking = angle(staged(gazes=(Gaze(0, "left_foot", 1.0, 2.0),)))
    plain = angle(staged())
    assert looking[at(1.5)] < plain[at(1.5)] - 0.3
    torch.testing.assert_close(looking[: at(0.6)], plain[: at(0.6)], atol=0.02, rtol=0)


def test_people_do_not_stand_in_each_other() -> None:
    near = standing()
    people = tuple(
        PersonPlan(tuple(Waypoint(way.seconds, (0.0, z), way.heading) for way in person.waypoints))
        for person, z in zip(near.people, (0.0, 0.2), strict=True)
    )
    crowded = ScenePlan("stand", SECONDS, people, (), (), (), (), (), near.wordings)  # type: ignore[arg-type]
    parted = stage(load_bank(), crowded, torch.Generator().manual_seed(0))
    trunk = parted.positions[:, :, SMPL22.index("spine2")]
    assert (trunk[0] - trunk[1]).norm(dim=-1).min() > 0.18


@pytest.mark.parametrize("name", ["handshake", "pat", "lead"])
def test_scenes_meet_their_required_contacts_and_repeat(name: str) -> None:
    def made() -> tuple[ScenePlan, Motion]:
        generator = torch.Generator().manual_seed(7)
        plan = FAMILIES[name].draw(generator)
        return plan, stage(load_bank(), plan, generator)

    plan, motion = made()
    assert plan.required_contacts
    for event in plan.required_contacts:
        assert contact_error(motion, event).mean() < 0.03
    assert torch.equal(motion.positions, made()[1].positions)
    assert motion.caption == plan.captions[0]
