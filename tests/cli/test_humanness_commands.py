"""data humanness and data sheets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask.choreography import humanness
from intermask.choreography.humanness_report import (
    FamilyHumanness,
    HumannessReport,
    JudgeOptions,
    RealSource,
    Tell,
)
from intermask.choreography.separation import Separation
from intermask.data.layout import write_clip, write_split
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS

FOUND = Separation(0.81, 0.7, 0.9)


def reported(made: Path, real: list[Path], options: JudgeOptions, progress: Any) -> HumannessReport:
    """A report as of a judge, without one."""
    progress(1, 1)
    tell = Tell("trunk sway", 0.7, 0.01, 0.02)
    family = FamilyHumanness("hug", 2, 8, 1.0, FOUND, (tell,))
    bank = FamilyHumanness("bank: ways", 1, 4, 1.0, Separation(0.6, 0.5, 0.7), (tell,))
    sources = tuple(
        RealSource(folder.name, "", 3, 9, {"standing, arms hang": 9}, FOUND) for folder in real
    )
    return HumannessReport(
        made.name, FOUND, (family,), (bank,), (tell,), (Tell("jerk", 0.9, 3, 4),), sources, options
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two clips of two people in T-pose."""
    turns = torch.eye(3).expand(2, 4, 22, 3, 3)
    root = torch.tensor([[0.0, 0.9, 0.0], [0.0, 0.9, 1.0]])[:, None].expand(2, 4, 3)
    offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float32)
    joints = forward_kinematics(offsets, root, turns[:, :, 0], turns[:, :, 1:])
    folder = tmp_path / "made"
    names = ["bow_0", "bow_1", "hug_0"]
    for name in names:
        write_clip(folder, name, joints, turns[:, :, 1:], ("They stand.", "Nobody moves."))
    write_split(folder, "train", names)
    return folder


def test_humanness_prints_a_table_and_writes_it(
    run: Any, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(humanness, "judge_humanness", reported)
    real = ("--real", tmp_path / "single", "--real", tmp_path / "salsa")
    (dataset / "DATASHEET.md").write_text("# Clips\n\n## How many\n\nTwo.\n\n## Limits\n\n- few\n")
    result = run("data", "humanness", dataset, *real, "--clips", 5)
    assert result.exit_code == 0, result.output
    for words in ("hug", "0.81 [0.70, 0.90]", "bank: ways", "single: 3 takes", "trunk sway 0.70"):
        assert words in result.stdout
    figures = json.loads((dataset / "humanness.json").read_text())
    assert figures["options"]["clips"] == 5
    assert (dataset / "humanness.md").read_text().startswith("## Is it human?")
    sheet = (dataset / "DATASHEET.md").read_text()
    assert sheet.index("Two.") < sheet.index("## Is it human?") < sheet.index("## Limits")
    run("data", "humanness", dataset, *real, "--clips", 5)
    assert (dataset / "DATASHEET.md").read_text() == sheet


def test_humanness_needs_datasets(fails: Any, dataset: Path, tmp_path: Path) -> None:
    message = fails("data", "humanness", dataset, "--real", tmp_path / "nothing")
    assert "is not a dataset folder" in message
    assert not (dataset / "humanness.json").exists()


def test_sheets_show_families(run: Any, dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("vtk")
    page = tmp_path / "families.html"
    result = run("data", "sheets", dataset, "-o", page, "--clips", 1, "--frames", 1)
    assert result.exit_code == 0, result.output
    assert "2 of 3" in result.stdout
    text = page.read_text("utf-8")
    assert text.count("<figure>") == 2
    assert "hug_0 — Nobody moves." in text


def test_sheets_of_unknown_families(fails: Any, dataset: Path, tmp_path: Path) -> None:
    page = tmp_path / "families.html"
    message = fails("data", "sheets", dataset, "-o", page, "--families", "tango")
    assert "no clips of tango; it has bow, hug" in message
    assert not page.exists()
