"""Finished windows of a story, kept in a folder until the story is told, so that it can go on.

A window is found again by a checksum of everything that decides it: the model and its settings,
and all windows up to this one. A script that changes keeps what lies before the change.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from intermask import __version__
from intermask.config import SamplingConfig, to_dict
from intermask.errors import UserError
from intermask.generation.generator import InteractionGenerator
from intermask.generation.story_plan import Window
from intermask.motion import Motion

_KEY_LENGTH = 16


def checksums(
    generator: InteractionGenerator, sampling: SamplingConfig, windows: Sequence[Window]
) -> list[str]:
    """For every window one of all that decides it."""
    settings = {
        "version": __version__,
        "torch": torch.__version__,
        "device": generator.device.type,
        "model": to_dict(generator.model.config),
        "sampling": to_dict(sampling),
        "consolidation": repr(generator.consolidation),
        "weights": [_weights(part) for part in generator.model.parts().values()],
        "critic": _weights(generator.critic) if sampling.drafts > 1 else "",
    }
    last = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    found = []
    for window in windows:
        content = json.dumps([last, asdict(window)], sort_keys=True)
        last = hashlib.sha256(content.encode()).hexdigest()
        found.append(last)
    return found


def _weights(part: object) -> str:
    """A checksum of a network's numbers; of anything else, its type's name."""
    digest = hashlib.sha256(type(part).__name__.encode())
    modules = (
        [part] if isinstance(part, nn.Module) else list(getattr(part, "__dict__", {}).values())
    )
    for module in modules:
        if isinstance(module, nn.Module):
            for name, values in sorted(module.state_dict().items()):
                digest.update(name.encode())
                digest.update(values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class FinishedWindows:
    """New frames of windows, one file each; whatever is not whole there counts as not done.

    Args:
        folder: made when the first window is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, number: int, checksum: str) -> Motion | None:
        """The new frames of a window, if they were kept."""
        try:
            return Motion.load(self._file(number, checksum))
        except (FileNotFoundError, UserError):
            return None

    def keep(self, number: int, checksum: str, motion: Motion) -> None:
        """Keep the new frames of a window."""
        motion.save(self._file(number, checksum))

    def remove(self) -> None:
        """Forget everything, when the story is told."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, number: int, checksum: str) -> Path:
        return self.folder / f"{number:05d}-{checksum[:_KEY_LENGTH]}.npz"
