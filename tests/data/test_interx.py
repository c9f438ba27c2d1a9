"""Inter-X as released, with its dirt: what is written is read, and damage is named."""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from intermask.data.batching import Source, read_split, with_captions
from intermask.data.interx import InterXCaption, InterXFolder, is_interx, parse_caption
from intermask.errors import UserError
from people55 import CAPTIONS, line_of, walking_smplx, write_interx, write_list, write_text

FIRST = "G001T000A000R000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_interx(tmp_path / "interx")


def store(folder: Path, name: str, array: np.ndarray, split: str = "train") -> None:
    with h5py.File(folder / "motions" / f"{split}.h5", "a") as file:
        if name in file:
            del file[name]
        file[name] = array


def test_a_clip_is_read(folder: Path) -> None:
    data = InterXFolder(folder)
    assert is_interx(folder) and data.names("val") == data.stored("val")
    clip = data.read(FIRST, "train")
    assert torch.equal(clip.loaded, walking_smplx(52, 0))
    assert clip.captions == CAPTIONS
    (line, _) = data.caption_lines(FIRST)
    assert line.words[:2] == (("two", "NOUN"), ("people", "NOUN"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("They bow.#they/PRON bow/VERB#0.0#0.0", ("They bow.", 2, (0.0, 0.0))),
        ("Team #1 bows.#team/NOUN bow/VERB#0.0#0.0", ("Team #1 bows.", 2, (0.0, 0.0))),
        ("They bow.#they/PRON and/or/CCONJ#nan#nan", ("They bow.", 2, (0.0, 0.0))),
        ("They bow.#they/PRON#1.5#2.0", ("They bow.", 1, (1.5, 2.0))),
        ("They bow.", ("They bow.", 0, (0.0, 0.0))),
        ("They bow.#they/PRON", ("They bow.", 1, (0.0, 0.0))),
        ("They bow.##0.0#0.0", ("They bow.", 0, (0.0, 0.0))),
        ("#they/PRON#0.0#0.0", ("", 1, (0.0, 0.0))),
    ],
)
def test_lines_of_captions(line: str, expected: tuple[str, int, tuple[float, float]]) -> None:
    caption = parse_caption(line)
    assert (caption.text, len(caption.words), caption.part) == expected


def test_a_word_keeps_its_slashes() -> None:
    assert parse_caption("x#and/or/CCONJ#0.0#0.0").words == (("and/or", "CCONJ"),)
    assert parse_caption("x#  / a/ /B c#0.0#0.0") == InterXCaption("x", (), (0.0, 0.0))


def test_text_from_windows_and_odd_characters(folder: Path) -> None:
    write_list(folder, "train", [FIRST, "", "other"], "\r\n")
    lines = [line_of("They shake hands — “gently”."), "", line_of("Müde\u2028Menschen.")]
    write_text(folder, FIRST, lines, "\r\n")
    data = InterXFolder(folder)
    assert data.names("train") == (FIRST, "other")
    assert data.captions(FIRST) == ("They shake hands — “gently”.", "Müde\u2028Menschen.")
    data.text_file(FIRST).write_bytes(b"A caf\xe9.#a/DET#0.0#0.0\r\n")
    assert data.captions(FIRST) == ("A café.",)


def test_captions_of_parts_of_a_clip_are_left_out(folder: Path) -> None:
    write_text(folder, FIRST, ["They bow.#they/PRON#0.5#1.0", line_of("They nod.")])
    assert InterXFolder(folder).captions(FIRST) == ("They nod.",)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((40, 55, 6), np.float32), r"shape \(40, 55, 6\); expected .*\(frames, 56, 6\)"),
        (np.zeros((40, 56, 3), np.float32), r"shape \(40, 56, 3\)"),
        (np.zeros((56, 6), np.float32), r"shape \(56, 6\)"),
        (np.array([b"text"]), "expected numbers"),
        (np.full((40, 56, 6), np.nan, np.float32), "NaN .* in 40 of 40 frames"),
    ],
)
def test_unusable_arrays_are_named(folder: Path, array: np.ndarray, words: str) -> None:
    store(folder, FIRST, array)
    with pytest.raises(UserError, match=f"{FIRST} in .*train.h5.*{words}"):
        InterXFolder(folder).read(FIRST, "train")


def test_missing_things_are_named(folder: Path) -> None:
    data = InterXFolder(folder)
    with pytest.raises(FileNotFoundError, match=r"train\.h5 holds no clip nobody"):
        data.read("nobody", "train")
    (folder / "splits" / "test.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"test\.txt is missing"):
        data.names("test")
    (folder / "motions" / "test.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"test\.h5 is missing"):
        InterXFolder(folder).read(FIRST, "test")
    assert data.captions("nobody") == ()
    with pytest.raises(FileNotFoundError, match="not a copy of Inter-X"):
        InterXFolder(folder / "motions")


@pytest.mark.parametrize("kept", [0, 100, 3000])
def test_a_truncated_file_is_named(folder: Path, kept: int) -> None:
    path = folder / "motions" / "train.h5"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"train\.h5 cannot be read as HDF5 .*copy the file again"):
        InterXFolder(folder).read(FIRST, "train")
    with pytest.raises(UserError, match=r"train\.h5 cannot be read as HDF5"):
        InterXFolder(folder).stored("train")


def test_a_group_is_no_clip(folder: Path) -> None:
    with h5py.File(folder / "motions" / "train.h5", "a") as file:
        file.create_group("folder")
    with pytest.raises(UserError, match=r"folder in .*train\.h5 cannot be read"):
        InterXFolder(folder).read("folder", "train")


def test_a_dirty_split_is_read_without_its_dirt(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = InterXFolder(folder).names("train")
    store(folder, "short", np.zeros((10, 56, 6), np.float32))
    store(folder, "broken", np.full((40, 56, 6), np.nan, np.float32))
    store(folder, "silent", np.zeros((40, 56, 6), np.float32))
    write_list(folder, "train", [*names, "short", "broken", "gone", "silent"], "\r\n")
    with caplog.at_level(logging.WARNING):
        clips = read_split(Source(folder), "train")
        told = with_captions(clips)
    assert clips.dataset == "interx" and clips.people == 2
    assert [clip.name for clip in clips.clips] == [*names, "silent"]
    assert [clip.name for clip in told.clips] == list(names)
    for words in ("short has 10 frames", "broken in", "holds no clip gone", "silent has no cap"):
        assert caplog.text.count(words) == 1, words
    assert len(told.skipped) == 4


def test_ignored_clips_are_left_out(folder: Path) -> None:
    (folder / "splits" / "ignore_list.txt").write_text(f"{FIRST}\n")
    data = InterXFolder(folder)
    assert data.ignored() == (FIRST,)
    assert FIRST not in data.names("train")


def test_a_changed_motion_file_is_read_anew(folder: Path, tmp_path: Path) -> None:
    first = read_split(Source(folder), "train", tmp_path / "cache")
    assert first.clips[0].loaded.shape[1] == 52
    store(folder, FIRST, np.zeros((40, 56, 6), np.float32))
    changed = read_split(Source(folder), "train", tmp_path / "cache")
    assert changed.clips[0].loaded.shape == (2, 40, 56, 3)
