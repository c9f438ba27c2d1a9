"""Changes of clips do what they say, in features and in the metres they stand for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from intermask import representation_smplx
from intermask.evaluation.changes import WANDER, exchanged, reversed_in_time, wandering
from intermask.evaluation.clips import read_clips
from intermask.geometry import facing_direction
from intermask.representation import VELOCITIES, decode_positions
from tiny import write_tiny_dataset


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Tensor:
    """Features (2, 52, 262) of two people who walk."""
    dataset = write_tiny_dataset(tmp_path_factory.mktemp("changes") / "walks", frames=53)
    return read_clips(dataset, "train", "shared", 300)[0].features


@pytest.fixture(scope="module")
def captured() -> Tensor:
    """Features (2, 40, 336) of Inter-X's kind, with people who move."""
    generator = torch.Generator().manual_seed(0)
    loaded = 0.1 * torch.randn(2, 41, 56, 3, generator=generator)
    return representation_smplx.encode(loaded.cumsum(1) / 10)


def steps_of(features: Tensor) -> Tensor:
    """(2, t, 22, 3) metres a frame."""
    return features[..., VELOCITIES].unflatten(-1, (22, 3))


def distances(positions: Tensor) -> Tensor:
    """Between all joints of both people: what no rigid motion changes."""
    joints = positions.transpose(0, 1).flatten(1, 2)
    return torch.cdist(joints.double(), joints.double())


def test_exchanging_twice_changes_nothing(walk: Tensor, captured: Tensor) -> None:
    assert torch.allclose(exchanged(exchanged(walk, "interhuman"), "interhuman"), walk, atol=2e-5)
    assert torch.equal(exchanged(captured, "interx"), captured.flip(0))


def test_reversed_people_stand_as_they_did(walk: Tensor) -> None:
    back = reversed_in_time(walk, "interhuman")
    positions = decode_positions(back)
    assert torch.allclose(
        distances(positions), distances(decode_positions(walk).flip(1)), atol=1e-4
    )
    assert torch.allclose(steps_of(back)[:, :-1], positions.diff(dim=1), atol=1e-5)
    assert torch.equal(steps_of(back)[:, -1], steps_of(back)[:, -2])
    assert torch.allclose(facing_direction(positions[0, 0]), torch.tensor([0.0, 0, 1]), atol=1e-5)
    assert positions[0, 0, 0, [0, 2]].abs().max() < 1e-5


def test_reversed_in_the_world(captured: Tensor) -> None:
    back = reversed_in_time(captured, "interx")
    grid = representation_smplx.to_joint_grid(back)
    assert torch.equal(
        grid[..., :55, :], representation_smplx.to_joint_grid(captured.flip(1))[..., :55, :]
    )
    places, steps = grid[..., 55, :3], grid[..., 55, 3:]
    assert torch.allclose(steps[:, :-1], places.diff(dim=1), atol=1e-6)
    assert torch.equal(steps[:, -1], steps[:, -2])


def test_noise_moves_each_person_as_far_as_it_says(walk: Tensor) -> None:
    noisy = wandering(walk, "interhuman", torch.Generator().manual_seed(1))
    moved = decode_positions(noisy) - decode_positions(walk)
    assert torch.allclose(moved, moved[..., :1, :].expand_as(moved), atol=1e-5)
    path = moved[..., 0, :]
    assert path[..., 1].abs().max() == 0 and path[:, 0].abs().max() < 1e-6
    assert path.square().sum(-1).mean(1).sqrt().tolist() == pytest.approx([WANDER] * 2, rel=0.06)
    assert torch.allclose(
        (steps_of(noisy) - steps_of(walk))[:, :-1, 0], path.diff(dim=1), atol=1e-5
    )
    assert not torch.allclose(path[0], path[1], atol=0.05)
    assert torch.equal(noisy[..., VELOCITIES.stop :], walk[..., VELOCITIES.stop :])


def test_noise_moves_the_translation_only(captured: Tensor) -> None:
    noisy = wandering(captured, "interx", torch.Generator().manual_seed(1))
    moved = representation_smplx.to_joint_grid(noisy - captured)
    assert moved[..., :55, :].abs().max() == 0
    assert moved[..., 55, 1].abs().max() == 0 and moved[..., 55, 4].abs().max() == 0
    assert torch.allclose(moved[:, :-1, 55, 3:], moved[..., 55, :3].diff(dim=1), atol=1e-5)


def test_nothing_is_changed_in_place(walk: Tensor) -> None:
    before = walk.clone()
    exchanged(walk, "interhuman")
    wandering(walk, "interhuman", torch.Generator().manual_seed(0))
    reversed_in_time(walk, "interhuman")
    assert torch.equal(walk, before)
