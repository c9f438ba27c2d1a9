"""Validation that is worth selecting by: what it measures, and which checkpoint is the best."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from intermask.data.batching import Source, read_split
from intermask.errors import UserError
from intermask.presets import load_preset
from intermask.representation import (
    decode_positions,
    fit_normaliser,
    from_joint_grid,
    to_joint_grid,
)
from intermask.skeleton import SMPL22
from intermask.training import checkpoint
from intermask.training.losses import bone_lengths
from intermask.training.representations import InterHumanRepresentation
from intermask.training.runs import prepare_transformer
from intermask.training.tokenizer_stage import reconstruction_error
from tiny_training import CPU, log_of, tiny_sources, train_tokenizer, train_transformer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return tiny_sources(tmp_path_factory.mktemp("validation"))


@pytest.fixture(scope="module")
def tokenizer_run(data: list[Source], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "tokenizer"
    train_tokenizer(run, data, ["run.validate_every=1"])
    return run


def errors_of(decode: Any, source: Source) -> dict[str, float]:
    """What a tokenizer of this decoding would be told."""
    representation = InterHumanRepresentation("per_person")
    clips = read_split(source, "val")
    features = [representation.encode(clip.loaded) for clip in clips.clips]
    normaliser = fit_normaliser([each.flatten(0, 1) for each in features])

    def changed(grid: Tensor) -> Tensor:
        metres = to_joint_grid(normaliser.denormalise(from_joint_grid(grid)))
        return to_joint_grid(normaliser.normalise(from_joint_grid(decode(metres))))

    tokenizer = cast("Any", SimpleNamespace(stride=4, tokenize=lambda grid: grid, decode=changed))
    return reconstruction_error(tokenizer, normaliser, clips, representation, 300)


def test_a_perfect_reconstruction_has_no_error(data: list[Source]) -> None:
    assert all(value < 1e-2 for value in errors_of(lambda grid: grid, data[0]).values())


def test_moving_somebody_is_no_pose_error_and_keeps_bones(data: list[Source]) -> None:
    def moved(grid: Tensor) -> Tensor:
        shift = torch.zeros(grid.shape[-1])
        shift[0] = 0.1  # positions come first
        return grid + shift

    errors = errors_of(moved, data[0])
    assert errors["mpjpe_mm"] == pytest.approx(100, rel=1e-3)
    assert errors["local_mpjpe_mm"] < 1e-2
    assert errors["bone_drift_mm"] < 1e-2


def test_a_body_that_grows_drifts_by_what_its_bones_gain(data: list[Source]) -> None:
    clip = read_split(data[0], "val").clips[0]
    features = InterHumanRepresentation("per_person").encode(clip.loaded)
    mean = float(bone_lengths(decode_positions(features), SMPL22.bones).mean())
    errors = errors_of(lambda grid: grid * 1.1, data[0])
    assert errors["bone_drift_mm"] == pytest.approx(100 * mean, rel=0.02)


@pytest.mark.parametrize("metric", ["bone_drift_mm", "more/local_mpjpe_mm"])
def test_the_best_checkpoint_is_best_by_the_metric_of_choice(
    data: list[Source], tmp_path: Path, metric: str
) -> None:
    run = tmp_path / "run"
    result = train_tokenizer(run, data, ["run.validate_every=1", f"run.best_metric={metric}"])
    values = {line["step"]: line[metric] for line in log_of(run) if line["kind"] == "validation"}
    best = checkpoint.load(run / "best.pt")
    assert best["metrics"][metric] == min(values.values()) == result.best_value
    assert values[best["step"]] == min(values.values())


def test_accuracy_is_best_where_it_is_highest(
    data: list[Source], tokenizer_run: Path, tmp_path: Path
) -> None:
    run, metric = tmp_path / "run", "accuracy_at_0.5"
    changes = ["run.validate_every=1", f"run.best_metric={metric}", "optimiser.steps=8"]
    train_transformer(run, data, tokenizer_run, changes)
    values = [line[metric] for line in log_of(run) if line["kind"] == "validation"]
    assert len(set(values)) > 1
    assert checkpoint.load(run / "best.pt")["metrics"][metric] == max(values)


def test_a_metric_that_is_not_measured_is_refused_before_training(
    data: list[Source], tokenizer_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"'mpjpe'; choose one of mpjpe_mm, .*more/bone_drift_mm"):
        train_tokenizer(tmp_path / "a", data, ["run.best_metric=mpjpe"])
    with pytest.raises(UserError, match=r"choose one of cross_entropy, accuracy, accuracy_at_0\.2"):
        train_transformer(tmp_path / "b", data, tokenizer_run, ["run.best_metric=loss"])


def test_all_measured_numbers_are_named(
    data: list[Source], tokenizer_run: Path, tmp_path: Path
) -> None:
    train_transformer(tmp_path / "run", data, tokenizer_run, ["optimiser.steps=3"])
    first = ["mpjpe_mm", "local_mpjpe_mm", "bone_drift_mm"]
    validations = [line for line in log_of(tokenizer_run) if line["kind"] == "validation"]
    assert list(validations[0])[2:5] == first
    assert set(validations[0]) == {"kind", "step", *first, *(
        f"{name}/{key}" for name in ("walks", "more") for key in first
    )}  # fmt: skip
    validation = next(line for line in log_of(tmp_path / "run") if line["kind"] == "validation")
    assert {"cross_entropy", "accuracy", "accuracy_at_0.2", "accuracy_at_1"} < set(validation)


def test_the_averaged_copy_is_what_is_judged_and_kept(data: list[Source], tmp_path: Path) -> None:
    train_tokenizer(tmp_path / "run", data, ["run.validate_every=6"])
    last, best = (checkpoint.load(tmp_path / "run" / name) for name in ("last.pt", "best.pt"))
    assert best["step"] == last["step"]
    name = next(iter(best["model"]))
    assert torch.equal(best["model"][name], last["average"][name])
    assert not torch.equal(best["model"][name], last["model"][name])


def test_validation_does_not_depend_on_the_size_of_batches(
    data: list[Source], tokenizer_run: Path, tmp_path: Path
) -> None:
    validations = []
    for size in (1, 4):
        run = tmp_path / str(size)
        training = load_preset("transformer", "debug", [f"optimiser.batch_size={size}"])
        stage = prepare_transformer(run, training, data, tokenizer_run, CPU, resume=False)
        validations.append(stage.validate(stage.model))
    assert validations[0] == pytest.approx(validations[1], abs=1e-5)


def test_soft_targets_without_reach_train_and_validate_as_single_codes_do(
    data: list[Source], tokenizer_run: Path, tmp_path: Path
) -> None:
    logs = {}
    for reach in (0.0, 0.001, 2.0):
        run = tmp_path / f"reach{reach}"
        changes = [f"masking.soft_targets={reach}", "optimiser.steps=2", "run.validate_every=2"]
        train_transformer(run, data, tokenizer_run, changes)
        logs[reach] = [line["cross_entropy"] for line in log_of(run)]
    assert logs[0.001] == pytest.approx(logs[0.0], rel=1e-5)
    assert all(a != b for a, b in zip(logs[2.0], logs[0.0], strict=True)), logs
