"""Inter-X through commands alone: check, train both stages, generate with hands, draw."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from fake_evaluator import FakeEvaluator
from intermask import Motion
from intermask.cli import app
from intermask.evaluation.evaluators import folder as evaluators_folder
from intermask.evaluation.real_motion import JointClips
from intermask.motion import SMPLXMotion
from people55 import write_body_model, write_interx
from told_apart import write_kinds_interx

TINY = (
    "optimiser.steps=2", "optimiser.batch_size=2", "optimiser.warmup_steps=1",
    "model.width=16", "model.codebook_size=32",
)  # fmt: skip
TINY_TOKENIZER = (*TINY, "window=32", "model.residual_depth=1")
TINY_TRANSFORMER = (
    *TINY, "model.code_dim=16", "model.layers=1", "model.heads=2", "model.feedforward=32",
    "model.condition_width=384", "text.encoder=minilm", "text.width=384", "text.head_layers=1",
    "text.head_heads=4", "text.head_feedforward=64", "sampling.steps=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_interx(tmp_path_factory.mktemp("data") / "interx", validation=3)


@pytest.fixture(scope="module")
def runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages, trained by the commands for two steps."""
    out = tmp_path_factory.mktemp("runs")
    base = ("--data", folder, "--preset", "paper-interx", "--device", "cpu")
    for stage, settings, more in (
        ("tokenizer", TINY_TOKENIZER, ()),
        ("transformer", TINY_TRANSFORMER, ("--tokenizer", out / "tokenizer")),
    ):
        changes = [part for setting in settings for part in ("--set", setting)]
        command = ("train", stage, "-o", out / stage, *base, *more, *changes)
        result = CliRunner().invoke(app, [str(each) for each in command])
        assert result.exit_code == 0, result.output
    return out


def test_check(run: Any, folder: Path) -> None:
    result = run("data", "check", folder)
    assert result.exit_code == 1  # the test split of this folder repeats a clip of another one
    assert "Inter-X's layout, two people a clip" in result.stdout
    assert "problem: split overlap (1)" in result.stdout


def test_generate(run: Any, fails: Any, runs: Path, tmp_path: Path) -> None:
    base = (
        "generate", "Two people shake hands.", "--seconds", 1, "--model", runs / "transformer",
        "--device", "cpu", "-o", tmp_path / "shake",
    )  # fmt: skip
    assert "--smplx FILE" in fails(*base)
    assert "no SMPL-X body model at" in fails(*base, "--smplx", tmp_path / "nothing.npz")
    body = write_body_model(tmp_path / "models")
    result = run(*base, "--smplx", body, "--formats", "npz,bvh")
    assert result.exit_code == 0, result.output
    made = Motion.load(tmp_path / "shake.npz")
    assert isinstance(made, SMPLXMotion) and made.frames == 30
    info = run("info", tmp_path / "shake.npz").stdout
    assert "with hands (SMPL-X, 55 joints)" in info
    again = run(
        "react", tmp_path / "shake.npz", "They bow.", "--model", runs / "transformer",
        "--smplx", body, "-o", tmp_path / "reply", "--formats", "npz", "--device", "cpu",
    )  # fmt: skip
    assert again.exit_code == 0, again.output


def test_evaluate_tokenizer_with_hands(run: Any, runs: Path, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    base = ("evaluate-tokenizer", runs / "tokenizer", "--data", folder, "--split", "val")
    result = run(*base, "-o", tmp_path / "report", "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert len(content["joints"]) == 55 and content["mpjpe_mm"] > 0
    assert (tmp_path / "report" / "joints.png").is_file()


def test_an_evaluator_of_your_own(run: Any, fails: Any, runs: Path, tmp_path: Path) -> None:
    """Trained by a command, resumed, and used with an audit: nobody needs the released one."""
    kinds = write_kinds_interx(tmp_path / "kinds", train=1, validation=2)
    base = ("train", "evaluator", "--data", kinds, "-o", tmp_path / "judge", "--device", "cpu")
    base = (*base, "--cache", tmp_path / "cache")
    result = run(*base, "--preset", "debug", "--set", "pool=8", "--stop-after", 3)
    assert result.exit_code == 0, result.output
    result = run(*base, "--resume")
    assert result.exit_code == 0, result.output
    assert "6 of 6" in run("info", tmp_path / "judge").stdout
    assert "other settings" in fails(*base, "--resume", "--preset", "debug")  # of another pool
    result = run(*base, "--resume", "--preset", "debug", "--set", "pool=8")
    assert result.exit_code == 0, result.output
    report = tmp_path / "report"
    result = run(
        "evaluate", runs / "transformer", "--data", kinds, "--evaluator", tmp_path / "judge",
        "-o", report, "--replications", 1, "--no-multimodality", "--audit", "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads((report / "report.json").read_text())
    assert content["protocol"]["pool"] == 8 and content["protocol"]["clips"] == 16
    names = [row["name"] for row in content["rows"]]
    assert names[0] == "ground truth" and "transformer" in names
    assert all("fid" in row["metrics"] for row in content["rows"][:3])
    assert {row["change"] for row in content["audit"]} >= {"exchanged people", "time reversal"}


@pytest.fixture(scope="module")
def without_body(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data where nobody put the body model."""
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("copies") / "interx")
    (copy / "SMPLX_NEUTRAL.npz").unlink()
    return copy


@pytest.fixture(scope="module")
def motion(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training clip as a motion file of a body: without hands."""
    clips = JointClips.of(folder)
    positions = clips.positions(clips.names("train")[1], "train")
    frames = positions.shape[1]
    still = torch.eye(3).expand(2, frames, 22, 3, 3)
    made = Motion(positions, still[:, :, 1:], still[:, :, 0])
    return made.save(tmp_path_factory.mktemp("motions") / "copy")


def test_measure_beside_data_with_hands(
    run: Any, fails: Any, folder: Path, without_body: Path, motion: Path, tmp_path: Path
) -> None:
    command = ("measure", motion, "--split", "val", "--json", "--data")
    found = json.loads(run(*command, folder).stdout)
    assert found["data"]["clips"] == 3 and found["data"]["metrics"]["jerk"] > 0
    message = fails(*command, without_body)
    assert f"put SMPLX_NEUTRAL.npz into {without_body}, or say where it is" in message
    body = write_body_model(tmp_path / "models")
    assert json.loads(run(*command, without_body, "--smplx", body).stdout) == found


def test_nearest_of_data_with_hands(
    run: Any, fails: Any, folder: Path, without_body: Path, motion: Path
) -> None:
    command = ("nearest", motion, "--held-out", "val", "--json", "--data")
    (entry,) = json.loads(run(*command, folder).stdout)["motions"]
    assert entry["clip"] == f"interx/{JointClips.of(folder).names('train')[1]}"
    assert entry["distance_m"] < 1e-3 and entry["suspicious"]
    assert "--smplx FILE" in fails(*command, without_body)


def test_evaluate_with_hands(
    run: Any,
    runs: Path,
    folder: Path,
    without_body: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the evaluator only its place in the command is tested here."""
    judge = FakeEvaluator(dataset="interx")
    monkeypatch.setattr(evaluators_folder, "load_evaluator", lambda *_, **__: judge)
    base = (
        "evaluate", runs / "transformer", "--evaluator", "fake", "--split", "val", "--quick",
        "--batch-size", 4, "--device", "cpu",
    )  # fmt: skip
    result = run(*base, "--data", folder, "-o", tmp_path / "whole")
    assert result.exit_code == 0, result.output
    assert "Foot skate" in result.stdout and "nearest training clip" in result.stdout
    bare = run(*base, "--data", without_body, "-o", tmp_path / "bare")
    assert bare.exit_code == 0, bare.output
    assert "Foot skate" not in bare.stdout
    assert f"put SMPLX_NEUTRAL.npz into {without_body}" in bare.stderr
    assert f"put SMPLX_NEUTRAL.npz into {without_body}" in bare.stdout
    body = write_body_model(tmp_path / "models")
    named = run(*base, "--data", without_body, "-o", tmp_path / "named", "--smplx", body)
    assert named.stdout.replace("named", "whole") == result.stdout
