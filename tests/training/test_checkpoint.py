"""Whatever happens to a disk, the last good checkpoint survives and is named."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask.data.batching import Source
from intermask.errors import UserError
from intermask.training import checkpoint
from intermask.training.loop import Progress
from intermask.training.run_log import RunLog
from tiny_training import assert_equal_runs, tiny_sources, train_tokenizer

CHANGES = ("run.save_every=2", "run.validate_every=2")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return tiny_sources(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def whole(data: list[Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    train_tokenizer(run, data, CHANGES)
    return run


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let the system refuse to make files longer than that, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_that_does_not_fit_leaves_the_last_one(tmp_path: Path) -> None:
    checkpoint.save_last(tmp_path, {"step": 3, "model": torch.zeros(10)})
    words = rf"last\.pt could not be written: File too large\. .*{tmp_path}/last\.pt \(step 3\)"
    with files_up_to(20_000), pytest.raises(UserError, match=words):
        checkpoint.save_last(tmp_path, {"step": 4, "model": torch.zeros(100_000)})
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_the_one_before_is_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save_last(tmp_path, {"step": step})
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 3
    assert checkpoint.load(tmp_path / "previous.pt")["step"] == 2


def test_the_one_before_is_kept_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    test_the_one_before_is_kept(tmp_path)


@pytest.mark.parametrize("write", ["last.pt", "best.pt"])
def test_a_disk_that_is_full_in_the_middle_of_a_run(
    data: list[Source], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    original, run = torch.save, tmp_path / "run"

    def save(state: dict[str, Any], file: Any) -> None:
        if state["step"] > 2 and f".{write[:4]}-" in file.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(state, file)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(UserError, match=r"No space left .*last\.pt \(step 2\).*--resume"):
        train_tokenizer(run, data, CHANGES)
    monkeypatch.undo()
    train_tokenizer(run, data, CHANGES, resume=True)
    assert_equal_runs(whole, run)


def test_a_log_that_cannot_be_written(
    data: list[Source], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, run = RunLog.write, tmp_path / "run"

    def write(log: RunLog, kind: str, step: int, numbers: Any) -> None:
        if step == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(log, kind, step, numbers)

    monkeypatch.setattr(RunLog, "write", write)
    with pytest.raises(UserError, match=r"No space left .*last\.pt \(step 2\)"):
        train_tokenizer(run, data, CHANGES)
    monkeypatch.undo()
    train_tokenizer(run, data, CHANGES, resume=True)
    assert_equal_runs(whole, run)


def spoil(path: Path, damage: str) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    spoiled = {
        "cut short": content[:900],
        "empty": b"",
        "something else": b"hello",
        "a bit flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
    }
    path.write_bytes(spoiled[damage])


@pytest.mark.parametrize("damage", ["cut short", "empty", "something else", "a bit flipped"])
def test_without_a_damaged_checkpoint_the_one_before_goes_on(
    data: list[Source], whole: Path, tmp_path: Path, damage: str
) -> None:
    run = tmp_path / "run"
    train_tokenizer(run, data, CHANGES, stop_after=4)
    spoil(run / "last.pt", damage)
    spoiled = (run / "last.pt").read_bytes()
    words = r"last\.pt is not a readable checkpoint: .*previous\.pt \(step 2\); rename it"
    with pytest.raises(UserError, match=f"(?s){words}"):
        train_tokenizer(run, data, CHANGES, resume=True)
    assert (run / "last.pt").read_bytes() == spoiled
    (run / "previous.pt").replace(run / "last.pt")
    train_tokenizer(run, data, CHANGES, resume=True)
    assert_equal_runs(whole, run)


def test_a_damaged_best_checkpoint_names_the_last_one(whole: Path, tmp_path: Path) -> None:
    for name in ("last.pt", "best.pt"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    spoil(tmp_path / "best.pt", "cut short")
    with pytest.raises(UserError, match=r"(?s)best\.pt is not .*last\.pt \(step 6\) is whole"):
        checkpoint.load(tmp_path / "best.pt")


def test_a_checkpoint_executes_nothing(tmp_path: Path) -> None:
    torch.save({"step": 1, "harm": Path("x")}, tmp_path / "last.pt")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        checkpoint.load(tmp_path / "last.pt")


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    for name in (".last-x1.pt", ".previous-a.pt", ".best-_2.pt", "last.pt", ".hidden", "notes.pt"):
        (tmp_path / name).touch()
    checkpoint.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"last.pt", ".hidden", "notes.pt"}


def test_where_a_best_checkpoint_is_there_is_one_to_go_on_from(
    data: list[Source], tmp_path: Path
) -> None:
    """However seldom checkpoints are saved, a run that is killed can be resumed."""
    run, seldom = tmp_path / "run", ("run.save_every=100", "run.validate_every=2")
    found = []

    def look(progress: Progress) -> None:
        names = {path.name for path in run.glob("*.pt")}
        found.append((progress.step, sorted(names)))

    train_tokenizer(run, data, seldom, on_step=look)
    assert found[1:4] == [(2, []), (3, ["best.pt", "last.pt"]), (4, ["best.pt", "last.pt"])]
