"""Dirty little datasets: everything that is wrong with them is found and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from intermask.data.check import BONE_DRIFT, CheckReport, check_dataset
from intermask.data.layout import write_clip, write_lines, write_split
from intermask.geometry import axis_angle_to_matrix
from walking import walking_pair


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clean clips, two to train and one to validate."""
    for number in range(3):
        motion = walking_pair(40 + 10 * number, seed=number)
        write_clip(tmp_path, f"walk_{number}", motion.positions, motion.rotations, ["They walk."])
    write_split(tmp_path, "train", ["walk_0", "walk_1"])
    write_split(tmp_path, "val", ["walk_2"])
    return tmp_path


def person_file(folder: Path, name: str, person: int = 1) -> Path:
    return folder / "motions_processed" / f"person{person}" / f"{name}.npy"


def found(report: CheckReport) -> set[tuple[str, str]]:
    return {(each.kind, each.clip) for each in report.findings}


def test_a_clean_folder(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = check_dataset(folder, progress=lambda done, total: seen.append((done, total)))
    assert not report.findings
    assert [(s.name, s.listed, s.usable, s.captions) for s in report.splits] == [
        ("train", 2, 2, 2),
        ("val", 1, 1, 1),
    ]
    assert report.splits[0].lengths == pytest.approx((40 / 30, 45 / 30, 50 / 30))
    assert report.splits[0].seconds == pytest.approx(3.0)
    assert len(report.bones) == 21
    assert report.bones[0].worst < 1e-3
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_damaged_files_are_named(folder: Path) -> None:
    person_file(folder, "walk_0", 2).unlink()
    person_file(folder, "walk_1").write_bytes(b"not an array")
    raw = np.load(person_file(folder, "walk_2"))
    raw[7, 3] = np.nan
    np.save(person_file(folder, "walk_2"), raw)
    report = check_dataset(folder)
    assert found(report) == {
        ("missing file", "walk_0"),
        ("corrupt file", "walk_1"),
        ("NaN", "walk_2"),
    }
    assert all(each.is_problem for each in report.findings)
    assert [split.usable for split in report.splits] == [0, 0]


def test_lengths(folder: Path) -> None:
    for name, frames in (("walk_0", 15), ("walk_1", 310)):
        motion = walking_pair(frames)
        write_clip(folder, name, motion.positions, motion.rotations, ["They walk."])
    raw = np.load(person_file(folder, "walk_2", 2))
    np.save(person_file(folder, "walk_2", 2), raw[:-4])
    report = check_dataset(folder)
    assert found(report) == {
        ("too short", "walk_0"),
        ("long", "walk_1"),
        ("unequal lengths", "walk_2"),
    }
    assert [each.clip for each in report.problems] == ["walk_0"]
    (unequal,) = (each for each in report.notes if each.kind == "unequal lengths")
    assert "60 and 56 frames" in unequal.detail


def test_captions(folder: Path) -> None:
    (folder / "annots" / "walk_0.txt").unlink()
    write_lines(folder / "annots" / "walk_1.txt", ["  ", ""])
    write_lines(folder / "annots" / "walk_2.txt", ["Fine.", "word " * 80])
    report = check_dataset(folder)
    assert found(report) == {
        ("no captions", "walk_0"),
        ("empty captions", "walk_1"),
        ("long caption", "walk_2"),
    }
    assert {each.clip for each in report.problems} == {"walk_0", "walk_1"}
    strict = check_dataset(folder, is_too_long=lambda caption: caption == "Fine.")
    (long,) = (each for each in strict.notes if each.kind == "long caption")
    assert "caption 1" in long.detail


def test_how_text_is_written(folder: Path) -> None:
    annots = folder / "annots"
    (annots / "walk_0.txt").write_bytes("They walk，he waits’.\nNaïve.\n".encode())
    (annots / "walk_1.txt").write_bytes(b"They walk.\r\nThey stop.\r\n")
    (annots / "walk_2.txt").write_bytes(b"They caf\xe9.\nThey wait.\n")
    (folder / "split" / "val.txt").write_bytes(b"walk_2\r\n")
    report = check_dataset(folder)
    assert found(report) == {
        ("odd characters", "walk_0"),
        ("Windows line ends", "walk_1"),
        ("odd characters", "walk_2"),
        ("Windows line ends", "val"),
    }
    assert not report.problems
    odd = next(each.detail for each in report.notes if each.clip == "walk_0")
    assert "caption 1 holds U+2019 right single quotation mark, U+FF0C fullwidth comma" in odd


def test_fewer_captions_than_usual(folder: Path) -> None:
    for name, count in (("walk_0", 3), ("walk_1", 3), ("walk_2", 2)):
        write_lines(folder / "annots" / f"{name}.txt", ["They walk."] * count)
    (few,) = check_dataset(folder).findings
    assert (few.kind, few.clip, few.detail) == ("few captions", "walk_2", "2; most clips have 3")


def test_lists(folder: Path) -> None:
    write_split(folder, "train", ["walk_0", "walk_0", "walk_2"])
    write_lines(folder / "split" / "ignore_list.txt", ["gone"])
    report = check_dataset(folder)
    assert found(report) == {
        ("listed twice", "walk_0"),
        ("split overlap", "walk_2"),
        ("ignored, not there", "gone"),
        ("in no split", "walk_1"),
    }
    assert {each.clip for each in report.problems} == {"walk_0", "walk_2"}


def test_an_empty_split(folder: Path) -> None:
    (folder / "split" / "val.txt").unlink()
    assert ("empty split", "val") in found(check_dataset(folder))


def test_stretching_bones(folder: Path) -> None:
    motion = walking_pair(50, seed=1)
    positions = motion.positions.clone()
    shin = positions[0, :, 7] - positions[0, :, 4]
    waves = 1 + 0.3 * torch.sin(torch.arange(50.0))[:, None]
    positions[0, :, 7] = positions[0, :, 4] + shin * waves
    write_clip(folder, "walk_1", positions, motion.rotations, ["They walk."])
    report = check_dataset(folder)
    worst = report.bones[0]
    assert (worst.bone, worst.worst_clip) in {
        ("left_knee to left_ankle", "walk_1"),
        ("left_ankle to left_foot", "walk_1"),
    }
    assert worst.worst > BONE_DRIFT > worst.mean / 10
    assert ("bone drift", "walk_1") in found(report)
    assert not report.problems


def test_people_who_start_on_a_side_are_logged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    motion = walking_pair(40)
    fallen = axis_angle_to_matrix(torch.tensor([0.0, 0.0, torch.pi / 2]))
    positions = motion.positions.clone()
    positions[1] = positions[1] @ fallen.T
    write_clip(folder, "walk_0", positions, motion.rotations, ["One lies on a side."])
    with caplog.at_level("INFO", logger="intermask.data.check"):
        report = check_dataset(folder)
    assert ("facing fallback", "walk_0") in found(report)
    assert "walk_0: person 2" in caplog.text
    assert not report.problems


def test_single_people_need_no_captions(tmp_path: Path) -> None:
    motion = walking_pair(40)
    write_clip(tmp_path, "one", motion.positions[:1], motion.rotations[:1], ())
    write_split(tmp_path, "train", ["one"])
    write_split(tmp_path, "val", ["one"])
    report = check_dataset(tmp_path)
    assert report.people == 1
    assert found(report) == {("split overlap", "one")}


def test_not_a_dataset(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not a dataset folder"):
        check_dataset(tmp_path / "absent")
    for split in ("train", "val"):
        (folder / "split" / f"{split}.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.txt is missing"):
        check_dataset(folder)
