"""What a tokenizer loses: nothing if it is perfect, and by hand if it is wrong in a known way."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from intermask.data.batching import Source, read_split
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.clips import EvaluationClip, read_clips
from intermask.evaluation.evaluators.evaluator import Evaluator
from intermask.evaluation.joint_picture import draw_joint_errors
from intermask.evaluation.tokenizer_files import write_tokenizer_report
from intermask.evaluation.tokenizer_quality import (
    CodeUse,
    TokenizerReport,
    acceleration_error,
    tokenizer_quality,
)
from intermask.generation.coding import FeatureCoder
from intermask.representation import POSITIONS, decode_positions
from intermask.skeleton import SMPL22, SMPLX55
from intermask.training.representations import representation_of
from intermask.training.tokenizer_stage import reconstruction_error
from tiny import tiny_model, write_tiny_dataset

ROWS, CODES = 5, 16
HEAD = SMPL22.index("head")


class ShiftingCoder:
    """Tokens that count columns; what comes out is what went in, moved by ``shift`` metres."""

    def __init__(self, shift: Tensor) -> None:
        config = SimpleNamespace(dataset="interhuman", codebook_size=CODES, row_codebooks=False)
        self.tokenizer = SimpleNamespace(config=config)
        self.shift = shift
        self.last: list[Tensor] = []

    def encode(self, features: Sequence[Tensor], batch_size: int) -> list[Tensor]:
        self.last = list(features)
        rows = torch.arange(ROWS)[None, :, None]
        return [rows.expand(2, -1, each.shape[1] // 4).clone() for each in features]

    def decode(self, maps: Sequence[Tensor], batch_size: int) -> list[Tensor]:
        made = [each.clone() for each in self.last]
        for each in made:
            each[..., POSITIONS] += self.shift.expand(22, 3).flatten()
        return made


class CountingEvaluator:
    """A motion is where its joints are on average."""

    name, dataset, fingerprint = "counting", "interhuman", "0"
    protocol = metrics.Protocol(pool=32, embedding_scale=6.0, spread_divisor=2.0)

    def embed_motions(self, motions: Sequence[Tensor]) -> Tensor:
        return torch.stack([decode_positions(each).mean((0, 1, 2)) for each in motions])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("quality") / "walks", train=3)


@pytest.fixture(scope="module")
def clips(folder: Path) -> list[EvaluationClip]:
    return read_clips(folder, "train", "per_person", 300)


def measured(
    clips: list[EvaluationClip], shift: Tensor, evaluator: Evaluator | None = None
) -> TokenizerReport:
    representation = representation_of(tiny_config(), "per_person")
    coder = cast("FeatureCoder", ShiftingCoder(shift))
    return tokenizer_quality(coder, representation, SMPL22.names, clips, evaluator)


def tiny_config() -> Any:
    return SimpleNamespace(dataset="interhuman")


def counting() -> Evaluator:
    return cast("Evaluator", CountingEvaluator())


def test_a_perfect_tokenizer_loses_nothing(clips: list[EvaluationClip]) -> None:
    report = measured(clips, torch.zeros(3), counting())
    numbers = report.numbers()
    for key in ("mpjpe_mm", "local_mpjpe_mm", "acceleration_error"):
        assert numbers[key] == 0
    assert numbers["reconstruction_fid"] == pytest.approx(0, abs=1e-9)
    assert float(report.world_mm.max()) == 0


def test_people_who_are_moved_are_wrong_in_the_world_only(clips: list[EvaluationClip]) -> None:
    """By 30 and 40 mm along two axes: 50 mm, and FID is its square times the scale's."""
    report = measured(clips, torch.tensor([0.03, 0.0, 0.04]), counting())
    numbers = report.numbers()
    assert numbers["mpjpe_mm"] == pytest.approx(50, abs=1e-2)
    assert numbers["local_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert numbers["acceleration_error"] == pytest.approx(0, abs=2e-3)
    assert numbers["reconstruction_fid"] == pytest.approx(36 * 0.05**2, rel=1e-3)


def test_one_wrong_joint_is_found(clips: list[EvaluationClip]) -> None:
    shift = torch.zeros(22, 3)
    shift[HEAD, 1] = 0.11
    report = measured(clips, shift)
    assert report.fid is None
    assert report.local_mm.argmax() == HEAD
    assert float(report.local_mm[HEAD]) == pytest.approx(110, abs=1e-2)
    assert report.mean("mpjpe_mm") == pytest.approx(110 / 22, abs=1e-2)
    assert report.as_json()["joints"]["head"]["mpjpe_mm"] == pytest.approx(110, abs=1e-2)


def test_use_of_codes_by_hand() -> None:
    use = CodeUse.of(torch.tensor([[0, 0], [1, 1]]), 8)
    assert use.used == 2 and use.share == 0.25
    assert use.perplexity == pytest.approx(2, rel=1e-4)
    assert CodeUse.of(torch.zeros(5, dtype=torch.long), 8).perplexity == pytest.approx(1, rel=1e-4)


def test_every_row_has_its_own_codes(clips: list[EvaluationClip]) -> None:
    """Each row of the fake's maps takes one code, and the whole map takes five."""
    report = measured(clips, torch.zeros(3))
    assert report.use.used == ROWS
    assert report.use.perplexity == pytest.approx(ROWS, rel=1e-3)
    assert [use.used for use in report.use_by_row] == [1] * ROWS


def test_acceleration_of_a_parabola() -> None:
    """Half of 2 m/s² times time squared, against standing still."""
    time = torch.arange(10, dtype=torch.float64) / 30
    made = torch.zeros(10, 1, 3, dtype=torch.float64)
    made[:, 0, 1] = time**2
    assert acceleration_error(made, torch.zeros_like(made)) == pytest.approx(2.0)
    assert math.isnan(acceleration_error(made[:2], torch.zeros(2, 1, 3)))


def test_same_errors_as_in_training(folder: Path) -> None:
    """The validation of a tokenizer's training and this agree on a network of random weights."""
    model = tiny_model(folder)
    representation = representation_of(model.config.tokenizer, "per_person")
    coder = FeatureCoder(model.tokenizer, model.normaliser)
    clips = read_clips(folder, "val", "per_person", 300)
    numbers = tokenizer_quality(coder, representation, SMPL22.names, clips).numbers()
    split = read_split(Source(folder), "val")
    with torch.inference_mode():
        expected = reconstruction_error(
            model.tokenizer, model.normaliser, split, representation, 300
        )
    assert numbers["mpjpe_mm"] == pytest.approx(expected["mpjpe_mm"], rel=1e-4)
    assert numbers["local_mpjpe_mm"] == pytest.approx(expected["local_mpjpe_mm"], rel=1e-4)


def test_worst_clips_are_named_first(clips: list[EvaluationClip], tmp_path: Path) -> None:
    report = measured(clips, torch.zeros(3))
    order = [clip.mpjpe_mm for clip in report.worst]
    assert order == sorted(order, reverse=True)
    pytest.importorskip("matplotlib")
    folder = write_tokenizer_report(report, {"model": "tiny"}, tmp_path / "report")
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    assert [clip["name"] for clip in content["by_clip"]] == [clip.name for clip in clips]
    page = (folder / "tokenizer.md").read_text("utf-8")
    assert all(clip.name.replace("_", "\\_") in page for clip in clips)
    assert (folder / "joints.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="exists already"):
        write_tokenizer_report(report, {}, folder)


def test_bodies_with_hands_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    errors = {name: float(number) for number, name in enumerate(SMPLX55.names)}
    path = draw_joint_errors(
        {"all": errors, "none": dict.fromkeys(errors, 0.0)}, tmp_path / "j.png"
    )
    assert path.stat().st_size > 10_000


def test_nothing_to_measure_is_said(clips: list[EvaluationClip]) -> None:
    with pytest.raises(UserError, match="no clip"):
        measured([], torch.zeros(3))
    other = CountingEvaluator()
    other.dataset = "interx"
    with pytest.raises(UserError, match="the evaluator counting interx"):
        measured(clips, torch.zeros(3), cast("Evaluator", other))
