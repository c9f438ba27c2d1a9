"""What a run's ``metrics.jsonl`` tells: series of numbers over steps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intermask.training.run_log import METRICS


@dataclass
class Series:
    """One number over the steps of a run."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def best(self, name: str) -> float:
        """The best value of a metric of this name; NaN if there is none."""
        finite = [value for value in self.values if math.isfinite(value)]
        if not finite:
            return math.nan
        return max(finite) if higher_is_better(name) else min(finite)


@dataclass(frozen=True)
class History:
    """All numbers that a run has logged, by name, in the order in which they first came up."""

    train: dict[str, Series]
    validation: dict[str, Series]

    @property
    def last_step(self) -> int:
        """The last step that any line tells of; 0 if there is none."""
        every = (*self.train.values(), *self.validation.values())
        return max((series.steps[-1] for series in every), default=0)


def higher_is_better(metric: str) -> bool:
    """Whether a metric grows as a model gets better; errors and losses do not."""
    return metric.rsplit("/", 1)[-1].startswith(("accuracy", "r_precision"))


def read_history(run: Path) -> History:
    """The numbers of a run folder; empty if it has logged nothing yet."""
    history = History({}, {})
    kinds = {"train": history.train, "validation": history.validation}
    for line in _lines(run / METRICS):
        named = kinds.get(line.pop("kind", ""))
        step = line.pop("step", None)
        if named is None or not isinstance(step, int):
            continue
        for name, value in line.items():
            if isinstance(value, int | float):
                series = named.setdefault(name, Series())
                series.steps.append(step)
                series.values.append(float(value))
    return history


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text("utf-8").splitlines():
        try:
            content = json.loads(line)
        except ValueError:  # a line cut short when the run was killed
            continue
        if isinstance(content, dict):
            yield content
