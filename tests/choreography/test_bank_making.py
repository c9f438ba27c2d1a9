"""Distilling a bank from a dataset of two clips."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from intermask.choreography.bank import Segment
from intermask.choreography.bank_making import Entry, make_bank, read_recipe
from intermask.data.layout import write_clip
from intermask.errors import UserError
from intermask.geometry import axis_angle_to_matrix, geodesic_angle
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

FRAMES = 60
SPEED = 1.2 / 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person who glides ahead and swings an arm, and one who stands with arms down."""
    path = tmp_path_factory.mktemp("captures")
    time = torch.arange(FRAMES) / 30
    vectors = torch.zeros(FRAMES, 22, 3)
    vectors[:, SMPL22.index("left_shoulder"), 2] = -1.3
    vectors[:, SMPL22.index("right_shoulder"), 2] = 1.3
    still = vectors.clone()
    vectors[:, SMPL22.index("right_elbow"), 1] = 0.6 * torch.sin(2 * math.pi * time)
    offsets = torch.tensor(MEAN_ADULT_OFFSETS.copy(), dtype=torch.float32)
    for name, turns, speed in (("glide", vectors, SPEED), ("still", still, 0.0)):
        rotations = axis_angle_to_matrix(turns)
        root = torch.zeros(FRAMES, 3)
        root[:, 1] = 0.97
        root[:, 2] = speed * torch.arange(FRAMES)
        places = forward_kinematics(offsets, root, rotations[:, 0], rotations[:, 1:])
        write_clip(path, name, places[None], rotations[None, :, 1:], ())
    return path


def entry(tag: str, kind: str, clip: str, **fields: object) -> Entry:
    return Entry(tag=tag, kind=kind, clip=clip, frames=(0, FRAMES), **fields)  # type: ignore[arg-type]


def test_the_track_is_the_way_without_the_gait(folder: Path) -> None:
    bank = make_bank([folder], [entry("walk", "move", "glide")])
    assert bank.segments == (Segment("walk", "move", 0, FRAMES, 0, "full", "both", "glide/1"),)
    steps = bank.track.diff(dim=0)
    torch.testing.assert_close(
        steps, torch.tensor((0.0, SPEED, 0.0)).expand_as(steps), atol=1e-4, rtol=0
    )
    assert float(bank.root[:, (0, 2)].abs().max()) < 2e-3


def test_the_same_data_make_the_same_bank(folder: Path) -> None:
    recipe = [entry("walk", "move", "glide"), entry("stand", "rest", "still")]
    first, second = make_bank([folder], recipe), make_bank([folder], recipe)
    assert torch.equal(first.rotations, second.rotations)
    assert torch.equal(first.track, second.track)


def test_a_piece_played_backwards_goes_back(folder: Path) -> None:
    forth = make_bank([folder], [entry("walk", "move", "glide")])
    back = make_bank([folder], [entry("backstep", "move", "glide", backwards=True)])
    torch.testing.assert_close(back.track, forth.track.flip(0), atol=1e-5, rtol=0)
    torch.testing.assert_close(back.rotations, forth.rotations.flip(0), atol=1e-4, rtol=0)


def test_calm_arms_are_those_of_the_one_who_stands(folder: Path) -> None:
    recipe = [entry("stand", "rest", "still"), entry("talk", "rest", "glide", arms="calm")]
    bank = make_bank([folder], recipe)
    elbow = SMPL22.index("right_elbow")
    calm, still = bank.rotations[FRAMES:, elbow], bank.rotations[:FRAMES, elbow]
    assert float(geodesic_angle(calm, still).max()) < 1e-3


def test_a_piece_that_returns_ends_where_it_began(folder: Path) -> None:
    made = entry("wave", "act", "glide", key=FRAMES - 1, returns=1.0)
    bank = make_bank([folder], [made])
    assert bank.frames > 2 * FRAMES
    torch.testing.assert_close(bank.rotations, bank.rotations.flip(0), atol=1e-4, rtol=0)


def test_what_the_recipe_names_must_be_there(folder: Path) -> None:
    with pytest.raises(UserError, match="no given dataset has the clip missing of person 1"):
        make_bank([folder], [entry("walk", "move", "missing")])
    with pytest.raises(UserError, match=f"has {FRAMES} frames, the recipe"):
        make_bank([folder], [Entry("walk", "move", "glide", (0, FRAMES + 1))])


def test_the_shipped_recipe_is_understood() -> None:
    entries = read_recipe()
    assert {each.kind for each in entries} == {"move", "rest", "act"}
    assert all(each.key is not None for each in entries if each.kind == "act")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fly]\nhigh = []", r"a table \[fly\]"),
        ('[move]\nwalk = [{ clip = "a" }]', "a line of 'walk'"),
        ('[move]\nwalk = [{ clip = "a", frames = [0, 3] }]', "too few"),
        ('[act]\nwave = [{ clip = "a", frames = [0, 30] }]', "the key of 'wave'"),
        ('[move]\nwalk = [{ clip = "a", frames = [0, 30], arms = "none" }]', "says 'none'"),
    ],
)
def test_mistakes_in_a_recipe_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        read_recipe(path)
