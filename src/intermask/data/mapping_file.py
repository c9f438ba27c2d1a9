"""How SMPL's 22 joints follow from those of a file, and the files that say so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path

from intermask.errors import UserError
from intermask.skeleton import SMPL22


@dataclass(frozen=True)
class JointMapping:
    """How SMPL's 22 joints follow from the joints of a file.

    positions: SMPL joint -> {file joint: weight}, weights summing to 1.
    rotations: SMPL joint -> file joints whose local rotations are multiplied, parent first; an
    empty tuple where the file has no such joint (identity relative to the parent).
    """

    positions: Mapping[str, Mapping[str, float]]
    rotations: Mapping[str, tuple[str, ...]]
    name: str = "mapping"
    notes: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for table, what in ((self.positions, "positions"), (self.rotations, "rotations")):
            missing = [joint for joint in SMPL22.names if joint not in table]
            unknown = [joint for joint in table if joint not in SMPL22.names]
            if missing or unknown:
                raise UserError(
                    f"The joint mapping {self.name} has the wrong joints under {what}: missing "
                    f"{missing or 'none'}, unknown {unknown or 'none'}. It needs exactly the 22 "
                    f"SMPL joints: {', '.join(SMPL22.names)}."
                )
        for joint, weights in self.positions.items():
            if abs(sum(weights.values()) - 1.0) > 1e-6:
                raise UserError(
                    f"The joint mapping {self.name} has weights for {joint} that sum to "
                    f"{sum(weights.values()):g}; a position needs weights that sum to 1"
                    + ("." if weights else ', such as {"JOINT OF THE FILE": 1}.')
                )


def load_mapping(source: str | Path) -> JointMapping:
    """Read a mapping from a JSON file, or a built-in one by name (``cmu_daz``)."""
    path = Path(source)
    if path.suffix == "" and str(source) in built_in_mappings():
        text = (
            resources.files("intermask.data")
            .joinpath(f"mappings/{source}.json")
            .read_text(encoding="utf-8")
        )
    elif path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        raise FileNotFoundError(
            f"There is no joint mapping {source}; give a JSON file, or one of the built-in "
            f"names: {', '.join(built_in_mappings())}."
        )
    try:
        table = json.loads(text)
        return JointMapping(
            {joint: dict(weights) for joint, weights in table["positions"].items()},
            {joint: tuple(names) for joint, names in table["rotations"].items()},
            str(source),
            str(table.get("notes", "")),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{source} is not a joint mapping ({error}); it needs a JSON object with "
            '"positions" {SMPL joint: {file joint: weight}} and "rotations" '
            "{SMPL joint: [file joints]}."
        ) from error


@lru_cache
def built_in_mappings() -> tuple[str, ...]:
    """Names of the mappings that ship with the package."""
    folder = resources.files("intermask.data").joinpath("mappings")
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".json")))


def mapping_text(
    positions: Mapping[str, Mapping[str, float]],
    rotations: Mapping[str, Sequence[str]],
    notes: str = "",
    joints: Sequence[str] = SMPL22.names,
) -> str:
    """A mapping as the JSON that `load_mapping` reads, one joint a line, to look at and to edit.

    Joints that the tables lack get empty entries.
    """

    def rows(table: Mapping[str, object], empty: object) -> str:
        lines = [
            f"  {json.dumps(joint)}: {json.dumps(table.get(joint, empty))}" for joint in joints
        ]
        return "{\n" + ",\n".join(lines) + "\n }"

    weights = {joint: dict(each) for joint, each in positions.items()}
    turning = {joint: list(each) for joint, each in rotations.items()}
    head = f' "notes": {json.dumps(notes)},\n' if notes else ""
    return f'{{\n{head} "positions": {rows(weights, {})},\n "rotations": {rows(turning, [])}\n}}\n'
