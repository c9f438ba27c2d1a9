"""The open dataset: scenes are drawn, played, judged, and those that pass become clips.

Scene i of a seed depends on the seed and i alone. So any number of processes make the same
clips, a making that was stopped goes on where it was, and a larger dataset holds the smaller one.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import torch

from intermask import __version__
from intermask.choreography.bank import BANK_FILE, VERSION, load_bank
from intermask.choreography.code_version import code_checksum
from intermask.choreography.datasheet import describe_dataset
from intermask.choreography.gate import judge
from intermask.choreography.humanness_report import section_of, with_section
from intermask.choreography.overlay import stage
from intermask.choreography.plausible import measure_bank
from intermask.choreography.records import DrawRecord, SceneRecord, read_records, write_records
from intermask.choreography.scene import ScenePlan
from intermask.choreography.sources import (
    GRAPPLING_SHARE,
    SALSA_SHARE,
    SourceClips,
    choose_clips,
    copy_clips,
)
from intermask.choreography.splits import (
    PURPOSES,
    check_families,
    draw,
    generator_of,
    role_of,
)
from intermask.data.layout import PROVENANCE, write_clip, write_provenance, write_split
from intermask.errors import UserError
from intermask.files import atomic_path, check_new_folder, write_json
from intermask.motion import Motion

DATASET_VERSION = 2
"""Goes up when the same seed gives another dataset on purpose."""

SPARE = 1 / 3
"""Share of scenes that are drawn beyond those needed, at most."""

SETTINGS, RECORDS, SHEET = "settings.json", "scenes.jsonl", "DATASHEET.md"
LICENCE = (
    "free for research and commercial use; derived from the CMU Graphics Lab Motion Capture "
    "Database, whose data may not be resold, even in converted form. The data used in this project "
    "was obtained from mocap.cs.cmu.edu; the database was created with funding from NSF "
    "EIA-0196217."
)
NO_MIRROR = (
    "train without mirroring (--set mirror=false): the mirror image of a right-handed scene is a "
    "left-handed one, and some of these are held out; both sides are in the data"
)

_AHEAD = 2
"""Scenes a process may be ahead of the one that is counted next."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Work:
    """What a process needs to make any scene."""

    out: Path
    seed: int
    families: tuple[str, ...] | None


@dataclass(frozen=True)
class OpenReport:
    """What was made.

    wanted: clips to be made, without those of source folders. records: all scenes that counted.
    """

    out: Path
    wanted: int
    records: tuple[DrawRecord, ...]
    sources: tuple[SourceClips, ...]
    splits: Mapping[str, int]

    @property
    def made(self) -> int:
        """Clips that passed the gate."""
        return sum(len(record.scenes) for record in self.records if record.kept)


def make_open(
    out: str | Path,
    clips: int,
    seed: int = 0,
    *,
    workers: int = 1,
    families: Sequence[str] | None = None,
    salsa: str | Path | None = None,
    grapplemap: str | Path | None = None,
    progress: Progress | None = None,
) -> OpenReport:
    """Make the open dataset, or go on with one that was stopped.

    Args:
        out: the folder, in InterHuman's layout, with ``ground_truth/NAME.json`` beside.
        clips: how many in all. Where fewer than three in four scenes pass the gate, there are
            fewer.
        seed: the same one gives the same joint values, whatever the number of workers.
        workers: processes.
        families: only these, and no chains. None: everything.
        salsa: a dataset of `data import bvh`, for `SALSA_SHARE` of the clips.
        grapplemap: a dataset of `data import grapplemap`, for `GRAPPLING_SHARE`.
        progress: called with clips done and clips in all.

    Raises:
        UserError: ``out`` holds something else, or a dataset of another seed, version or families.
    """
    if clips < 1 or workers < 1:
        raise UserError(f"clips is {clips} and workers {workers}; give at least 1 of each")
    if families is not None:
        check_families(families)
        families = tuple(dict.fromkeys(families))
    out = Path(out)
    sources = _sources(clips, seed, salsa, grapplemap)
    wanted = clips - sum(each.clips for each in sources)
    settings = _settings(seed, families)
    _begin(out, settings)
    work = Work(out, seed, families)
    records = _make(work, wanted, workers, progress)
    for each in sources:
        copy_clips(each, out)
    return _finish(work, wanted, records, sources, settings)


def make_draw(work: Work, number: int) -> DrawRecord:
    """Draw, play and judge scene ``number``; write its clips if they pass."""
    generator = generator_of(work.seed, number)
    role = role_of(number, work.families)
    drawn = draw(generator, role, work.families)
    state = generator.get_state()
    played = []
    for letter, plan in zip(("_a", "_b") if role.paired else ("",), drawn.plans, strict=True):
        generator.set_state(state)  # both of a pair with the same bodies
        motion = stage(load_bank(), plan, generator)
        verdict = judge(plan, motion, measure_bank(load_bank()))
        name = f"open_{number:05d}{letter}"
        played.append((plan, motion, SceneRecord.of(name, plan, motion.frames, verdict)))
    record = DrawRecord(number, role.split, drawn.fact, tuple(each[-1] for each in played))
    if record.kept:
        for plan, motion, scene in played:
            _write_clip(work, record, scene, plan, motion)
    return record


def _write_clip(
    work: Work, record: DrawRecord, scene: SceneRecord, plan: ScenePlan, motion: Motion
) -> None:
    truth: dict[str, Any] = {
        "name": scene.name,
        "scene": record.number,
        "seed": work.seed,
        "split": record.split,
        "split_reason": PURPOSES[record.split],  # type: ignore[index]
        **plan.ground_truth(),
        "contact_errors": scene.measures["contact_errors"],
    }
    if record.fact:
        (other,) = set(record.names) - {scene.name}
        truth["pair"] = {"fact": record.fact, "other": other}
    write_json(_truth_file(work.out, scene.name), truth)
    write_clip(work.out, scene.name, motion.positions, motion.rotations, plan.captions)


# --- In order, by any number of processes --------------------------------------------------------


def _make(
    work: Work, wanted: int, workers: int, progress: Progress | None
) -> tuple[DrawRecord, ...]:
    """Records of the scenes that count: in order, until enough passed or too many were drawn."""
    path = work.out / RECORDS
    known = {
        number: record for number, record in read_records(path).items() if _is_there(work, record)
    }
    write_records(path, known.values())
    counted: list[DrawRecord] = []
    kept = drawn = 0
    most = ceil(wanted * (1 + SPARE))
    with path.open("a", encoding="utf-8") as journal:
        for record in _in_order(work, known, workers):
            if kept >= wanted or drawn >= most:
                break
            if record.number not in known:
                journal.write(record.line() + "\n")
                journal.flush()
            if kept + len(record.scenes) > wanted:
                continue  # a pair, where one clip is needed
            counted.append(record)
            drawn += len(record.scenes)
            kept += len(record.scenes) * record.kept
            if progress is not None:
                progress(kept, wanted)
    return tuple(counted)


def _in_order(work: Work, known: Mapping[int, DrawRecord], workers: int) -> Iterator[DrawRecord]:
    """Records of scenes 0, 1, 2 ...: those that are known, and those that are made now."""
    return _one_by_one(work, known) if workers == 1 else _side_by_side(work, known, workers)


def _one_by_one(work: Work, known: Mapping[int, DrawRecord]) -> Iterator[DrawRecord]:
    threads = torch.get_num_threads()
    _use_one_thread()
    try:
        for number in count():
            yield known.get(number) or make_draw(work, number)
    finally:
        torch.set_num_threads(threads)


def _side_by_side(
    work: Work, known: Mapping[int, DrawRecord], workers: int
) -> Iterator[DrawRecord]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker) as pool:
        waiting: deque[DrawRecord | Future[DrawRecord]] = deque()
        try:
            for number in count():
                waiting.append(known.get(number) or pool.submit(make_draw, work, number))
                if len(waiting) == _AHEAD * workers:
                    first = waiting.popleft()
                    yield first if isinstance(first, DrawRecord) else first.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C is for the process that waits; and nobody works for one that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _use_one_thread()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _use_one_thread() -> None:
    torch.set_num_threads(1)  # sums of several threads are rounded otherwise


# --- The folder ----------------------------------------------------------------------------------


def _sources(
    clips: int, seed: int, salsa: str | Path | None, grapplemap: str | Path | None
) -> tuple[SourceClips, ...]:
    given = (("salsa", salsa, SALSA_SHARE), ("grappling", grapplemap, GRAPPLING_SHARE))
    return tuple(
        choose_clips(kind, Path(folder), round(share * clips), seed)
        for kind, folder, share in given
        if folder is not None
    )


def _settings(seed: int, families: tuple[str, ...] | None) -> dict[str, Any]:
    return {
        "dataset": "open",
        "dataset_version": DATASET_VERSION,
        "seed": seed,
        "families": None if families is None else list(families),
        "intermask_version": __version__,
        "code_sha256": code_checksum(),
        "bank": {
            "version": VERSION,
            "sha256": hashlib.sha256(BANK_FILE.read_bytes()).hexdigest(),
        },
    }


def _begin(out: Path, settings: dict[str, Any]) -> None:
    path = out / SETTINGS
    if not path.is_file():
        check_new_folder(out)
        write_json(path, settings)
        return
    before = json.loads(path.read_text("utf-8"))
    other = [name for name in settings if before.get(name) != settings[name]]
    if other:
        told = "; ".join(f"{name} {before.get(name)}, now {settings[name]}" for name in other)
        raise UserError(
            f"{out} was begun with other settings ({told}); go on with the same ones, or give a "
            "new folder"
        )
    for folder in ("motions_processed/person1", "motions_processed/person2", "annots",
                   "ground_truth"):  # fmt: skip
        for left in (out / folder).glob(".open_*"):
            left.unlink()  # of a process that was killed while it wrote


def _is_there(work: Work, record: DrawRecord) -> bool:
    return not record.kept or all(
        file.is_file() for name in record.names for file in _files_of(work.out, name)
    )


def _files_of(out: Path, name: str) -> tuple[Path, ...]:
    motions = out / "motions_processed"
    return (
        motions / "person1" / f"{name}.npy",
        motions / "person2" / f"{name}.npy",
        out / "annots" / f"{name}.txt",
        _truth_file(out, name),
    )


def _truth_file(out: Path, name: str) -> Path:
    return out / "ground_truth" / f"{name}.json"


def _finish(
    work: Work,
    wanted: int,
    records: tuple[DrawRecord, ...],
    sources: tuple[SourceClips, ...],
    settings: dict[str, Any],
) -> OpenReport:
    write_records(work.out / RECORDS, records)
    splits: dict[str, list[str]] = {split: [] for split in PURPOSES}
    for record in records:
        if record.kept:
            splits[record.split] += record.names
    _drop_others(work.out, {name for names in splits.values() for name in names})
    for each in sources:
        for split, members in each.names.items():
            splits[split] += members
    for split, chosen in splits.items():
        write_split(work.out, split, chosen)
    counts = {split: len(chosen) for split, chosen in splits.items()}
    report = OpenReport(work.out, wanted, records, sources, counts)
    provenance = {
        "kind": "two people of a motion bank, choreographed by rules; no one performed the scenes",
        "source": "made by `intermask data make open` from the motion bank of the package",
        "licence": LICENCE,
        "body": "SMPL's 22 joints on a mean adult, 0.92 to 1.08 of its size",
        "captions": "written by grammars from what was planned, three a clip",
        "advice": NO_MIRROR,
        "clips": sum(counts.values()),
        "clips_wanted": wanted + sum(each.clips for each in sources),
        "splits": counts,
        "sources": {each.kind: each.facts() for each in sources},
        "not_given": [
            kind
            for kind in ("salsa", "grappling")
            if kind not in {source.kind for source in sources}
        ],
        **settings,
    }
    sheet = describe_dataset(provenance, records, measure_bank(load_bank()))
    judged = _judged_before(work.out, provenance)
    write_provenance(work.out, provenance)
    with atomic_path(work.out / SHEET) as temporary:
        temporary.write_text(with_section(sheet, judged) if judged else sheet, "utf-8")
    return report


def _judged_before(out: Path, provenance: Mapping[str, Any]) -> str:
    """What the datasheet that is there says of humanness, if it is about the same clips."""
    told, known = out / SHEET, out / PROVENANCE
    if not (told.is_file() and known.is_file()):
        return ""
    same = json.loads(known.read_text("utf-8")) == json.loads(json.dumps(provenance))
    return section_of(told.read_text("utf-8")) if same else ""


def _drop_others(out: Path, names: set[str]) -> None:
    """Remove clips that were made ahead and are not needed."""
    for file in sorted((out / "ground_truth").glob("open_*.json")):
        if file.stem not in names:
            for each in _files_of(out, file.stem):
                each.unlink(missing_ok=True)
