"""A model of Inter-X with random weights, small enough for tests."""

from __future__ import annotations

from typing import Any

import torch

from intermask.bundle import Model, build
from intermask.config import ModelConfig, TokenizerConfig
from intermask.representation_smplx import unit_normaliser
from intermask.skeleton import SMPLX55
from intermask.smplx import RestBody
from people55 import rest_joints
from tiny_model import CODES, NETWORKS, WIDTH


def rest_body() -> RestBody:
    """The body of `people55`."""
    return RestBody(torch.from_numpy(rest_joints()).float(), SMPLX55.parents)


def tiny_smplx_model(**changes: Any) -> Model:
    """Random weights and a codebook of random codes; texts are read by `HashedWords`."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        values: dict[str, Any] = {
            "name": "tiny-smplx",
            "dataset": "interx",
            "tokenizer": TokenizerConfig.interx(width=WIDTH, codebook_size=CODES),
            **NETWORKS,
            "max_frames": 150,
        }
        model = build(ModelConfig(**(values | changes)), unit_normaliser())
        for weight in model.transformer.parameters():
            torch.nn.init.normal_(weight, std=0.3)
        torch.nn.init.normal_(model.tokenizer.codebook.codebook)
        model.durations = {"Two people shake hands.": 4.0}
    return model
