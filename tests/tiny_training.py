"""Trainings of seconds on the datasets of `tiny`, and how to compare what they leave behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from intermask.data.batching import Source
from intermask.presets import load_preset
from intermask.training import checkpoint
from intermask.training.loop import FitResult, fit
from intermask.training.runs import prepare_tokenizer, prepare_transformer
from tiny import write_tiny_dataset

CPU = torch.device("cpu")
# Noise in the codes, an averaged copy and a late start of the codes: all that is random or has
# state takes part. Dropout does in some tests only, because its draws depend on the parts.
# Rotations are read in their true order: as released, those of a fresh network are next to nothing,
# and the angles between them pass on rounding errors a thousandfold.
TOKENIZER = (
    "model.assignment_temperature=0.5", "quantise_from=2", "losses.rotation_order=interleaved"
)  # fmt: skip
TRANSFORMER = ("text.head_dropout=0", "model.dropout=0")
DROPOUT = "model.dropout=0.1"


def tiny_sources(root: Path) -> list[Source]:
    """Two folders of different shares and lengths."""
    return [
        Source(write_tiny_dataset(root / "walks"), 2.0),
        Source(write_tiny_dataset(root / "more", frames=40), 1.0),
    ]


def train_tokenizer(
    folder: Path,
    data: Sequence[Source],
    changes: Sequence[str] = (),
    *,
    on_start: Callable[[], None] = lambda: None,
    **how: Any,
) -> FitResult:
    """A run of the debug preset with some settings changed; ``how`` goes to `fit`."""
    training = load_preset("tokenizer", "debug", [*TOKENIZER, *changes])
    resume = how.get("resume", False)
    stage = prepare_tokenizer(folder, training, data, CPU, resume=resume)
    on_start()
    return fit(stage, training.optimiser, training.run, folder, device=CPU, **how)


def train_transformer(
    folder: Path,
    data: Sequence[Source],
    tokenizer: Path,
    changes: Sequence[str] = (),
    **how: Any,
) -> FitResult:
    """The same for the second stage, on the codes of a tokenizer run."""
    training = load_preset("transformer", "debug", [*TRANSFORMER, *changes])
    resume = how.get("resume", False)
    source = None if resume else tokenizer
    stage = prepare_transformer(folder, training, data, source, CPU, resume=resume)
    return fit(stage, training.optimiser, training.run, folder, device=CPU, **how)


def log_of(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, without times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds_per_step"} for line in lines]


def assert_equal_runs(a: Path, b: Path) -> None:
    """Two runs have the same checkpoints and logs, to the bit."""
    for name in (checkpoint.LAST, checkpoint.BEST):
        first, second = _leaves(checkpoint.load(a / name)), _leaves(checkpoint.load(b / name))
        assert first.keys() == second.keys()
        for key, value in first.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, second[key]), f"{name}{key}"
            else:
                assert value == second[key], f"{name}{key}"
    assert log_of(a) == log_of(b)


def largest_difference(a: Path, b: Path) -> float:
    """Largest difference of logged training losses, relative where they are above 1."""
    first, second = ([line for line in log_of(run) if line["kind"] == "train"] for run in (a, b))
    assert [line["step"] for line in first] == [line["step"] for line in second]
    return max(
        abs(value - other[name]) / max(1.0, abs(value))
        for line, other in zip(first, second, strict=True)
        for name, value in line.items()
        if name != "kind"
    )


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Tensors and numbers of nested dictionaries and lists by their path."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)  # type: ignore[assignment]
    else:
        return {path: value}
    return {k: v for key, each in items for k, v in _leaves(each, f"{path}/{key}").items()}
