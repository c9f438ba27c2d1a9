"""Which BVH files are pairs is read off their names, or asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from intermask.data.bvh_pairs import pairs_in_folder
from intermask.errors import UserError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("")
    return folder


def test_person_last(tmp_path: Path) -> None:
    touch(tmp_path, "dance_1.bvh", "dance_2.bvh", "bow-a.BVH.gz", "bow-b.bvh.gz", "readme.txt")
    pairs = pairs_in_folder(tmp_path)
    assert [(p.name, p.file_a.name, p.file_b.name) for p in pairs] == [
        ("bow", "bow-a.BVH.gz", "bow-b.bvh.gz"),
        ("dance", "dance_1.bvh", "dance_2.bvh"),
    ]
    assert {pair.split for pair in pairs} == {"train"}


def test_person_first(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{who}_{take}.bvh" for who in (60, 61) for take in ("01", "02", "03")))
    pairs = pairs_in_folder(tmp_path)
    assert (pairs[0].name, pairs[0].file_a.name, pairs[0].file_b.name) == (
        "take_01",
        "60_01.bvh",
        "61_01.bvh",
    )
    assert [pair.split for pair in pairs] == ["train", "val", "test"]


def test_splits_can_be_chosen(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}_{person}.bvh" for name in "xyz" for person in (1, 2)))
    pairs = pairs_in_folder(tmp_path, validation=["x"])
    assert [pair.split for pair in pairs] == ["val", "train", "train"]
    with pytest.raises(UserError, match="there is no take 'w'; the takes are x, y, z"):
        pairs_in_folder(tmp_path, test=["w"])


@pytest.mark.parametrize(
    "names",
    [
        ("dance_1.bvh",),
        ("dance.bvh", "bow.bvh"),
        ("a_1.bvh", "a_2.bvh", "b_1.bvh", "b_2.bvh"),  # two takes of 1 and 2, or of a and b
    ],
)
def test_what_is_not_clear_is_asked(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(UserError, match="--pairs"):
        pairs_in_folder(tmp_path)


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.bvh files"):
        pairs_in_folder(tmp_path)
