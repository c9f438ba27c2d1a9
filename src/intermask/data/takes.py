"""Takes of two people, read from capture files of any format, to clips in InterHuman's layout.

Steps: drop the first frames, bridge capture faults, map to SMPL's 22 joints, bring to 30 fps, set
the floor, move both people onto the mean-adult body, cut into clips, caption, write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from intermask.data.bvh_file import Array, JointTree
from intermask.data.bvh_joints import BvhPose, SmplJoints, smpl_joints
from intermask.data.bvh_mapping import resolve_mapping
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
from intermask.data.mapping_file import JointMapping
from intermask.data.retarget import Retargeted, retarget
from intermask.errors import UserError
from intermask.motion import FPS
from intermask.skeleton import SMPL22

logger = logging.getLogger(__name__)

STANDING_FOOT_HEIGHT_M = 0.02  # height of SMPL's foot joint (the ball) over the sole
STILL_FOOT_M = 0.01  # a foot that moves less than this from frame to frame at 30 fps stands
_FEET = SMPL22.indices("left_foot", "right_foot")
LARGEST_PART = 0.8  # a clip with more of a take than this would be the take again


@dataclass(frozen=True)
class Recording:
    """One person of a take, as captured.

    pose: of the joints of ``tree``, t frames. fps: the true frame rate. unit_scale: metres per
    unit of the file.
    """

    tree: JointTree
    pose: BvhPose
    fps: float
    unit_scale: float = 1.0


@dataclass(frozen=True)
class ImportedPair:
    """Two people of one take on SMPL's joints, before they are moved onto another body.

    positions: ``(2, t, 22, 3)`` metres, y-up, floor 0, 30 fps. root_rotations: ``(2, t, 3, 3)``.
    rotations: ``(2, t, 21, 3, 3)`` parent-relative, identity = T-pose facing +z. faults: found in
    each person, in frames of ``source_fps`` after the dropped ones. notes: what was found out about
    the files and not stated by anybody, a sentence each.
    """

    positions: Array
    root_rotations: Array
    rotations: Array
    faults: tuple[CaptureFaults, CaptureFaults]
    source_fps: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TakeText:
    """What may be said of a take.

    style: words for sentences derived from the motion. always: a sentence that is true at any
    moment, or ""; it comes first for every clip. whole: sentences that are true of the take from
    beginning to end, for a clip that holds all of it.
    """

    style: CaptionStyle
    always: str = ""
    whole: tuple[str, ...] = ()


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
class TakesImport:
    """Report of an import: takes, clips and seconds of all clips (they overlap).

    left_out: takes that could not be used, one sentence each, with their names. notes: what was
    found out about the files, one sentence each.
    """

    out: Path
    takes: tuple[TakeReport, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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
        return "\n".join([*self.notes, *lines, *(f"left out: {each}" for each in self.left_out)])


def pair_of_recordings(
    people: Sequence[Recording],
    *,
    drop_first: int = 0,
    mapping: JointMapping | str | Path | None = None,
) -> ImportedPair:
    """Two people of one world frame as SMPL joints at 30 fps; the longer one is cut.

    Args:
        people: two recordings that start at the same moment.
        drop_first: source frames to drop (a blend from the T-pose, say).
        mapping: built-in name, file or object; by default found from the joints' names.
    """
    first, second = people
    if abs(first.fps - second.fps) > 0.01 * first.fps:
        raise UserError(
            f"{first.tree.source} states {first.fps:.4g} frames a second and "
            f"{second.tree.source} {second.fps:.4g}; state the true rate (--fps)."
        )
    repaired = [repaired_joints(person, drop_first, mapping) for person in people]
    joints = [each for each, _ in repaired]
    frames = min(len(person.positions) for person in joints)
    positions = np.stack([person.positions[:frames] for person in joints])
    positions[..., 1] -= floor_height(positions)
    return ImportedPair(
        positions,
        np.stack([person.root_rotations[:frames] for person in joints]),
        np.stack([person.rotations[:frames] for person in joints]),
        (repaired[0][1], repaired[1][1]),
        first.fps,
    )


def repaired_joints(
    person: Recording,
    drop_first: int = 0,
    mapping: JointMapping | str | Path | None = None,
) -> tuple[SmplJoints, CaptureFaults]:
    """Bridge faults at the source rate, on the file's own joints, then bring to 30 fps.

    Raises:
        UserError: no frame rate, or fewer frames than are to be dropped.
    """
    if person.fps <= 0:
        raise UserError(f"The frame rate must be positive, got {person.fps:g}.")
    frames = len(person.pose.rotations)
    if not 0 <= drop_first < frames:
        raise UserError(
            f"{person.tree.source} has {frames} frames; {drop_first} cannot be dropped from it."
        )
    tree, fps, scale = person.tree, person.fps, person.unit_scale
    chosen = resolve_mapping(tree, mapping)
    pose = BvhPose(person.pose.translations[drop_first:], person.pose.rotations[drop_first:])

    def bridged(runs: list[tuple[int, int]]) -> BvhPose:
        return BvhPose(
            bridge_positions(pose.translations, runs), bridge_rotations(pose.rotations, runs)
        )

    def look(runs: list[tuple[int, int]]) -> tuple[Array, Array]:
        joints = smpl_joints(tree, bridged(runs) if runs else pose, chosen, scale)
        return joints.positions, joints.root_rotations

    faults = bridge_faults(look, len(pose.rotations), fps)
    clean = bridged(list(faults.runs))
    resampled = BvhPose(
        resample_positions(clean.translations, fps, FPS),
        resample_rotations(clean.rotations, fps, FPS),
    )
    return smpl_joints(tree, resampled, chosen, scale), faults


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


class TakeWriter:
    """Writes takes into a dataset folder, one after the other, and keeps account of them.

    Args:
        folder: the dataset folder.
        plan: how takes are cut.
    """

    def __init__(self, folder: Path, plan: ClipPlan | None = None) -> None:
        self.folder = folder
        self.plan = ClipPlan() if plan is None else plan
        self.reports: list[TakeReport] = []
        self.splits: dict[str, list[str]] = {split: [] for split in SPLITS}
        self.caption_source: dict[str, str] = {}

    def add(self, name: str, split: str, take: ImportedPair, text: TakeText) -> None:
        """Move a take onto the mean-adult body and write its clips, all of one split.

        Clips of one take overlap and must not meet across splits.
        """
        moved = _onto_mean_adult(take)
        clips = self._write_clips(name, take, moved, text)
        self.splits[split] += clips
        self.reports.append(_take_report(name, split, take, moved, len(clips)))
        logger.info("%s: %d clips", name, len(clips))

    def finish(self, facts: dict[str, Any]) -> None:
        """Write the lists of the splits, and ``provenance.json`` with ``facts`` and the reports."""
        for split, members in self.splits.items():
            write_split(self.folder, split, members)
        own = {
            "body": "retargeted to one mean-adult skeleton with SMPL's 22 joints",
            "captions_source": self.caption_source,
            "takes": [asdict(report) for report in self.reports],
        }
        write_provenance(self.folder, {**facts, **own})

    def _write_clips(
        self, name: str, take: ImportedPair, moved: Retargeted, text: TakeText
    ) -> list[str]:
        cuts = self._cuts(take, bool(text.whole))
        derived = captions_of_clips(moved.positions.double().numpy(), cuts, text.style, key=name)
        clips = []
        for number, ((start, stop), captions) in enumerate(zip(cuts, derived, strict=True)):
            clip = f"{name}_{number:03d}"
            source, stated = "derived", tuple(captions)
            if text.whole and stop - start == take.positions.shape[1]:
                source, stated = "stated", text.whole
            elif text.always:
                source, stated = "stated+derived", (text.always, *captions[1:])
            write_clip(
                self.folder,
                clip,
                moved.positions[:, start:stop],
                moved.rotations[:, start:stop],
                stated,
            )
            self.caption_source[clip] = source
            clips.append(clip)
        return clips

    def _cuts(self, take: ImportedPair, want_whole: bool) -> list[tuple[int, int]]:
        """Clips of a take; with the whole take first if it is wanted and no longer than a clip."""
        frames = take.positions.shape[1]
        avoid = _faults_at_30(take)
        cuts = cut_into_clips(frames, self.plan, avoid)
        longest = round(max(self.plan.lengths_seconds) * FPS)
        shortest = round(self.plan.minimum_seconds * FPS)
        if not want_whole or avoid or not shortest <= frames <= longest:
            return cuts
        parts = [cut for cut in cuts if cut[1] - cut[0] <= LARGEST_PART * frames]
        return [(0, frames), *parts]


def _onto_mean_adult(take: ImportedPair) -> Retargeted:
    return retarget(
        torch.from_numpy(take.positions),
        torch.from_numpy(take.root_rotations),
        torch.from_numpy(take.rotations),
    )


def _faults_at_30(take: ImportedPair) -> list[int]:
    """Frames at 30 fps that touch a fault that could not be bridged."""
    frames: set[int] = set()
    for faults in take.faults:
        for frame in faults.remaining:
            at = frame * FPS / take.source_fps
            frames |= {int(np.floor(at)), int(np.ceil(at))}
    return sorted(frames)


def _take_report(
    name: str, split: str, take: ImportedPair, moved: Retargeted, clips: int
) -> TakeReport:
    first, second = take.faults
    return TakeReport(
        name=name,
        split=split,
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
