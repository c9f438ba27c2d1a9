"""Motion: its checks, and the laws of mirror, exchange and crop."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from golden_files import largest_error
from intermask.errors import UserError
from intermask.kinematics import bone_offsets, forward_kinematics
from intermask.motion import Caption, Motion
from intermask.skeleton import SMPL22
from walking import walking_pair


@pytest.fixture(scope="module")
def motion() -> Motion:
    return walking_pair(frames=45)


def assert_same(actual: Motion, expected: Motion, tolerance: float = 0.0) -> None:
    """Equal arrays, and the same facts about them."""
    arrays = ("positions", "rotations", "root_rotations")
    for name in arrays:
        assert largest_error(getattr(actual, name), getattr(expected, name)) <= tolerance
    for field in dataclasses.fields(Motion):
        if field.name not in arrays:
            assert getattr(actual, field.name) == getattr(expected, field.name)


def posed(motion: Motion, person: int) -> torch.Tensor:
    """Positions (t, 22, 3) that the rotations of one person give, with that person's own bones."""
    parts = (motion.root_rotations[person], motion.rotations[person])
    offsets = bone_offsets(motion.positions[person], *parts)
    return forward_kinematics(offsets, motion.positions[person, :, 0], *parts)


def test_length_comes_from_frames_and_rate(motion: Motion) -> None:
    assert (motion.frames, motion.seconds) == (45, pytest.approx(1.5))


def test_mirroring_twice_changes_nothing(motion: Motion) -> None:
    assert_same(motion.mirrored().mirrored(), motion)


def test_a_mirrored_body_is_still_a_body(motion: Motion) -> None:
    """Positions and rotations mirror alike: forward kinematics agrees before and after."""
    mirrored = motion.mirrored()
    for person in range(2):
        assert largest_error(posed(motion, person), motion.positions[person]) < 1e-4
        assert largest_error(posed(mirrored, person), mirrored.positions[person]) < 1e-4
    assert torch.linalg.det(mirrored.rotations).min() > 0.999


def test_the_mirror_exchanges_left_and_right(motion: Motion) -> None:
    left, right = SMPL22.index("left_wrist"), SMPL22.index("right_wrist")
    seen = motion.mirrored().positions
    assert torch.equal(seen[..., left, 0], -motion.positions[..., right, 0])
    assert torch.equal(seen[..., left, 1:], motion.positions[..., right, 1:])


def test_swapping_exchanges_the_people(motion: Motion) -> None:
    swapped = motion.swapped()
    assert torch.equal(swapped.positions[0], motion.positions[1])
    assert torch.equal(swapped.rotations[1], motion.rotations[0])
    assert_same(swapped.swapped(), motion)
    assert_same(motion.mirrored().swapped(), swapped.mirrored())


def test_cropping_keeps_a_range_of_frames(motion: Motion) -> None:
    cropped = motion.cropped(10, 25)
    assert cropped.frames == 15
    assert torch.equal(cropped.positions, motion.positions[:, 10:25])
    assert torch.equal(cropped.root_rotations, motion.root_rotations[:, 10:25])
    assert_same(cropped.cropped(2, 5), motion.cropped(12, 15))
    assert_same(motion.cropped(0, motion.frames), motion)


def test_saving_and_loading_keeps_everything(motion: Motion, tmp_path: Path) -> None:
    kept = dataclasses.replace(motion, caption="Two people — walk.", seed=7, model="tiny")
    path = kept.save(tmp_path / "walk")
    assert path.name == "walk.npz"
    assert_same(Motion.load(path), kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": torch.zeros(1, 45, 22, 3)}, r"positions have shape \(1, 45, 22, 3\)"),
        ({"positions": torch.zeros(2, 45, 66)}, "two people, frames, joints"),
        ({"rotations": torch.zeros(2, 44, 21, 3, 3)}, r"expected \(2, 45, 21, 3, 3\)"),
        ({"root_rotations": torch.zeros(2, 45, 9)}, "a motion's root_rotations"),
        ({"fps": 0.0}, "fps is 0.0; expected a positive number"),
    ],
)
def test_wrong_arrays_are_named(motion: Motion, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        dataclasses.replace(motion, **change)  # type: ignore[arg-type]


def test_a_motion_without_frames_is_refused(motion: Motion) -> None:
    with pytest.raises(UserError, match="positions have shape"):
        motion.cropped(5, 5)


def told(motion: Motion) -> Motion:
    """1.5 seconds in two scenes."""
    scenes = (Caption("They bow.", 0.0, 0.5), Caption("They turn.", 0.5, 1.5))
    return dataclasses.replace(motion, caption="They bow. They turn.", captions=scenes)


def test_captions_go_with_the_frames_they_are_of(motion: Motion) -> None:
    assert told(motion).cropped(9, 30).captions == (
        Caption("They bow.", 0.0, pytest.approx(0.2)),
        Caption("They turn.", pytest.approx(0.2), pytest.approx(0.7)),
    )
    assert [each.text for each in told(motion).cropped(15, 45).captions] == ["They turn."]
    assert told(motion).mirrored().swapped().captions == told(motion).captions


def test_the_caption_of_a_moment(motion: Motion) -> None:
    assert [told(motion).caption_at(second) for second in (0.0, 0.49, 15 / 30, 1.4)] == [
        "They bow.", "They bow.", "They turn.", "They turn.",
    ]  # fmt: skip
    assert motion.caption_at(1.0) == motion.caption
