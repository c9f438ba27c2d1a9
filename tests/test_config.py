"""Configurations: saved, read back, and checked."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from intermask import config

KINDS: list[type[Any]] = [
    kind
    for kind in vars(config).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not config.ModelConfig
]


def model_config(**changes: Any) -> config.ModelConfig:
    values: dict[str, Any] = {
        "name": "tiny",
        "tokenizer": config.TokenizerConfig(codebook_size=16),
        "transformer": config.TransformerConfig(codebook_size=16, condition_width=24),
        "text": config.TextConfig(encoder="minilm", width=24),
    }
    return config.ModelConfig(**(values | changes))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_defaults_survive_json(kind: type[Any]) -> None:
    original = kind()
    text = json.dumps(config.to_dict(original))
    assert config.from_dict(kind, json.loads(text)) == original


def test_a_whole_model_survives_json() -> None:
    original = model_config(tokenizer=config.TokenizerConfig.interx(codebook_size=16))
    values = json.loads(json.dumps(config.to_dict(original)))
    assert config.from_dict(config.ModelConfig, values) == original


def test_missing_keys_take_their_defaults() -> None:
    made = config.from_dict(config.TokenizerTraining, {"optimiser": {"steps": 5}})
    assert made.optimiser == config.OptimiserConfig(steps=5)
    assert made.model == config.TokenizerConfig()


def test_whole_numbers_may_stand_for_fractions() -> None:
    assert config.from_dict(config.SamplingConfig, {"guidance": 3}).guidance == 3.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"windw": 3}, r"unknown setting windw; did you mean window\?"),
        ({"optimiser": {"batchsize": 3}}, r"\.batchsize; did you mean optimiser\.batch_size"),
        ({"zzz": 3}, "unknown setting zzz; keys: body_model, code_noise, floor"),
        ({"window": "many"}, "window is 'many'; expected int"),
        ({"window": 3.5}, "window is 3.5; expected int"),
        ({"window": True}, "window is True; expected int"),
        ({"mirror": 1}, "mirror is 1; expected bool"),
        ({"run": 3}, "run is 3; expected a table"),
        ({"optimiser": {"betas": 0.9}}, "optimiser.betas is 0.9; expected a list"),
        ({"optimiser": {"betas": [0.9]}}, "optimiser.betas has 1 entries; expected 2"),
        ({"optimiser": {"learning_rate": "x"}}, "learning_rate is 'x'; expected float"),
        ({"floor": "low"}, "floor is 'low'; choose one of per_person, shared"),
        ({"window": 0}, "window is 0; expected above 0"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.from_dict(config.TokenizerTraining, values)


def test_parts_of_one_model_must_fit() -> None:
    with pytest.raises(ValueError, match="the tokenizer has 32 codes, the transformer 16"):
        model_config(tokenizer=config.TokenizerConfig(codebook_size=32))
    with pytest.raises(ValueError, match="features are 48 wide, the transformer expects 24"):
        model_config(text=config.TextConfig(width=48))


def test_configurations_are_frozen_and_explained() -> None:
    for kind in (*KINDS, config.ModelConfig):
        assert kind.__dataclass_params__.frozen
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}(")  # the docstring Python makes up


def test_configurations_need_no_torch() -> None:
    code = "import sys, intermask.config; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
