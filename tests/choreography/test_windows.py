"""What a judge of humanness sees, and what it must not see."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from intermask.choreography.bank import load_bank, track_world
from intermask.choreography.windows import (
    ACTIVITIES,
    CHANNELS,
    FEATURES,
    FRAMES,
    SEEN_FRAMES,
    STRIDE,
    Windows,
    cut_windows,
    mirrored,
    on_mean_body,
    stood_up,
    with_noise,
)
from intermask.data.limbs import LEGS, two_bone
from intermask.geometry import yaw_matrix
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22


def walker() -> Tensor:
    """(t, 22, 3) of the bank's longest walk."""
    bank = load_bank()
    piece = max(bank.tagged("walk"), key=lambda segment: segment.frames)
    frames = slice(piece.start, piece.stop)
    place, world = track_world(bank.track[frames], bank.root[frames], bank.rotations[frames])
    offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
    return forward_kinematics(offsets, place, world[:, 0], world[:, 1:])


def windows(positions: Tensor) -> Windows:
    cut = cut_windows(positions)
    assert cut is not None
    return cut


def test_windows_are_cut_with_a_stride_and_short_clips_give_none() -> None:
    person = walker()
    cut = windows(person)
    assert len(cut) == (len(person) - FRAMES) // STRIDE + 1
    assert cut.seen.shape == (len(cut), SEEN_FRAMES, CHANNELS)
    assert all(values.shape == (len(cut),) for values in cut.features.values())
    assert {ACTIVITIES[index].partition(", ")[2] for index in cut.activity} == {"arms hang"}
    assert cut_windows(person[: FRAMES - 1]) is None


def test_place_heading_and_size_are_not_seen() -> None:
    person = walker()
    turn = yaw_matrix(torch.tensor(2.0))
    moved = 1.07 * person @ turn.T + torch.tensor((3.0, 0.4, -2.0))
    torch.testing.assert_close(windows(moved).seen, windows(person).seen, atol=2e-3, rtol=0)
    assert FEATURES["body size"].hidden
    ratio = windows(moved).features["body size"] / windows(person).features["body size"]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1.07))


def test_bones_of_any_length_become_the_mean_adults() -> None:
    person = walker()
    stretched = person.clone()
    stretched[:, SMPL22.index("right_wrist")] += 0.3 * (
        person[:, SMPL22.index("right_wrist")] - person[:, SMPL22.index("right_elbow")]
    )
    parents = list(SMPL22.parents[1:])
    own = on_mean_body(stretched)
    bones = (own[:, 1:] - own[:, parents]).norm(dim=-1)
    expected = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32).norm(dim=-1)[1:]
    torch.testing.assert_close(bones, expected.expand_as(bones), atol=1e-5, rtol=0)


def test_people_on_bent_legs_stand_up_and_their_feet_stay() -> None:
    person = walker()
    # Lower hips over the same feet are what some retargeted captures have.
    low = person - torch.tensor((0.0, 0.08, 0.0))
    for hip, knee, ankle, foot in LEGS:
        pole = person[:, knee] - (person[:, hip] + person[:, ankle]) / 2
        upper, lower = (
            (person[0, a] - person[0, b]).norm() for a, b in ((hip, knee), (knee, ankle))
        )
        low[:, knee], _ = two_bone(low[:, hip], person[:, ankle], pole, float(upper), float(lower))
        low[:, [ankle, foot]] = person[:, [ankle, foot]]
    ankles = list(SMPL22.indices("left_ankle", "right_ankle"))
    up = stood_up(low)
    torch.testing.assert_close(up[:, ankles], person[:, ankles], atol=0.02, rtol=0)
    torch.testing.assert_close(up, stood_up(person), atol=0.02, rtol=0)
    assert float((low - person).abs().amax()) > 0.07


def test_a_mirror_twice_changes_nothing_and_agrees_with_mirrored_people() -> None:
    person = walker()
    flip = torch.tensor((-1.0, 1.0, 1.0))
    other = person[:, list(SMPL22.mirror_order)] * flip
    torch.testing.assert_close(mirrored(mirrored(windows(person).seen)), windows(person).seen)
    torch.testing.assert_close(
        mirrored(windows(person).seen), windows(other).seen, atol=1e-3, rtol=0
    )


def test_noise_is_the_generators_and_posture_is_held() -> None:
    seen = torch.zeros(400, SEEN_FRAMES, CHANNELS)
    first = with_noise(seen, torch.Generator().manual_seed(1))
    assert torch.equal(first, with_noise(seen, torch.Generator().manual_seed(1)))
    held = first.mean(1)[:, : CHANNELS - 4].std()
    changing = (first - first.mean(1, keepdim=True))[..., : CHANNELS - 4].std()
    assert float(held) == pytest.approx(0.02, rel=0.1)
    assert float(changing) == pytest.approx(0.005, rel=0.1)


def test_trembling_is_hidden_and_counted() -> None:
    person = walker()
    shaking = person + 0.002 * torch.randn(person.shape, generator=torch.Generator().manual_seed(0))
    calm, rough = windows(person), windows(shaking)
    assert float(rough.features["tremble"].mean()) > 3 * float(calm.features["tremble"].mean())
    assert float((rough.seen - calm.seen)[..., :-4].abs().mean()) < 0.002


def test_turning_and_pace_are_measured_in_seconds() -> None:
    standing = walker()[:1].expand(90, -1, -1)
    seconds = torch.arange(90) / 30
    spinning = standing - standing[:, :1]
    spinning = torch.einsum("tik,tjk->tji", yaw_matrix(0.5 * seconds), spinning)
    going = spinning + torch.stack((0.8 * seconds, 0 * seconds, 0 * seconds), -1)[:, None]
    features = windows(going).features
    torch.testing.assert_close(
        features["turning"], torch.full_like(features["turning"], 0.5), atol=0.02, rtol=0
    )
    torch.testing.assert_close(
        features["pace"], torch.full_like(features["pace"], 0.8), atol=0.02, rtol=0
    )
    assert math.isfinite(float(features["jerk"].sum()))
