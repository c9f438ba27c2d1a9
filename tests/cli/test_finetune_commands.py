"""``--init``, ``runs`` and ``bench`` as commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask.training import loop

TUNE = (
    "--device", "cpu", "--preset", "debug", "--set", "optimiser.steps=4", "--set",
    "run.save_every=2",
)  # fmt: skip
TUNE_BOTH = (*TUNE, "--set", "tokenizer.optimiser.steps=4", "--set", "tokenizer.run.save_every=2")


@pytest.fixture(scope="module")
def tuned(bundle: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages of a bundle fine-tuned by one command."""
    from typer.testing import CliRunner

    from intermask.cli import app

    run = tmp_path_factory.mktemp("runs") / "tuned"
    arguments = ("train", "transformer", "--init", bundle, "--data", dataset, "-o", run, *TUNE_BOTH)
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("first") == 2  # a table for each stage
    return run


def test_one_command_tunes_both_stages(run: Any, tuned: Path) -> None:
    assert json.loads((tuned / "config.json").read_text())["tokenizer"]["from"] == "tuned-tokenizer"
    steps = [
        json.loads(line)["step"] for line in (tuned / "metrics.jsonl").read_text().splitlines()
    ]
    assert min(steps) == 0 and max(steps) == 4
    table = run("runs", "list", tuned.parent).stdout
    for words in ("tuned-tokenizer", "transformer", "4 of 4", "tiny"):
        assert words in table
    assert "started from" in run("info", tuned).stdout


def test_the_tokenizer_may_stay_as_it_is(
    run: Any, bundle: Path, dataset: Path, tmp_path: Path
) -> None:
    result = run(
        "train", "transformer", "--init", bundle, "--freeze-tokenizer", "--data", dataset,
        "-o", tmp_path / "run", *TUNE,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "run-tokenizer").exists()
    result = run(
        "train", "tokenizer", "--init", tmp_path / "run", "--data", dataset,
        "-o", tmp_path / "alone", *TUNE,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "--init" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("interrupted_stage", ["tokenizer", "transformer"])
def test_resuming_goes_on_where_it_was_interrupted(
    run: Any,
    bundle: Path,
    dataset: Path,
    tuned: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupted_stage: str,
) -> None:
    original = loop.train_step
    base = ("train", "transformer", "--init", bundle, "--data", dataset, *TUNE_BOTH)

    def interrupted(stage: Any, *arguments: Any) -> dict[str, float]:
        if arguments[3] == 3 and type(stage).__name__.lower().startswith(interrupted_stage):
            raise KeyboardInterrupt
        return original(stage, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", interrupted)
        result = run(*base, "-o", tmp_path / "tuned")
    assert result.exit_code == 130, result.output
    result = run(*base, "-o", tmp_path / "tuned", "--resume")
    assert result.exit_code == 0, result.output
    whole, stopped = (
        torch.load(folder / "tuned" / "last.pt", weights_only=True)["model"]
        for folder in (tuned.parent, tmp_path)
    )
    assert all(torch.equal(whole[name], value) for name, value in stopped.items())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--freeze-tokenizer",), "give it with --init"),
        (("--init", "absent"), "there is no folder 'absent'"),
        (("--init", "BUNDLE", "--set", "model.width=32"), "cannot become 32 by fine-tuning"),
        (("--init", "BUNDLE", "--set", "tokenizer.floor=shared"), "cannot become 'shared'"),
        (("--set", "tokenizer.window=16"), "changes how --init's tokenizer is fine-tuned"),
        (("--init", "BUNDLE", "--set", "run.devices=2"), "one stage a command"),
    ],
)
def test_what_cannot_be_tuned(
    fails: Any,
    bundle: Path,
    dataset: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    given = [bundle if each == "BUNDLE" else each for each in arguments]
    base = ("train", "transformer", "--data", dataset, "-o", tmp_path / "run", "--device", "cpu")
    assert words in fails(*base, *given)
    assert not list(tmp_path.iterdir())


def test_curves_of_runs(run: Any, fails: Any, tuned: Path, tmp_path: Path) -> None:
    both = (tuned, tuned.with_name("tuned-tokenizer"))
    result = run("runs", "plot", *both, "-o", tmp_path / "curves.png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert "call it curves.png" in fails("runs", "plot", tuned, "-o", "curves.pdf")
    assert "is not a training run" in fails("runs", "plot", tmp_path, "-o", tmp_path / "x.png")
    assert "holds no training run" in fails("runs", "list", tmp_path)


def test_a_benchmark_prints_its_table(run: Any, fails: Any) -> None:
    base = ("bench", "train", "--stage", "tokenizer", "--preset", "debug", "--device", "cpu")
    result = run(*base, "--steps", 1, "--compare-precision", "--compare-steps", 2)
    assert result.exit_code == 0, result.output
    for words in ("samples a second", "peak memory", "matrix product", "shares", "after 2 steps"):
        assert words in result.stdout
    assert "did you mean optimiser.batch_size" in fails(*base, "--set", "optimiser.batch_siz=2")
