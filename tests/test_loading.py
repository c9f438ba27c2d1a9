"""A generator with all its parts, out of folders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from intermask import loading
from intermask.bundle import save_bundle
from intermask.config import EvaluatorConfig, TextConfig
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.evaluators.contrastive import ContrastiveEvaluator
from intermask.evaluation.evaluators.evaluator import TrainedEvaluator
from intermask.evaluation.evaluators.folder import save_evaluator
from intermask.loading import EVALUATOR, builtin_model, load_generator
from intermask.text import load_text_encoder
from intermask.training.frozen_features import FrozenText
from tiny_model import tiny_model


def test_missing_models_and_devices_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="there is no model"):
        load_generator(tmp_path / "nowhere", device="cpu")
    with pytest.raises(UserError, match="cannot be used here"):
        load_generator(tmp_path, device="abacus")
    monkeypatch.setattr(loading.resources, "files", lambda package: tmp_path)
    with pytest.raises(UserError, match="no built-in model"):
        load_generator()


def evaluator(dataset: str) -> TrainedEvaluator:
    sizes = EvaluatorConfig(
        dataset=dataset, width=16, layers=1, heads=2, feedforward=16, embedding=6
    )
    text = TextConfig(encoder="minilm", width=384, pooling="mean", head_feedforward=8)
    return TrainedEvaluator(
        network=ContrastiveEvaluator(sizes, text),
        device=torch.device("cpu"),
        name="ours",
        protocol=metrics.INTERHUMAN,
        floor="shared",
        max_frames=64,
        read=FrozenText(load_text_encoder("minilm"), torch.device("cpu")),
    )


def test_an_evaluator_in_the_models_folder_compares_drafts(tmp_path: Path) -> None:
    bundle = save_bundle(tiny_model(), tmp_path / "tiny")
    assert load_generator(bundle, "cpu").critic is None
    ours = evaluator("interhuman")
    save_evaluator(ours, bundle / EVALUATOR)
    critic = load_generator(bundle, "cpu").critic
    assert critic is not None and critic.fingerprint == ours.fingerprint
    elsewhere = save_evaluator(evaluator("interhuman"), tmp_path / "other")
    assert load_generator(bundle, "cpu", evaluator=elsewhere).critic is not None


def test_unusable_evaluators_are_named(tmp_path: Path) -> None:
    bundle = save_bundle(tiny_model(), tmp_path / "tiny")
    with pytest.raises(UserError, match="there is no folder"):
        load_generator(bundle, "cpu", evaluator=tmp_path / "nowhere")
    other = save_evaluator(evaluator("interx"), tmp_path / "other")
    with pytest.raises(UserError, match="reads motion of interx"):
        _ = load_generator(bundle, "cpu", evaluator=other).critic


def test_the_built_in_model_has_an_evaluator_and_fits_in_the_package() -> None:
    generator = load_generator(device="cpu")
    assert generator.critic is not None and generator.model.config.sampling.drafts > 1
    files = [path for path in builtin_model().rglob("*.safetensors")]
    assert sum(path.stat().st_size for path in files) < 36e6
    assert max(path.stat().st_size for path in files) < 15e6
