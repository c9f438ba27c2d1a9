"""The original CLIP tokenizer and tower, and small folders in Hugging Face's layout."""

from __future__ import annotations

import gzip
import importlib.util
import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import pytest


def _original_module(name: str) -> ModuleType:
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


@pytest.fixture(scope="session")
def original_tokenizer() -> ModuleType:
    return _original_module("simple_tokenizer")


@pytest.fixture(scope="session")
def original_model() -> ModuleType:
    return _original_module("model")


@pytest.fixture(scope="session")
def vocabulary_folder(
    original_tokenizer: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """vocab.json and merges.txt as the released repository has them."""
    folder = tmp_path_factory.mktemp("clip_vocabulary")
    original = original_tokenizer.SimpleTokenizer()
    lines = gzip.decompress(Path(original_tokenizer.default_bpe()).read_bytes()).decode()
    merges = lines.split("\n")[1 : 49152 - 256 - 2 + 1]
    (folder / "vocab.json").write_text(json.dumps(original.encoder), encoding="utf-8")
    (folder / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8"
    )
    return folder
