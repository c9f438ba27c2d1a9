"""Pelvis and chest keep turning steadily where a decoder's joints do not say how they stand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from intermask.generation.consolidate import consolidate, person_offsets
from intermask.generation.rigid_bones import project_onto_bones
from intermask.generation.rigid_parts import PARTS, rigid_part
from intermask.geometry import axis_angle_to_matrix, geodesic_angle
from intermask.skeleton import SMPL22
from walking import walking_pair

HIPS, COLLARS = (
    SMPL22.indices("left_hip", "right_hip"),
    SMPL22.indices("left_collar", "right_collar"),
)
BAD = torch.zeros(60, dtype=torch.bool)
BAD[[0, 13, 30, 31, 32, 33, 50]] = True


def swapped(positions: Tensor, pair: tuple[int, ...]) -> Tensor:
    """Left and right change places: a clear fit, but of a body turned by half a turn."""
    result = positions.clone()
    result[:, BAD] = positions[:, BAD][:, :, _order(pair)]
    return result


def collapsed(positions: Tensor, pair: tuple[int, ...]) -> Tensor:
    """Left and right fall together: any turn about the spine fits as well, and noise decides."""
    result = positions.clone()
    middle = positions[:, BAD][:, :, list(pair)].mean(2, keepdim=True)
    noise = torch.randn(2, int(BAD.sum()), 2, 3, generator=torch.Generator().manual_seed(0))
    moved = result[:, BAD]
    moved[:, :, list(pair)] = middle + 0.003 * noise
    result[:, BAD] = moved
    return result


def _order(pair: tuple[int, ...]) -> list[int]:
    order = list(range(SMPL22.joint_count))
    order[pair[0]], order[pair[1]] = pair[1], pair[0]
    return order


def largest_step(positions: Tensor) -> float:
    return float(positions.diff(dim=1).norm(dim=-1).max())


@pytest.mark.parametrize("spoil", [swapped, collapsed])
@pytest.mark.parametrize("pair", [HIPS, COLLARS], ids=["hips", "collars"])
def test_joints_do_not_jump_where_the_body_is_misshapen(spoil, pair: tuple[int, ...]) -> None:
    truth = walking_pair(60)
    spoilt = spoil(truth.positions, pair)
    result = consolidate(spoilt, truth.rotations)
    assert result.positions.isfinite().all()
    joints = list(pair)
    step = largest_step(result.positions[:, :, joints])
    assert step < 2 * largest_step(truth.positions[:, :, joints])
    assert step < 0.5 * largest_step(spoilt[:, :, joints])


@pytest.mark.parametrize("spoil", [swapped, collapsed])
def test_the_turn_comes_from_the_frames_around(spoil) -> None:
    truth = walking_pair(60)
    offsets = person_offsets(truth.positions, truth.rotations, torch.zeros(2, 60, dtype=torch.bool))
    for joints, pair in zip(PARTS, (HIPS, COLLARS), strict=True):
        expected = rigid_part(truth.positions, offsets, joints)
        found = rigid_part(spoil(truth.positions, pair), offsets, joints)
        assert torch.equal(found.trust == 0, BAD.expand(2, -1))
        assert bool((expected.trust == 1).all())
        scale = expected.prior.det().abs() ** (1 / 3)
        turns = [each.prior / scale[..., None, None] for each in (expected, found)]
        assert float(geodesic_angle(*turns).max()) < 0.12


def test_a_fast_turn_is_believed() -> None:
    """1080 degrees a second, faster than a figure skater starts."""
    positions = walking_pair(60).positions
    angle = torch.arange(60.0)[:, None] * torch.tensor([0.0, 0.628, 0.0])
    spun = (axis_angle_to_matrix(angle)[:, None] @ positions[..., None])[..., 0]
    rotations = walking_pair(60).rotations
    offsets = person_offsets(positions, rotations, torch.zeros(2, 60, dtype=torch.bool))
    for joints in PARTS:
        assert bool((rigid_part(spun, offsets, joints).trust == 1).all())


def test_a_body_that_never_has_a_shape_is_still_finite() -> None:
    truth = walking_pair(20)
    offsets = person_offsets(truth.positions, truth.rotations, torch.zeros(2, 20, dtype=torch.bool))
    points = truth.positions[:, :, :1].expand(2, 20, 22, 3)
    fixed = torch.zeros(2, 20, dtype=torch.bool)
    assert project_onto_bones(points, offsets, fixed).isfinite().all()
