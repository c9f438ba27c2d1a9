"""Stopping, killing and resuming change nothing: bit for bit on a CPU, for both stages."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
import torch

from intermask.data.batching import Source
from intermask.training import checkpoint
from intermask.training.loop import Progress
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


MOST_STEPS = 5
"""A process that is to be killed does not go further than this, however late the kill comes."""
SLOWEST_KILL = 0.1
"""Seconds after the step that a kill waits for: up to a few steps and all that follows them."""


def _settings(kills: int) -> tuple[str, ...]:
    steps = f"optimiser.steps={MOST_STEPS * kills + 2}"
    return (*CHANGES, steps, "run.save_every=2", "run.validate_every=3")


def _train(folder: Path, data: list[Source], kills: int, ready: Event, steps: int | None) -> None:
    """Train; say when ``steps`` of this process are done, and hold it some time after that."""
    torch.set_num_threads(1)  # as in this suite's own process: sums depend on it to the bit
    done = 0

    def watch(progress: Progress | None = None) -> None:
        nonlocal done
        if done == steps:
            ready.set()
        if done == MOST_STEPS and steps is not None:
            time.sleep(600)
        done += 1

    resume = (folder / checkpoint.LAST).is_file()
    train_tokenizer(folder, data, _settings(kills), resume=resume, on_start=watch, on_step=watch)


def kill_and_resume(folder: Path, data: list[Source], kills: int) -> list[int]:
    """Kill a training so often, resume it each time, and let it end.

    Processes are forked from a server that has imported everything, so that a start is cheap.

    Returns:
        the steps that each process resumed from.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tiny_training", "torch.utils.tensorboard", "lightning_fabric"])
    moments, resumed = random.Random(0), []
    for attempt in range(kills + 1):
        last = folder / checkpoint.LAST
        resumed.append(checkpoint.load(last)["step"] if last.is_file() else 0)
        ready = context.Event()
        steps = moments.randrange(MOST_STEPS) if attempt < kills else None
        process = context.Process(target=_train, args=(folder, data, kills, ready, steps))
        process.start()
        if steps is not None:
            assert ready.wait(120)
            time.sleep(moments.uniform(0, SLOWEST_KILL))
            process.kill()
        process.join(300)
        assert process.exitcode == (-signal.SIGKILL if attempt < kills else 0)
    return resumed


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.heavy)])
def test_killed_at_random_moments_it_ends_as_if_undisturbed(
    data: list[Source], tmp_path: Path, kills: int
) -> None:
    train_tokenizer(tmp_path / "undisturbed", data, _settings(kills))
    resumed = kill_and_resume(tmp_path / "killed", data, kills)
    assert len(set(resumed)) > kills / 3  # kills that came at different stages of the run
    assert_equal_runs(tmp_path / "undisturbed", tmp_path / "killed")
    names = [path.name for path in (tmp_path / "killed").iterdir()]
    assert not [name for name in names if name.startswith(".")]  # nothing half-written is left
