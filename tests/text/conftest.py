"""The original CLIP tokenizer and tower, and a vocabulary in Hugging Face's layout."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from original_clip import original_module, write_vocabulary


@pytest.fixture(scope="session")
def original_tokenizer() -> ModuleType:
    return original_module("simple_tokenizer")


@pytest.fixture(scope="session")
def original_model() -> ModuleType:
    return original_module("model")


@pytest.fixture(scope="session")
def vocabulary_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vocabulary(tmp_path_factory.mktemp("clip_vocabulary"))
