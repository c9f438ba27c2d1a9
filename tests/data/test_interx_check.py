"""A dirty little Inter-X: all of its dirt is found and named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from intermask.data.check import check_dataset
from intermask.data.findings import CheckReport
from people55 import (
    line_of,
    walking_smplx,
    write_interx,
    write_interx_clip,
    write_list,
    write_text,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clips to train, two to validate; tested by one more."""
    root = write_interx(tmp_path / "interx")
    write_interx_clip(root, "test", "T", walking_smplx(160))
    write_text(root, "T", [line_of("They bow."), line_of("They nod.")])
    write_list(root, "test", ["T"])
    with h5py.File(root / "motions" / "test.h5", "a") as file:
        for name in set(file) - {"T"}:
            del file[name]
    return root


def found(report: CheckReport) -> set[tuple[str, str]]:
    return {(each.kind, each.clip) for each in report.findings}


def test_a_clean_folder(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = check_dataset(folder, progress=lambda done, total: seen.append((done, total)))
    assert found(report) == {("long", "T")} and not report.problems
    assert report.layout == "Inter-X's layout" and report.people == 2 and not report.bones
    assert [(s.name, s.listed, s.usable, s.captions) for s in report.splits] == [
        ("train", 3, 3, 6),
        ("val", 2, 2, 4),
        ("test", 1, 1, 2),
    ]
    assert report.splits[0].lengths == pytest.approx((52 / 30, 56 / 30, 60 / 30))
    assert seen == [(number, 6) for number in range(1, 7)]


def test_all_dirt_is_found(folder: Path) -> None:
    broken = walking_smplx(40)
    broken[1, 3, 7, 1] = float("inf")
    jumping = walking_smplx(40)
    jumping[1, 20:, 55, 0] += 2.0
    for name, loaded in (
        ("short", walking_smplx(15)),
        ("broken", broken),
        ("jumping", jumping),
        ("silent", walking_smplx(40)),
        ("empty", walking_smplx(40)),
        ("windows", walking_smplx(40)),
        ("odd", walking_smplx(40)),
        ("latin", walking_smplx(40)),
        ("untagged", walking_smplx(40)),
        ("wordy", walking_smplx(40)),
        ("unlisted", walking_smplx(40)),
    ):
        write_interx_clip(folder, "train", name, loaded)
        write_text(folder, name, [line_of("They bow."), line_of("They nod.")])
    with h5py.File(folder / "motions" / "train.h5", "a") as file:
        file["misshapen"] = np.zeros((40, 55, 6), np.float32)
    text = folder / "texts_processed"
    for name in ("gone", "misshapen"):
        write_text(folder, name, [line_of("They bow."), line_of("They nod.")])
    (text / "silent.txt").unlink()
    write_text(folder, "empty", ["", "#they/PRON#0.0#0.0"])
    write_text(folder, "windows", [line_of("They bow."), line_of("They nod.")], "\r\n")
    write_text(folder, "odd", [line_of("They “bow”."), line_of("They nod.")])
    (text / "latin.txt").write_bytes(b"A caf\xe9.#a/DET#0.0#0.0\nThey bow.#they/PRON#0.0#0.0\n")
    write_text(folder, "untagged", ["They bow.", "They nod.#they/PRON#0.5#1.0"])
    write_text(folder, "wordy", [line_of("word " * 80), line_of("They nod.")])
    listed = [
        "short", "broken", "jumping", "silent", "empty", "windows", "odd", "latin", "untagged",
        "wordy", "misshapen", "gone", "gone",
    ]  # fmt: skip
    write_list(folder, "train", listed, "\r\n")
    (folder / "SMPLX_NEUTRAL.npz").unlink()

    report = check_dataset(folder)
    assert {(each.kind, each.clip) for each in report.problems} == {
        ("too short", "short"),
        ("NaN", "broken"),
        ("no captions", "silent"),
        ("empty captions", "empty"),
        ("wrong shape", "misshapen"),
        ("missing file", "gone"),
        ("listed twice", "gone"),
    }
    notes = {(each.kind, each.clip) for each in report.notes}
    assert notes >= {
        ("Windows line ends", "train"),
        ("Windows line ends", "windows"),
        ("odd characters", "odd"),
        ("odd characters", "latin"),
        ("jump", "jumping"),
        ("no word tags", "untagged"),
        ("caption of a part", "untagged"),
        ("few captions", "untagged"),
        ("long caption", "wordy"),
        ("in no split", "unlisted"),
        ("no body model", "SMPLX_NEUTRAL.npz"),
    }
    (jump,) = (each for each in report.notes if each.kind == "jump")
    assert "person 2 moves 2.0" in jump.detail and "frame 19" in jump.detail
    assert report.splits[0].usable == 6


@pytest.mark.parametrize("kept", [0, 2000])
def test_a_truncated_file_is_told_once(folder: Path, kept: int) -> None:
    path = folder / "motions" / "train.h5"
    path.write_bytes(path.read_bytes()[:kept])
    report = check_dataset(folder)
    assert ("corrupt file", "train.h5") in found(report)
    assert len(report.problems) == 1
    assert [split.usable for split in report.splits] == [0, 2, 1]


def test_missing_parts(folder: Path) -> None:
    (folder / "motions" / "train.h5").unlink()
    (folder / "splits" / "val.txt").unlink()
    (folder / "splits" / "ignore_list.txt").write_text("T\nnobody\n")
    problems = found(check_dataset(folder))
    assert problems >= {
        ("missing file", "train.h5"),
        ("empty split", "val"),
        ("ignored, not there", "nobody"),
    }
    for split in ("train", "test"):
        (folder / "splits" / f"{split}.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.txt is missing"):
        check_dataset(folder)


def test_a_clip_of_one_frame(folder: Path) -> None:
    write_interx_clip(folder, "test", "T", torch.zeros(2, 1, 56, 3))
    assert ("too short", "T") in found(check_dataset(folder))
