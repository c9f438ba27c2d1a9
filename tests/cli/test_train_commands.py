"""From a dataset to a motion through commands alone: tokenizer, transformer, generate, bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask import Motion
from intermask.cli import train as train_commands
from intermask.training import loop

DEBUG = ("--preset", "debug", "--device", "cpu")


@pytest.fixture(scope="module")
def runs(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer run and a transformer run, made by the commands."""
    from typer.testing import CliRunner

    from intermask.cli import app

    folder = tmp_path_factory.mktemp("runs")
    for stage, more in (("tokenizer", ()), ("transformer", ("--tokenizer", folder / "tokenizer"))):
        arguments = ("train", stage, "--data", dataset, "-o", folder / stage, *DEBUG, *more)
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exit_code == 0, result.output
        assert "next" in result.stdout
    return folder


def test_a_run_leaves_everything_behind(runs: Path) -> None:
    names = {path.name for path in (runs / "transformer").iterdir()}
    assert {
        "config.json", "normaliser.safetensors", "tokenizer.pt", "durations.json", "last.pt",
        "best.pt", "metrics.jsonl",
    } <= names  # fmt: skip
    lines = [
        json.loads(line) for line in (runs / "tokenizer" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if line["kind"] == "validation"] == [3, 6]


def test_a_run_and_its_bundle_make_the_same_motion(run: Any, runs: Path, tmp_path: Path) -> None:
    result = run("bundle", runs / "transformer", "-o", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    for name, model in (("a", runs / "transformer"), ("b", tmp_path / "bundle")):
        result = run(
            "generate", "Two people walk.", "-o", tmp_path / name, "--model", model,
            "--formats", "npz", "--device", "cpu",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
    a, b = (Motion.load(tmp_path / f"{name}.npz") for name in "ab")
    assert torch.equal(a.positions, b.positions)
    assert a.model == "transformer"


def test_info_of_a_run(run: Any, runs: Path) -> None:
    result = run("info", runs / "transformer")
    for words in ("training run, transformer", "6 of 6", "walks (share 1)", "cross_entropy"):
        assert words in result.stdout


def test_resume_goes_on(run: Any, dataset: Path, tmp_path: Path) -> None:
    base = ("train", "tokenizer", "--data", dataset, "-o", tmp_path / "run")
    result = run(*base, *DEBUG, "--stop-after", 3)
    assert result.exit_code == 0, result.output
    assert "steps        " in result.stdout
    result = run(*base, "--resume", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "6 of 6" in run("info", tmp_path / "run").stdout


def test_settings_can_be_changed(run: Any, dataset: Path, tmp_path: Path) -> None:
    result = run(
        "train", "tokenizer", "--data", dataset, "-o", tmp_path / "run", *DEBUG,
        "--set", "optimiser.steps=2", "--set", "losses.distance=l1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    saved = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert (saved["optimiser"]["steps"], saved["losses"]["distance"]) == (2, "l1")


@pytest.mark.parametrize(
    ("stage", "arguments", "words"),
    [
        ("tokenizer", ("--preset", "smal"), "did you mean small?"),
        ("tokenizer", ("--set", "optimiser.step=3"), "did you mean optimiser.steps?"),
        ("tokenizer", ("--set", "optimiser.steps"), "write key=value"),
        ("tokenizer", ("--set", "optimiser.steps=many"), "expected int"),
        ("tokenizer", ("--share", 1, "--share", 2), "2 shares"),
        ("tokenizer", ("--resume",), "not a training run"),
        ("tokenizer", ("--set", "window=200"), "no clip has the 201 frames"),
        ("transformer", (), "--tokenizer"),
        ("transformer", ("--tokenizer", "absent"), "absent is not a training run"),
    ],
)
def test_what_cannot_be_trained(
    fails: Any,
    dataset: Path,
    tmp_path: Path,
    stage: str,
    arguments: tuple[object, ...],
    words: str,
) -> None:
    preset = () if {"--preset", "--resume"} & set(arguments) else DEBUG
    target = tmp_path / "run"
    assert words in fails("train", stage, "--data", dataset, "-o", target, *preset, *arguments)
    assert not target.exists()


def test_a_run_is_not_written_over(fails: Any, runs: Path, bundle: Path, dataset: Path) -> None:
    base = ("train", "tokenizer", "--data", dataset, *DEBUG, "-o")
    assert "holds a training run already" in fails(*base, runs / "tokenizer")
    assert "written by something else" in fails(*base, bundle)
    assert "holds other files" in fails(*base, dataset)


def test_a_run_is_resumed_as_it_was(fails: Any, runs: Path, dataset: Path, tmp_path: Path) -> None:
    base = ("train", "tokenizer", "--data", dataset, "--resume", "-o", runs / "tokenizer")
    assert "other settings" in fails(*base, "--set", "optimiser.learning_rate=1")
    assert "was trained on walks" in fails(*base, "--share", 2)
    assert "is a transformer run" in fails(*base[:-1], runs / "transformer")


def test_a_corrupt_checkpoint_is_named(run: Any, fails: Any, dataset: Path, tmp_path: Path) -> None:
    base = ("train", "tokenizer", "--data", dataset, "-o", tmp_path / "run")
    run(*base, *DEBUG, "--stop-after", 3)
    last = tmp_path / "run" / "last.pt"
    last.write_bytes(last.read_bytes()[:500])
    assert f"{last} is not a readable checkpoint" in fails(*base, "--resume", "--device", "cpu")


def test_interrupting_says_how_to_go_on(
    run: Any, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = loop.train_step

    def interrupted(*arguments: Any) -> dict[str, torch.Tensor]:
        if arguments[4] == 4:  # the step
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(loop, "train_step", interrupted)
    base = ("train", "tokenizer", "--data", dataset, "-o", tmp_path / "run")
    result = run(*base, *DEBUG)
    assert result.exit_code == train_commands.INTERRUPTED
    assert "Stopped after step 4" in result.stderr
    assert "--resume" in result.stderr
    monkeypatch.undo()
    assert run(*base, "--resume", "--device", "cpu").exit_code == 0


def test_a_run_that_never_saved_is_started_again(
    run: Any, fails: Any, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    base = ("train", "tokenizer", "--data", dataset, "-o", tmp_path / "run", "--device", "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", interrupted)
        result = run(*base, "--preset", "debug")
    assert "before the first checkpoint" in result.stderr
    assert "no checkpoint yet" in fails(*base, "--resume")
    assert run(*base, "--preset", "debug").exit_code == 0
