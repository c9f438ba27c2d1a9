"""Clips of other datasets that go along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from intermask.choreography.sources import choose_clips, copy_clips
from intermask.data.layout import InterHumanFolder, write_clip, write_provenance, write_split
from intermask.errors import UserError


def write_dataset(folder: Path, train: int = 8, test: int = 2, people: int = 2) -> Path:
    for split, count in (("train", train), ("test", test)):
        names = [f"{split}_{number}" for number in range(count)]
        for number, name in enumerate(names):
            positions = torch.full((people, 20, 22, 3), float(number))
            rotations = torch.eye(3).expand(people, 20, 21, 3, 3)
            write_clip(folder, name, positions, rotations, (f"A caption of {name}.",))
        write_split(folder, split, names)
    write_provenance(folder, {"source": "a public place", "licence": "free"})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("sources") / "salsa")


def test_a_share_of_every_split(folder: Path) -> None:
    chosen = choose_clips("salsa", folder, 5, 0)
    assert {split: len(names) for split, names in chosen.names.items()} == {"train": 4, "test": 1}
    assert chosen.clips == 5
    assert chosen == choose_clips("salsa", folder, 5, 0)
    assert chosen.names != choose_clips("salsa", folder, 5, 1).names
    assert chosen.facts()["source"] == "a public place"


def test_no_clip_twice(folder: Path) -> None:
    assert choose_clips("salsa", folder, 50, 0).clips == 10


def test_the_checksum_is_that_of_the_clips(folder: Path, tmp_path: Path) -> None:
    same = write_dataset(tmp_path / "elsewhere")
    checksum = choose_clips("salsa", folder, 50, 0).checksum
    assert choose_clips("salsa", same, 50, 0).checksum == checksum
    file = same / "motions_processed" / "person1" / "train_0.npy"
    np.save(file, np.load(file) + 1e-3)
    assert choose_clips("salsa", same, 50, 0).checksum != checksum


def test_clips_are_copied_as_they_are(folder: Path, tmp_path: Path) -> None:
    chosen = choose_clips("salsa", folder, 5, 0)
    told: list[tuple[int, int]] = []
    copy_clips(chosen, tmp_path, lambda done, total: told.append((done, total)))
    assert told[-1] == (5, 5)
    name = chosen.names["train"][0]
    copied, source = InterHumanFolder(tmp_path).read(name), InterHumanFolder(folder).read(name)
    assert torch.equal(copied.loaded, source.loaded)
    assert copied.captions == source.captions


def test_clips_of_one_person_are_refused(tmp_path: Path) -> None:
    alone = write_dataset(tmp_path / "alone", people=1)
    with pytest.raises(UserError, match="one person"):
        choose_clips("salsa", alone, 5, 0)
