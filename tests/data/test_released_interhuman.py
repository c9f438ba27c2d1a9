"""InterHuman as released, dirt included: found by `data check`, trained on, imported clean."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from intermask.cli import app
from intermask.data.batching import Source, read_split
from intermask.data.check import check_dataset
from intermask.data.interhuman import import_interhuman
from intermask.data.layout import InterHumanFolder
from released_interhuman import (
    ABSENT,
    CAPTIONS,
    IGNORED,
    IGNORED_AND_ABSENT,
    LONG,
    NOT_A_NUMBER,
    ODD,
    SHORT,
    SILENT,
    TRUNCATED,
    USABLE,
    WINDOWS,
    write_release,
)

PROBLEMS = {
    ("too short", SHORT),
    ("NaN", NOT_A_NUMBER),
    ("no captions", SILENT),
    ("corrupt file", TRUNCATED),
    ("missing file", ABSENT),
}
NOTES = {
    ("odd characters", ODD),
    ("Windows line ends", WINDOWS),
    ("Windows line ends", "val"),
    ("long", LONG),
    ("ignored, not there", IGNORED_AND_ABSENT),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("data") / "InterHuman")


def command(*arguments: object) -> object:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_check_finds_all_dirt_by_the_clip_s_name(release: Path) -> None:
    report = check_dataset(release)
    assert {(each.kind, each.clip) for each in report.problems} == PROBLEMS
    assert {(each.kind, each.clip) for each in report.notes} == NOTES
    said = command("data", "check", release, "--limit", 0)
    assert said.exit_code == 1
    for kind, clip in PROBLEMS | NOTES:
        assert f"{kind} (" in said.stdout and f"  {clip}: " in said.stdout


def test_a_clean_release_has_no_findings(tmp_path: Path) -> None:
    assert not check_dataset(write_release(tmp_path / "clean", dirty=False)).findings


def test_captions_are_read_whatever_the_line_ends(release: Path) -> None:
    folder = InterHumanFolder(release)
    assert folder.captions("1") == folder.captions(WINDOWS) == CAPTIONS
    assert folder.captions(ODD)[0] == "one says “hello”，the other – naïvely – waits."
    assert folder.names("val") == ("10", "11")


def test_what_cannot_be_used_is_left_out_and_told_once(
    release: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        clips = read_split(Source(release), "train")
    assert [clip.name for clip in clips.clips] == ["1", "2", "3", SILENT, ODD, WINDOWS, LONG]
    assert len(caplog.records) == 1
    for name in (SHORT, NOT_A_NUMBER, TRUNCATED, ABSENT):
        assert caplog.text.count(f"{name} has") + caplog.text.count(f"/{name}.npy") == 1
    assert IGNORED not in [clip.name for clip in clips.clips]


def test_an_import_leaves_the_dirt_behind(release: Path, tmp_path: Path) -> None:
    report = import_interhuman(release, tmp_path / "out")
    assert report.clips == {"train": 6, "val": 2, "test": 1}
    assert len(report.unusable) == len(PROBLEMS)
    assert report.ignored_missing == (IGNORED_AND_ABSENT,)
    copied = {path.stem for path in (tmp_path / "out").rglob("*.npy")}
    assert copied == set(USABLE)
    assert not check_dataset(tmp_path / "out").problems
    raw = [root / "motions_processed" / "person1" / "1.npy" for root in (release, tmp_path / "out")]
    assert np.array_equal(*map(np.load, raw))


def test_both_stages_train_on_it(release: Path, tmp_path: Path) -> None:
    more = ("--data", release, "--preset", "debug", "--device", "cpu")
    for stage, given in (
        ("tokenizer", ()),
        ("transformer", ("--tokenizer", tmp_path / "tokenizer")),
    ):
        result = command("train", stage, "-o", tmp_path / stage, *given, *more)
        assert result.exit_code == 0, result.output
        lines = (tmp_path / stage / "metrics.jsonl").read_text("utf-8").splitlines()
        numbers = [json.loads(line) for line in lines]
        assert {each["step"] for each in numbers} == {1, 2, 3, 4, 5, 6}
        assert all(np.isfinite([*each.values()][2:]).all() for each in numbers)
