"""The recorded numbers in ``tests/golden``.

They were made by running the authors' released code (commit e69d496, MIT) with tiny random
weights on a CPU in float32. Keys that start with ``w.`` are its state-dict entries.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent / "golden"


class Golden:
    """One recorded file: arrays as tensors, its notes, and its weights."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as archive:
            self.arrays = {key: archive[key] for key in archive.files}
        self.meta: dict[str, Any] = json.loads(str(self.arrays.pop("__meta__", "{}")))

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key])

    @property
    def weights(self) -> dict[str, Tensor]:
        """State-dict entries under their released names."""
        return {key[2:]: self[key] for key in self.arrays if key.startswith("w.")}


@cache
def golden(name: str) -> Golden:
    """Load a recorded file once."""
    return Golden(name)


def largest_error(actual: Tensor, expected: Tensor) -> float:
    """Largest absolute difference; shapes must agree."""
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return float((actual.double() - expected.double()).abs().max())
