"""Fine-tuning starts exactly where a model stands, goes on gently, and says what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from intermask.bundle import load_bundle, save_bundle
from intermask.config import OptimiserConfig, TokenizerTraining, TransformerTraining
from intermask.data.batching import Source, read_split
from intermask.errors import UserError
from intermask.presets import changed, load_preset
from intermask.text import load_text_encoder
from intermask.training import finetuning
from intermask.training.finetuning import Origin, gentle, read_origin, settings_from
from intermask.training.history import read_history
from intermask.training.loop import fit
from intermask.training.representations import InterHumanRepresentation
from intermask.training.runs import load_model, prepare_tokenizer, prepare_transformer
from intermask.training.tokenizer_stage import reconstruction_error
from intermask.training.transformer_stage import TransformerStage
from tiny import tiny_model, write_tiny_dataset
from tiny_training import assert_equal_runs

CPU = torch.device("cpu")
BUNDLED_FRAMES = 90


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """Other clips than those whose statistics the bundle has."""
    return [Source(write_tiny_dataset(tmp_path_factory.mktemp("new") / "clips", frames=60))]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    torch.manual_seed(0)
    model = tiny_model(write_tiny_dataset(folder / "walks"))
    model.tokenizer.codebook.initialised.fill_(True)
    return save_bundle(model, folder / "bundle")


def settings(stage: Any, origin: Origin, *changes: str) -> Any:
    base: Any = load_preset(stage, "debug")
    training: Any = changed(
        settings_from(base, origin),
        ["optimiser.steps=12", "optimiser.learning_rate=1e-3", "optimiser.average_decay=0",
         "run.validate_every=6", "run.save_every=6", *changes],
    )  # fmt: skip
    finetuning.check_same_network(training, origin)
    return training


def tune_tokenizer(folder: Path, data: list[Source], origin: Origin, **how: Any) -> Path:
    training = settings("tokenizer", origin)
    given = None if how.get("resume") else origin
    stage = prepare_tokenizer(
        folder, training, data, CPU, resume=how.get("resume", False), origin=given
    )
    first = not how.get("resume", False)
    fit(stage, training.optimiser, training.run, folder, device=CPU, validate_first=first, **how)
    return folder


def tune_transformer(
    folder: Path, data: list[Source], origin: Origin, tokenizer: Path | None = None, **how: Any
) -> Path:
    training = settings("transformer", origin)
    resume = how.get("resume", False)
    stage = prepare_transformer(
        folder, training, data, tokenizer, CPU, resume=resume, origin=None if resume else origin
    )
    fit(
        stage,
        training.optimiser,
        training.run,
        folder,
        device=CPU,
        validate_first=not resume,
        **how,
    )
    return folder


@pytest.fixture(scope="module")
def tuned_tokenizer(
    data: list[Source], bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return tune_tokenizer(tmp_path_factory.mktemp("runs") / "run", data, read_origin(bundle))


@pytest.fixture(scope="module")
def tuned_transformer(
    data: list[Source], bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return tune_transformer(tmp_path_factory.mktemp("runs") / "run", data, read_origin(bundle))


def test_a_tokenizer_starts_with_the_bundle_s_error(
    data: list[Source], bundle: Path, tuned_tokenizer: Path
) -> None:
    model = load_bundle(bundle)
    with torch.inference_mode():
        error = reconstruction_error(
            model.tokenizer,
            model.normaliser,
            read_split(data[0], "val"),
            InterHumanRepresentation(model.config.floor),
            BUNDLED_FRAMES,
        )
    history = read_history(tuned_tokenizer)
    series = history.validation["mpjpe_mm"]
    assert series.steps[0] == 0
    assert series.values[0] == pytest.approx(error["mpjpe_mm"], rel=1e-6)
    losses = history.train["loss"].values
    assert sum(losses[-3:]) < sum(losses[:3])


def test_a_transformer_starts_with_the_bundle_s_error(
    data: list[Source], bundle: Path, tuned_transformer: Path
) -> None:
    model = load_bundle(bundle)
    training = TransformerTraining(
        model=model.config.transformer,
        text=model.config.text,
        optimiser=OptimiserConfig(batch_size=4),
        max_frames=BUNDLED_FRAMES,
    )
    clips = [read_split(data[0], "val")]
    stage = TransformerStage(
        training, model.tokenizer, model.normaliser, model.config.floor,
        load_text_encoder("minilm"), clips, clips, CPU,
    )  # fmt: skip
    stage.model.transformer, stage.model.text_head = model.transformer, model.text_head
    expected = stage.validate(stage.model)
    validation = read_history(tuned_transformer).validation
    for name, value in expected.items():
        assert validation[name].steps[0] == 0
        assert validation[name].values[0] == pytest.approx(value, rel=1e-5, abs=1e-6)
    assert validation["cross_entropy"].values[-1] < validation["cross_entropy"].values[0]


def test_what_never_gets_better_keeps_the_weights_it_started_from(
    data: list[Source], bundle: Path, tmp_path: Path
) -> None:
    origin = read_origin(bundle)
    training = settings("transformer", origin, "optimiser.learning_rate=1.0", "optimiser.steps=1")
    run = tmp_path / "run"
    stage = prepare_transformer(run, training, data, None, CPU, resume=False, origin=origin)
    fit(stage, training.optimiser, training.run, run, device=CPU, validate_first=True)
    kept, began = load_model(run).transformer, load_bundle(bundle).transformer
    assert all(
        torch.equal(a, b) for a, b in zip(kept.parameters(), began.parameters(), strict=True)
    )


def test_resuming_changes_nothing(
    data: list[Source], bundle: Path, tuned_tokenizer: Path, tuned_transformer: Path, tmp_path: Path
) -> None:
    origin = read_origin(bundle)
    for whole, tune in ((tuned_tokenizer, tune_tokenizer), (tuned_transformer, tune_transformer)):
        stopped = tune(tmp_path / tune.__name__, data, origin, stop_after=6)
        tune(stopped, data, origin, resume=True)
        assert_equal_runs(whole, stopped)


def test_network_statistics_and_text_are_the_model_s_own(
    data: list[Source], bundle: Path, tuned_transformer: Path
) -> None:
    model, tuned = load_bundle(bundle), load_model(tuned_transformer)
    assert tuned.config.tokenizer == model.config.tokenizer
    assert tuned.config.transformer == model.config.transformer
    assert tuned.config.text == model.config.text
    assert tuned.config.max_frames == BUNDLED_FRAMES  # debug says 64
    assert torch.equal(tuned.normaliser.mean, model.normaliser.mean)
    for a, b in zip(
        tuned.tokenizer.state_dict().values(), model.tokenizer.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
    assert set(model.durations) <= set(tuned.durations)


def test_a_run_remembers_where_it_began(tuned_tokenizer: Path, tuned_transformer: Path) -> None:
    for run in (tuned_tokenizer, tuned_transformer):
        init = json.loads((run / "config.json").read_text("utf-8"))["init"]
        assert (init["from"], init["kind"]) == ("bundle", "bundle")
    assert load_model(tuned_transformer).provenance["fine_tuned_from"]["from"] == "bundle"


def test_a_fine_tuned_tokenizer_takes_the_place_of_the_bundle_s(
    data: list[Source], bundle: Path, tuned_tokenizer: Path, tmp_path: Path
) -> None:
    run = tune_transformer(
        tmp_path / "run", data, read_origin(bundle), tuned_tokenizer, stop_after=1
    )
    best = torch.load(tuned_tokenizer / "best.pt", weights_only=True)["model"]
    own = load_model(run).tokenizer.state_dict()
    assert all(torch.equal(own[name], value) for name, value in best.items())


def test_runs_can_be_started_from_with_their_own_settings(
    tuned_tokenizer: Path, tuned_transformer: Path
) -> None:
    tokenizer, whole = read_origin(tuned_tokenizer), read_origin(tuned_transformer)
    assert (tokenizer.kind, whole.kind) == ("tokenizer run", "transformer run")
    assert finetuning.base_settings("tokenizer", tokenizer) == tokenizer.training
    assert finetuning.base_settings("tokenizer", whole) is None
    assert finetuning.base_settings("transformer", whole) == whole.training


@pytest.mark.parametrize("name", ["small", "paper-interhuman"])
def test_gentle_is_slower_shorter_and_looks_often(name: str) -> None:
    for stage in ("tokenizer", "transformer"):
        base: Any = load_preset(stage, name)  # type: ignore[call-overload]
        tuned = gentle(base)
        assert tuned.optimiser.learning_rate == base.optimiser.learning_rate / 4
        assert tuned.optimiser.steps <= min(base.optimiser.steps, finetuning.MOST_STEPS)
        assert tuned.optimiser.batch_size <= finetuning.LARGEST_BATCH
        assert tuned.optimiser.steps / tuned.run.validate_every >= 10
        assert tuned.model == base.model


@pytest.mark.parametrize(
    ("stage", "change", "words"),
    [
        ("transformer", "model.width=32", "model.width is 16 in bundle and cannot become 32"),
        ("transformer", "text.head_layers=2", "text.head_layers is 1 in bundle"),
        ("tokenizer", "model.codebook_size=64", "model.codebook_size is 32"),
        ("tokenizer", "floor=shared", "floor is 'per_person' in bundle"),
    ],
)
def test_what_weights_depend_on_cannot_be_changed(
    bundle: Path, stage: Any, change: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        settings(stage, read_origin(bundle), change)


def test_what_weights_do_not_depend_on_can_be_changed(bundle: Path) -> None:
    training = settings("transformer", read_origin(bundle), "model.dropout=0.3")
    assert training.model.dropout == 0.3


def test_a_tokenizer_has_no_transformer_to_start_from(tuned_tokenizer: Path) -> None:
    with pytest.raises(UserError, match="is a tokenizer run and has no transformer"):
        settings("transformer", read_origin(tuned_tokenizer))


def test_a_tokenizer_with_other_codes_is_refused(
    data: list[Source], bundle: Path, tmp_path: Path
) -> None:
    other = load_preset("tokenizer", "debug", ["model.codebook_size=64", "optimiser.steps=1"])
    stage = prepare_tokenizer(tmp_path / "other", other, data, CPU, resume=False)
    fit(stage, other.optimiser, other.run, tmp_path / "other", device=CPU)
    with pytest.raises(UserError, match="has 64 codes, the transformer of bundle was trained on"):
        tune_transformer(tmp_path / "run", data, read_origin(bundle), tmp_path / "other")
    assert not (tmp_path / "run").exists()


def test_windows_that_are_too_long_for_the_model(bundle: Path) -> None:
    base = TokenizerTraining(window=96)
    with pytest.raises(UserError, match="made for 90 frames, and windows have 96"):
        settings_from(base, read_origin(bundle))


def test_there_must_be_something_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        read_origin(tmp_path / "absent")
    with pytest.raises(UserError, match="is not a training run"):
        read_origin(tmp_path)
