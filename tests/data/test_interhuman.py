"""An InterHuman release is checked and copied; what cannot be used is left out and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from intermask.data.batching import Source, read_split
from intermask.data.check import check_dataset
from intermask.data.interhuman import import_interhuman
from intermask.data.layout import InterHumanFolder, write_clip, write_lines, write_split
from intermask.errors import UserError
from walking import walking_pair


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Clips 0 to 4 in splits, 5 in none; 1 is ignored."""
    root = tmp_path / "release"
    for number in range(6):
        motion = walking_pair(40, seed=number)
        write_clip(root, str(number), motion.positions, motion.rotations, ["They walk."])
    write_split(root, "train", ["0", "1", "2"])
    write_split(root, "val", ["3"])
    write_split(root, "test", ["4"])
    write_lines(root / "split" / "ignore_list.txt", ["1", "gone", "gone"])
    return root


def test_a_release_is_copied(release: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = import_interhuman(
        release, tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert report.clips == {"train": 2, "val": 1, "test": 1}
    assert report.seconds["train"] == pytest.approx(80 / 30)
    assert (report.ignored, report.unlisted, report.unusable) == (3, 1, ())
    assert report.ignored_missing == ("gone",)
    assert report.describe().count("gone") == 1
    assert seen[-1] == (4, 4)
    assert "train" in report.describe()
    before, after = InterHumanFolder(release), InterHumanFolder(tmp_path / "out")
    assert after.names("train") == ("0", "2")
    assert torch.equal(after.read("2").loaded, before.read("2").loaded)
    assert not check_dataset(tmp_path / "out").problems


def test_what_cannot_be_used_is_left_out_and_named(release: Path, tmp_path: Path) -> None:
    motions = release / "motions_processed"
    raw = np.load(motions / "person2" / "0.npy")
    raw[3] = np.inf
    np.save(motions / "person2" / "0.npy", raw)
    (release / "annots" / "4.txt").unlink()
    report = import_interhuman(release, tmp_path / "out")
    assert report.clips == {"train": 1, "val": 1, "test": 0}
    assert len(report.unusable) == 2
    assert "person2/0.npy" in report.unusable[0]
    assert "4 has no caption" in report.unusable[1]
    assert "left out" in report.describe()
    clips = read_split(Source(tmp_path / "out"), "train")
    assert [clip.name for clip in clips.clips] == ["2"]
    assert not clips.skipped


def test_links_save_space(release: Path, tmp_path: Path) -> None:
    import_interhuman(release, tmp_path / "out", link=True)
    file = Path("motions_processed/person1/0.npy")
    assert (tmp_path / "out" / file).samefile(release / file)


def test_what_is_no_release(release: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="person1 is missing"):
        import_interhuman(tmp_path, tmp_path / "out")
    (release / "split" / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks val\.txt"):
        import_interhuman(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_usable_leaves_nothing(release: Path, tmp_path: Path) -> None:
    for path in (release / "motions_processed" / "person2").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="no usable clip"):
        import_interhuman(release, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release"]
