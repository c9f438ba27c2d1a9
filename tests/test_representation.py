"""InterHuman-262: equal to recorded numbers, and the laws of canonical features."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_files import golden, largest_error
from intermask import geometry, representation
from intermask.data.layout import encode_raw
from intermask.representation import CONTACTS, POSITIONS, ROTATIONS, VELOCITIES, Normaliser
from intermask.skeleton import FEET
from walking import walking_pair

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def loaded() -> Tensor:
    """(2, t, 192) two people who walk towards each other, z up."""
    return load(walking_pair(frames=40).positions)


def load(positions: Tensor, rotations: Tensor | None = None) -> Tensor:
    """Loaded arrays of y-up positions (2, t, 22, 3), with the walkers' rotations by default."""
    if rotations is None:
        rotations = walking_pair(frames=positions.shape[1]).rotations
    raws = [encode_raw(*person) for person in zip(positions, rotations, strict=True)]
    return torch.stack([representation.load_raw(torch.from_numpy(raw)) for raw in raws])


def world(pair: representation.CanonicalPair, person: int) -> Tensor:
    """Positions (t-1, 22, 3) of one person, y up, back where the pair came from."""
    first = pair.placements[0]
    positions = representation.decode_positions(pair.features[person])
    back = geometry.quaternion_inverse(first.to_forward)
    return geometry.quaternion_rotate(back, positions) + first.origin


# Recorded numbers


@pytest.mark.parametrize("person", [1, 2])
def test_loading_equals_the_recording(person: int) -> None:
    file = golden("preprocess")
    loaded = representation.load_raw(file[f"raw{person}"])
    assert largest_error(loaded, file[f"loaded{person}"]) == 0.0


@pytest.mark.parametrize("person", [1, 2])
def test_mirroring_equals_the_recording(person: int) -> None:
    file = golden("preprocess")
    mirrored = representation.mirror_loaded(file[f"loaded{person}"])
    assert largest_error(mirrored, file[f"mirrored{person}"]) == 0.0


def test_canonicalisation_equals_the_recording() -> None:
    file = golden("preprocess")
    pair = representation.canonicalise_pair(torch.stack((file["loaded1"], file["loaded2"])))
    assert largest_error(pair.relative, file["relative"]) < TOLERANCE
    for person, placement in enumerate(pair.placements):
        recorded = file[f"root_quat{person + 1}"][0]
        assert largest_error(placement.to_forward, recorded) < TOLERANCE
        features = pair.features[person]
        expected = file[f"canonical{person + 1}"]
        assert largest_error(features, expected) < TOLERANCE
        assert torch.equal(features[:, CONTACTS], expected[:, CONTACTS])


def test_canonicalisation_of_mirror_images_equals_the_recording() -> None:
    file = golden("preprocess")
    pair = representation.canonicalise_pair(torch.stack((file["mirrored1"], file["mirrored2"])))
    for person in (1, 2):
        expected = file[f"canonical{person}_mirrored"]
        assert largest_error(pair.features[person - 1], expected) < TOLERANCE
        assert torch.equal(pair.features[person - 1][:, CONTACTS], expected[:, CONTACTS])


# Laws


def test_mirroring_twice_changes_nothing(loaded: Tensor) -> None:
    assert torch.equal(representation.mirror_loaded(representation.mirror_loaded(loaded)), loaded)


def test_arrays_and_motions_have_one_mirror() -> None:
    motion = walking_pair(frames=10)
    seen = motion.mirrored()
    mirrored = representation.mirror_loaded(load(motion.positions, motion.rotations))
    assert largest_error(mirrored, load(seen.positions, seen.rotations)) < 1e-6


def test_up_axes_turn_into_each_other() -> None:
    positions = torch.tensor([[1.0, 2.0, 3.0]])
    assert representation.z_up_to_y_up(positions).tolist() == [[1.0, 3.0, -2.0]]
    back = representation.y_up_to_z_up(representation.z_up_to_y_up(positions))
    assert torch.equal(back, positions)


def test_person_1_starts_at_the_origin_and_faces_z(loaded: Tensor) -> None:
    first = representation.decode_positions(representation.canonicalise_pair(loaded).features[0])
    assert first[0, 0, (0, 2)].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert geometry.facing_direction(first[0]).tolist() == pytest.approx([0, 0, 1], abs=1e-5)


def test_canonical_people_stand_to_each_other_as_they_did(loaded: Tensor) -> None:
    pair = representation.canonicalise_pair(loaded)
    positions = representation.z_up_to_y_up(representation.split_loaded(loaded)[0])
    floor = positions[..., 1].amin(dim=(1, 2))
    for person in range(2):
        moved = world(pair, person)
        moved[..., 1] += floor[person] - floor[0]  # each was put on a floor of their own
        assert largest_error(moved, positions[person, :-1]) < TOLERANCE


@pytest.mark.parametrize("yaw", [1.0, -2.5, math.pi])
def test_turning_and_moving_the_world_changes_no_feature(yaw: float) -> None:
    positions = walking_pair(frames=40).positions.double()
    turn = geometry.yaw_matrix(torch.tensor(yaw, dtype=torch.float64))
    moved = positions @ turn.T + torch.tensor((3.0, 0.4, -2.0), dtype=torch.float64)
    here = representation.canonicalise_pair(load(positions.float()))
    there = representation.canonicalise_pair(load(moved.float()))
    assert largest_error(there.features, here.features) < TOLERANCE


def test_encoding_and_decoding_give_back_positions_and_rotations(loaded: Tensor) -> None:
    motion = walking_pair(frames=40)
    pair = representation.canonicalise_pair(loaded)
    for person in range(2):
        rotations = representation.decode_rotations(pair.features[person])
        assert largest_error(rotations, motion.rotations[person, :-1]) < TOLERANCE
        assert largest_error(world(pair, person), motion.positions[person, :-1]) < 1e-2
    assert largest_error(world(pair, 0), motion.positions[0, :-1]) < TOLERANCE


def test_known_rotations_have_the_interleaved_order_in_features() -> None:
    """A quarter turn about x, y and z, entered by hand: r00 r01 r10 r11 r20 r21."""
    sixes = ((1, 0, 0, 0, 0, 1), (0, 0, 0, 1, -1, 0), (0, -1, 1, 0, 0, 0))
    for axis, six in enumerate(sixes):
        angle = torch.zeros(3).index_fill(0, torch.tensor(axis), math.pi / 2)
        turn = geometry.axis_angle_to_matrix(angle)
        motion = walking_pair(frames=3)
        rotations = turn.expand(2, 3, 21, 3, 3)
        features = representation.canonicalise_pair(load(motion.positions, rotations)).features
        joints = features[..., ROTATIONS].unflatten(-1, (21, 6))
        assert joints[1, 1, 20].tolist() == pytest.approx(six, abs=1e-6)
        assert largest_error(representation.decode_rotations(features)[0, 0, 0], turn) < 1e-6


def test_velocities_are_steps_to_the_next_frame(loaded: Tensor) -> None:
    features = representation.canonicalise_pair(loaded).features
    assert features.shape == (2, 39, representation.FEATURES)
    steps = features[:, 1:, POSITIONS] - features[:, :-1, POSITIONS]
    assert largest_error(features[:, :-1, VELOCITIES], steps) < TOLERANCE


def test_each_person_or_the_pair_stands_on_the_floor() -> None:
    positions = walking_pair(frames=20).positions.clone()
    positions[1, ..., 1] += 0.5  # person 2 is carried
    for floor, lowest in (("per_person", (0.0, 0.0)), ("shared", (0.0, 0.5))):
        pair = representation.canonicalise_pair(load(positions), floor=floor)  # type: ignore[arg-type]
        heights = representation.decode_positions(pair.features)[..., 1]
        # the last frame counts for the floor but not among the features
        assert heights.amin(dim=(1, 2)).tolist() == pytest.approx(lowest, abs=0.02)
        assert bool((heights > -1e-6).all())


def test_a_shared_floor_keeps_heights_between_people() -> None:
    positions = walking_pair(frames=20).positions.clone()
    positions[0, ..., 1] += 0.3
    pair = representation.canonicalise_pair(load(positions), floor="shared")
    for person in range(2):
        assert largest_error(world(pair, person), positions[person, :-1]) < TOLERANCE


def test_one_person_alone_is_canonical_as_person_1(loaded: Tensor) -> None:
    features, placement = representation.canonicalise_person(loaded[1])
    pair = representation.canonicalise_pair(loaded)
    placed = representation.place_relative(features, pair.relative)
    assert largest_error(placed, pair.features[1]) == 0.0
    assert not placement.facing_is_fallback


def test_lying_on_a_side_is_reported(loaded: Tensor) -> None:
    motion = walking_pair(frames=10)
    turn = geometry.axis_angle_to_matrix(torch.tensor((0.0, 0.0, math.pi / 2)))
    positions = motion.positions.clone()
    positions[1] = positions[1] @ turn.T
    pair = representation.canonicalise_pair(load(positions, motion.rotations))
    assert [place.facing_is_fallback for place in pair.placements] == [False, True]
    assert torch.isfinite(pair.features).all()


def test_feet_touch_the_floor_when_they_are_low_and_still() -> None:
    """Thresholds: a squared step below 0.001 m2, below 12 cm (ankles) and 5 cm (toes)."""
    positions = torch.full((4, 22, 3), 1.0)
    steps = torch.zeros(4, 22, 3)
    feet = list(FEET)
    positions[:, feet, 1] = torch.tensor((0.11, 0.04, 0.11, 0.04))
    positions[1, feet, 1] = torch.tensor((0.13, 0.06, 0.13, 0.06))  # too high
    steps[2, feet, 0] = 0.031
    steps[3, feet, 0] = 0.032  # too fast
    labels = representation.foot_contacts(positions, steps)
    assert labels.tolist() == [[1.0] * 4, [0.0] * 4, [1.0] * 4, [0.0] * 4]


def test_the_joint_grid_holds_all_but_contacts(loaded: Tensor) -> None:
    features = representation.canonicalise_pair(loaded).features
    grid = representation.to_joint_grid(features)
    assert grid.shape == (2, 39, 22, 12)
    assert not grid[:, :, 0, 6:].any()
    back = representation.from_joint_grid(grid)
    assert torch.equal(back[..., representation.DECODED], features[..., representation.DECODED])
    assert not back[..., CONTACTS].any()
    assert torch.equal(grid[..., :3], representation.decode_positions(features))


def test_inputs_are_left_alone(loaded: Tensor) -> None:
    before = loaded.clone()
    representation.mirror_loaded(loaded)
    representation.to_joint_grid(representation.canonicalise_pair(loaded).features)
    assert torch.equal(loaded, before)


def test_impossible_arrays_are_refused(loaded: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(5, 262\), expected \(frames, 492\)"):
        representation.load_raw(torch.zeros(5, 262))
    for wrong in (loaded[:, :1], loaded[:1], loaded[0]):
        with pytest.raises(ValueError, match="two people with at least 2 frames"):
            representation.canonicalise_pair(wrong)


# Normaliser


def test_normalising_and_back_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    normaliser = Normaliser(torch.randn(262, generator=generator), torch.rand(262) + 0.1)
    features = torch.randn(3, 7, 262, generator=generator)
    there = normaliser.normalise(features)
    assert largest_error(normaliser.denormalise(there), features) < TOLERANCE
    assert set(normaliser.state_dict()) == {"mean", "std"}


def test_in_fitted_normalised_space_distances_keep_their_meaning(loaded: Tensor) -> None:
    clips = list(representation.canonicalise_pair(loaded).features)
    normaliser = representation.fit_normaliser(clips)
    features = torch.cat(clips)
    normal = normaliser.normalise(features)
    metres, scaled = (representation.decode_positions(each) for each in (features, normal))
    factor = normaliser.std[0]
    between = metres[:, 20] - metres[:, 5]
    assert largest_error((scaled[:, 20] - scaled[:, 5]) * factor, between) < TOLERANCE
    for columns in (POSITIONS, VELOCITIES, ROTATIONS):
        assert normaliser.std[columns].unique().numel() == 1
        assert 0.5 < float(normal[:, columns].square().mean().sqrt()) < 2.0
    assert torch.equal(normal[:, CONTACTS], features[:, CONTACTS])


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_normaliser_needs_positive_deviations(wrong: float) -> None:
    std = torch.ones(262)
    std[5] = wrong
    with pytest.raises(ValueError, match="every std above 0"):
        Normaliser(torch.zeros(262), std)
    with pytest.raises(ValueError, match="mean has shape"):
        Normaliser(torch.zeros(10), torch.ones(262))
