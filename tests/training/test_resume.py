"""Stopping, killing and resuming change nothing: bit for bit on a CPU, for both stages."""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from intermask.data.batching import Source
from intermask.training import checkpoint
from tiny_training import (
    DROPOUT,
    assert_equal_runs,
    log_of,
    tiny_sources,
    train_tokenizer,
    train_transformer,
)

# All that a step can consist of: several parts, dropout, noise in the codes, an averaged copy.
CHANGES = (DROPOUT, "run.accumulate=2")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return tiny_sources(tmp_path_factory.mktemp("resume"))


@pytest.fixture(scope="module")
def tokenizer_run(data: list[Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer") / "run"
    train_tokenizer(folder, data, CHANGES)
    return folder


@pytest.mark.parametrize("stop", [2, 4])
def test_tokenizer(data: list[Source], tokenizer_run: Path, tmp_path: Path, stop: int) -> None:
    run = tmp_path / "run"
    train_tokenizer(run, data, CHANGES, stop_after=stop)
    assert checkpoint.load(run / checkpoint.LAST)["step"] == stop
    train_tokenizer(run, data, CHANGES, resume=True)
    assert_equal_runs(tokenizer_run, run)


def test_transformer(data: list[Source], tokenizer_run: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train_transformer(whole, data, tokenizer_run, CHANGES)
    train_transformer(stopped, data, tokenizer_run, CHANGES, stop_after=2)
    train_transformer(stopped, data, tokenizer_run, CHANGES, resume=True, stop_after=4)
    train_transformer(stopped, data, tokenizer_run, CHANGES, resume=True)
    assert_equal_runs(whole, stopped)


def test_steps_after_the_checkpoint_are_made_again(
    data: list[Source], tokenizer_run: Path, tmp_path: Path
) -> None:
    """A run that was killed has logged more than it saved, and its last line may be cut short."""
    killed = tmp_path / "run"
    train_tokenizer(killed, data, CHANGES, stop_after=3)
    with (killed / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "train", "step": 4, "loss": 99.0}\n{"kind": "tra')
    train_tokenizer(killed, data, CHANGES, resume=True)
    assert_equal_runs(tokenizer_run, killed)


def test_the_seed_matters(data: list[Source], tokenizer_run: Path, tmp_path: Path) -> None:
    train_tokenizer(tmp_path / "run", data, [*CHANGES, "run.seed=1", "optimiser.steps=1"])
    assert log_of(tmp_path / "run")[0]["loss"] != log_of(tokenizer_run)[0]["loss"]


LONG = (*CHANGES, "optimiser.steps=30", "run.save_every=1", "run.validate_every=5")
SLOWEST_KILL = 0.25
"""Seconds into the loop: a few steps, some logs, validations and checkpoints."""


def _train(folder: Path, data: list[Source], beginning: Event) -> None:
    resume = (folder / checkpoint.LAST).is_file()
    train_tokenizer(folder, data, LONG, resume=resume, on_start=beginning.set)


def kill_and_resume(folder: Path, data: list[Source], kills: int) -> int:
    """Kill a training so often, resume it each time and let it end; how often a kill interrupted.

    Every process is forked from a server that has imported everything, so that a start is cheap.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tiny_training", "torch.utils.tensorboard", "lightning_fabric"])
    moments, interrupted = random.Random(0), 0
    for attempt in range(kills + 1):
        beginning = context.Event()
        process = context.Process(target=_train, args=(folder, data, beginning))
        process.start()
        assert beginning.wait(120)
        if attempt < kills:
            time.sleep(moments.uniform(0, SLOWEST_KILL))
            process.kill()
        process.join(300)
        interrupted += process.exitcode == -9
    assert process.exitcode == 0
    return interrupted


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.heavy)])
def test_killed_at_random_moments_it_ends_as_if_undisturbed(
    data: list[Source], tmp_path: Path, kills: int
) -> None:
    train_tokenizer(tmp_path / "undisturbed", data, LONG)
    assert kill_and_resume(tmp_path / "killed", data, kills) == kills
    assert_equal_runs(tmp_path / "undisturbed", tmp_path / "killed")
    names = {path.name for path in (tmp_path / "killed").iterdir()}
    assert not [name for name in names if name.startswith(".")]  # nothing half-written is left
