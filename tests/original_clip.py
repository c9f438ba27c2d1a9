"""The original CLIP's own files out of clip-anytorch, and folders in Hugging Face's layout."""

from __future__ import annotations

import gzip
import importlib.util
import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import pytest
import torch


def original_module(name: str) -> ModuleType:
    """One file of clip-anytorch, loaded without its __init__, which needs torchvision."""
    try:
        path = Path(str(distribution("clip-anytorch").locate_file(f"clip/{name}.py")))
    except PackageNotFoundError:
        pytest.skip("clip-anytorch, the original CLIP to compare with, is not installed")
    spec = importlib.util.spec_from_file_location(f"original_clip_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_vocabulary(folder: Path) -> Path:
    """vocab.json and merges.txt as the released repository has them."""
    tokenizer = original_module("simple_tokenizer")
    original = tokenizer.SimpleTokenizer()
    lines = gzip.decompress(Path(tokenizer.default_bpe()).read_bytes()).decode()
    merges = lines.split("\n")[1 : 49152 - 256 - 2 + 1]
    (folder / "vocab.json").write_text(json.dumps(original.encoder), encoding="utf-8")
    (folder / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8"
    )
    return folder


def write_random_clip(folder: Path, width: int, heads: int = 4, layers: int = 1) -> Path:
    """A whole CLIP folder: the real vocabulary, and a text tower of random weights."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_act="quick_gelu",
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tower = CLIPTextModel(config)
        for parameter in tower.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    folder.mkdir(exist_ok=True)
    tower.save_pretrained(folder)
    return write_vocabulary(folder)
