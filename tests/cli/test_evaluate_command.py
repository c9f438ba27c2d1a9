"""evaluate and bench evaluate as commands, with an evaluator of six steps of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from intermask.data.layout import write_split
from tiny import write_tiny_dataset


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with a test split: all of its clips."""
    root = write_tiny_dataset(tmp_path_factory.mktemp("data") / "walks", validation=4)
    write_split(root, "test", [f"walk_{number}" for number in range(5)])
    return root


@pytest.fixture(scope="module")
def evaluator(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from typer.testing import CliRunner

    from intermask.cli import app

    run = tmp_path_factory.mktemp("runs") / "judge"
    arguments = ["train", "evaluator", "--data", measured, "-o", run, "--preset", "debug"]
    arguments += ["--no-cache"]
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return run


def test_a_report_is_written_and_told(
    run: Any, measured: Path, evaluator: Path, bundle: Path, tmp_path: Path
) -> None:
    arguments = (
        "evaluate", bundle, "--data", measured, "--evaluator", evaluator, "-o", tmp_path / "report",
        "--replications", 2, "--no-multimodality", "--batch-size", 4,
    )  # fmt: skip
    shard = run(*arguments, "--shard", "2/2")
    assert shard.exit_code == 0, shard.output
    assert "1 part is left to other processes (replications/000" in shard.stdout
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    for text in ("ground truth", "reconstruction", "tiny", "FID", "Jerk", "not shuffled"):
        assert text in result.stdout
    assert "not the official protocol" in result.stdout
    assert "2 replications, not 20" in result.stderr
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["settings"]["evaluator"] == "judge"
    assert report["tokenizer"] is not None
    assert report["protocol"]["notes"] == [
        "captions were not shuffled: too many clips share a sentence"  # every clip has its second
    ]
    again = run(*arguments)  # nothing is left to do but the report
    assert "replication 1 of 2 made" not in again.stderr
    assert again.stdout == result.stdout


def test_what_cannot_be_measured_is_named(
    run: Any, fails: Any, measured: Path, evaluator: Path, bundle: Path, tmp_path: Path
) -> None:
    arguments = (
        "evaluate",
        bundle,
        "--data",
        measured,
        "--evaluator",
        evaluator,
        "-o",
        tmp_path / "r",
    )
    assert "1/4 for the first of four" in fails(*arguments, "--shard", "5/4")
    assert "leave it out" in fails(*arguments, "--batch-size", 4, "--audit")
    assert "split/val2.txt is missing" in fails(*arguments, "--split", "val2")
    assert "write NAME=DIR" in fails(*arguments, "--rival", "nothing")


def test_both_ways_are_timed(
    run: Any, fails: Any, measured: Path, evaluator: Path, bundle: Path
) -> None:
    arguments = ("bench", "evaluate", bundle, "--data", measured, "--clips", 4)
    result = run(*arguments, "--evaluator", evaluator)
    assert result.exit_code == 0, result.output
    for text in ("in batches", "one by one", "ratio", "4 motions"):
        assert text in result.stdout
    assert "--preset alone" in fails(*arguments)
