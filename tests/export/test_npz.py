"""The project's motion file comes back as written and refuses everything else in words."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intermask.errors import UserError
from intermask.export.npz import read_npz, write_npz
from intermask.motion import Caption, Motion
from intermask.skeleton import SMPL22
from walking import walking_pair


@pytest.fixture
def walkers() -> Motion:
    return walking_pair()


def test_round_trip(walkers: Motion, tmp_path: Path) -> None:
    motion = replace(walkers, seed=7, model="tiny", caption="Zwei Menschen grüßen sich.")
    path = write_npz(motion, tmp_path / "greeting.npz")
    again = read_npz(path)
    for name in ("positions", "rotations", "root_rotations"):
        assert torch.equal(getattr(again, name), getattr(motion, name))
    assert (again.fps, again.caption, again.seed, again.model) == (
        30.0,
        motion.caption,
        7,
        "tiny",
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["greeting.npz"]


def test_the_ending_is_added_and_no_seed_stays_none(walkers: Motion, tmp_path: Path) -> None:
    path = walkers.save(tmp_path / "take.2")
    assert path.name == "take.2.npz"
    assert Motion.load(path).seed is None


def test_captions_of_scenes(walkers: Motion, tmp_path: Path) -> None:
    scenes = (Caption("Sie grüßen sich.", 0.0, 0.7), Caption("They part.", 0.7, 2.0))
    path = write_npz(replace(walkers, captions=scenes), tmp_path / "story")
    assert read_npz(path).captions == scenes
    with np.load(path) as archive:
        content = dict(archive)
    for spans in (np.zeros((1, 2)), np.full((2, 2), np.nan), np.array([["a", "b"]] * 2)):
        np.savez(path, **(content | {"caption_seconds": spans}))
        with pytest.raises(UserError, match="caption_seconds"):
            read_npz(path)


def test_documented_keys(walkers: Motion, tmp_path: Path) -> None:
    with np.load(write_npz(walkers, tmp_path / "a"), allow_pickle=False) as archive:
        assert set(archive.files) == {
            "positions", "rotations", "root_rotations", "fps", "joint_names", "parents",
            "caption", "seed", "model", "schema_version", "frame", "units",
        }  # fmt: skip
        assert archive["positions"].shape == (2, 60, 22, 3)
        assert archive["positions"].dtype == np.float32
        assert tuple(archive["joint_names"]) == SMPL22.names
        assert "metres" in str(archive["units"])


def changed(path: Path, **changes: Any) -> Path:
    with np.load(path) as archive:
        content = {key: archive[key] for key in archive.files}
    content.update(changes)
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positions": None}, "lacks positions"),
        ({"positions": np.zeros((2, 60, 24, 3), np.float32)}, r"\(2, T, 22, 3\)"),
        ({"positions": np.zeros((2, 59, 22, 3), np.float32)}, "number of frames"),
        ({"positions": np.full((2, 60, 22, 3), np.nan, np.float32)}, "NaN"),
        ({"positions": np.zeros((2, 60, 22, 3), np.int64)}, "floating"),
        ({"rotations": np.ones((2, 60, 21, 3, 3), np.float32)}, "not rotation matrices"),
        ({"schema_version": np.int64(9)}, "schema_version 9"),
        ({"joint_names": np.array(["a"] * 22)}, "SMPL joints"),
        ({"fps": np.float64(0)}, "fps"),
        ({"fps": np.array("fast")}, "one number"),
        ({"parents": np.zeros(22, np.int64)}, "parents"),
        ({"positions": np.array([{}], dtype=object)}, "cannot be read"),
    ],
)
def test_wrong_content_is_named(
    walkers: Motion, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = changed(write_npz(walkers, tmp_path / "motion.npz"), **changes)
    with pytest.raises(UserError, match=words):
        read_npz(path)


def test_files_that_are_not_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no motion file"):
        read_npz(tmp_path / "absent.npz")
    with pytest.raises(UserError, match="folder"):
        read_npz(tmp_path)
    text = tmp_path / "text.npz"
    text.write_text("hello")
    with pytest.raises(UserError, match="is not an"):
        read_npz(text)
    archive = tmp_path / "other.npz"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("readme.txt", "hello")
    with pytest.raises(UserError):
        read_npz(archive)
    cut = tmp_path / "cut.npz"
    np.savez(cut, positions=np.zeros((2, 5, 22, 3)))
    cut.write_bytes(cut.read_bytes()[:-40])
    with pytest.raises(UserError):
        read_npz(cut)


def test_unwritable_output_leaves_nothing(walkers: Motion, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        write_npz(walkers, tmp_path / "file" / "motion.npz")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
