"""Stopping and resuming changes nothing: bit for bit on a CPU, for both stages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask.data.batching import Source
from intermask.errors import UserError
from intermask.presets import load_preset
from intermask.training import checkpoint
from intermask.training.loop import fit
from intermask.training.runs import prepare_tokenizer, prepare_transformer
from tiny import write_tiny_dataset

CPU = torch.device("cpu")
# Dropout, noise in the codes and an averaged copy are on, so that all that is random takes part.
TOKENIZER = load_preset(
    "tokenizer",
    "debug",
    ["model.dropout=0.1", "model.assignment_temperature=0.5", "quantise_from=2"],
)
TRANSFORMER = load_preset("transformer", "debug", ["model.dropout=0.1"])

Train = Callable[..., Path]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    root = tmp_path_factory.mktemp("resume")
    return [
        Source(write_tiny_dataset(root / "walks"), 2.0),
        Source(write_tiny_dataset(root / "more", frames=40), 1.0),
    ]


@pytest.fixture(scope="module")
def tokenizer_run(data: list[Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer") / "run"
    return train_tokenizer(folder, data)


def train_tokenizer(folder: Path, data: list[Source], **how: Any) -> Path:
    resume = how.get("resume", False)
    stage = prepare_tokenizer(folder, TOKENIZER, data, CPU, resume=resume)
    fit(stage, TOKENIZER.optimiser, TOKENIZER.run, folder, device=CPU, **how)
    return folder


def train_transformer(folder: Path, data: list[Source], tokenizer: Path, **how: Any) -> Path:
    resume = how.get("resume", False)
    source = None if resume else tokenizer
    stage = prepare_transformer(folder, TRANSFORMER, data, source, CPU, resume=resume)
    fit(stage, TRANSFORMER.optimiser, TRANSFORMER.run, folder, device=CPU, **how)
    return folder


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Tensors and numbers of nested dictionaries and lists by their path."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)  # type: ignore[assignment]
    else:
        return {path: value}
    return {k: v for key, each in items for k, v in leaves(each, f"{path}/{key}").items()}


def assert_equal_runs(a: Path, b: Path) -> None:
    for name in (checkpoint.LAST, checkpoint.BEST):
        first, second = leaves(checkpoint.load(a / name)), leaves(checkpoint.load(b / name))
        assert first.keys() == second.keys()
        for key, value in first.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, second[key]), f"{name}{key}"
            else:
                assert value == second[key], f"{name}{key}"
    assert log_of(a) == log_of(b)


def log_of(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds_per_step"} for line in lines]


@pytest.mark.parametrize("stop", [2, 4])
def test_tokenizer(data: list[Source], tokenizer_run: Path, tmp_path: Path, stop: int) -> None:
    stopped = train_tokenizer(tmp_path / "run", data, stop_after=stop)
    assert checkpoint.load(stopped / checkpoint.LAST)["step"] == stop
    train_tokenizer(stopped, data, resume=True)
    assert_equal_runs(tokenizer_run, stopped)


def test_transformer(data: list[Source], tokenizer_run: Path, tmp_path: Path) -> None:
    whole = train_transformer(tmp_path / "whole", data, tokenizer_run)
    stopped = train_transformer(tmp_path / "stopped", data, tokenizer_run, stop_after=2)
    train_transformer(stopped, data, tokenizer_run, resume=True, stop_after=4)
    train_transformer(stopped, data, tokenizer_run, resume=True)
    assert_equal_runs(whole, stopped)


def test_steps_after_the_checkpoint_are_made_again(
    data: list[Source], tokenizer_run: Path, tmp_path: Path
) -> None:
    """A run that was killed has logged more than it saved, and its last line may be cut short."""
    killed = train_tokenizer(tmp_path / "run", data, stop_after=3)
    with (killed / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "train", "step": 4, "loss": 99.0}\n{"kind": "tra')
    train_tokenizer(killed, data, resume=True)
    assert_equal_runs(tokenizer_run, killed)


def test_the_seed_matters(data: list[Source], tokenizer_run: Path, tmp_path: Path) -> None:
    other = load_preset("tokenizer", "debug", ["run.seed=1", "optimiser.steps=1"])
    stage = prepare_tokenizer(tmp_path / "run", other, data, CPU, resume=False)
    fit(stage, other.optimiser, other.run, tmp_path / "run", device=CPU)
    assert log_of(tmp_path / "run")[0]["loss"] != log_of(tokenizer_run)[0]["loss"]


@pytest.mark.parametrize("damage", ["cut short", "empty", "something else"])
def test_a_corrupt_checkpoint_is_named(
    data: list[Source], tmp_path: Path, damage: str
) -> None:
    run = train_tokenizer(tmp_path / "run", data, stop_after=1)
    last = run / checkpoint.LAST
    content = {"cut short": last.read_bytes()[:900], "empty": b"", "something else": b"hello"}
    last.write_bytes(content[damage])
    with pytest.raises(UserError, match=r"last\.pt is not a readable checkpoint"):
        train_tokenizer(run, data, resume=True)
    assert last.read_bytes() == content[damage]
