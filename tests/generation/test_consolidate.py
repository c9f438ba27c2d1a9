"""Consolidation: rigid bones, agreeing formats, small changes, untouched given frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from intermask.export.bvh import bvh_text
from intermask.generation.consolidate import (
    Consolidated,
    ConsolidationOptions,
    consolidate,
    person_offsets,
)
from intermask.generation.footlock import FootLockOptions, foot_contacts
from intermask.generation.rigid_bones import project_onto_bones
from intermask.geometry import axis_angle_to_matrix, geodesic_angle
from intermask.kinematics import bone_offsets, forward_kinematics
from intermask.motion import Motion
from intermask.skeleton import FEET, SMPL22
from walking import walking_pair

NOTHING = ConsolidationOptions(
    smoothing=0, calming=False, settling=None, hand_contact=0, grounding=0, landing=0
)


def decoded(noise: float, seed: int = 0, frames: int = 60) -> tuple[Motion, Tensor, Tensor]:
    """Walkers, and positions and rotations as a tokenizer might return them.

    Half of the position noise (metres, root mean square of a joint) stays for four frames, as a
    wrong token does; bones stretch; rotations are off by 0.1 rad.
    """
    generator = torch.Generator().manual_seed(seed)
    truth = walking_pair(frames)
    shape = truth.positions.shape
    held = torch.randn(shape, generator=generator)[:, torch.arange(frames) // 4]
    shivers = torch.randn(shape, generator=generator)
    positions = truth.positions + noise / 3**0.5 * (0.7 * held + 0.7 * shivers)
    turns = axis_angle_to_matrix(0.1 * torch.randn(2, frames, 21, 3, generator=generator))
    return truth, positions, truth.rotations @ turns


def as_motion(result: Consolidated) -> Motion:
    return Motion(result.positions, result.rotations, result.root_rotations)


@pytest.mark.parametrize("noise", [0.01, 0.02])
def test_the_mean_joint_moves_by_at_most_20_mm(noise: float) -> None:
    truth, positions, rotations = decoded(noise)
    result = consolidate(positions, rotations)
    assert (result.positions - positions).norm(dim=-1).mean() < 0.020
    error = (result.positions - truth.positions).norm(dim=-1).mean()
    assert error < (positions - truth.positions).norm(dim=-1).mean()


def test_bones_are_rigid_and_rotations_lead_to_the_positions() -> None:
    _, positions, rotations = decoded(0.02)
    result = consolidate(positions, rotations)
    bones = result.positions[:, :, 1:] - result.positions[:, :, list(SMPL22.parents[1:])]
    lengths = bones.norm(dim=-1)
    assert (lengths.amax(1) - lengths.amin(1)).max() < 1e-5
    raw = (positions[:, :, 1:] - positions[:, :, list(SMPL22.parents[1:])]).norm(dim=-1)
    torch.testing.assert_close(lengths.mean(1), raw.quantile(0.5, dim=1), atol=1e-4, rtol=0)
    offsets = bone_offsets(result.positions, result.root_rotations, result.rotations)
    again = forward_kinematics(
        offsets[:, None], result.positions[..., 0, :], result.root_rotations, result.rotations
    )
    torch.testing.assert_close(again, result.positions, atol=1e-5, rtol=0)


def test_a_clean_motion_stays_as_it_is() -> None:
    truth = walking_pair()
    result = consolidate(truth.positions, truth.rotations, options=NOTHING)
    assert (result.positions - truth.positions).norm(dim=-1).max() < 1e-3
    # the orientation of the pelvis is read off the joints, relative to the mean adult's
    assert geodesic_angle(result.rotations[:, :, 3:], truth.rotations[:, :, 3:]).max() < 0.02


def test_planted_feet_stand_and_nobody_sinks() -> None:
    truth = walking_pair(50)
    standing = replace(
        truth,
        positions=truth.positions[:, 20:21].expand(2, 50, 22, 3),
        rotations=truth.rotations[:, 20:21].expand(2, 50, 21, 3, 3),
    )
    noise = 0.008 * torch.randn(2, 50, 22, 3, generator=torch.Generator().manual_seed(3))
    positions = standing.positions + noise
    result = consolidate(positions, standing.rotations)
    contacts = foot_contacts(result.positions, 30.0, FootLockOptions())
    both = contacts[:, 1:] & contacts[:, :-1]
    assert both.float().mean() > 0.2
    speed = result.positions[..., list(FEET), :].diff(dim=1).norm(dim=-1)[both] * 30
    before = positions[..., list(FEET), :].diff(dim=1).norm(dim=-1)[both] * 30
    assert speed.mean() < 0.05 * before.mean()
    assert result.positions[..., 1].min() > -0.005


def test_hovering_people_are_set_down_together() -> None:
    truth = walking_pair(30)
    lift = torch.tensor([0.05, 0.06])[:, None, None]
    positions = truth.positions.clone()
    positions[..., 1] += lift
    result = consolidate(positions, truth.rotations, options=replace(NOTHING, grounding=0.08))
    moved = (result.positions - positions)[..., 1]
    assert -0.06 < moved.mean() < -0.035
    assert (moved[0] - moved[1]).abs().max() < 1e-3
    high = positions + torch.tensor([0.0, 0.5, 0.0])
    result = consolidate(high, truth.rotations, options=replace(NOTHING, grounding=0.08))
    assert (result.positions - high).abs().max() < 1e-3


def test_hands_stay_on_the_partner() -> None:
    """The wrists were decoded 4 to 8 cm apart; stretched bones pull them away from there."""
    truth, positions, _ = decoded(0.01)
    right, left = SMPL22.indices("right_wrist", "left_wrist")
    positions[1] -= (truth.positions[1, :, left] - truth.positions[0, :, right])[:, None]
    apart = positions[1, :, left] - positions[0, :, right] + torch.tensor([0.0, 0.0, 0.06])
    positions[1] += torch.tensor([0.0, 0.0, 0.06])

    def lost(options: ConsolidationOptions) -> Tensor:
        moved = consolidate(positions, truth.rotations, options=options).positions
        return (moved[1, :, left] - moved[0, :, right] - apart).norm(dim=-1).mean()

    assert lost(replace(NOTHING, hand_contact=0.2)) < 0.5 * lost(NOTHING)
    assert lost(replace(NOTHING, hand_contact=0.2)) < 0.003


def test_kept_frames_come_back_verbatim_and_the_rest_joins_them() -> None:
    truth, positions, rotations = decoded(0.015)
    keep = torch.zeros(2, 60, dtype=torch.bool)
    keep[0, :20] = True
    keep[1] = True
    given = keep[..., None, None]
    positions = torch.where(given, truth.positions, positions)
    rotations = torch.where(given[..., None], truth.rotations, rotations)
    result = consolidate(positions, rotations, keep=keep, root_rotations=truth.root_rotations)
    assert torch.equal(result.positions[keep], truth.positions[keep])
    assert torch.equal(result.rotations[keep], truth.rotations[keep])
    assert torch.equal(result.root_rotations[keep], truth.root_rotations[keep])
    bones = result.positions[:, :, 1:] - result.positions[:, :, list(SMPL22.parents[1:])]
    lengths = bones.norm(dim=-1)
    assert (lengths.amax(1) - lengths.amin(1)).max() < 1e-4
    bvh_text(as_motion(result), 0)
    offsets = bone_offsets(result.positions, result.root_rotations, result.rotations)
    again = forward_kinematics(
        offsets[:, None], result.positions[..., 0, :], result.root_rotations, result.rotations
    )
    assert (again - result.positions).norm(dim=-1).max() < 0.002


def test_turning_the_world_turns_the_result() -> None:
    _, positions, rotations = decoded(0.01, frames=30)
    turn = axis_angle_to_matrix(torch.tensor([0.0, 2.0, 0.0]))
    plain = consolidate(positions, rotations).positions
    turned = consolidate(positions @ turn.T, rotations).positions
    torch.testing.assert_close(turned, plain @ turn.T, atol=1e-3, rtol=0)


def test_exchanging_the_people_exchanges_the_result() -> None:
    _, positions, rotations = decoded(0.01, frames=30)
    plain = consolidate(positions, rotations)
    swapped = consolidate(positions.flip(0), rotations.flip(0))
    torch.testing.assert_close(swapped.positions.flip(0), plain.positions, atol=1e-6, rtol=0)


def test_untrained_rotations_still_give_a_t_pose_skeleton() -> None:
    _, positions, _ = decoded(0.01)
    random = axis_angle_to_matrix(torch.randn(2, 60, 21, 3) * 2)
    keep = torch.zeros(2, 60, dtype=torch.bool)
    offsets = person_offsets(positions.double(), random.double(), keep)
    elbow = SMPL22.index("left_elbow")
    assert offsets[0, 0, elbow, 0] > 0.9 * offsets[0, 0, elbow].norm()
    result = consolidate(positions, random)
    assert (result.positions - positions).norm(dim=-1).mean() < 0.02


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_clips(frames: int) -> None:
    _, positions, rotations = decoded(0.01, frames=frames)
    assert consolidate(positions, rotations).positions.isfinite().all()


def test_projection_keeps_fixed_frames() -> None:
    _, positions, rotations = decoded(0.02)
    fixed = torch.zeros(2, 60, dtype=torch.bool)
    fixed[:, 10:20] = True
    offsets = person_offsets(positions, rotations, torch.zeros_like(fixed))
    moved = project_onto_bones(positions, offsets, fixed)
    assert torch.equal(moved[fixed], positions[fixed])
    assert not torch.equal(moved[~fixed], positions[~fixed])


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="smoothing"):
        ConsolidationOptions(smoothing=-1)
    with pytest.raises(ValueError, match="rounds"):
        ConsolidationOptions(rounds=0)


def test_bvh_of_a_generated_motion_agrees(tmp_path: Path) -> None:
    _, positions, rotations = decoded(0.02)
    motion = as_motion(consolidate(positions, rotations))
    for person in range(2):
        header = bvh_text(motion, person).split("MOTION")[0]
        assert header.count("JOINT") == 21 and header.count("End Site") == 5
