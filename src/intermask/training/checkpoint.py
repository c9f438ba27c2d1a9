"""Checkpoints: everything a run needs to go on bit for bit, in one file that is whole or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from intermask.errors import UserError
from intermask.files import atomic_path

LAST = "last.pt"
BEST = "best.pt"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and strings in nested dictionaries; atomic."""
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote, on the CPU, executing nothing from the file.

    Raises:
        FileNotFoundError: no such file.
        UserError: the file is corrupt.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; is this the folder of a training run?")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise UserError(f"{path} is not a readable checkpoint: {error}") from error
    if not isinstance(state, dict):
        raise UserError(f"{path} holds {type(state).__name__}, expected a checkpoint dictionary")
    return state
