"""Shared by all tests: the folder of `golden_files`, one thread a process, a cache of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep for later runs is not kept in the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERMASK_CACHE", str(tmp_path_factory.mktemp("intermask-cache")))
        yield
