"""Clips of an evaluation: whole, in order, the same at every call."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from golden_files import largest_error
from intermask.conventions import FloorRule
from intermask.data.batching import canonical_people
from intermask.data.layout import InterHumanFolder, write_clip
from intermask.errors import UserError
from intermask.evaluation.clips import exchange_people, read_clips
from people55 import write_interx
from tiny import CAPTIONS, write_tiny_dataset
from walking import walking_pair


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_tiny_dataset(tmp_path / "walks", train=3, validation=2, frames=53)


def test_clips_are_whole_canonical_and_cut_to_columns(dataset: Path) -> None:
    clips = read_clips(dataset, "train", "per_person", max_frames=300)
    assert [clip.name for clip in clips] == ["walk_0", "walk_1", "walk_2"]
    assert [clip.frames for clip in clips] == [52, 56, 60]
    assert clips[1].captions == ("Two people walk for the 1th time.", CAPTIONS[1])
    loaded = InterHumanFolder(dataset).read("walk_1").loaded
    assert torch.equal(clips[1].features, canonical_people(loaded, "per_person")[:, :56])


def test_long_clips_are_cut_at_their_beginning(dataset: Path) -> None:
    whole = read_clips(dataset, "val", "shared", max_frames=300)
    cut = read_clips(dataset, "val", "shared", max_frames=30)
    for long, short in zip(whole, cut, strict=True):
        assert short.frames == 28
        feet = slice(258, 262)  # contacts of the last frames look ahead; all else is a beginning
        assert torch.allclose(
            short.features[..., : feet.start], long.features[:, :28, : feet.start]
        )


def test_longer_clips_hold_all_of_their_parts(dataset: Path) -> None:
    for clip in read_clips(dataset, "val", "per_person", max_frames=30):
        loaded = InterHumanFolder(dataset).read(clip.name).loaded
        assert clip.parts == loaded.shape[1] - 30 + 1
        for start in (0, 7, clip.parts - 1):
            part = clip.part(start)
            expected = canonical_people(loaded[:, start : start + 29], "per_person")
            assert torch.equal(part.features, expected)
            assert part.frames == clip.frames and part.name == clip.name
        assert torch.equal(clip.part(0).features, clip.features)
    for clip in read_clips(dataset, "val", "per_person", max_frames=300):
        assert clip.parts == 1 and clip.part(0) is clip


def test_clips_of_inter_x_are_looked_at_from_their_beginning(tmp_path: Path) -> None:
    root = write_interx(tmp_path / "interx", train=1, validation=1)
    (clip,) = read_clips(root, "val", "per_person", max_frames=30)
    assert clip.parts == 1 and clip.features.shape == (2, 28, 336)


def test_what_cannot_be_used_is_left_out_and_named(
    dataset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (dataset / "split" / "val.txt").open("a") as names:
        names.write("silent\nshort\nabsent\n")
    for name, frames in (("silent", 40), ("short", 12)):
        motion = walking_pair(frames)
        captions = () if name == "silent" else ("They walk.",)
        write_clip(dataset, name, motion.positions, motion.rotations, captions)
    with caplog.at_level(logging.WARNING):
        clips = read_clips(dataset, "val", "per_person", max_frames=300)
    assert [clip.name for clip in clips] == ["walk_3", "walk_4"]
    assert all(name in caplog.text for name in ("silent", "short", "absent"))


def test_single_people_are_refused(tmp_path: Path) -> None:
    motion = walking_pair(40)
    write_clip(tmp_path, "one", motion.positions[:1], motion.rotations[:1], ["Somebody walks."])
    (tmp_path / "split").mkdir()
    (tmp_path / "split" / "test.txt").write_text("one\n")
    with pytest.raises(UserError, match="single people"):
        read_clips(tmp_path, "test", "per_person", max_frames=300)


@pytest.mark.parametrize("floor", ["per_person", "shared"])
def test_exchanged_people_are_those_of_the_exchanged_clip(dataset: Path, floor: FloorRule) -> None:
    folder = InterHumanFolder(dataset)
    for clip in read_clips(dataset, "train", floor, max_frames=300):
        loaded = folder.read(clip.name).loaded
        expected = canonical_people(loaded, floor, swap=True)[:, : clip.frames]
        assert largest_error(exchange_people(clip.features), expected) < 1e-4
        assert largest_error(exchange_people(exchange_people(clip.features)), clip.features) < 1e-4
