"""Arrays are computed once, found by their content, and whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from intermask.data import cache
from intermask.data.cache import (
    ArrayFile,
    Named,
    cached_arrays,
    default_cache,
    file_fingerprints,
    module_fingerprint,
)
from intermask.errors import UserError

ARRAYS = {"a": torch.arange(6.0).view(2, 3), "b": torch.zeros(0, 4), "ü": torch.tensor([7.5])}


class Maker:
    """Yields `ARRAYS` and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Iterator[Named]:
        self.calls += 1
        for number, (name, array) in enumerate(ARRAYS.items()):
            yield Named(name, array, {"number": number})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_arrays_are_computed_once_and_come_back_exactly(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(2):
        found = cached_arrays(tmp_path, "clips", {"files": ["x"]}, make)
        assert list(found) == list(ARRAYS)
        for number, (name, array) in enumerate(ARRAYS.items()):
            assert torch.equal(found[name], array)
            assert found.note(name) == {"number": number}
    assert make.calls == 1


def test_any_change_of_what_they_are_made_from_makes_them_anew(tmp_path: Path) -> None:
    make = Maker()
    for kind, facts in (("a", {}), ("b", {}), ("a", {"x": 1}), ("a", {"x": 2}), ("a", {"x": 1})):
        cached_arrays(tmp_path, kind, facts, make)
    assert make.calls == 4


def test_writing_to_a_tensor_changes_no_file(tmp_path: Path) -> None:
    cached_arrays(tmp_path, "a", {}, Maker())["a"].add_(1)
    assert torch.equal(cached_arrays(tmp_path, "a", {}, Maker())["a"], ARRAYS["a"])


def test_an_interrupted_entry_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Named]:
        yield Named("a", ARRAYS["a"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_arrays(tmp_path, "a", {}, interrupted)
    assert names(tmp_path) == []


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    def full() -> Iterator[Named]:
        yield Named("a", ARRAYS["a"])
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"No space left.*--no-cache"):
        cached_arrays(tmp_path, "a", {}, full)
    assert names(tmp_path) == []


@pytest.mark.parametrize("file", ["index.json", "arrays.bin"])
@pytest.mark.parametrize("damage", [None, b"", b"cut"])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, file: str, damage: bytes | None) -> None:
    make = Maker()
    cached_arrays(tmp_path, "a", {}, make)
    (folder,) = tmp_path.iterdir()
    if damage is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(damage)
    assert torch.equal(cached_arrays(tmp_path, "a", {}, make)["a"], ARRAYS["a"])
    assert make.calls == 2


def test_without_locks_who_comes_second_takes_the_entry_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_here(*_: object, **__: object) -> None:
        raise NotImplementedError("this file system has no locks")

    monkeypatch.setattr("filelock.FileLock.acquire", not_here)
    first = Maker()

    def second() -> Iterator[Named]:
        cached_arrays(tmp_path, "a", {}, first)  # while this one is still at work
        yield Named("a", ARRAYS["a"] + 1)

    found = cached_arrays(tmp_path, "a", {}, second)
    assert torch.equal(found["a"], ARRAYS["a"])
    assert len(names(tmp_path)) == 1


def test_arrays_of_one_entry_have_one_type(tmp_path: Path) -> None:
    arrays = [Named("a", torch.zeros(1)), Named("b", torch.zeros(1, dtype=torch.int16))]
    with pytest.raises(ValueError, match="one type"):
        cached_arrays(tmp_path, "a", {}, lambda: arrays)


def test_small_integers_stay_what_they_are(tmp_path: Path) -> None:
    tokens = torch.tensor([[1, -3]], dtype=torch.int16)
    found = cached_arrays(tmp_path, "tokens", {}, lambda: [Named("a", tokens)])
    assert torch.equal(found["a"], tokens) and found["a"].dtype == torch.int16


def test_an_entry_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a whole entry"):
        ArrayFile(tmp_path / "absent")


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    cache, files = tmp_path / "cache", [tmp_path / "a", tmp_path / "b", tmp_path / "gone"]
    files[0].write_bytes(b"same")
    files[1].write_bytes(b"same")
    a, b, gone = file_fingerprints(files, cache)
    assert a == b != gone == ""
    times = files[1].stat()
    files[1].write_bytes(b"diff")  # of the same size, and as old as before
    os.utime(files[1], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file_fingerprints(files, cache)[:2] != [a, b]
    files[1].write_bytes(b"same")
    assert file_fingerprints(files, cache)[:2] == [a, b]


def test_files_that_did_not_change_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "a"]
    files[0].write_bytes(b"content")
    before = file_fingerprints(files, tmp_path / "cache")
    monkeypatch.setattr(cache.hashlib, "file_digest", None)  # reading would fail
    assert file_fingerprints(files, tmp_path / "cache") == before


def test_networks_are_known_by_their_weights() -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    before = module_fingerprint(network)
    assert module_fingerprint(network) == before
    with torch.no_grad():
        network.bias[0] += 1e-6
    assert module_fingerprint(network) != before


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("INTERMASK_CACHE", raising=False)
    assert default_cache() == tmp_path / "intermask"
    monkeypatch.setenv("INTERMASK_CACHE", str(tmp_path / "other"))
    assert default_cache() == tmp_path / "other"
