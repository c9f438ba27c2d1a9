"""One computes and the others wait; what lies in a cache is listed, and removed where it is old."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from intermask.data import cache as cache_module
from intermask.data.cache import ArrayFile, Named, cached_arrays, file_fingerprints
from intermask.data.cache_entries import UNFINISHED, cache_entries, remove_entry
from intermask.data.cache_lock import is_being_made, lock_of, one_at_a_time

NUMBERS = torch.arange(6.0)
DAY = 86400.0


class SlowMaker:
    """Yields one array when it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls, self.begun, self.go_on = 0, threading.Event(), threading.Event()

    def __call__(self) -> Iterator[Named]:
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(30)
        yield Named("a", NUMBERS)


def in_threads(
    count: int, cache: Path, make: SlowMaker
) -> tuple[list[threading.Thread], list[ArrayFile]]:
    found: list[ArrayFile] = []
    threads = [
        threading.Thread(target=lambda: found.append(cached_arrays(cache, "a", {}, make)))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads, found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_computes_while_the_others_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Locks are of a file handle each, so that threads meet as processes do."""
    make = SlowMaker()
    threads, found = in_threads(3, tmp_path, make)
    assert make.begun.wait(30)
    time.sleep(0.2)
    assert not found
    make.go_on.set()
    for thread in threads:
        thread.join(30)
    assert make.calls == 1 and len(found) == 3
    assert all(torch.equal(each["a"], NUMBERS) for each in found)
    assert len(names(tmp_path)) == 1
    assert caplog.text.count("another process is computing") == 2


def test_who_waited_for_a_failure_tries_by_itself(tmp_path: Path) -> None:
    target = tmp_path / f"a-{'0' * 32}"
    order: list[str] = []

    def fails() -> None:
        with pytest.raises(KeyboardInterrupt), one_at_a_time(target):
            order.append("first")
            inside.set()
            time.sleep(0.2)
            raise KeyboardInterrupt

    inside = threading.Event()
    thread = threading.Thread(target=fails)
    thread.start()
    assert inside.wait(30)
    with one_at_a_time(target):
        order.append("second")
    thread.join(30)
    assert order == ["first", "second"] and names(tmp_path) == []


def test_hashes_are_computed_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    for path in files:
        path.write_bytes(b"content")
    calls = []
    digest = cache_module.hashlib.file_digest

    def slow(file: object, kind: str) -> object:
        calls.append(kind)
        time.sleep(0.1)
        return digest(file, kind)  # type: ignore[arg-type]

    monkeypatch.setattr(cache_module.hashlib, "file_digest", slow)
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(file_fingerprints(files, tmp_path / "cache")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(calls) == 2 and found[0] == found[1] == found[2]


def test_nobody_waits_for_the_dead(tmp_path: Path) -> None:
    """A process that is killed holds nobody up, and what it left behind can be removed."""
    code = f"""
import time
from pathlib import Path
import torch
from intermask.data.cache import Named, cached_arrays

def forever():
    yield Named("a", torch.arange(6.0))
    Path({str(tmp_path / "begun")!r}).touch()
    time.sleep(600)

cached_arrays(Path({str(tmp_path / "cache")!r}), "a", {{}}, forever)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        began = time.monotonic()
        while not (tmp_path / "begun").exists():
            assert process.poll() is None and time.monotonic() - began < 60
            time.sleep(0.05)
        assert cache_entries(tmp_path / "cache") == []  # what is being computed is left alone
    finally:
        process.kill()
        process.wait(30)
    left = cache_entries(tmp_path / "cache", unused_for=DAY)
    assert {each.kind for each in left} == {UNFINISHED} and len(left) == 2
    make = SlowMaker()
    make.go_on.set()
    assert torch.equal(cached_arrays(tmp_path / "cache", "a", {}, make)["a"], NUMBERS)
    assert all(remove_entry(each) for each in cache_entries(tmp_path / "cache", unused_for=DAY))
    assert len(names(tmp_path / "cache")) == 1


def test_entries_are_listed_with_what_they_are_of(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert cache_entries(cache) == []
    cached_arrays(cache, "clips", {}, lambda: [Named(n, NUMBERS) for n in "abc"], "salsa, train")
    cached_arrays(cache, "text", {}, lambda: [Named("a", NUMBERS)], "minilm")
    (tmp_path / "file").write_bytes(b"content")
    file_fingerprints([tmp_path / "file"], cache)
    (cache / "notes.txt").write_text("somebody's own")
    (cache / "clips-of-mine").mkdir()
    listed = {each.kind: each for each in cache_entries(cache)}
    assert sorted(listed) == ["clips", "fingerprints", "text"]
    assert (listed["clips"].of, listed["clips"].count) == ("salsa, train", 3)
    assert (listed["text"].of, listed["fingerprints"].count) == ("minilm", 1)
    assert 72 < listed["clips"].bytes < 1000
    assert all(abs(each.used - time.time()) < 60 for each in listed.values())
    assert all(remove_entry(each) for each in listed.values())
    assert names(cache) == ["clips-of-mine", "fingerprints", "notes.txt"]


def test_what_is_asked_for_is_not_old(tmp_path: Path) -> None:
    """Days count from when an entry was last used, not from when it was made."""
    for kind in ("clips", "text"):
        cached_arrays(tmp_path, kind, {}, lambda: [Named("a", NUMBERS)])
    (tmp_path / "file").write_bytes(b"content")
    file_fingerprints([tmp_path / "file"], tmp_path)
    long_ago = time.time() - 40 * DAY
    for each in cache_entries(tmp_path):
        path = each.path / "index.json" if each.path.is_dir() else each.path
        os.utime(path, (long_ago, long_ago))
    assert len(cache_entries(tmp_path, 30 * DAY)) == 3
    cached_arrays(tmp_path, "clips", {}, lambda: [])
    file_fingerprints([tmp_path / "file"], tmp_path)
    assert [each.kind for each in cache_entries(tmp_path, 30 * DAY)] == ["text"]
    assert cache_entries(tmp_path)[0].kind == "text"
    assert cache_entries(tmp_path, 50 * DAY) == []


def test_damaged_entries_can_be_removed(tmp_path: Path) -> None:
    cached_arrays(tmp_path, "clips", {}, lambda: [Named("a", NUMBERS)])
    (entry,) = cache_entries(tmp_path)
    (entry.path / "index.json").write_text("{")
    (damaged,) = cache_entries(tmp_path)
    assert (damaged.kind, damaged.count) == ("clips", 0)
    assert remove_entry(damaged) and names(tmp_path) == []


def test_a_lock_that_nobody_holds(tmp_path: Path) -> None:
    target = tmp_path / f"a-{'0' * 32}"
    assert not is_being_made(target)
    lock_of(target).touch()
    assert not is_being_made(target)
    with one_at_a_time(target):
        pass
    assert names(tmp_path) == []
