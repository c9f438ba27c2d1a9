"""Our evaluators with the tiny released weights of `tests/golden`."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from golden_files import golden
from intermask.evaluation.evaluators.interclip import InterClip, InterClipConfig
from intermask.evaluation.evaluators.interx import InterXEvaluator, InterXEvaluatorConfig
from intermask.official.evaluator_names import interclip_renaming, interx_evaluator_renaming
from intermask.official.evaluators import INTERX
from intermask.official.names import Renaming
from intermask.text.clip_tokenizer import ClipTokenizer

TINY_INTERCLIP = InterClipConfig(
    width=32,
    layers=2,
    heads=4,
    feedforward=64,
    text_width=32,
    text_heads=4,
    text_feedforward=64,
    vocabulary=600,
    context=20,
    embedding=16,
)
TINY_INTERX = InterXEvaluatorConfig(
    columns=40,
    movement_hidden=16,
    movement=12,
    motion_hidden=16,
    word=14,
    text_hidden=16,
    embedding=10,
)

SMALL_INTERX = InterXEvaluatorConfig(
    movement_hidden=8, movement=6, motion_hidden=8, word=5, text_hidden=10, embedding=4
)
"""For motions as they are; the recorded one reads narrower ones."""


def released_interclip() -> InterClip:
    """The network of `evaluator_interhuman.npz`, in evaluation mode."""
    network = InterClip(TINY_INTERCLIP)
    _fill(network, "evaluator_interhuman", interclip_renaming(), "model.")
    return network.eval()


def released_interx() -> InterXEvaluator:
    """The network of `evaluator_interx.npz`, in evaluation mode."""
    network = InterXEvaluator(TINY_INTERX)
    _fill(network, "evaluator_interx", interx_evaluator_renaming(), "")
    return network.eval()


def _fill(network: nn.Module, recorded: str, names: Renaming, prefix: str) -> None:
    weights = golden(recorded).weights.items()
    named = {names.ours(f"{prefix}{name}"): value for name, value in weights}
    network.load_state_dict({name: value for name, value in named.items() if name is not None})


def write_interx_evaluator(folder: Path, **changes: Any) -> InterXEvaluator:
    """A file in the form of the released one, and the network that it was written from."""
    torch.manual_seed(0)
    network = InterXEvaluator(SMALL_INTERX).eval()
    names = interx_evaluator_renaming()
    content: dict[str, Any] = {"opt_text_encoder": {"state": {0: torch.ones(2)}}, "epoch": 7}
    for ours, value in network.state_dict().items():
        official = names.official(ours)
        assert official is not None
        entry, _, name = official.partition(".")
        content.setdefault(entry, {})[name] = value
    content |= changes
    (folder / INTERX).parent.mkdir(parents=True)
    torch.save(content, folder / INTERX)
    return network


def write_glove(folder: Path, words: Sequence[str], size: int = SMALL_INTERX.word) -> Path:
    """Word vectors in the form of Inter-X's, with the three that every caption needs."""
    folder.mkdir(parents=True, exist_ok=True)
    every = ["sos", "eos", "unk", *words]
    table = np.random.default_rng(0).normal(size=(len(every), size))
    np.save(folder / "hhi_vab_data.npy", table)
    (folder / "hhi_vab_words.pkl").write_bytes(pickle.dumps(every))
    rows = {word: row for row, word in enumerate(every)}
    (folder / "hhi_vab_idx.pkl").write_bytes(pickle.dumps(rows))
    return folder


def small_vocabulary(folder: Path, size: int) -> ClipTokenizer:
    """CLIP's vocabulary files for two letters, and the tokenizer that they make."""
    vocabulary = {"a</w>": 0, "b</w>": 1, "a": 2, "b": 3}
    vocabulary |= {"<|startoftext|>": size - 2, "<|endoftext|>": size - 1}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return ClipTokenizer.load(folder / "vocab.json", folder / "merges.txt")
