"""What the gate lets through, on motions that are wrong in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from intermask.choreography.bank import load_bank, track_world
from intermask.choreography.families import STANDING
from intermask.choreography.gate import (
    REASONS,
    allowed_error,
    begins_series,
    judge,
)
from intermask.choreography.plausible import Plausible, bent_backwards, excess, measure_bank
from intermask.choreography.scene import ContactEvent, ScenePlan
from intermask.geometry import axis_angle_to_matrix, yaw_matrix
from intermask.kinematics import forward_kinematics, global_rotations
from intermask.motion import Motion
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

FRAMES = 90
APART = 1.5


@pytest.fixture(scope="module")
def plausible() -> Plausible:
    return measure_bank(load_bank())


def posed(root: torch.Tensor, rotations: torch.Tensor) -> Motion:
    """Two people from pelves (2, t, 3) and rotations (2, t, 22, 3, 3)."""
    offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
    places = [
        forward_kinematics(offsets, place, turns[:, 0], turns[:, 1:])
        for place, turns in zip(root, rotations, strict=True)
    ]
    return Motion(torch.stack(places), rotations[:, :, 1:], rotations[:, :, 0])


def standing() -> tuple[torch.Tensor, torch.Tensor]:
    """Pelves and rotations of two people of the bank, who stand and face each other."""
    bank = load_bank()
    rests = [each for each in bank.tagged("stand") if each.frames >= FRAMES]
    segment = max(rests, key=lambda each: each.frames)
    frames = slice(segment.start, segment.start + FRAMES)
    track = bank.track[frames] - bank.track[frames.start]
    place, turns = track_world(track, bank.root[frames], bank.rotations[frames])
    about = yaw_matrix(torch.tensor(torch.pi))
    opposite = place @ about.T + torch.tensor((0.0, 0.0, APART))
    turned = torch.cat((about @ turns[:, :1], turns[:, 1:]), 1)
    return torch.stack((place, opposite)), torch.stack((turns, turned))


@pytest.fixture(scope="module")
def plan() -> ScenePlan:
    return replace(STANDING.draw(torch.Generator().manual_seed(0)), contacts=())


def reasons(plan: ScenePlan, motion: Motion, plausible: Plausible) -> tuple[str, ...]:
    return judge(plan, motion, plausible).reasons


def test_people_who_just_stand_pass(plan: ScenePlan, plausible: Plausible) -> None:
    verdict = judge(plan, posed(*standing()), plausible)
    assert verdict.passed, verdict.details


def slide(root: torch.Tensor, rotations: torch.Tensor) -> None:
    root[0, :, 0] += 0.015 * torch.arange(FRAMES)


def walk_through(root: torch.Tensor, rotations: torch.Tensor) -> None:
    root[1, :, 2] -= APART - 0.1


def sink(root: torch.Tensor, rotations: torch.Tensor) -> None:
    root[0, :, 1] -= 0.1


def bend_the_knee_forwards(root: torch.Tensor, rotations: torch.Tensor) -> None:
    rotations[0, :, SMPL22.index("left_knee")] = axis_angle_to_matrix(
        torch.tensor((-0.4, 0.0, 0.0))
    )


def tilt_the_head_over(root: torch.Tensor, rotations: torch.Tensor) -> None:
    rotations[0, 30:60, SMPL22.index("head")] = axis_angle_to_matrix(torch.tensor((0.0, 2.0, 0.0)))


def jump_with_a_hand(root: torch.Tensor, rotations: torch.Tensor) -> None:
    elbow = SMPL22.index("left_elbow")
    rotations[0, 45, elbow] = axis_angle_to_matrix(torch.tensor((0.0, -1.8, 0.0)))


def freeze(root: torch.Tensor, rotations: torch.Tensor) -> None:
    root[1], rotations[1] = root[1, :1].clone(), rotations[1, :1].clone()


def jitter(root: torch.Tensor, rotations: torch.Tensor) -> None:
    root[0] += 0.004 * torch.randn(FRAMES, 3, generator=torch.Generator().manual_seed(0))


def break_numbers(root: torch.Tensor, rotations: torch.Tensor) -> None:
    root[0, 3, 1] = torch.nan


def hang_an_arm_through_the_trunk(root: torch.Tensor, rotations: torch.Tensor) -> None:
    shoulder, elbow = SMPL22.indices("left_shoulder", "left_elbow")
    rotations[0, :, shoulder] = axis_angle_to_matrix(torch.tensor((0.0, 0.0, -2.0)))
    rotations[0, :, elbow] = torch.eye(3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (slide, "skate"),
        (walk_through, "penetration"),
        (sink, "floor"),
        (bend_the_knee_forwards, "bent backwards"),
        (tilt_the_head_over, "joint limits"),
        (jump_with_a_hand, "pop"),
        (freeze, "jerk"),
        (jitter, "jerk"),
        (break_numbers, "not finite"),
        (hang_an_arm_through_the_trunk, "own body"),
    ],
)
def test_what_is_wrong_is_found(
    change: Callable[[torch.Tensor, torch.Tensor], None],
    reason: str,
    plan: ScenePlan,
    plausible: Plausible,
) -> None:
    root, rotations = standing()
    change(root, rotations)
    verdict = judge(plan, posed(root, rotations), plausible)
    assert reason in verdict.reasons
    assert len(verdict.details) == len(verdict.reasons)
    assert set(verdict.reasons) <= set(REASONS)


def event(seconds: float = 2.0, **fields: object) -> ContactEvent:
    """Person 1's right hand at a point of person 2's chest."""
    facts = {
        "seconds": seconds, "duration": 0.5, "actor": 0, "effector": "right_wrist", "target": 1,
        "joint": "spine3", "offset": (0.0, 0.0, 0.0), "tolerance": 0.03, "reach_seconds": 0.4,
    }  # fmt: skip
    return ContactEvent(**{**facts, **fields})  # type: ignore[arg-type]


def meeting(motion: Motion, seconds: float) -> ContactEvent:
    """The event that a motion meets by itself at a time: its point is where the hand is."""
    turns = torch.cat((motion.root_rotations[:, :, None], motion.rotations), 2)
    world = global_rotations(turns[:, :, 0], turns[:, :, 1:])
    hand, chest = SMPL22.indices("right_wrist", "spine3")
    frame = round(30 * seconds)
    way = motion.positions[0, frame, hand] - motion.positions[1, frame, chest]
    x, y, z = (world[1, frame, chest].T @ way).tolist()
    return event(seconds, offset=(x, y, z))


def arriving(metres: float) -> Motion:
    """Person 1 is moved towards person 2 by so many metres from 1.2 to 1.8 seconds."""
    root, rotations = standing()
    share = ((torch.arange(FRAMES) / 30 - 1.2) / 0.6).clamp(0, 1)
    root[0, :, 2] += metres * (share - 1)
    return posed(root, rotations)


def test_a_contact_that_is_met_in_time(plan: ScenePlan, plausible: Plausible) -> None:
    motion = arriving(0.5)
    met = replace(plan, contacts=(meeting(motion, 2.0),))
    assert not {"contact", "early"} & set(reasons(met, motion, plausible))


def test_a_contact_that_is_missed(plan: ScenePlan, plausible: Plausible) -> None:
    motion = arriving(0.5)
    goal = meeting(motion, 2.0)
    x, y, z = goal.offset
    missed = replace(plan, contacts=(replace(goal, offset=(x + 0.05, y, z)),))
    verdict = judge(missed, motion, plausible)
    assert "contact" in verdict.reasons
    assert "right_wrist at spine3 at 2.0 s" in verdict.details[0]
    shaping = replace(plan, contacts=(replace(missed.contacts[0], required=False),))
    assert "contact" not in reasons(shaping, motion, plausible)


def test_a_contact_that_happens_before(plan: ScenePlan, plausible: Plausible) -> None:
    motion = arriving(0.05)
    early = replace(plan, contacts=(meeting(motion, 2.0),))
    assert "early" in reasons(early, motion, plausible)


def test_a_wide_tolerance_is_no_excuse() -> None:
    assert allowed_error(event(tolerance=0.01)) == 0.03
    assert allowed_error(event(tolerance=0.05)) == 0.05
    assert allowed_error(event(tolerance=0.30)) == 0.06


def test_claps_are_one_series() -> None:
    first, second, third = event(1.0), event(2.0), event(6.0)
    events = (first, second, third)
    assert [begins_series(events, each) for each in events] == [True, False, True]
    assert begins_series((first, event(2.0, effector="left_wrist")), event(2.0, actor=1))


def test_the_bank_is_within_its_own_ranges(plausible: Plausible) -> None:
    beyond = excess(plausible, load_bank().rotations[:, 1:])
    assert float((beyond > 0).double().mean()) < 1e-3
    assert plausible.jerk[0] < plausible.jerk[1] < plausible.peak_jerk


def test_ranges_of_both_sides_mirror_each_other(plausible: Plausible) -> None:
    left, right = (SMPL22.index(f"{side}_shoulder") - 1 for side in ("left", "right"))
    flip = torch.tensor((1.0, -1.0, -1.0)).double()
    ends = torch.stack((plausible.lowest[left] * flip, plausible.highest[left] * flip)).sort(0)[0]
    torch.testing.assert_close(
        ends, torch.stack((plausible.lowest[right], plausible.highest[right])), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("joint", "fold"),
    [
        ("left_elbow", (0.0, -1.0, 0.0)),
        ("right_elbow", (0.0, 1.0, 0.0)),
        ("left_knee", (1.0, 0.0, 0.0)),
        ("right_knee", (1.0, 0.0, 0.0)),
    ],
)
def test_limbs_fold_one_way(joint: str, fold: tuple[float, float, float]) -> None:
    for angle in (-0.5, 0.0, 0.5):
        vectors = torch.zeros(21, 3)
        vectors[SMPL22.index(joint) - 1] = angle * torch.tensor(fold)
        back = bent_backwards(axis_angle_to_matrix(vectors))
        assert float(back[joint]) == pytest.approx(-angle, abs=1e-5)
