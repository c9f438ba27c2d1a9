"""Laws of the clean-up: fewer flaws, the same frames, bones and contacts, and no pops."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from intermask.errors import UserError
from intermask.evaluation.measurement import measure
from intermask.generation.cleanup import CleanupOptions, clean, peak_accelerations
from intermask.generation.kept_contacts import body_gaps, count_contacts, posed
from intermask.kinematics import bone_offsets, forward_kinematics
from intermask.motion import Motion
from intermask.skeleton import SMPL22
from walking import walking_pair

FRAMES = 24


def touching_pair() -> Motion:
    """Person 1 rests the right hand on person 2, and both sway together; their feet slide."""
    still = walking_pair(1)
    expanded = Motion(
        still.positions.expand(-1, FRAMES, -1, -1).clone(),
        still.rotations.expand(-1, FRAMES, -1, -1, -1).clone(),
        still.root_rotations.expand(-1, FRAMES, -1, -1).clone(),
    )
    hand = expanded.positions[0, 0, SMPL22.index("right_wrist")]
    shoulder = expanded.positions[1, 0, SMPL22.index("left_shoulder")]
    place = expanded.positions
    place[1, ..., [0, 2]] += (hand - shoulder)[[0, 2]] + torch.tensor((0.0, 0.1))
    time = torch.arange(FRAMES) / 30.0
    place[..., 0] += 0.03 * torch.sin(2 * math.pi * 0.5 * time)[:, None]
    return replace(expanded, positions=place)


def noisy(motion: Motion, deviation: float = 0.006) -> Motion:
    noise = torch.randn(motion.positions.shape, generator=torch.Generator().manual_seed(0))
    return replace(motion, positions=motion.positions + deviation * noise)


def growth(before: Motion, after: Motion) -> float:
    peaks = [peak_accelerations(each.positions.double(), each.fps) for each in (after, before)]
    return float((peaks[0] / peaks[1].clamp_min(1e-3)).max())


def test_noise_goes_and_contacts_stay() -> None:
    before = noisy(touching_pair())
    after = clean(before)
    counts = count_contacts(before, after)
    assert counts.before > FRAMES / 2 and counts.kept >= 0.97 * counts.before
    was, now = (measure(each.positions) for each in (before, after))
    assert now.jerk < 0.2 * was.jerk and now.skate < 0.5 * was.skate
    assert now.bone_drift < 1e-5 and growth(before, after) <= 1.0
    assert after.positions.shape == before.positions.shape and after.fps == before.fps
    reached = forward_kinematics(
        bone_offsets(after.positions, after.root_rotations, after.rotations)[:, None],
        after.positions[:, :, 0], after.root_rotations, after.rotations,
    )  # fmt: skip
    assert (reached - after.positions).norm(dim=-1).max() < 1e-3
    again = clean(before)
    assert again.positions.equal(after.positions)


def test_contacts_are_let_go_on_request() -> None:
    """What keeps them is the term, not chance: people in each other come apart only without it."""
    motion = touching_pair()
    pulled = motion.positions.clone()
    pulled[1, ..., 0] += 0.004 * torch.sin(torch.arange(FRAMES) * 1.3)[:, None]
    shaken = replace(motion, positions=pulled)
    kept, free = (clean(shaken, CleanupOptions(contacts=each)) for each in (True, False))
    palm = 1  # right palm of person 1
    was = body_gaps(posed(shaken)).air[0, :, palm]
    change = [
        float((body_gaps(posed(each)).air[0, :, palm] - was).abs().mean()) for each in (kept, free)
    ]
    assert change[0] < change[1]


def test_a_smooth_motion_keeps_its_bones_and_does_not_pop() -> None:
    motion = walking_pair(FRAMES)
    after = clean(motion)
    parents = list(SMPL22.parents[1:])
    was, now = (
        (each.positions[:, :, 1:] - each.positions[:, :, parents]).norm(dim=-1)
        for each in (motion, after)
    )
    torch.testing.assert_close(now, was, atol=1e-4, rtol=0)
    assert growth(motion, after) <= 1.01
    assert measure(after.positions).skate < measure(motion.positions).skate


def test_only_the_parts_that_are_asked_for() -> None:
    sunk = walking_pair(FRAMES)
    sunk = replace(sunk, positions=sunk.positions - torch.tensor((0.0, 0.03, 0.0)))
    risen = clean(sunk, CleanupOptions(parts=("floor",)))
    assert risen.positions[..., 1].min() > 0.5 * sunk.positions[..., 1].min()
    feet = clean(sunk, CleanupOptions(parts=("feet",), strength=0.5))
    assert measure(feet.positions).skate < measure(sunk.positions).skate


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"parts": ("hands",)}, "no part hands"), ({"parts": ()}, "none is given"),
     ({"strength": 0.0}, "strength is 0"), ({"strength": 9.0}, "at most 3")],
)  # fmt: skip
def test_options_are_checked(arguments: dict[str, object], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        CleanupOptions(**arguments)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="3 frames"):
        clean(walking_pair(3))
