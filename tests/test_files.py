"""Files and folders appear whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from intermask.errors import UserError
from intermask.files import (
    atomic_folder,
    atomic_path,
    check_can_write,
    check_new_folder,
    with_ending,
    write_json,
)


class Interrupted(Exception):
    """Stands for whatever stops a writer halfway."""


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "motion.npz"
    with atomic_path(target) as temporary:
        assert temporary.suffix == target.suffix
        assert temporary.parent == target.parent
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_json_is_readable_and_whole(tmp_path: Path) -> None:
    target = tmp_path / "facts.json"
    write_json(target, {"name": "über", "numbers": [1, 2]})
    assert json.loads(target.read_text("utf-8")) == {"name": "über", "numbers": [1, 2]}
    assert "über" in target.read_text("utf-8")
    with pytest.raises(TypeError):
        write_json(target, {"model": object()})
    assert json.loads(target.read_text("utf-8"))["name"] == "über"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "motion.npz"
    target.write_text("old")
    with pytest.raises(Interrupted), atomic_path(target) as temporary:
        temporary.write_text("ha")
        raise Interrupted
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_replaces_the_one_of_its_name(tmp_path: Path) -> None:
    target = tmp_path / "motion.npz"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_files_get_the_permissions_of_ordinary_files(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    with atomic_path(tmp_path / "ours") as temporary:
        temporary.write_text("")
    with atomic_folder(tmp_path / "folder"):
        pass
    (tmp_path / "ordinary_folder").mkdir()
    assert (tmp_path / "ours").stat().st_mode == ordinary.stat().st_mode
    made = (tmp_path / "folder").stat().st_mode
    assert made == (tmp_path / "ordinary_folder").stat().st_mode


def test_a_folder_is_not_overwritten_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a folder has that name"), atomic_path(tmp_path):
        pass


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="choose another output"),
        atomic_path(tmp_path / "file" / "motion.npz"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may write everywhere")
def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(UserError, match="locked is not writable"), atomic_path(locked / "a.npz"):
        pass


@pytest.mark.parametrize("empty_before", [False, True])
def test_a_folder_appears_only_when_it_is_whole(tmp_path: Path, empty_before: bool) -> None:
    target = tmp_path / "bundle"
    if empty_before:
        target.mkdir()
    with atomic_folder(target) as temporary:
        (temporary / "config.json").write_text("{}")
        assert not (target / "config.json").exists()
    assert [path.name for path in target.iterdir()] == ["config.json"]
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupted_folder_vanishes(tmp_path: Path) -> None:
    with pytest.raises(Interrupted), atomic_folder(tmp_path / "bundle") as temporary:
        (temporary / "config.json").write_text("{}")
        raise Interrupted
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "mine").write_text("precious")
    with pytest.raises(UserError, match="exists already"), atomic_folder(target):
        pass
    assert (target / "mine").read_text() == "precious"


def test_looking_ahead_says_what_writing_would_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    check_can_write(tmp_path / "new" / "deeper" / "motion.npz")
    check_new_folder(tmp_path / "new" / "deeper")
    with pytest.raises(UserError, match="a folder has that name"):
        check_can_write(tmp_path)
    with pytest.raises(UserError, match="exists already"):
        check_new_folder(tmp_path)
    for check in (check_can_write, check_new_folder):
        with pytest.raises(UserError, match="file is not a folder; choose another output"):
            check(tmp_path / "file" / "motion")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_ending_is_added_once_and_dots_in_names_stay() -> None:
    assert with_ending("out/dance", ".npz") == Path("out/dance.npz")
    assert with_ending("out/dance.npz", ".npz") == Path("out/dance.npz")
    assert with_ending(Path("take.v2"), ".gif") == Path("take.v2.gif")
