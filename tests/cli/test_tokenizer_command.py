"""``evaluate-tokenizer`` on a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_table_numbers_and_picture(run: Run, bundle: Path, dataset: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    folder = tmp_path / "report"
    result = run("evaluate-tokenizer", bundle, "--data", dataset, "--split", "val", "-o", folder)
    assert result.exit_code == 0, result.output
    assert "MPJPE in the world, mm" in result.stdout and "Worst clips" in result.stdout
    assert "joints with the largest error" in result.stdout
    assert {each.name for each in folder.iterdir()} == {
        "tokenizer.json", "tokenizer.md", "joints.png",
    }  # fmt: skip
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    assert content["model"] == "tiny" and content["reconstruction_fid"] is None
    assert len(content["joints"]) == 22 and len(content["by_clip"]) == 2


def test_what_stands_in_the_way_is_said_before_work(
    fails: Run, bundle: Path, dataset: Path, tmp_path: Path
) -> None:
    message = fails("evaluate-tokenizer", bundle, "--data", dataset, "-o", dataset)
    assert "exists already" in message
    message = fails("evaluate-tokenizer", tmp_path, "--data", dataset, "-o", tmp_path / "new")
    assert "is not a training run" in message
