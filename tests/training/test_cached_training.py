"""Training with clips, text features and tokens from a cache equals training without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from intermask.data.batching import Source, read_split
from intermask.data.layout import write_clip, write_split
from intermask.models.autoencoder import MotionAutoencoder
from intermask.presets import load_preset
from intermask.text.minilm import MiniLMTextEncoder
from intermask.training.loop import fit
from intermask.training.runs import prepare_tokenizer, prepare_transformer
from people55 import write_interx
from tiny import write_tiny_dataset
from walking import walking_pair

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """Pairs, one of them so long that it is cropped at random."""
    root = write_tiny_dataset(tmp_path_factory.mktemp("data") / "walks")
    motion = walking_pair(120)
    write_clip(root, "long", motion.positions, motion.rotations, ["They walk left for long."])
    write_split(root, "train", ["walk_0", "walk_1", "long"])
    return [Source(root)]


@pytest.fixture(scope="module")
def tokenizer(data: list[Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("tokenizer", tmp_path_factory.mktemp("runs") / "tokenizer", data, None)


def train(
    name: str,
    folder: Path,
    data: list[Source],
    cache: Path | None,
    tokenizer: Path | None = None,
    *changes: str,
) -> Path:
    if name == "tokenizer":
        training = load_preset("tokenizer", "debug", changes)
        stage = prepare_tokenizer(folder, training, data, CPU, resume=False, cache=cache)
    else:
        training = load_preset("transformer", "debug", ("max_frames=90", *changes))
        stage = prepare_transformer(
            folder, training, data, tokenizer, CPU, resume=False, cache=cache
        )
    fit(stage, training.optimiser, training.run, folder, device=CPU)
    return folder


def losses(run: Path) -> list[dict[str, float]]:
    """All numbers of the log but times."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text("utf-8").splitlines())
    return [{k: v for k, v in line.items() if "second" not in k} for line in lines]


def test_clips_come_back_exactly(data: list[Source], tmp_path: Path) -> None:
    plain = read_split(data[0], "train")
    for _ in range(2):  # made, then found
        kept = read_split(data[0], "train", tmp_path)
        assert (kept.people, kept.skipped, kept.dataset) == (2, (), "interhuman")
        for one, other in zip(plain.clips, kept.clips, strict=True):
            assert (one.name, one.captions) == (other.name, other.captions)
            assert torch.equal(one.loaded, other.loaded)
            assert torch.equal(one.frame_facts, other.frame_facts)


def test_clips_of_inter_x_come_back_exactly(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    source = Source(write_interx(tmp_path / "interx"))
    plain = read_split(source, "train")
    for _ in range(2):
        kept = read_split(source, "train", tmp_path / "cache")
        assert kept.dataset == "interx"
        for one, other in zip(plain.clips, kept.clips, strict=True):
            assert (one.name, one.captions) == (other.name, other.captions)
            assert torch.equal(one.loaded, other.loaded)


def test_a_changed_clip_is_read_anew(tmp_path: Path) -> None:
    source = Source(write_tiny_dataset(tmp_path / "walks"))
    before = read_split(source, "train", tmp_path / "cache")
    motion = walking_pair(52, seed=77)
    write_clip(source.root, "walk_0", motion.positions, motion.rotations, ["They walk."])
    after = read_split(source, "train", tmp_path / "cache")
    assert not torch.equal(before.clips[0].loaded, after.clips[0].loaded)
    assert torch.equal(before.clips[1].loaded, after.clips[1].loaded)
    broken = source.root / "motions_processed" / "person2" / "walk_0.npy"
    broken.write_bytes(b"")
    for _ in range(2):
        left = read_split(source, "train", tmp_path / "cache")
        assert [clip.name for clip in left.clips] == ["walk_1", "walk_2"]
        assert "person2/walk_0.npy" in left.skipped[0]


def test_the_tokenizer_trains_the_same(data: list[Source], tmp_path: Path) -> None:
    runs = [
        train("tokenizer", tmp_path / str(number), data, cache)
        for number, cache in enumerate((None, tmp_path / "cache", tmp_path / "cache"))
    ]
    assert losses(runs[0]) == losses(runs[1]) == losses(runs[2])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_transformer_trains_the_same(
    data: list[Source],
    tokenizer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
) -> None:
    change = f"run.precision={precision}"
    cache = tmp_path / "cache"
    plain = train("transformer", tmp_path / "plain", data, None, tokenizer, change)
    first = train("transformer", tmp_path / "first", data, cache, tokenizer, change)
    assert losses(plain) == losses(first)
    # Now nothing but the clip that is cropped at random is computed.
    monkeypatch.setattr(MiniLMTextEncoder, "encode", None)
    tokenize, count = MotionAutoencoder.tokenize, []

    def counted(self: MotionAutoencoder, grid: torch.Tensor) -> torch.Tensor:
        count.append(grid.shape[1])
        return tokenize(self, grid)

    monkeypatch.setattr(MotionAutoencoder, "tokenize", counted)
    second = train("transformer", tmp_path / "second", data, cache, tokenizer, change)
    assert losses(plain) == losses(second)
    assert set(count) <= {88}


def test_another_tokenizer_or_text_makes_other_entries(
    data: list[Source], tokenizer: Path, tmp_path: Path
) -> None:
    def entries() -> dict[str, int]:
        names = [path.name.split("-")[0] for path in cache.iterdir()]
        return {kind: names.count(kind) for kind in ("clips", "text", "tokens")}

    cache = tmp_path / "cache"
    train("transformer", tmp_path / "a", data, cache, tokenizer)
    assert entries() == {"clips": 2, "text": 1, "tokens": 2}
    train("transformer", tmp_path / "b", data, cache, tokenizer, "mirror=false")
    assert entries() == {"clips": 2, "text": 2, "tokens": 3}
    other = train("tokenizer", tmp_path / "other", data, cache, None, "run.seed=1")
    train("transformer", tmp_path / "c", data, cache, other)
    assert entries() == {"clips": 2, "text": 2, "tokens": 5}
