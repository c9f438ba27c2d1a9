"""What became of every scene that was drawn: kept in the dataset, one line of JSON a scene.

A making that was stopped goes on from these lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from intermask.choreography.gate import Verdict
from intermask.choreography.scene import ScenePlan
from intermask.data.layout import write_lines


@dataclass(frozen=True)
class SceneRecord:
    """One motion that was made, and what the gate said.

    name: of the clip, if it was kept. acts: families in order. captions: texts; stated: the facts
    that each tells. contact_errors: metres, of the required contacts. measures: the other figures
    of `gate.Measures`.
    """

    name: str
    family: str
    acts: tuple[str, ...]
    frames: int
    captions: tuple[str, ...]
    stated: tuple[tuple[str, ...], ...]
    reasons: tuple[str, ...]
    details: tuple[str, ...]
    measures: dict[str, Any]

    @staticmethod
    def of(name: str, plan: ScenePlan, frames: int, verdict: Verdict) -> SceneRecord:
        """The record of a scene that was judged."""
        return SceneRecord(
            name,
            plan.family,
            tuple(part.family for part in plan.parts),
            frames,
            plan.captions,
            tuple(tuple(sorted(caption.stated)) for caption in plan.wordings),
            verdict.reasons,
            verdict.details,
            _rounded(asdict(verdict.measures)) if verdict.measures else {},
        )


@dataclass(frozen=True)
class DrawRecord:
    """One draw: a scene, or a minimal pair of two, which are kept together or not at all."""

    number: int
    split: str
    fact: str
    scenes: tuple[SceneRecord, ...]

    @property
    def kept(self) -> bool:
        """Whether its clips are part of the dataset."""
        return not any(scene.reasons for scene in self.scenes)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its clips."""
        return tuple(scene.name for scene in self.scenes)

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def read(line: str) -> DrawRecord:
        """The record of a line; a `ValueError` or `KeyError` if it was cut short."""
        content = json.loads(line)
        scenes = [_scene(each) for each in content["scenes"]]
        return DrawRecord(content["number"], content["split"], content["fact"], tuple(scenes))


def read_records(path: Path) -> dict[int, DrawRecord]:
    """Records by number; the last line of a making that was killed may be cut, and is left out."""
    if not path.is_file():
        return {}
    records = {}
    for line in path.read_text("utf-8").splitlines():
        try:
            record = DrawRecord.read(line)
        except (ValueError, KeyError):
            break
        records[record.number] = record
    return records


def write_records(path: Path, records: Iterable[DrawRecord]) -> None:
    """Write all records, whole or not at all."""
    write_lines(path, [record.line() for record in records])


def _scene(content: dict[str, Any]) -> SceneRecord:
    return SceneRecord(**{name: _fixed(value) for name, value in content.items()})


def _fixed(value: Any) -> Any:
    return tuple(_fixed(each) for each in value) if isinstance(value, list) else value


def _rounded(measures: dict[str, Any]) -> dict[str, Any]:
    """Figures to four digits: more would tell of the processor's rounding."""

    def short(value: Any) -> Any:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [short(each) for each in value]
        return float(f"{value:.4g}") if isinstance(value, float) else value

    return {name: short(value) for name, value in measures.items()}
