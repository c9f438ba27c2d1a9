"""Files of one stem appear together or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from intermask.errors import MissingExtra, UserError
from intermask.export import writing
from intermask.export.writing import (
    check_output,
    files_of,
    missing_extra,
    parse_formats,
    stem_of,
    write_all,
)
from walking import walking_pair


def test_formats_are_read_once_each() -> None:
    assert parse_formats(" BVH, npz,bvh") == ("bvh", "npz")
    with pytest.raises(UserError, match="'fbx'; choose from npz, bvh, glb, smplh, "):
        parse_formats("npz,fbx")
    with pytest.raises(UserError, match="no format"):
        parse_formats(" , ")


def test_stems_lose_the_ending_of_their_files_and_no_other() -> None:
    assert files_of("out/dance.npz", ["npz"]) == (Path("out/dance.npz"),)
    assert files_of("v1.5", ["bvh", "sheet"]) == (
        Path("v1.5_1.bvh"),
        Path("v1.5_2.bvh"),
        Path("v1.5.png"),
    )


def test_sentences_become_names() -> None:
    assert stem_of("Two people dance Salsa!") == "two-people-dance-salsa"
    assert stem_of("Zwei Mädchen küssen sich.", 7) == "007-zwei-madchen-kussen-sich"
    assert stem_of("両人が踊る") == "motion"
    assert len(stem_of("word " * 40)) <= 40
    assert len(stem_of("w" * 400)) <= 40
    assert stem_of("../../etc") == "etc"


def test_all_files_are_written(tmp_path: Path) -> None:
    files = write_all(walking_pair(20), tmp_path / "a" / "walk.v2", ("npz", "bvh"))
    assert files == files_of(tmp_path / "a" / "walk.v2", ("npz", "bvh"))
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(
        path.name for path in files
    )


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    motion = walking_pair(20)
    write_all(motion, tmp_path / "walk", ("npz",))
    before = (tmp_path / "walk.npz").read_bytes()

    def fail(*_: object) -> None:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(writing, "write_bvh", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        write_all(walking_pair(30), tmp_path / "walk", ("npz", "bvh"))
    assert [path.name for path in tmp_path.iterdir()] == ["walk.npz"]
    assert (tmp_path / "walk.npz").read_bytes() == before


def test_output_is_checked_without_a_trace(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "deep" / "walk", ("npz",))
    assert not list(tmp_path.iterdir())
    (tmp_path / "walk_2.bvh").mkdir()
    with pytest.raises(UserError, match="a folder has that name"):
        check_output(tmp_path / "walk", ("npz", "bvh"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder"):
        check_output(tmp_path / "file" / "walk", ("npz",))
    with pytest.raises(UserError, match="no name for files"):
        check_output("", ("npz",))


def test_a_missing_extra_is_known_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    assert missing_extra("npz") is None
    assert missing_extra("bvh") is None
    assert isinstance(missing_extra("mp4"), MissingExtra)
    assert isinstance(missing_extra("sheet"), MissingExtra)
