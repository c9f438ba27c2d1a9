"""Both stages learn from a dirty little Inter-X, go on exactly, and make motion with hands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from golden_files import FOLDER, largest_error
from intermask.config import TokenizerConfig, TransformerTraining
from intermask.data.batching import Source
from intermask.data.interx import InterXFolder
from intermask.data.layout import Clip
from intermask.data.placement import Crop
from intermask.errors import UserError
from intermask.presets import load_preset
from intermask.training import checkpoint
from intermask.training.loop import fit
from intermask.training.representations import InterXRepresentation
from intermask.training.runs import load_model, prepare_tokenizer, prepare_transformer
from people55 import (
    line_of,
    walking_smplx,
    write_body_model,
    write_interx,
    write_interx_clip,
    write_list,
    write_text,
)
from tiny import write_tiny_dataset

CPU = torch.device("cpu")
RUN = ("optimiser.steps=3", "optimiser.batch_size=4", "optimiser.warmup_steps=1")
EVERY = ("run.validate_every=1", "run.save_every=1", "run.log_every=1")
TOKENIZER = load_preset(
    "tokenizer",
    "paper-interx",
    [*RUN, *EVERY, "model.width=16", "model.codebook_size=32", "window=32", "mirror=true"],
)
TRANSFORMER = load_preset(
    "transformer",
    "paper-interx",
    [
        *RUN, *EVERY, "model.width=16", "model.codebook_size=32", "model.code_dim=16",
        "model.layers=1", "model.heads=2", "model.feedforward=32", "model.condition_width=384",
        "text.encoder=minilm", "text.width=384", "text.head_layers=1", "text.head_heads=4",
        "text.head_feedforward=64", "sampling.steps=4", "mirror=true",
    ],
)  # fmt: skip


def write_dirty(root: Path) -> Path:
    """Inter-X with a short clip, a NaN, a missing one, a missing caption, and Windows line ends."""
    write_interx(root)
    names = list(InterXFolder(root).names("train"))
    broken = walking_smplx(40)
    broken[0, 7, 3] = float("nan")
    write_interx_clip(root, "train", "short", walking_smplx(9))
    write_interx_clip(root, "train", "broken", broken)
    write_interx_clip(root, "train", "silent", walking_smplx(50))
    write_text(root, names[0], [line_of("They shake hands — “gently”, #1.")], "\r\n")
    write_list(root, "train", [*names, "short", "broken", "silent", "gone"], "\r\n")
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return [Source(write_dirty(tmp_path_factory.mktemp("interx") / "dirty"))]


def train_tokenizer(
    folder: Path, data: list[Source], training: Any = TOKENIZER, **how: Any
) -> Path:
    stage = prepare_tokenizer(folder, training, data, CPU, resume=how.get("resume", False))
    fit(stage, training.optimiser, training.run, folder, device=CPU, **how)
    return folder


def train_transformer(folder: Path, data: list[Source], tokenizer: Path, **how: Any) -> Path:
    resume = how.get("resume", False)
    source = None if resume else tokenizer
    stage = prepare_transformer(folder, TRANSFORMER, data, source, CPU, resume=resume)
    fit(stage, TRANSFORMER.optimiser, TRANSFORMER.run, folder, device=CPU, **how)
    return folder


@pytest.fixture(scope="module")
def tokenizer(data: list[Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer(tmp_path_factory.mktemp("runs") / "tokenizer", data)


@pytest.fixture(scope="module")
def transformer(
    data: list[Source], tokenizer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return train_transformer(tmp_path_factory.mktemp("runs") / "transformer", data, tokenizer)


def log_of(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if "second" not in k} for line in lines]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(run / checkpoint.LAST)["model"]


def assert_same(a: Path, b: Path) -> None:
    assert log_of(a) == log_of(b)
    first, second = weights(a), weights(b)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_every_term_counts(tokenizer: Path) -> None:
    losses, validation = log_of(tokenizer)[:2]
    for term in ("recon", "position", "velocity", "rotation", "foot", "commitment"):
        assert losses[term] > 0, term
    assert losses["bone"] < 1e-5  # kinematics keep bones as they are
    assert validation["local_mpjpe_mm"] > 0 and np.isfinite(validation["mpjpe_mm"])


def test_windows_are_parts_of_clips() -> None:
    """Nothing is placed: a window is what its frames are in the clip, mirrored or not."""
    clip = Clip("walk", walking_smplx(60), ())
    crops = [
        Crop(clip, person, reference, 0, start, start + 33, mirror)
        for person, reference, start, mirror in (
            (0, 0, 0, False),
            (1, 0, 20, True),
            (1, 1, 5, False),
        )
    ]
    windows = InterXRepresentation().windows(crops)
    for window, crop in zip(windows, crops, strict=True):
        whole = InterXRepresentation().encode(clip.loaded, mirror=crop.mirror)
        assert largest_error(window, whole[crop.person, crop.start : crop.stop - 1]) < 1e-6


def test_a_tokenizer_learns(data: list[Source], tmp_path: Path) -> None:
    training = load_preset(
        "tokenizer",
        "paper-interx",
        [
            "optimiser.steps=25", "optimiser.batch_size=4", "optimiser.learning_rate=3e-3",
            "optimiser.warmup_steps=5", "model.width=16", "model.codebook_size=32",
            "model.dropout=0", "window=32", "losses.velocity=1", "losses.foot=1",
            "run.validate_every=25", "run.log_every=1",
        ],
    )  # fmt: skip
    log = log_of(train_tokenizer(tmp_path / "run", data, training))
    angles = [line["rotation"] for line in log if line["kind"] == "train"]
    assert np.mean(angles[-3:]) < 0.5 * np.mean(angles[:3])


@pytest.mark.parametrize("stop", [1, 2])
def test_a_tokenizer_goes_on_exactly(
    data: list[Source], tokenizer: Path, tmp_path: Path, stop: int
) -> None:
    stopped = train_tokenizer(tmp_path / "run", data, stop_after=stop)
    train_tokenizer(stopped, data, resume=True)
    assert_same(tokenizer, stopped)


def test_a_transformer_goes_on_exactly(
    data: list[Source], tokenizer: Path, transformer: Path, tmp_path: Path
) -> None:
    stopped = train_transformer(tmp_path / "run", data, tokenizer, stop_after=2)
    train_transformer(stopped, data, tokenizer, resume=True)
    assert_same(transformer, stopped)


def test_a_model_remembers_its_dataset(transformer: Path) -> None:
    model = load_model(transformer)
    assert model.config.dataset == "interx"
    assert model.config.max_frames == 150
    assert model.normaliser.std.unique().tolist() == [1.0]


def test_the_recorded_body_model_will_do(data: list[Source], tmp_path: Path) -> None:
    path = FOLDER / "synthetic_SMPLX_NEUTRAL.npz"
    training = load_preset(
        "tokenizer",
        "paper-interx",
        [*RUN, "model.width=16", "model.codebook_size=32", "window=32", f"body_model={path}"],
    )
    folder = train_tokenizer(tmp_path / "run", data, training, stop_after=1)
    assert np.isfinite(log_of(folder)[0]["loss"])


def test_a_missing_body_model_costs_a_sentence(tmp_path: Path) -> None:
    root = write_interx(tmp_path / "interx")
    body = root / "SMPLX_NEUTRAL.npz"
    body.unlink()
    words = r"put SMPLX_NEUTRAL\.npz into .*interx.*smpl-x\.is"
    with pytest.raises(FileNotFoundError, match=words):
        prepare_tokenizer(tmp_path / "run", TOKENIZER, [Source(root)], CPU, resume=False)
    assert not (tmp_path / "run").exists()
    write_body_model(root / "body_models" / "smplx")
    prepare_tokenizer(tmp_path / "run", TOKENIZER, [Source(root)], CPU, resume=False)


def test_datasets_are_not_mixed(data: list[Source], tokenizer: Path, tmp_path: Path) -> None:
    walks = Source(write_tiny_dataset(tmp_path / "walks"))
    with pytest.raises(UserError, match=r"walks has InterHuman's layout.*preset paper-interhuman"):
        prepare_tokenizer(tmp_path / "run", TOKENIZER, [*data, walks], CPU, resume=False)
    with pytest.raises(UserError, match=r"walks has InterHuman's layout"):
        prepare_transformer(tmp_path / "run", TRANSFORMER, [walks], tokenizer, CPU, resume=False)
    debug = load_preset("tokenizer", "debug")
    with pytest.raises(UserError, match=r"dirty has Inter-X's layout.*preset paper-interx"):
        prepare_tokenizer(tmp_path / "run", debug, data, CPU, resume=False)


def test_impossible_tokenizers_are_refused() -> None:
    for changes in (
        {"joints": 30},
        {"joint_features": 7},
        {"graph_scope": "all_frames"},
        {"position_frame": "root"},
    ):
        with pytest.raises(ValueError, match="joints"):
            TokenizerConfig.interx(**changes)
    assert TokenizerConfig.interx().dataset == "interx"
    assert TokenizerConfig().dataset == "interhuman"


def test_the_paper_is_the_paper() -> None:
    tokenizer = load_preset("tokenizer", "paper-interx")
    assert tokenizer.model == TokenizerConfig.interx()
    transformer = load_preset("transformer", "paper-interx")
    assert transformer.model == TransformerTraining().model
    assert transformer.masking == TransformerTraining().masking
    assert tokenizer.max_frames == transformer.max_frames == 150
