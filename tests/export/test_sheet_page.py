"""A page of contact sheets holds everything and fetches nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from intermask.data.clip_motion import motion_of
from intermask.data.layout import InterHumanFolder, write_clip, write_split
from intermask.errors import UserError
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS


def people(count: int, frames: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    from intermask.geometry import axis_angle_to_matrix

    turns = axis_angle_to_matrix(0.2 * torch.randn((count, frames, 22, 3), generator=generator))
    root = torch.randn((count, frames, 3), generator=generator)
    offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
    joints = forward_kinematics(offsets, root, turns[:, :, 0], turns[:, :, 1:])
    return joints, turns[:, :, 1:], turns[:, :, 0]


def test_a_clip_on_disk_is_the_motion_that_was_written(tmp_path: Path) -> None:
    joints, rotations, pelvis = people(2)
    write_clip(tmp_path, "a", joints, rotations, ("Two people meet.", "They meet."))
    motion = motion_of(InterHumanFolder(tmp_path).read("a"))
    lowest = joints[..., 1].amin()
    expected = joints - torch.tensor((0.0, 1.0, 0.0)) * lowest
    torch.testing.assert_close(motion.positions, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(motion.rotations, rotations, atol=1e-3, rtol=0)
    torch.testing.assert_close(motion.root_rotations, pelvis, atol=1e-3, rtol=0)
    assert motion.caption == "Two people meet."


def test_one_person_is_no_motion(tmp_path: Path) -> None:
    joints, rotations, _ = people(1)
    write_clip(tmp_path, "a", joints, rotations, ())
    with pytest.raises(UserError, match="1 person; expected a clip of two"):
        motion_of(InterHumanFolder(tmp_path).read("a"))


def test_the_page_shows_every_family(tmp_path: Path) -> None:
    pytest.importorskip("vtk")
    pytest.importorskip("PIL")
    from intermask.export.sheet_page import Pictured, write_sheet_page

    joints, rotations, _ = people(2)
    write_clip(tmp_path, "a", joints, rotations, ("Up & <away>.",))
    write_split(tmp_path, "train", ["a"])
    motion = motion_of(InterHumanFolder(tmp_path).read("a"))
    page = tmp_path / "page.html"
    shown = [
        Pictured("hug", "hug_0", motion),
        Pictured("hug", "hug_1", motion),
        Pictured("wave <b>", "wave_0", motion, "they wave"),
    ]
    assert write_sheet_page(page, "Families", shown, frames=2, tile_size=(40, 50)) == 3
    text = page.read_text("utf-8")
    assert text.count("<h2") == 2
    assert text.count("data:image/jpeg;base64,") == 3
    assert "wave &lt;b&gt;" in text
    assert "Up &amp; &lt;away&gt;." in text
    assert "http:" not in text and "https:" not in text
