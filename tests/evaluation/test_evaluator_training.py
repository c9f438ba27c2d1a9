"""An evaluator learns on a small dataset, the same however it is interrupted or shared out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask.data.augment import mirror_caption
from intermask.data.batching import Source
from intermask.errors import UserError
from intermask.evaluation.evaluators.runs import prepare_evaluator
from intermask.evaluation.evaluators.stage import EvaluatorStage, told_of
from intermask.presets import load_preset
from intermask.representation_smplx import encode_pair, from_first_person, to_joint_grid
from intermask.training import checkpoint
from intermask.training.loop import FitResult, fit
from intermask.training.shares import Share
from tiny_training import CPU, assert_equal_runs, largest_difference, log_of
from told_apart import KINDS, write_kinds, write_kinds_interx

TESTS = Path(__file__).parents[1]
SMALL = ("pool=8", "optimiser.batch_size=8")
SPREAD = ("shortest_crop=0.6", "run.accumulate=2", "model.dropout=0.1", "text.head_dropout=0.1")
"""All that a step can consist of: crops, parts, dropout in both towers."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return [Source(write_kinds(tmp_path_factory.mktemp("kinds") / "kinds"))]


@pytest.fixture(scope="module")
def smplx(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return [Source(write_kinds_interx(tmp_path_factory.mktemp("kinds") / "interx"))]


@pytest.fixture(params=["data", "smplx"], ids=["interhuman", "interx"])
def either(request: pytest.FixtureRequest) -> list[Source]:
    """The same kinds of motion in either layout."""
    found: list[Source] = request.getfixturevalue(request.param)
    return found


def prepare(
    folder: Path, data: Sequence[Source], changes: Sequence[str] = (), **how: Any
) -> EvaluatorStage:
    training = load_preset("evaluator", "debug", [*SMALL, *changes])
    return prepare_evaluator(folder, training, data, CPU, resume=how.pop("resume", False), **how)


def train(
    folder: Path,
    data: Sequence[Source],
    changes: Sequence[str] = (),
    resume: bool = False,
    **how: Any,
) -> FitResult:
    stage = prepare(folder, data, changes, resume=resume)
    training = stage.training
    return fit(stage, training.optimiser, training.run, folder, device=CPU, resume=resume, **how)


def test_it_learns(either: list[Source], tmp_path: Path) -> None:
    """Held-out people in the same eight kinds of motion: chance finds 1 in 8."""
    changes = [
        "model.width=32", "model.embedding=16", "optimiser.steps=60", "optimiser.batch_size=16",
        "optimiser.learning_rate=3e-3", "run.validate_every=30",
    ]  # fmt: skip
    train(tmp_path / "run", either, changes)
    last = [line for line in log_of(tmp_path / "run") if line["kind"] == "validation"][-1]
    assert last["r_precision_1"] > 0.5 and last["r_precision_3"] > 0.75
    assert last["cross_entropy"] < 1.6


def test_stopping_and_resuming_changes_nothing(either: list[Source], tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(whole, either, SPREAD)
    train(stopped, either, SPREAD, stop_after=2)
    train(stopped, either, SPREAD, resume=True, stop_after=4)
    train(stopped, either, SPREAD, resume=True)
    assert_equal_runs(whole, stopped)


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_changes_nothing(data: list[Source], tmp_path: Path, parts: int) -> None:
    """Every part sees the whole batch, or the loss would be that of smaller batches."""
    train(tmp_path / "whole", data)
    train(tmp_path / "parts", data, [f"run.accumulate={parts}"])
    assert largest_difference(tmp_path / "whole", tmp_path / "parts") < 1e-4


@pytest.mark.parametrize("batch", [8, 4])
def test_gradients_of_parts_add_up_to_that_of_the_batch(
    either: list[Source], tmp_path: Path, batch: int
) -> None:
    stage = prepare(tmp_path / "run", either, [f"optimiser.batch_size={batch}"])
    found = []
    for count in (1, 2, 4):
        parts = [stage.draw(0, Share(index, count)) for index in range(count)]
        whole = {"clips": torch.tensor(batch)}
        stage.model.zero_grad()
        stage.prepare(parts, lambda rows: rows)
        losses = [stage.losses(part, whole) for part in parts]
        for each in losses:
            each["loss"].backward()
        gradient = torch.cat([weight.grad.flatten() for weight in stage.model.parameters()])
        found.append((sum(each["loss"].item() for each in losses), gradient))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-5)
        assert torch.allclose(gradient, found[0][1], atol=1e-5)
    assert found[0][1].abs().max() > 1e-3


def test_two_processes_change_nothing(data: list[Source], tmp_path: Path) -> None:
    train(tmp_path / "whole", data)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
               "2", __file__, str(tmp_path / "two"), str(data[0].root)]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert largest_difference(tmp_path / "whole", tmp_path / "two") < 1e-4


def test_shared_captions_are_no_negatives(data: list[Source], tmp_path: Path) -> None:
    stage = prepare(tmp_path / "run", data, ["optimiser.batch_size=24", "mirror=true"])
    items = stage.train.draw(0, 24)  # an epoch: three clips of every kind
    told = told_of(stage.train, items)
    texts = [text for _, text in items]
    assert told.diagonal().all()
    for row, text in enumerate(texts):
        for column, (variant, _) in enumerate(items):
            (own,) = stage.train.sources[0].clips[variant.clip].captions
            assert told[row, column] == (text == (mirror_caption(own) if variant.mirror else own))
    assert int(told.sum()) > 24


def test_a_mirrored_clip_has_a_mirrored_caption(data: list[Source], tmp_path: Path) -> None:
    stage = prepare(tmp_path / "run", data)
    for step in range(12):
        part = stage.draw(step, Share())
        for (variant, _), caption, features, length in zip(
            stage.train.draw(step, 8), part.captions, part.features, part.lengths, strict=True
        ):
            kind = stage.train.sources[0].clips[variant.clip].name.split("_")[0]
            if kind in ("left", "right"):
                sideways = features[0, int(length) - 1, 0]  # of person 1, who faces +z: + is left
                assert caption == KINDS["left" if sideways > 0 else "right"]


def test_crops_are_as_long_as_allowed_and_start_where_they_stand(
    data: list[Source], tmp_path: Path
) -> None:
    stage = prepare(tmp_path / "run", data, ["shortest_crop=0.5"])
    lengths = set()
    for step in range(6):
        part = stage.draw(step, Share())
        for (variant, _), features, length in zip(
            stage.train.draw(step, 8), part.features, part.lengths.tolist(), strict=True
        ):
            frames = stage.train.frames(variant.source, variant.clip)
            assert length % 4 == 0 and frames / 2 - 4 < length <= frames
            lengths.add(length / frames)
            # the canonical place: one person's pelvis over the origin in the first frame
            assert features[0, 0, [0, 2]].abs().max() < 1e-5
            assert not features[:, length:].any()
    assert len(lengths) > 10


def test_people_of_interx_are_seen_where_they_were_captured(
    smplx: list[Source], tmp_path: Path
) -> None:
    stage = prepare(tmp_path / "run", smplx, ["shortest_crop=0.5", "mirror=true"])
    assert stage.training.model.dataset == "interx"
    seen = set()
    for step in range(4):
        part = stage.draw(step, Share())
        assert part.features.shape[-1] == 336
        for (variant, _), features, length in zip(
            stage.train.draw(step, 8), part.features, part.lengths.tolist(), strict=True
        ):
            loaded = stage.train.sources[0].clips[variant.clip].loaded
            whole = encode_pair(loaded, mirror=variant.mirror, swap=variant.swap)
            places = whole.unfold(1, length, 1).movedim(-1, 2)  # every piece of this length
            assert any(torch.equal(piece, features[:, :length]) for piece in places.unbind(1))
            assert not features[:, length:].any()
            seen.add((variant.mirror, variant.swap))
    assert len(seen) == 4


def test_places_of_interx_weigh_as_much_as_rotations(smplx: list[Source], tmp_path: Path) -> None:
    stage = prepare(tmp_path / "run", smplx)
    clips = [encode_pair(clip.loaded[:, :65]) for clip in stage.train.sources[0].clips]
    placed = torch.cat([from_first_person(clip).flatten(0, 1) for clip in clips])
    normal = to_joint_grid(stage.model.normaliser.normalise(placed))
    for part in (normal[:, :55] / 2**0.5, normal[:, 55, :3], normal[:, 55, 3:]):
        assert float(part.square().sum() / len(part) / 165) == pytest.approx(1, abs=0.2)
    assert normal[:, 55, :3].mean(0).abs().max() < 1


def test_an_evaluator_reads_one_layout(
    data: list[Source], smplx: list[Source], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"interx has Inter-X's layout, .* reads InterHuman's"):
        prepare(tmp_path / "run", [*data, *smplx])
    with pytest.raises(UserError, match=r"kinds has InterHuman's layout, .* reads Inter-X's"):
        prepare(tmp_path / "run", [*smplx, *data])
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_keeps_its_layout(
    data: list[Source], smplx: list[Source], tmp_path: Path
) -> None:
    """Whatever a preset says, and even if other data have the same name."""
    train(tmp_path / "run", smplx, stop_after=3)
    with pytest.raises(UserError, match="trained on interx"):
        prepare(tmp_path / "run", data, resume=True)
    shutil.copytree(data[0].root, tmp_path / "copy" / "interx")
    with pytest.raises(UserError, match=r"InterHuman's layout, .* reads Inter-X's"):
        prepare(tmp_path / "run", [Source(tmp_path / "copy" / "interx")], resume=True)
    assert prepare(tmp_path / "run", smplx, resume=True).training.model.dataset == "interx"


def test_validation_is_the_same_every_time(data: list[Source], tmp_path: Path) -> None:
    stage = prepare(tmp_path / "run", data)
    first = stage.validate(stage.model)
    assert set(first) == set(stage.metrics)
    assert stage.validate(stage.model) == first
    assert 0 <= first["r_precision_1"] <= first["r_precision_2"] <= first["r_precision_3"] <= 1


def test_too_few_held_out_clips_are_said(data: list[Source], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"val has 8 clips.*pools of 32.*pool=8"):
        prepare(tmp_path / "run", data, ["pool=32"])
    assert not (tmp_path / "run").exists()


def test_a_text_encoder_of_another_width_is_said(data: list[Source], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"384 wide.*set text\.width=384"):
        prepare(tmp_path / "run", data, ["text.width=768", "text.head_heads=4"])


def test_an_unknown_metric_is_said(data: list[Source], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="best_metric is 'accuracy'; choose one of r_precision_1"):
        train(tmp_path / "run", data, ["run.best_metric=accuracy"])


def test_a_cache_changes_nothing(either: list[Source], tmp_path: Path) -> None:
    from contextlib import nullcontext

    cache = tmp_path / "cache"
    stages = [
        prepare(
            tmp_path / name,
            either,
            cache=kept,
            watch=lambda _: nullcontext(lambda done, total: None),
        )
        for name, kept in (("a", None), ("b", cache), ("c", cache))
    ]
    found = [stage.validate(stage.model) for stage in stages]
    assert found[0] == found[1] == found[2]
    drawn = [stage.draw(1, Share()) for stage in stages]
    assert all(torch.equal(each.features, drawn[0].features) for each in drawn)


def test_the_best_checkpoint_is_that_of_the_named_metric(
    data: list[Source], tmp_path: Path
) -> None:
    train(tmp_path / "run", data, ["run.validate_every=1"])
    kept = checkpoint.load(tmp_path / "run" / checkpoint.BEST)
    every = [line for line in log_of(tmp_path / "run") if line["kind"] == "validation"]
    assert kept["metrics"]["r_precision_3"] == max(line["r_precision_3"] for line in every)


if __name__ == "__main__":
    train(Path(sys.argv[1]), [Source(Path(sys.argv[2]))])
