"""What a run writes down while it goes on: numbers, one JSON object a line, and TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intermask.files import atomic_path

METRICS = "metrics.jsonl"


class RunLog:
    """``metrics.jsonl`` and, if installed, TensorBoard.

    Args:
        folder: the run.
        first_step: the step of the checkpoint that the run goes on from; 0 for a new run.
        writes: False for one that keeps silent, as all processes but the first do.
    """

    def __init__(self, folder: Path, first_step: int, *, writes: bool = True) -> None:
        self.folder, self.first_step, self.writes = folder, first_step, writes
        self._board: Any = None

    def __enter__(self) -> RunLog:
        if not self.writes:
            return self
        self._forget_later_steps()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return self
        self._board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.first_step)
        return self

    def _forget_later_steps(self) -> None:
        """Lines after the checkpoint that a run resumes from are made again, so they go."""
        path = self.folder / METRICS
        kept = []
        if self.first_step and path.is_file():
            for line in path.read_text("utf-8").splitlines():
                try:
                    keep = json.loads(line)["step"] <= self.first_step
                except (ValueError, KeyError):
                    keep = False  # a line cut short when the run was killed
                if keep:
                    kept.append(line)
        with atomic_path(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), "utf-8")

    def write(self, kind: str, step: int, numbers: Mapping[str, float]) -> None:
        """Append one line, at once on disk."""
        if not self.writes:
            return
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **numbers}) + "\n")
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()
