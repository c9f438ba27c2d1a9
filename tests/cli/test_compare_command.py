"""``compare`` on reports of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from example_report import example_report

Run = Callable[..., Any]


@pytest.fixture
def reports(tmp_path: Path) -> list[Path]:
    """Two evaluations of equal models, and one with another evaluator."""
    folders = []
    for number in range(3):
        report = example_report(seed=number)
        if number == 2:
            report["hashes"]["evaluator"] = "other"
        folders.append(tmp_path / f"report{number}")
        folders[-1].mkdir()
        (folders[-1] / "report.json").write_text(json.dumps(report), "utf-8")
    return folders


def test_table_and_sentences(run: Run, reports: list[Path]) -> None:
    result = run("compare", *reports[:2])
    assert result.exit_code == 0
    assert "not comparable" not in result.stdout
    assert "FID" in result.stdout and "within the noise." in result.stdout
    assert "of 19 metrics differ beyond the noise" in result.stdout


def test_what_differs_comes_first(run: Run, reports: list[Path]) -> None:
    lines = run("compare", reports[0], reports[2] / "report.json").stdout.splitlines()
    assert lines[0] == "These evaluations are not comparable:"
    assert lines[1].strip() == "the evaluator differs: 34cd and other"


def test_json(run: Run, reports: list[Path]) -> None:
    content = json.loads(run("compare", *reports[:2], "--json").stdout)
    assert content["comparable"] and len(content["metrics"]) == 19


def test_no_report(fails: Run, tmp_path: Path) -> None:
    assert "there is no report" in fails("compare", tmp_path, tmp_path)
