"""Import pairs of BVH files (two people in one world frame) as a dataset in InterHuman's layout."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from intermask.data.bvh_recording import read_bvh_people
from intermask.data.captions import CaptionStyle
from intermask.data.layout import SPLITS
from intermask.data.mapping_file import JointMapping
from intermask.data.takes import (
    ClipPlan,
    ImportedPair,
    TakesImport,
    TakeText,
    TakeWriter,
    pair_of_recordings,
)
from intermask.errors import UserError
from intermask.files import atomic_folder


@dataclass(frozen=True)
class BvhPair:
    """One take: two files in one world frame; person 1 is ``file_a``, person 2 ``file_b``.

    caption: a sentence that is true for the whole take, or "". split: train, val or test, for all
    clips of the take: clips of one take overlap and must not meet across splits.
    """

    name: str
    file_a: Path
    file_b: Path
    caption: str = ""
    split: str = "train"

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise UserError(f"The take {self.name} has the split {self.split!r}; use {SPLITS}.")


def import_bvh_pair(
    path_a: str | Path,
    path_b: str | Path,
    *,
    fps: float | None = None,
    unit_scale: float | None = None,
    drop_first: int = 0,
    mapping: JointMapping | str | Path | None = None,
) -> ImportedPair:
    """Read two BVH files of one world frame as SMPL joints at 30 fps.

    Args:
        fps: the true frame rate; by default the header's (which is often wrong).
        unit_scale: metres per file unit; by default guessed from the people's size.
        drop_first: source frames to drop (a blend from the T-pose, say).
        mapping: built-in name, file or object; by default found from the joints' names.
    """
    people = read_bvh_people((path_a, path_b), fps=fps, unit_scale=unit_scale, mapping=mapping)
    pair = pair_of_recordings(people.recordings, drop_first=drop_first, mapping=mapping)
    return replace(pair, notes=people.notes)


def pairs_from_table(path: str | Path) -> list[BvhPair]:
    """Read a CSV with columns name, file_a, file_b and optionally caption and split.

    Relative files are looked for beside the table.
    """
    table = Path(path)
    if not table.is_file():
        raise FileNotFoundError(f"There is no table of pairs {table}; give a CSV file (--pairs).")
    with table.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = {"name", "file_a", "file_b"} - set(reader.fieldnames or ())
        if missing:
            raise UserError(
                f"{table} lacks the columns {', '.join(sorted(missing))}; its first line must be "
                "name,file_a,file_b,caption,split (the last two may be left out)."
            )
        pairs = [
            BvhPair(
                row["name"].strip(),
                table.parent / row["file_a"].strip(),
                table.parent / row["file_b"].strip(),
                (row.get("caption") or "").strip(),
                (row.get("split") or "train").strip(),
            )
            for row in reader
        ]
    if not pairs:
        raise UserError(f"{table} lists no pairs; add a line name,file_a,file_b for each take.")
    return pairs


def import_bvh(
    pairs: Sequence[BvhPair],
    out: str | Path,
    *,
    fps: float | None = None,
    unit_scale: float | None = None,
    drop_first: int = 0,
    mapping: JointMapping | str | Path | None = None,
    plan: ClipPlan | None = None,
    style: CaptionStyle | None = None,
    source: str = "",
    licence: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> TakesImport:
    """Import takes as a dataset folder in InterHuman's layout; nothing is left behind on failure.

    Args:
        pairs: the takes. A take's own caption comes first for each of its clips; the others are
            derived from the geometry and said to be so in ``provenance.json``.
        out: dataset folder to make.
        fps, unit_scale, drop_first, mapping: see `import_bvh_pair`.
        plan: how takes are cut. style: words for the captions.
        source, licence: what to say in ``provenance.json``.
        progress: called with takes done and takes in all.
    """
    names = [pair.name for pair in pairs]
    if not pairs or len(set(names)) != len(names):
        raise UserError(f"Takes need different names, and at least one is needed; got {names}.")
    style = CaptionStyle() if style is None else style
    notes: dict[str, None] = {}
    with atomic_folder(out) as folder:
        writer = TakeWriter(folder, plan)
        for number, pair in enumerate(pairs, 1):
            take = import_bvh_pair(
                pair.file_a,
                pair.file_b,
                fps=fps,
                unit_scale=unit_scale,
                drop_first=drop_first,
                mapping=mapping,
            )
            notes |= dict.fromkeys(take.notes)
            writer.add(pair.name, pair.split, take, TakeText(style, pair.caption))
            if progress is not None:
                progress(number, len(pairs))
        stated = any(pair.caption for pair in pairs)
        writer.finish(
            {
                "kind": "motion capture of two people, imported from BVH",
                "source": source or "BVH files given by the user",
                "licence": licence or "not stated",
                "captions": "derived from the geometry of the motion by rules, not written by "
                "people" + ("; a take's own sentence comes first" if stated else ""),
                "activity": style.activity,
                "read_as": list(notes),
                "files": {pair.name: [pair.file_a.name, pair.file_b.name] for pair in pairs},
            }
        )
    return TakesImport(Path(out), tuple(writer.reports), notes=tuple(notes))
