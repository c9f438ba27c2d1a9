"""Every preset is a valid configuration, and single settings can be changed."""

from __future__ import annotations

import pytest

from intermask.config import TokenizerTraining, TransformerTraining
from intermask.errors import UserError
from intermask.models.autoencoder import MotionAutoencoder
from intermask.presets import changed, load_preset, preset_names


def test_the_presets_are_there() -> None:
    assert preset_names() == ("debug", "paper-interhuman", "paper-interx", "small")


@pytest.mark.parametrize("name", preset_names())
def test_both_stages_fit_together(name: str) -> None:
    tokenizer, transformer = load_preset("tokenizer", name), load_preset("transformer", name)
    assert tokenizer.model.codebook_size == transformer.model.codebook_size
    assert transformer.text.width == transformer.model.condition_width
    if not name.startswith("paper"):
        assert MotionAutoencoder(tokenizer.model).rows == transformer.model.rows


def test_the_paper_is_the_paper() -> None:
    """Numbers of the paper and the released code."""
    tokenizer = load_preset("tokenizer", "paper-interhuman")
    assert tokenizer.model == TokenizerTraining().model
    assert tokenizer.losses == TokenizerTraining().losses
    optimiser = tokenizer.optimiser
    assert (optimiser.batch_size, optimiser.learning_rate, optimiser.betas) == (
        256,
        2e-4,
        (0.9, 0.99),
    )
    assert (optimiser.decay_at, optimiser.decay, optimiser.gradient_clip) == ((0.7, 0.85), 0.1, 1)
    transformer = load_preset("transformer", "paper-interhuman")
    assert transformer.model == TransformerTraining().model
    assert transformer.masking == TransformerTraining().masking
    assert (transformer.optimiser.batch_size, transformer.optimiser.weight_decay) == (52, 1e-5)


def test_settings_are_changed() -> None:
    training = load_preset(
        "tokenizer",
        "debug",
        ["optimiser.steps=9", "optimiser.decay_at=[0.5]", "mirror=false", "losses.distance=l1"],
    )
    assert training.optimiser.steps == 9
    assert training.optimiser.decay_at == (0.5,)
    assert training.mirror is False
    assert training.losses.distance == "l1"
    assert changed(training, ["run.seed=4"]).run.seed == 4
    assert changed(training, []) == training


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("optimiser.step=1", "did you mean optimiser.steps"),
        ("optimizer.steps=1", "did you mean optimiser"),
        ("optimiser.steps", "write key=value"),
        ("=1", "write key=value"),
        ("window.size=1", "window has no settings inside"),
        ("window=3.5", "expected int"),
        ("losses.distance=l3", "choose one of"),
        ("optimiser.steps=0", "expected above 0"),
    ],
)
def test_what_cannot_be_changed_is_named(change: str, words: str) -> None:
    with pytest.raises(UserError, match=words.replace("[", r"\[")):
        load_preset("tokenizer", "debug", [change])


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(UserError, match="did you mean small"):
        load_preset("tokenizer", "smll")
    with pytest.raises(UserError, match="choose one of debug"):
        load_preset("tokenizer", "qqqq")
