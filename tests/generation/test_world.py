"""Given motion in the frame of models and back, ranges to keep, and easing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from golden_files import largest_error
from intermask.errors import UserError
from intermask.generation.world import (
    EASE_FRAMES,
    Eased,
    ease_into,
    frames_in_ranges,
    kept_columns,
    place_given,
    sized_like,
    with_kept,
)
from intermask.geometry import axis_angle_to_matrix, geodesic_angle, yaw_matrix
from intermask.motion import Motion
from intermask.representation import canonicalise_pair, decode_positions, decode_rotations
from intermask.timeline import minimum_jerk
from walking import walking_pair
from worlds import loaded, moved


def all_kept(motion: Motion) -> Tensor:
    return torch.ones(2, motion.frames, dtype=torch.bool)


# --- Into the scene and back ---------------------------------------------------------------------


def test_scene_and_world_are_inverse() -> None:
    given = moved(walking_pair(31), 2.2, (3.0, 0.4, -7.0))
    scene = place_given(given, all_kept(given), "per_person", 4)
    back = scene.frame.to_world(scene.motion)
    assert largest_error(back.positions, given.positions) < 1e-6
    assert largest_error(back.root_rotations, given.root_rotations) < 1e-6
    assert torch.equal(back.rotations.float(), given.rotations)


@pytest.mark.parametrize("floor", ["per_person", "shared"])
def test_features_say_what_the_scene_shows(floor) -> None:
    """Positions of the features, on their floors, are the positions of the scene."""
    given = moved(walking_pair(30), -1.0, (1.0, 0.0, 2.0))
    given.positions[1, ..., 1] += 0.25  # carried all the time
    scene = place_given(given, all_kept(given), floor, 4)
    positions = decode_positions(scene.features)
    shown = scene.frame.lifted(positions)[:, : given.frames]
    assert largest_error(shown, scene.motion.positions) < 1e-5
    rotations = decode_rotations(scene.features)[:, : given.frames]
    assert largest_error(rotations, given.rotations) < 1e-5
    assert largest_error(scene.motion.positions[0, 0, 0, (0, 2)], torch.zeros(2)) < 1e-9
    lowest = positions[..., 1].amin((1, 2))
    assert largest_error(lowest, torch.tensor([0.0, 0.25 if floor == "shared" else 0.0])) < 1e-5


def test_features_are_those_of_training() -> None:
    given = walking_pair(33)
    scene = place_given(given, all_kept(given), "per_person", 4)
    assert scene.features.shape == (2, 36, 262)
    expected = canonicalise_pair(loaded(given)).features
    assert largest_error(scene.features[:, :32], expected) < 1e-5


def test_the_motion_goes_on_behind_its_end_and_never_below_the_floor() -> None:
    given = walking_pair(30)
    given.positions[..., 1] -= torch.linspace(0, 0.4, 30)[:, None]  # sinks until the end
    scene = place_given(given, all_kept(given), "shared", 4)
    assert float(decode_positions(scene.features)[..., 1].min()) > -1e-6
    velocity = scene.features[:, 29, 66:132].unflatten(-1, (22, 3))[..., (0, 2)]
    before = scene.features[:, 28, 66:132].unflatten(-1, (22, 3))[..., (0, 2)]
    assert largest_error(velocity, before) < 1e-5


def test_who_is_not_kept_has_no_say() -> None:
    given = walking_pair(30)
    kept = all_kept(given)
    kept[1] = False
    other = replace(given, positions=given.positions.clone())
    other.positions[1] = 3 - 2 * other.positions[1]
    for floor in ("per_person", "shared"):
        first = place_given(given, kept, floor, 4)
        second = place_given(other, kept, floor, 4)
        assert torch.equal(first.features, second.features)
        assert torch.equal(first.frame.floors, second.frame.floors)
        assert torch.equal(first.frame.origin, second.frame.origin)


def test_the_world_does_not_matter() -> None:
    given = walking_pair(30)
    here = place_given(given, all_kept(given), "per_person", 4)
    there = moved(given, 2.9, (-4.0, 1.5, 6.0))
    there = place_given(there, all_kept(there), "per_person", 4)
    assert largest_error(here.features, there.features) < 1e-5


# --- What is kept --------------------------------------------------------------------------------


def test_ranges_become_frames() -> None:
    kept = frames_in_ranges([(0, 1), (1.5, 2.0)], 60, 30.0)
    assert kept.nonzero().flatten().tolist() == [*range(30), *range(45, 60)]
    assert not frames_in_ranges([], 60, 30.0).any()
    assert frames_in_ranges([(1.0, 2.0)], 59, 30.0).sum() == 29  # "2 seconds" of 1.97


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ([(0.5, 2.5)], "lasts 2.00 seconds"),
        ([(-0.1, 1.0)], "leaves the motion"),
        ([(1.0, 0.5)], "ends before it starts"),
        ([(1.0, 1.0)], "ends before it starts"),
        ([(1.001, 1.002)], "holds no frame"),
        ([(0.0, 1.0), (0.9, 1.5)], "overlaps"),
        ([(float("nan"), 1.0)], "not made of numbers"),
    ],
)
def test_unusable_ranges_are_named(ranges, message) -> None:
    with pytest.raises(UserError, match=message):
        frames_in_ranges(ranges, 60, 30.0)


def test_a_column_is_known_if_all_its_frames_are_kept() -> None:
    kept = torch.zeros(2, 10, dtype=torch.bool)
    kept[0, :5] = True
    kept[1, 8:] = True  # the last column has two frames
    assert kept_columns(kept, 4).tolist() == [[True, False, False], [False, False, True]]


def test_kept_frames_come_back_to_the_bit() -> None:
    given, made = walking_pair(20), walking_pair(20, seed=5)
    kept = torch.rand(2, 20, generator=torch.Generator().manual_seed(0)) < 0.5
    merged = with_kept(given, made, kept)
    for name in ("positions", "rotations", "root_rotations"):
        assert torch.equal(getattr(merged, name)[kept], getattr(given, name)[kept])
        assert torch.equal(getattr(merged, name)[~kept], getattr(made, name)[~kept])


# --- Easing --------------------------------------------------------------------------------------


def _two_motions(frames: int = 60) -> tuple[Eased, Eased]:
    """A given motion, and a generated one that is like it, elsewhere and turned."""
    given = walking_pair(frames)
    bend = axis_angle_to_matrix(torch.tensor([0.2, -0.1, 0.15]))
    other = moved(given, 0.4, (0.2, 0.02, -0.1))
    noise = 0.01 * torch.randn(22, 3, generator=torch.Generator().manual_seed(0))
    generated = Eased((other.positions + noise).double(), (given.rotations @ bend).double())
    return generated, Eased(given.positions.double(), given.rotations.double())


def _kept(frames: int, *ranges: tuple[int, int]) -> Tensor:
    kept = torch.zeros(2, frames, dtype=torch.bool)
    for start, stop in ranges:
        kept[0, start:stop] = True
    return kept


def test_kept_frames_are_given_and_far_ones_untouched() -> None:
    generated, given = _two_motions()
    kept = _kept(60, (0, 10), (50, 60))
    eased = ease_into(generated, given, kept)
    far = torch.zeros(2, 60, dtype=torch.bool)
    far[0, 10 + EASE_FRAMES : 50 - EASE_FRAMES] = True
    far[1] = True
    for ours, theirs, made in zip(eased, given, generated, strict=True):
        assert torch.equal(ours[kept], theirs[kept])
        assert torch.equal(ours[far], made[far])
    between = ~kept & ~far
    changes = (eased.positions - generated.positions)[between].flatten(1).norm(dim=1)
    assert len(changes) == 2 * EASE_FRAMES and bool((changes > 0).all())


@pytest.mark.parametrize("gap", [40, 20, 8, 2, 1])
def test_nothing_jumps(gap: int) -> None:
    """Steps across the boundaries are hardly longer than those of the two motions."""
    generated, given = _two_motions()
    kept = _kept(60, (0, 10), (10 + gap, 60))

    def longest(positions: Tensor) -> float:
        return float((positions[0, 1:] - positions[0, :-1]).norm(dim=-1).max())

    jump = torch.where(kept[..., None, None], given.positions, generated.positions)
    usual = max(longest(given.positions), longest(generated.positions))
    eased = ease_into(generated, given, kept)
    assert longest(jump) > 2.5 * usual
    assert longest(eased.positions) < 2.0 * usual
    bends = geodesic_angle(eased.rotations[0, 1:], eased.rotations[0, :-1])
    assert float(bends.max()) < 0.12


def test_speed_goes_on_across_the_boundary() -> None:
    """Right beside a kept frame nothing is pushed harder than within the given motion."""
    generated, given = _two_motions()
    eased = ease_into(generated, given, _kept(60, (0, 20), (40, 60))).positions[0]
    push = (eased[2:] - 2 * eased[1:-1] + eased[:-2]).norm(dim=-1).amax(-1)
    usual = given.positions[0, 2:] - 2 * given.positions[0, 1:-1] + given.positions[0, :-2]
    for frame in (19, 40):  # the last and the first kept one
        assert float(push[frame - 1]) < 2 * float(usual.norm(dim=-1).max())


@pytest.mark.parametrize("person", [0, 1])
def test_bodies_get_the_size_of_the_frames_in_ranges(person: int) -> None:
    given = walking_pair(30).positions.double()
    small = 0.8 * given + torch.tensor([0.5, 0.2, 0.0], dtype=torch.double)
    kept = torch.zeros(2, 30, dtype=torch.bool)
    kept[person, :4] = True
    sized = sized_like(small, given, kept)
    assert torch.equal(sized[1 - person], small[1 - person])
    # every frame is the given one, but where the small body was
    theirs, ours = given[person], sized[person]
    assert largest_error(ours - ours[:, :1], theirs - theirs[:, :1]) < 1e-6
    assert largest_error(ours[..., 1].amin(-1), small[person, ..., 1].amin(-1)) < 1e-9
    assert largest_error(ours[:, 0, (0, 2)], small[person, :, 0][:, (0, 2)]) < 1e-9


def test_what_agrees_already_is_left_as_it_is() -> None:
    _, given = _two_motions()
    eased = ease_into(given, given, _kept(60, (20, 40)))
    for ours, theirs in zip(eased, given, strict=True):
        assert largest_error(ours, theirs) < 1e-6


def test_a_turned_body_is_turned_and_not_sheared() -> None:
    """Where only place and direction differ, every eased frame is a rigid copy."""
    given = walking_pair(1).positions.double().repeat(1, 40, 1, 1)
    turned = given @ yaw_matrix(torch.tensor(2.0, dtype=torch.double)).T + 0.3
    rotations = torch.eye(3, dtype=torch.double).expand(2, 40, 21, 3, 3)
    eased = ease_into(Eased(turned, rotations), Eased(given, rotations), _kept(40, (0, 10)))
    distances = torch.cdist(eased.positions, eased.positions)
    assert largest_error(distances, torch.cdist(given, given)) < 1e-6


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    x = torch.linspace(0, 1, 1001, dtype=torch.double)
    y = minimum_jerk(x)
    assert float(y[0]) == 0 and float(y[-1]) == 1
    assert bool((y[1:] >= y[:-1]).all())
    assert float(y[1]) < 1e-7 and float(1 - y[-2]) < 1e-7
