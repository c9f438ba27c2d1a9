"""The InterHuman folder layout: what is written is read, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from golden_files import golden, largest_error
from intermask import geometry, representation
from intermask.data.layout import (
    Clip,
    InterHumanFolder,
    read_lines,
    write_clip,
    write_provenance,
    write_split,
)
from intermask.errors import UserError
from intermask.motion import Motion
from walking import walking_pair

CAPTIONS = ("Two people walk towards each other.", "Zwei Menschen gehen aufeinander zu — müde.")


@pytest.fixture(scope="module")
def motion() -> Motion:
    return walking_pair(frames=30)


@pytest.fixture
def folder(tmp_path: Path, motion: Motion) -> Path:
    """A dataset of one clip, ``walk``."""
    write_clip(tmp_path, "walk", motion.positions, motion.rotations, CAPTIONS)
    write_split(tmp_path, "train", ["walk"])
    return tmp_path


def person_file(folder: Path, person: int = 1, name: str = "walk") -> Path:
    return folder / "motions_processed" / f"person{person}" / f"{name}.npy"


def positions_and_rotations(clip: Clip) -> tuple[torch.Tensor, torch.Tensor]:
    positions, rotations = representation.split_loaded(clip.loaded)
    return representation.z_up_to_y_up(positions), geometry.rot6d_to_matrix(rotations)


def test_a_written_clip_is_read_back(folder: Path, motion: Motion) -> None:
    clip = InterHumanFolder(folder).read("walk")
    positions, rotations = positions_and_rotations(clip)
    assert clip.name == "walk"
    assert clip.captions == CAPTIONS
    assert largest_error(positions, motion.positions) < 1e-6
    assert largest_error(rotations, motion.rotations) < 1e-6


def test_files_have_the_rows_of_the_release(folder: Path) -> None:
    raw = np.load(person_file(folder))
    assert (raw.shape, raw.dtype) == ((30, 492), np.float32)
    positions, rotations = raw[:, :186].reshape(30, 62, 3), raw[:, 186:].reshape(30, 51, 3, 2)
    assert not positions[:, 22:].any()
    assert (rotations[:, 21:] == np.eye(3, dtype=np.float32)[:, :2]).all()
    assert positions[..., 2].min() >= -1e-6  # z is up: nobody is below the floor
    assert positions[..., 2].max() > 1.5


def test_a_file_of_the_release_is_loaded_as_recorded(tmp_path: Path) -> None:
    recorded = golden("preprocess")
    for person in (1, 2):
        path = person_file(tmp_path, person)
        path.parent.mkdir(parents=True)
        np.save(path, recorded.arrays[f"raw{person}"])
    clip = InterHumanFolder(tmp_path).read("walk")
    for person in (1, 2):
        assert largest_error(clip.loaded[person - 1], recorded[f"loaded{person}"]) == 0.0
    assert clip.captions == ()


def test_people_of_different_length_are_cut_to_the_shorter(folder: Path) -> None:
    path = person_file(folder, 2)
    np.save(path, np.load(path)[:20])
    assert InterHumanFolder(folder).read("walk").loaded.shape == (2, 20, 192)


def test_single_person_data_has_one_person(tmp_path: Path, motion: Motion) -> None:
    write_clip(tmp_path, "walk", motion.positions[:1], motion.rotations[:1], [])
    data = InterHumanFolder(tmp_path)
    assert data.people == 1
    assert data.read("walk").loaded.shape == (1, 30, 192)
    assert not (tmp_path / "annots").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_named_and_counted(folder: Path, value: float) -> None:
    path = person_file(folder, 2)
    raw = np.load(path)
    raw[3:5, 10] = value
    np.save(path, raw)
    with pytest.raises(UserError, match=r"person2/walk\.npy holds NaN .* in 2 of 30 frames"):
        InterHumanFolder(folder).read("walk")


def test_nan_in_columns_that_nobody_reads_is_no_fault(folder: Path) -> None:
    raw = np.load(person_file(folder))
    raw[:, 150] = np.nan  # a hand
    np.save(person_file(folder), raw)
    assert torch.isfinite(InterHumanFolder(folder).read("walk").loaded).all()


@pytest.mark.parametrize("shape", [(30, 262), (492,), (2, 30, 492)])
def test_a_wrong_shape_is_named(folder: Path, shape: tuple[int, ...]) -> None:
    np.save(person_file(folder), np.zeros(shape, dtype=np.float32))
    with pytest.raises(UserError, match=r"person1/walk\.npy: .*expected \(frames, 492\)"):
        InterHumanFolder(folder).read("walk")


@pytest.mark.parametrize("kept", [0, 5, 60, 1000])
def test_a_truncated_file_is_named(folder: Path, kept: int) -> None:
    path = person_file(folder)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"person1/walk\.npy cannot be read"):
        InterHumanFolder(folder).read("walk")


def test_a_file_of_objects_is_refused(folder: Path) -> None:
    np.save(person_file(folder), np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match=r"person1/walk\.npy cannot be read"):
        InterHumanFolder(folder).read("walk")


def test_missing_files_are_named(folder: Path) -> None:
    data = InterHumanFolder(folder)
    with pytest.raises(FileNotFoundError, match=r"person1/run\.npy is missing"):
        data.read("run")
    with pytest.raises(FileNotFoundError, match=r"val\.txt is missing; it lists the clips"):
        data.names("val")
    person_file(folder, 2).unlink()
    with pytest.raises(FileNotFoundError, match=r"person2/walk\.npy is missing"):
        data.read("walk")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a dataset folder"):
        InterHumanFolder(tmp_path)


def test_lists_from_windows_are_read(folder: Path) -> None:
    (folder / "split" / "train.txt").write_bytes(b"\xef\xbb\xbfwalk\r\n\r\nrun \r\n")
    (folder / "annots" / "walk.txt").write_bytes(b"\xef\xbb\xbfThey bow.\r\nThey nod.\r\n")
    data = InterHumanFolder(folder)
    assert data.names("train") == ("walk", "run")
    assert data.captions("walk") == ("They bow.", "They nod.")


def test_text_from_windows_is_read_and_odd_bytes_are_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes(b"caf\xe9 \x93quoted\x94\r\nplain\x81\rold Mac\n")
    assert read_lines(tmp_path / "lines.txt") == ["café “quoted”", "plain\ufffd", "old Mac"]


def test_a_caption_is_not_split_at_what_only_looks_like_a_line_end(tmp_path: Path) -> None:
    odd = "one\u2028still one\x0band\x85still"
    (tmp_path / "lines.txt").write_text(f"{odd}\ntwo\n", "utf-8")
    assert read_lines(tmp_path / "lines.txt") == [odd, "two"]


@pytest.mark.parametrize("place", ["split/ignore_list.txt", "ignore_list.txt"])
def test_ignored_clips_are_left_out_in_order(folder: Path, place: str) -> None:
    write_split(folder, "train", ["c", "walk", "a", "b"])
    (folder / place).write_text("a\nnot there\n")
    assert InterHumanFolder(folder).names("train") == ("c", "walk", "b")


def test_provenance_is_plain_json(tmp_path: Path) -> None:
    write_provenance(tmp_path, {"source": "GrappleMap", "licence": "public domain"})
    text = (tmp_path / "provenance.json").read_text("utf-8")
    assert json.loads(text)["licence"] == "public domain"
