"""Planted feet: found, held still, and released smoothly."""

from __future__ import annotations

import torch
from torch import Tensor

from intermask.generation.footlock import FootLockOptions, foot_contacts, planted_feet
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, rest_positions

OPTIONS = FootLockOptions()


def stepping_person(jitter: float = 0.0) -> Tensor:
    """(1, 60, 22, 3): stands for 20 frames, swings the left foot 0.6 m ahead, stands again."""
    rest = torch.tensor(rest_positions(MEAN_ADULT_OFFSETS))
    positions = rest.expand(1, 60, 22, 3).clone()
    positions[..., 1] -= rest[:, 1].min()
    swing = torch.linspace(0, 1, 60)[None].sub(1 / 3).mul(3).clamp(0, 1)
    for joint in FEET[:2]:
        positions[..., joint, 2] += 0.6 * swing
        positions[..., joint, 1] += 0.15 * torch.sin(torch.pi * swing)
    noise = torch.randn(positions.shape, generator=torch.Generator().manual_seed(0))
    return positions + jitter * noise


def test_contacts_of_a_step() -> None:
    contacts = foot_contacts(stepping_person(), 30.0, OPTIONS)[0]
    assert contacts[:, 2:].all()
    assert contacts[2:18, :2].all() and contacts[42:58, :2].all()
    assert not contacts[25:36, :2].any()


def test_planted_feet_stand_still_and_the_swing_is_left_alone() -> None:
    positions = stepping_person(jitter=0.004)
    contacts = foot_contacts(positions, 30.0, OPTIONS)
    feet = planted_feet(positions, contacts, OPTIONS)
    before = positions[..., list(FEET), :]
    both = contacts[:, 1:] & contacts[:, :-1]
    assert feet.diff(dim=1)[both].abs().max() < 1e-9
    assert (feet - before)[0, 27:34, :2].abs().max() < 1e-9
    assert (feet - before).norm(dim=-1).max() < OPTIONS.slack
    assert feet.diff(dim=1).norm(dim=-1).max() < before.diff(dim=1).norm(dim=-1).max() + 0.02


def test_planted_feet_do_not_sink() -> None:
    positions = stepping_person() - torch.tensor([0.0, 0.02, 0.0])
    contacts = torch.ones(1, 60, 4, dtype=torch.bool)
    contacts[:, 15:45, :2] = False
    feet = planted_feet(positions, contacts, OPTIONS)
    assert feet[contacts][:, 1].min() >= 0


def test_a_foot_that_drifts_on_stands_on_several_points() -> None:
    positions = stepping_person()[:, :1].expand(1, 60, 22, 3).clone()
    positions[..., 0] += torch.linspace(0, 0.4, 60)[:, None]
    contacts = torch.ones(1, 60, 4, dtype=torch.bool)
    feet = planted_feet(positions, contacts, OPTIONS)
    moved = (feet - positions[..., list(FEET), :]).norm(dim=-1)
    assert moved.max() <= OPTIONS.slack + 1e-6
    still = feet[0, :, 0].diff(dim=0).norm(dim=-1) < 1e-9
    assert still.float().mean() > 0.4


def test_a_person_in_the_air_has_no_contacts() -> None:
    lifted = stepping_person() + torch.tensor([0.0, 0.5, 0.0])
    assert not foot_contacts(lifted, 30.0, OPTIONS).any()
