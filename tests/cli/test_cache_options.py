"""--cache and --no-cache: where what was computed is kept."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

DEBUG = ("--preset", "debug", "--device", "cpu", "--set", "optimiser.steps=1")


def kinds(cache: Path) -> set[str]:
    return {path.name.split("-")[0] for path in cache.iterdir()} if cache.is_dir() else set()


def test_both_stages_keep_what_they_computed(run: Any, dataset: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    base = ("--data", dataset, *DEBUG)
    result = run("train", "tokenizer", "-o", tmp_path / "t", *base, "--cache", cache)
    assert result.exit_code == 0, result.output
    assert kinds(cache) == {"clips", "fingerprints"}
    more = ("--tokenizer", tmp_path / "t", "--cache", cache)
    result = run("train", "transformer", "-o", tmp_path / "x", *base, *more)
    assert result.exit_code == 0, result.output
    assert kinds(cache) == {"clips", "fingerprints", "text", "tokens"}


def test_by_default_it_is_the_user_s(
    run: Any, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERMASK_CACHE", str(tmp_path / "mine"))
    base = ("train", "tokenizer", "--data", dataset, *DEBUG)
    assert run(*base, "-o", tmp_path / "a", "--no-cache").exit_code == 0
    assert not (tmp_path / "mine").exists()
    assert run(*base, "-o", tmp_path / "b").exit_code == 0
    assert "clips" in kinds(tmp_path / "mine")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("INTERMASK_CACHE", str(tmp_path / "file"))
    result = run(*base, "-o", tmp_path / "c")
    assert result.exit_code == 0, result.output
    assert "nothing is kept for later runs" in result.stderr


def test_a_folder_that_cannot_be_written_is_refused_at_once(
    fails: Any, dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    base = ("train", "tokenizer", "--data", dataset, *DEBUG, "-o", tmp_path / "a")
    assert "is not a folder" in fails(*base, "--cache", tmp_path / "file")
    assert not (tmp_path / "a").exists()


def test_what_is_kept_is_listed_and_removed(run: Any, dataset: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    base = ("data", "cache", "--cache", cache)
    assert f"{cache} holds no such entries" in run(*base).stdout
    command = ("train", "tokenizer", "--data", dataset, *DEBUG, "--cache", cache)
    assert run(*command, "-o", tmp_path / "a").exit_code == 0
    result = run(*base)
    assert result.exit_code == 0, result.output
    for words in ("walks, train", "walks, val", "fingerprints", "today", f"in {cache}"):
        assert words in result.stdout
    assert "holds no such entries" in run(*base, "--unused", 1).stdout
    assert "removed 0 entries" in run(*base, "--clean").stdout
    (index,) = [path for path in cache.glob("clips-*/index.json") if "val" in path.read_text()]
    long_ago = time.time() - 31 * 86400
    os.utime(index, (long_ago, long_ago))
    assert "31 days ago" in run(*base, "--unused", 30).stdout
    assert "removed 1 entry" in run(*base, "--clean").stdout
    assert "walks, val" not in run(*base).stdout
    result = run(*base, "--clean", "--unused", 0)
    assert "removed" in result.stdout and not [path for path in cache.rglob("*") if path.is_file()]
    again = run(*command, "-o", tmp_path / "b")
    assert again.exit_code == 0, again.output


def test_by_default_the_user_s_own_is_listed(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERMASK_CACHE", str(tmp_path / "mine"))
    assert str(tmp_path / "mine") in run("data", "cache").stdout
    assert run("data", "cache", "--unused", -1).exit_code == 2
