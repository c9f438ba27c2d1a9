"""What is read off motions of prompts that no grammar wrote."""

from __future__ import annotations

import math

import pytest
import torch

from intermask.adherence import gestures
from intermask.adherence.free_prompts import bearing, may_be_low
from intermask.choreography.prompt_sets import outside_prompts
from intermask.skeleton import SMPL22
from walking import walking_pair


def test_people_who_walk_stand_and_live() -> None:
    found = bearing(walking_pair(60).positions)
    assert found.stands and found.lives


def test_people_on_the_floor_do_not_stand_and_statues_do_not_live() -> None:
    positions = walking_pair(60).positions
    sunk = positions - positions.new_tensor((0.0, 0.6, 0.0))
    assert not bearing(sunk).stands
    frozen = positions[:, :1].expand(-1, 60, -1, -1)
    assert bearing(frozen).stands and not bearing(frozen).lives


def test_numbers_that_are_none_are_no_life() -> None:
    found = bearing(torch.full((2, 30, 22, 3), math.nan))
    assert not found.stands and not found.lives


def test_trembling_is_no_life() -> None:
    positions = walking_pair(60).positions[:, :1].expand(-1, 60, -1, -1).clone()
    positions[:, 1::3] += 0.01
    assert not bearing(positions).lives


def test_few_prompts_may_be_low() -> None:
    low = [prompt.text for prompt in outside_prompts() if may_be_low(prompt.text)]
    assert 10 <= len(low) <= 20
    assert may_be_low("Two people lie on the grass and look at the stars.")
    assert not may_be_low("Two people argue about politics.")


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_raised_hand_and_foot_are_found(side: str) -> None:
    positions = walking_pair(40).positions.clone()
    wrist, shoulder, ankle = SMPL22.indices(f"{side}_wrist", f"{side}_shoulder", f"{side}_ankle")
    assert gestures.wave(positions) is None
    positions[1, 10:30, wrist] = positions[1, 10:30, shoulder] + 0.3
    positions[0, 20, ankle, 1] += 0.7
    wave, kick = gestures.wave(positions), gestures.kick(positions)
    assert wave is not None and (wave.frame, wave.person, wave.side) == (10, 1, side)
    assert (kick.frame, kick.person, kick.side) == (20, 0, side)


def test_the_way_round_is_that_of_the_eye_above() -> None:
    """Seen from above, +z to +x is counterclockwise, as a positive yaw is."""
    angle = torch.linspace(0, 2, 30)
    positions = torch.zeros(2, 30, 22, 3)
    positions[1, :, :, 0] = torch.sin(angle)[:, None]
    positions[1, :, :, 2] = torch.cos(angle)[:, None]
    assert gestures.turning(positions) == "counterclockwise"
    assert gestures.turning(positions.flip(1)) == "clockwise"


def test_the_one_who_came_is_found() -> None:
    positions = torch.zeros(2, 30, 22, 3)
    positions[1, :, :, 0] = torch.linspace(2, 1, 30)[:, None]
    assert gestures.comer(positions, 29) == 1
    assert gestures.comer(positions, 2) is None
