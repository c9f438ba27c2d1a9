"""measure: physical metrics of motion files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from intermask.evaluation.measurement import measure
from intermask.motion import Motion


def row(output: str, name: str) -> list[str]:
    (line,) = (line for line in output.splitlines() if line.strip().startswith(name))
    return line.strip().removeprefix(name).split()


def test_a_table_of_one_motion(run: Any, walk: Path) -> None:
    result = run("measure", walk)
    assert result.exit_code == 0, result.output
    metrics = measure(Motion.load(walk).positions)
    cells = row(result.stdout, "walk")
    assert cells[0] == f"{metrics.skate:.1f}"
    assert cells[3] == f"{100 * metrics.penetrating_frames:.0f}"
    assert cells[6] == f"{metrics.jerk:.0f}"
    assert "mean of" not in result.stdout and "area" not in result.stdout


def test_a_folder_stands_for_its_motions(run: Any, walk: Path, tmp_path: Path) -> None:
    motion = Motion.load(walk)
    motion.save(tmp_path / "one")
    motion.cropped(0, 20).save(tmp_path / "two")
    result = run("measure", tmp_path)
    assert len(row(result.stdout, "mean of 2")) == len(row(result.stdout, "one")) == 11
    assert row(result.stdout, "two") != row(result.stdout, "one")


def test_data_shows_what_is_usual(run: Any, walk: Path, dataset: Path) -> None:
    result = run("measure", walk, "--data", dataset, "--split", "val")
    assert result.exit_code == 0, result.output
    assert len(row(result.stdout, f"{dataset} (val), 2 clips")) == 12
    assert "area" in result.stdout


def test_json_has_every_number(run: Any, walk: Path, dataset: Path) -> None:
    result = run("measure", walk, walk, "--json", "--data", dataset, "--split", "val")
    report = json.loads(result.stdout)
    first, second = report["motions"]
    assert first == second
    assert first["file"] == str(walk) and first["seconds"] == 1.5
    assert report["mean"] == pytest.approx(first["metrics"])
    assert report["data"]["clips"] == 2
    assert set(report["data"]["metrics"]) == set(first["metrics"])
    alone = json.loads(run("measure", walk, "--json").stdout)
    expected = measure(Motion.load(walk).positions).numbers()
    assert alone["motions"][0]["metrics"] == expected
    assert alone["data"] is None


def test_contacts_that_the_caption_asks_for_are_told(run: Any, walk: Path, tmp_path: Path) -> None:
    asked = replace(Motion.load(walk), caption="Two people shake hands.").save(tmp_path / "shake")
    assert '"Two people shake hands." asks for hands joined: in 0 %' in run("measure", asked).stdout
    assert "asks for" not in run("measure", walk).stdout


def test_help_explains_every_column(run: Any) -> None:
    text = run("measure", "--help").stdout
    for word in ("skate:", "float:", "joints:", "deepest", "jerk", "area:", "hands:", "together:"):
        assert word in text


def test_what_cannot_be_measured(run: Any, fails: Any, walk: Path, tmp_path: Path) -> None:
    assert "no motion file" in fails("measure", tmp_path / "absent.npz")
    assert "holds no .npz file" in fails("measure", tmp_path)
    assert "not a dataset folder" in fails("measure", walk, "--data", tmp_path)
    short = Motion.load(walk).cropped(0, 2).save(tmp_path / "short")
    assert f"{short}: a motion of 2 frames has no jerk" in fails("measure", walk, short)


def test_a_split_that_is_not_there(fails: Any, walk: Path, dataset: Path) -> None:
    assert "test.txt is missing" in fails("measure", walk, "--data", dataset)
