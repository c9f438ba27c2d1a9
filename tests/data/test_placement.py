"""Crops placed cheaply equal crops canonicalised from their first frame."""

from __future__ import annotations

import pytest
import torch

from intermask.data.batching import canonical_people
from intermask.data.layout import Clip
from intermask.data.placement import Crop, placed_features
from intermask.geometry import axis_angle_to_matrix
from intermask.representation import CONTACTS
from walking import walking_pair
from worlds import loaded, moved

PAIR = loaded(moved(walking_pair(80), 2.2, (3.0, 0.0, -4.0)))


def canonical(pair: torch.Tensor, crop: Crop, floor: str) -> torch.Tensor:
    piece = pair[:, crop.anchor : crop.stop]
    people = canonical_people(piece, floor, mirror=crop.mirror, swap=crop.reference == 1)
    return people[crop.person ^ crop.reference, crop.start - crop.anchor :]


@pytest.mark.parametrize("floor", ["per_person", "shared"])
def test_crops_equal_canonicalised_ones(floor: str) -> None:
    clip = Clip("walk", PAIR, ())
    crops = [
        Crop(clip, person, reference, anchor, start, start + 21, mirror)
        for person in (0, 1)
        for reference in (0, 1)
        for anchor, start in ((0, 0), (0, 30), (17, 17), (25, 50))
        for mirror in (False, True)
    ]
    together = placed_features(crops, floor)
    assert together.shape == (32, 20, 262)
    for crop, features in zip(crops, together, strict=True):
        expected = canonical(PAIR, crop, floor)
        torch.testing.assert_close(features, expected, atol=2e-6, rtol=0)
        assert torch.equal(features[:, CONTACTS], expected[:, CONTACTS])
        assert torch.equal(placed_features([crop], floor)[0], features)  # alone as in a batch


def test_somebody_who_lies_on_a_side() -> None:
    motion = walking_pair(30)
    fallen = axis_angle_to_matrix(torch.tensor([0.0, 0.0, torch.pi / 2]))
    motion.positions[:] = motion.positions @ fallen.T
    pair = loaded(motion)
    for mirror in (False, True):
        crop = Crop(Clip("fallen", pair, ()), 1, 0, 3, 5, 20, mirror)
        expected = canonical(pair, crop, "per_person")
        found = placed_features([crop], "per_person")[0]
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


def test_one_person_alone() -> None:
    alone = PAIR[:1]
    crop = Crop(Clip("alone", alone, ()), 0, 0, 10, 20, 40, mirror=True)
    expected = canonical_people(alone[:, 10:40], "shared", mirror=True)[0, 10:]
    found = placed_features([crop], "shared")[0]
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


def test_nothing_that_was_given_changes() -> None:
    clip = Clip("walk", PAIR, ())
    before = [part.clone() for part in (clip.loaded, clip.frame_facts)]
    placed_features([Crop(clip, 0, 1, 0, 0, 20, mirror=True)], "shared")
    for was, part in zip(before, (clip.loaded, clip.frame_facts), strict=True):
        assert torch.equal(was, part)
