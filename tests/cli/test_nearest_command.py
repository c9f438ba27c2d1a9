"""nearest: training clips that motions are most like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from intermask.data.layout import InterHumanFolder, write_split
from intermask.evaluation.real_motion import positions_on_floor
from intermask.motion import Motion
from walking import walking_pair


def test_a_copy_is_named_and_marked(run: Any, dataset: Path, tmp_path: Path) -> None:
    walking_pair(56, seed=1).cropped(3, 40).save(tmp_path / "copy")  # walk_1 is of the split train
    walking_pair(60, seed=40).save(tmp_path / "new")
    result = run("nearest", tmp_path, "--data", dataset, "--held-out", "val")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    copy = next(line for line in lines if line[0] == "copy")
    assert copy[1:] == ["0.0", f"{dataset.name}/walk_1", "suspiciously", "near"]
    assert next(line for line in lines if line[0] == "new")[-1] != "near"
    assert "2 held-out clips (val)" in result.stdout
    assert "suspiciously near: 1 of 2" in result.stdout


def test_json_has_every_number(run: Any, dataset: Path, tmp_path: Path) -> None:
    held_out = InterHumanFolder(dataset).read("walk_4")
    motion = walking_pair(68, seed=4)
    assert positions_on_floor(held_out).shape == motion.positions.shape
    path = motion.save(tmp_path / "held_out")
    result = run("nearest", path, "--data", dataset, "--held-out", "val", "--json")
    report = json.loads(result.stdout)
    (entry,) = report["motions"]
    assert entry["file"] == str(path)
    assert min(abs(entry["distance_m"] - x) for x in report["held_out"]["distance_m"]) < 1e-4
    assert report["held_out"]["clips"] == 2


def test_what_cannot_be_compared(fails: Any, walk: Path, dataset: Path, tmp_path: Path) -> None:
    assert "test.txt is missing" in fails("nearest", walk, "--data", dataset)
    short = Motion.load(walk).cropped(0, 20).save(tmp_path / "short")
    message = fails("nearest", walk, short, "--data", dataset, "--held-out", "val")
    assert f"{short} has 20 frames at 30 fps; expected 30 or more" in message
    write_split(tmp_path, "train", [])
    (tmp_path / "motions_processed" / "person1").mkdir(parents=True)
    assert "single people" in fails("nearest", walk, "--data", tmp_path)
