"""The motion bank: what ships, what survives a file, and its mirror image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from intermask.choreography.bank import (
    BANK_FILE,
    MotionBank,
    Segment,
    load_bank,
    read_bank,
    track_world,
    write_bank,
)
from intermask.errors import UserError
from intermask.geometry import axis_angle_to_matrix, geodesic_angle
from intermask.kinematics import forward_kinematics
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, SMPL22

MOST_BYTES = 3_000_000


def random_bank() -> MotionBank:
    generator = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    segments = (
        Segment("walk", "move", 0, 12, 0, "full", "both", "a/1"),
        Segment("wave", "act", 12, 20, 4, "upper", "left", "b/1"),
    )
    return MotionBank(
        segments, axis_angle_to_matrix(draw(20, 22, 3)), draw(20, 3), draw(20, 3), draw(20, 4) > 0
    )


def test_the_shipped_bank_is_small_and_offers_what_families_ask_for() -> None:
    bank = load_bank()
    assert BANK_FILE.stat().st_size <= MOST_BYTES
    assert {"stand", "talk", "dance"} == {each.tag for each in bank.segments if each.kind == "rest"}
    wanted = {"wave", "bow", "punch", "kick", "jump", "crouch", "pick_up", "point", "explain"}
    assert wanted <= set(bank.tags)
    assert all(0 <= each.key < each.frames for each in bank.segments)
    assert bank.segments[-1].stop == bank.frames == len(bank.track)
    readme = (BANK_FILE.parent / "README.md").read_text("utf-8")
    assert "obtained from mocap.cs.cmu.edu" in readme
    assert "NSF EIA-0196217" in readme


def test_people_of_the_shipped_bank_stand_on_the_floor() -> None:
    bank = load_bank()
    place, world = track_world(bank.track, bank.root, bank.rotations)
    offsets = torch.tensor(MEAN_ADULT_OFFSETS.copy(), dtype=torch.float32)
    feet = forward_kinematics(offsets, place, world[:, 0], world[:, 1:])[:, list(FEET)]
    balls = feet[:, (1, 3), 1][bank.contacts[:, (1, 3)]]
    assert float(balls.median()) == pytest.approx(0.02, abs=0.005)
    assert float((balls - 0.02).abs().quantile(0.95)) < 0.03


def test_a_bank_survives_its_file(tmp_path: Path) -> None:
    bank = random_bank()
    write_bank(bank, tmp_path / "bank.safetensors")
    again = read_bank(tmp_path / "bank.safetensors")
    assert again.segments == bank.segments
    assert float(geodesic_angle(again.rotations, bank.rotations).max()) < 3e-4
    assert torch.equal(again.track, bank.track)
    assert torch.equal(again.contacts, bank.contacts)


def test_files_that_are_no_bank_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="data make bank"):
        read_bank(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no bank")
    with pytest.raises(UserError, match="cannot be read as a motion bank"):
        read_bank(tmp_path / "bad.safetensors")


def test_the_mirror_image_mirrors_positions() -> None:
    bank = random_bank()
    offsets = torch.tensor(MEAN_ADULT_OFFSETS.copy(), dtype=torch.float32)

    def positions(each: MotionBank) -> torch.Tensor:
        place, world = track_world(each.track, each.root, each.rotations)
        return forward_kinematics(offsets, place, world[:, 0], world[:, 1:])

    flipped = positions(bank)[:, list(SMPL22.mirror_order)] * torch.tensor((-1.0, 1.0, 1.0))
    torch.testing.assert_close(positions(bank.mirrored), flipped, atol=1e-5, rtol=0)
    assert bank.mirrored.segments[1] == replace(bank.segments[1], side="right")
    again = bank.mirrored.mirrored
    torch.testing.assert_close(again.rotations, bank.rotations)
    assert torch.equal(again.contacts, bank.contacts)
