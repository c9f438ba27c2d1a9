"""Contacts between named joints, and what captions ask for."""

from __future__ import annotations

import pytest
import torch
from still_people import standing_pair

from intermask.evaluation.contact import (
    HANDS_ON_PARTNER,
    REQUIRED,
    Contact,
    contact_frames,
    contact_share,
    required_contacts,
)
from intermask.skeleton import SMPL22

HANDS = REQUIRED[0]


def reaching(joint: str, other: str, gap: float, frames: slice, person: int = 0) -> torch.Tensor:
    """People apart; in some frames a joint of one is ``gap`` metres from one of the other."""
    pair = standing_pair()
    target = pair[1 - person, frames, SMPL22.index(other)] + torch.tensor([0.0, gap, 0.0])
    pair[person, frames, SMPL22.index(joint)] = target
    return pair


def test_contact_is_there_in_the_frames_in_which_joints_are_near() -> None:
    pair = reaching("left_wrist", "right_wrist", 0.24, slice(2, 5))
    assert contact_frames(pair, HANDS).tolist() == [False] * 2 + [True] * 3 + [False] * 5
    assert contact_share(pair, HANDS) == pytest.approx(0.3)
    assert contact_share(reaching("left_wrist", "right_wrist", 0.26, slice(2, 5)), HANDS) == 0.0


def test_either_person_may_reach() -> None:
    for person in (0, 1):
        pair = reaching("right_wrist", "spine3", 0.1, slice(0, 10), person)
        assert contact_share(pair, HANDS_ON_PARTNER) == 1.0
        foot = Contact("foot", ("left_foot",), ("head",), 0.2)
        assert contact_share(pair, foot) == 0.0


@pytest.mark.parametrize(
    ("caption", "names"),
    [
        ("Two people shake hands.", ["hands joined"]),
        ("They are holding each other's hands", ["hands joined"]),
        ("Both give a high-five.", ["hands joined"]),
        ("One person hugs the other.", ["embrace"]),
        ("A pats B on the shoulder.", ["hand on shoulder or back"]),
        ("One person pushes the other away.", ["hand strikes or holds"]),
        ("The first kicks the second.", ["foot strikes"]),
        ("One picks up the other and carries him.", ["hand strikes or holds"]),
        ("Two people dance salsa.", []),
        ("One person raises both hands.", []),
        ("One walks back and kicks a ball.", []),
        ("He pushes the table.", []),
    ],
)
def test_captions_ask_for_contacts(caption: str, names: list[str]) -> None:
    assert [contact.name for contact in required_contacts(caption)] == names


def test_every_contact_names_joints_of_the_body() -> None:
    for contact in (HANDS_ON_PARTNER, *REQUIRED):
        assert set(contact.joints) | set(contact.others) <= set(SMPL22.names)
        assert 0.05 < contact.distance < 0.5
