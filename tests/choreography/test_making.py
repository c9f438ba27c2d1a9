"""Making the open dataset: the same clips however they are made, and nothing half done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from test_gate import posed, standing
from test_sources import write_dataset

from intermask.choreography import making, overlay
from intermask.choreography.bank import MotionBank
from intermask.choreography.humanness_report import with_section
from intermask.choreography.making import RECORDS, SETTINGS, SHEET, OpenReport, make_open
from intermask.choreography.records import DrawRecord, read_records
from intermask.choreography.scene import ScenePlan
from intermask.data.check import check_dataset
from intermask.data.layout import InterHumanFolder, read_lines
from intermask.errors import UserError
from intermask.motion import Motion

CLIPS = 3
FRAMES = 90
FAMILIES = ("stand",)


def stand_about(bank: MotionBank, plan: ScenePlan, generator: torch.Generator) -> Motion:
    """In place of the overlay, which takes seconds a scene."""
    root, rotations = standing()
    return posed(
        root + 0.1 * torch.rand(3, generator=generator) * torch.tensor((1.0, 0.0, 1.0)), rotations
    )


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "stage", stand_about)
        yield


def make(out: Path, clips: int = CLIPS, **options: object) -> OpenReport:
    return make_open(out, clips, 0, families=FAMILIES, **options)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OpenReport:
    return make(tmp_path_factory.mktemp("open") / "whole")


def test_the_folder_is_a_dataset(whole: OpenReport) -> None:
    folder = InterHumanFolder(whole.out)
    assert whole.made == CLIPS
    assert [len(folder.names(split)) for split in ("train", "val")] == [2, 1]
    for name in folder.names("train"):
        clip = folder.read(name)
        assert len(clip.captions) == 3
        truth = json.loads((whole.out / "ground_truth" / f"{name}.json").read_text("utf-8"))
        assert truth["name"] == name
        assert [each["text"] for each in truth["captions"]] == list(clip.captions)
        assert truth["split"] == "train"
        assert clip.loaded.shape[1] == FRAMES
    assert not check_dataset(whole.out).problems


def test_the_provenance_says_what_makes_it_again(whole: OpenReport) -> None:
    facts = json.loads((whole.out / "provenance.json").read_text("utf-8"))
    assert facts["seed"] == 0
    assert facts["families"] == list(FAMILIES)
    assert len(facts["bank"]["sha256"]) == len(facts["code_sha256"]) == 64
    assert facts["not_given"] == ["salsa", "grappling"]
    assert "mocap.cs.cmu.edu" in facts["licence"]
    assert facts["splits"]["train"] == CLIPS - 1


def test_the_datasheet_counts_what_is_there(whole: OpenReport) -> None:
    sheet = (whole.out / SHEET).read_text("utf-8")
    drawn = sum(len(record.scenes) for record in whole.records)
    assert f"{whole.made} clips of two people" in sheet
    assert f"of {drawn} scenes" in sheet
    assert f"{3 * CLIPS} captions" in sheet
    assert "NSF EIA-0196217" in sheet


def test_two_processes_make_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(making, "stage", overlay.stage)  # as in the processes, which know no other
    for workers in (1, 2):
        make(tmp_path / str(workers), 2, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


class Killed(Exception):
    """Somebody stops the program."""


def test_a_stopped_making_goes_on(whole: OpenReport, tmp_path: Path) -> None:
    out = tmp_path / "stopped"

    def stop(kept: int, wanted: int) -> None:
        if kept == 2:
            raise Killed

    with pytest.raises(Killed):
        make(out, progress=stop)
    assert not (out / "provenance.json").exists()
    written = {file: file.stat().st_mtime_ns for file in out.glob("motions_processed/*/*.npy")}
    assert len(written) == 4
    # As a kill in the middle of writing leaves it: half a line, and half a file.
    journal = out / RECORDS
    journal.write_text(journal.read_text("utf-8") + '{"number": 7, "spl', "utf-8")
    (out / "annots" / ".open_00002-abc.txt").write_text("half")
    make(out)
    assert contents(out) == contents(whole.out)
    assert all(file.stat().st_mtime_ns == before for file, before in written.items())


def test_a_clip_that_was_lost_is_made_again(whole: OpenReport, tmp_path: Path) -> None:
    out = tmp_path / "lost"
    make(out, 1)
    (name,) = InterHumanFolder(out).names("train")
    file = out / "motions_processed" / "person2" / f"{name}.npy"
    before = file.read_bytes()
    file.unlink()
    make(out, 1)
    assert file.read_bytes() == before
    assert before == (whole.out / file.relative_to(out)).read_bytes()  # as in the larger one


def test_another_seed_in_the_same_folder_is_refused(whole: OpenReport) -> None:
    with pytest.raises(UserError, match="seed 0, now 1"):
        make_open(whole.out, CLIPS, 1, families=FAMILIES)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        make(tmp_path)
    assert not (tmp_path / SETTINGS).exists()


def test_sources_go_along(tmp_path: Path) -> None:
    salsa = write_dataset(tmp_path / "salsa", train=3, test=1)
    report = make(tmp_path / "out", 12, salsa=salsa)
    (source,) = report.sources
    assert source.clips == 1  # eight per cent
    facts = json.loads((tmp_path / "out" / "provenance.json").read_text("utf-8"))
    assert facts["sources"]["salsa"]["source"] == "a public place"
    assert facts["not_given"] == ["grappling"]
    listed = read_lines(tmp_path / "out" / "split" / "train.txt")
    assert set(source.names["train"]) <= set(listed)


def test_records_survive_being_written(whole: OpenReport) -> None:
    assert tuple(read_records(whole.out / RECORDS).values()) == whole.records
    assert all(DrawRecord.read(each.line()) == each for each in whole.records)


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"clips": 1, "workers": 0}])
def test_numbers_that_make_no_sense(wrong: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1 of each"):
        make_open(tmp_path / "none", **wrong)


def test_what_a_judge_said_stays_until_the_clips_change(tmp_path: Path) -> None:
    out = tmp_path / "judged"
    make(out, 1)
    sheet = out / SHEET
    judged = with_section(sheet.read_text("utf-8"), "## Is it human?\n\nHardly.\n")
    sheet.write_text(judged, "utf-8")
    make(out, 1)
    assert sheet.read_text("utf-8") == judged
    make(out, 2)
    assert "Hardly" not in sheet.read_text("utf-8")
