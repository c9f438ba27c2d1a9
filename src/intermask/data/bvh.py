"""Import pairs of BVH files (two people in one world frame) as a dataset in InterHuman's layout.

Steps: parse, drop the first frames, bridge capture faults, map to SMPL's 22 joints, bring to
30 fps, set the floor, move both people onto the mean-adult body, cut into clips, caption, write.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from intermask.data.bvh_file import Array, BvhFile, parse_bvh
from intermask.data.bvh_joints import BvhPose, SmplJoints, bvh_joints, bvh_pose
from intermask.data.bvh_mapping import JointMapping, resolve_mapping
from intermask.data.captions import CaptionStyle, captions_of_clips
from intermask.data.capture_faults import (
    CaptureFaults,
    bridge_faults,
    bridge_positions,
    bridge_rotations,
    resample_positions,
    resample_rotations,
)
from intermask.data.layout import SPLITS, write_clip, write_provenance, write_split
from intermask.data.retarget import Retargeted, retarget
from intermask.errors import UserError
from intermask.files import atomic_folder
from intermask.motion import FPS
from intermask.skeleton import SMPL22

__all__ = [
    "BvhFile",
    "BvhImport",
    "BvhPair",
    "ClipPlan",
    "ImportedPair",
    "JointMapping",
    "bvh_joints",
    "cut_into_clips",
    "import_bvh",
    "import_bvh_pair",
    "pairs_from_table",
    "parse_bvh",
]

logger = logging.getLogger(__name__)

STANDING_FOOT_HEIGHT_M = 0.02  # height of SMPL's foot joint (the ball) over the sole
STILL_FOOT_M = 0.01  # a foot that moves less than this from frame to frame at 30 fps stands
_FEET = SMPL22.indices("left_foot", "right_foot")


@dataclass(frozen=True)
class ImportedPair:
    """Two people of one take on SMPL's joints, before they are moved onto another body.

    positions: ``(2, t, 22, 3)`` metres, y-up, floor 0, 30 fps. root_rotations: ``(2, t, 3, 3)``.
    rotations: ``(2, t, 21, 3, 3)`` parent-relative, identity = T-pose facing +z. faults: found in
    each person, in frames of ``source_fps`` after the dropped ones.
    """

    positions: Array
    root_rotations: Array
    rotations: Array
    faults: tuple[CaptureFaults, CaptureFaults]
    source_fps: float


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


@dataclass(frozen=True)
class ClipPlan:
    """How a take is cut: clip lengths in seconds, used in turn, and the step between starts.

    A take shorter than the shortest length is one clip; one shorter than ``minimum_seconds`` is
    left out.
    """

    lengths_seconds: tuple[float, ...] = (5.0, 8.0, 4.0, 6.0, 3.0, 7.0, 10.0)
    step_seconds: float = 1.5
    minimum_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.step_seconds <= 0 or not self.lengths_seconds or min(self.lengths_seconds) <= 0:
            raise UserError(f"A clip plan needs positive lengths and a positive step, got {self}.")


@dataclass(frozen=True)
class TakeReport:
    """What became of one take. Contact errors: see `retarget.Retargeted`."""

    name: str
    split: str
    seconds: float
    clips: int
    bridged_frames: tuple[int, int]
    flagged_frames: tuple[int, int]
    remaining_faults: tuple[int, int]
    longest_bridge_seconds: float
    contact_error_before_mm: float
    contact_error_after_mm: float
    limb_error_before_mm: float
    limb_error_after_mm: float


@dataclass(frozen=True)
class BvhImport:
    """Report of an import: takes, clips and seconds of all clips (they overlap)."""

    out: Path
    takes: tuple[TakeReport, ...]

    @property
    def clips(self) -> int:
        """Number of clips written."""
        return sum(take.clips for take in self.takes)

    @property
    def seconds(self) -> float:
        """Seconds of motion in the takes."""
        return sum(take.seconds for take in self.takes)

    @property
    def bridged_frames(self) -> int:
        """Source frames replaced, both people."""
        return sum(sum(take.bridged_frames) for take in self.takes)

    def describe(self) -> str:
        """A table, one line a take, and the totals."""
        lines = ["take         split   seconds  clips  bridged frames  contact error mm (limbs)"]
        for take in self.takes:
            lines.append(
                f"{take.name:12s} {take.split:5s} {take.seconds:9.1f} {take.clips:6d} "
                f"{take.bridged_frames[0]:7d} {take.bridged_frames[1]:6d}  "
                f"{take.contact_error_before_mm:5.1f} -> {take.contact_error_after_mm:4.1f} "
                f"({take.limb_error_before_mm:.1f} -> {take.limb_error_after_mm:.1f})"
                + (f"  FAULTS LEFT {take.remaining_faults}" if any(take.remaining_faults) else "")
            )
        lines.append(
            f"{len(self.takes)} takes, {self.seconds / 60:.1f} minutes, {self.clips} clips; "
            f"{self.bridged_frames} faulty source frames bridged; written to {self.out}"
        )
        return "\n".join(lines)


def import_bvh_pair(
    path_a: str | Path,
    path_b: str | Path,
    *,
    fps: float | None = None,
    unit_scale: float = 1.0,
    drop_first: int = 0,
    mapping: JointMapping | str | Path | None = None,
) -> ImportedPair:
    """Read two BVH files of one world frame as SMPL joints at 30 fps.

    Args:
        fps: the true frame rate; by default the header's (which is often wrong).
        unit_scale: metres per file unit.
        drop_first: source frames to drop (a blend from the T-pose, say).
        mapping: built-in name, file or object; by default found from the joints' names.
    """
    people, faults, rates = [], [], []
    for path in (path_a, path_b):
        file = parse_bvh(path)
        rate = file.header_fps if fps is None else fps
        if rate <= 0:
            raise UserError(f"The frame rate must be positive, got {rate:g}.")
        if not 0 <= drop_first < len(file.frames) - 1:
            raise UserError(
                f"{path} has {len(file.frames)} frames; {drop_first} cannot be dropped from it."
            )
        joints, found = _repaired_joints(file, mapping, unit_scale, drop_first, rate)
        people.append(joints)
        faults.append(found)
        rates.append(rate)
    if abs(rates[0] - rates[1]) > 0.01 * rates[0]:
        raise UserError(
            f"{path_a} states {rates[0]:.4g} frames a second and {path_b} {rates[1]:.4g}; "
            "state the true rate (--fps)."
        )
    frames = min(len(person.positions) for person in people)
    positions = np.stack([person.positions[:frames] for person in people])
    positions[..., 1] -= floor_height(positions)
    return ImportedPair(
        positions,
        np.stack([person.root_rotations[:frames] for person in people]),
        np.stack([person.rotations[:frames] for person in people]),
        (faults[0], faults[1]),
        rates[0],
    )


def _repaired_joints(
    file: BvhFile,
    mapping: JointMapping | str | Path | None,
    unit_scale: float,
    drop_first: int,
    fps: float,
) -> tuple[SmplJoints, CaptureFaults]:
    """Bridge faults at the source rate, on the file's own joints, then bring to 30 fps."""
    chosen = resolve_mapping(file, mapping)
    raw = bvh_pose(file)
    pose = BvhPose(raw.translations[drop_first:], raw.rotations[drop_first:])

    def bridged(runs: list[tuple[int, int]]) -> BvhPose:
        return BvhPose(
            bridge_positions(pose.translations, runs), bridge_rotations(pose.rotations, runs)
        )

    def look(runs: list[tuple[int, int]]) -> tuple[Array, Array]:
        joints = bvh_joints(file, chosen, unit_scale, bridged(runs) if runs else pose)
        return joints.positions, joints.root_rotations

    faults = bridge_faults(look, len(pose.rotations), fps)
    clean = bridged(list(faults.runs))
    resampled = BvhPose(
        resample_positions(clean.translations, fps, FPS),
        resample_rotations(clean.rotations, fps, FPS),
    )
    return bvh_joints(file, chosen, unit_scale, resampled), faults


def floor_height(positions: Array, share: float = 0.5) -> float:
    """Height of the floor under people ``(p, t, 22, 3)`` at 30 fps, in their own coordinates.

    The lowest foot stands on it whenever it is still; the median forgives toes that dip, which
    the minimum would take for the floor and leave everybody hovering. share: the quantile of the
    heights of still feet; lower than a half where people also stand on things.
    """
    feet = positions[:, :, _FEET]
    lowest = feet[..., 1].argmin(axis=-1)
    height = feet[..., 1].min(axis=-1)
    steps = np.linalg.norm(np.diff(feet, axis=1), axis=-1)
    still = np.take_along_axis(steps, lowest[:, :-1, None], axis=-1)[..., 0] < STILL_FOOT_M
    standing = height[:, :-1][still]
    if standing.size < 5:
        return float(positions[..., 1].min())
    return float(np.quantile(standing, share)) - STANDING_FOOT_HEIGHT_M


def cut_into_clips(
    frames: int, plan: ClipPlan | None = None, avoid: Iterable[int] = ()
) -> list[tuple[int, int]]:
    """(start, stop) frames at 30 fps of the clips of one take; clips overlap.

    avoid: frames that no clip may hold (faults that could not be bridged).
    """
    plan = ClipPlan() if plan is None else plan
    blocked = np.zeros(frames + 1, dtype=np.intp)
    blocked[[frame + 1 for frame in avoid if frame < frames]] = 1
    blocked = blocked.cumsum()
    minimum = round(plan.minimum_seconds * FPS)
    shortest = round(min(plan.lengths_seconds) * FPS)
    if frames < shortest:
        whole = frames >= minimum and blocked[frames] == 0
        return [(0, frames)] if whole else []
    clips: list[tuple[int, int]] = []
    step = plan.step_seconds * FPS
    for number in range(int((frames - shortest) // step) + 1):
        start = round(number * step)
        wanted = round(plan.lengths_seconds[number % len(plan.lengths_seconds)] * FPS)
        stop = min(start + wanted, frames)
        if blocked[stop] == blocked[start]:
            clips.append((start, stop))
    return clips


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
    unit_scale: float = 1.0,
    drop_first: int = 0,
    mapping: JointMapping | str | Path | None = None,
    plan: ClipPlan | None = None,
    style: CaptionStyle | None = None,
    source: str = "",
    licence: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> BvhImport:
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
    reports: list[TakeReport] = []
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    caption_source: dict[str, str] = {}
    with atomic_folder(out) as folder:
        for pair in pairs:
            take = import_bvh_pair(
                pair.file_a,
                pair.file_b,
                fps=fps,
                unit_scale=unit_scale,
                drop_first=drop_first,
                mapping=mapping,
            )
            moved = _onto_mean_adult(take)
            clips = _write_take(folder, pair, take, moved, plan, style)
            splits[pair.split] += clips
            for name in clips:
                caption_source[name] = "stated+derived" if pair.caption else "derived"
            reports.append(_take_report(pair, take, moved, len(clips)))
            logger.info("%s: %d clips", pair.name, len(clips))
            if progress is not None:
                progress(len(reports), len(pairs))
        for split, members in splits.items():
            write_split(folder, split, members)
        write_provenance(
            folder, _provenance(pairs, reports, caption_source, style, source, licence)
        )
    return BvhImport(Path(out), tuple(reports))


def _onto_mean_adult(take: ImportedPair) -> Retargeted:
    return retarget(
        torch.from_numpy(take.positions),
        torch.from_numpy(take.root_rotations),
        torch.from_numpy(take.rotations),
    )


def _write_take(
    folder: Path,
    pair: BvhPair,
    take: ImportedPair,
    moved: Retargeted,
    plan: ClipPlan | None,
    style: CaptionStyle,
) -> list[str]:
    frames = moved.positions.shape[1]
    cuts = cut_into_clips(frames, plan, _faults_at_30(take))
    derived = captions_of_clips(moved.positions.double().numpy(), cuts, style, key=pair.name)
    names = []
    for number, ((start, stop), captions) in enumerate(zip(cuts, derived, strict=True)):
        name = f"{pair.name}_{number:03d}"
        if pair.caption:
            captions = (pair.caption, *captions[1:])
        positions: Tensor = moved.positions[:, start:stop]
        write_clip(folder, name, positions, moved.rotations[:, start:stop], captions)
        names.append(name)
    return names


def _faults_at_30(take: ImportedPair) -> list[int]:
    """Frames at 30 fps that touch a fault that could not be bridged."""
    frames: set[int] = set()
    for faults in take.faults:
        for frame in faults.remaining:
            at = frame * FPS / take.source_fps
            frames |= {int(np.floor(at)), int(np.ceil(at))}
    return sorted(frames)


def _take_report(pair: BvhPair, take: ImportedPair, moved: Retargeted, clips: int) -> TakeReport:
    first, second = take.faults
    return TakeReport(
        name=pair.name,
        split=pair.split,
        seconds=take.positions.shape[1] / FPS,
        clips=clips,
        bridged_frames=(first.bridged, second.bridged),
        flagged_frames=(first.flagged, second.flagged),
        remaining_faults=(len(first.remaining), len(second.remaining)),
        longest_bridge_seconds=max(f.longest_bridge_seconds for f in take.faults),
        contact_error_before_mm=moved.contact_error_before_mm,
        contact_error_after_mm=moved.contact_error_after_mm,
        limb_error_before_mm=moved.limb_error_before_mm,
        limb_error_after_mm=moved.limb_error_after_mm,
    )


def _provenance(
    pairs: Sequence[BvhPair],
    reports: Sequence[TakeReport],
    caption_source: dict[str, str],
    style: CaptionStyle,
    source: str,
    licence: str,
) -> dict[str, Any]:
    return {
        "kind": "motion capture of two people, imported from BVH",
        "source": source or "BVH files given by the user",
        "licence": licence or "not stated",
        "body": "retargeted to one mean-adult skeleton with SMPL's 22 joints",
        "captions": "derived from the geometry of the motion by rules, not written by people"
        + ("; a take's own sentence comes first" if any(p.caption for p in pairs) else ""),
        "captions_source": caption_source,
        "activity": style.activity,
        "files": {pair.name: [pair.file_a.name, pair.file_b.name] for pair in pairs},
        "takes": [asdict(report) for report in reports],
    }
