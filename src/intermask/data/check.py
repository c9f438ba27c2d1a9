"""Look through a dataset folder: what is there, what training could not use, what to know.

Nothing is changed. Problems (training would skip or refuse the clip) and notes (fine, but worth
knowing) name the clip.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from intermask import geometry, representation
from intermask.conventions import MIN_FRAMES
from intermask.data.findings import (
    BoneDrift,
    CheckReport,
    Finding,
    SplitFacts,
    caption_findings,
    count_findings,
    has_many_words,
    list_findings,
)
from intermask.data.interx import is_interx
from intermask.data.interx_check import check_interx
from intermask.data.layout import SPLITS, Clip, InterHumanFolder
from intermask.errors import UserError
from intermask.kinematics import bone_length_drift
from intermask.motion import FPS
from intermask.skeleton import SMPL22

logger = logging.getLogger(__name__)

LONGEST_FRAMES = 300
"""Longer clips are cropped at random (method, section 1)."""
BONE_DRIFT = 0.05
"""Deviation of a bone's length over its mean, over a clip, from which bones stretch visibly."""


@dataclass
class _Bones:
    """Drift of every bone, collected clip by clip."""

    sums: Tensor = field(default_factory=lambda: torch.zeros(len(SMPL22.bones)))
    worst: Tensor = field(default_factory=lambda: torch.zeros(len(SMPL22.bones)))
    clips: list[str] = field(default_factory=lambda: [""] * len(SMPL22.bones))
    count: int = 0

    def add(self, name: str, drift: Tensor) -> None:
        self.sums = self.sums + drift
        self.count += 1
        for bone in torch.nonzero(drift > self.worst).flatten().tolist():
            self.clips[bone] = name
        self.worst = torch.maximum(self.worst, drift)

    def facts(self) -> tuple[BoneDrift, ...]:
        if not self.count:
            return ()
        rows = [
            BoneDrift(_bone_name(i), float(self.sums[i]) / self.count, float(worst), self.clips[i])
            for i, worst in enumerate(self.worst)
        ]
        return tuple(sorted(rows, key=lambda row: -row.worst))


def check_dataset(
    root: str | Path,
    *,
    is_too_long: Callable[[str], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Read every clip of every split of a folder in InterHuman's or Inter-X's layout.

    Args:
        root: the dataset folder.
        is_too_long: whether a text encoder would cut a caption; by default the number of its words
            decides (`LONG_CAPTION_WORDS`).
        progress: called with clips done and clips in all.

    Raises:
        FileNotFoundError: not a dataset folder, or none of its splits has a list.
    """
    too_long = is_too_long or has_many_words
    if is_interx(Path(root)):
        return check_interx(root, too_long, progress)
    folder = InterHumanFolder(root)
    names = _split_names(folder)
    there = {path.stem for path in (folder.motions / "person1").glob("*.npy")}
    findings = list(list_findings(folder.root / "split", names, there, set(folder.ignored())))
    bones = _Bones()
    counts: dict[str, int] = {}
    splits = []
    total, done = sum(map(len, names.values())), 0
    for split, members in names.items():
        frames, usable, captions = [], 0, 0
        for name in members:
            clip, found = _look_at(folder, name, too_long)
            findings += found
            usable += not any(each.is_problem for each in found)
            if clip is not None:
                frames.append(clip.loaded.shape[1])
                captions += len(clip.captions)
                counts[name] = len(clip.captions)
                bones.add(name, _bone_drift(clip))
            done += 1
            if progress is not None:
                progress(done, total)
        splits.append(SplitFacts(split, len(members), usable, captions, tuple(frames)))
    findings += count_findings(counts)
    return CheckReport(folder.root, folder.people, tuple(splits), bones.facts(), tuple(findings))


def _split_names(folder: InterHumanFolder) -> dict[str, tuple[str, ...]]:
    listed = [s for s in SPLITS if (folder.root / "split" / f"{s}.txt").is_file()]
    return {split: folder.names(split) for split in listed or SPLITS}  # without any: an error


def _look_at(
    folder: InterHumanFolder, name: str, too_long: Callable[[str], bool]
) -> tuple[Clip | None, list[Finding]]:
    """A clip, if it can be read, and what is to say about it."""
    try:
        clip = folder.read(name)
    except FileNotFoundError as error:
        return None, [Finding("missing file", name, str(error), True)]
    except UserError as error:
        kind = "NaN" if "NaN" in str(error) else "corrupt file"
        return None, [Finding(kind, name, str(error), True)]
    findings = list(_motion_findings(folder, clip))
    if folder.people == 2 or clip.captions:  # single-person data has none
        path = folder.root / "annots" / f"{clip.name}.txt"
        findings += caption_findings(path, clip.name, clip.captions, too_long)
    if not clip.loaded.shape[1]:
        return None, findings
    return clip, findings + _drift_findings(name, _bone_drift(clip))


def _motion_findings(folder: InterHumanFolder, clip: Clip) -> Iterator[Finding]:
    frames = clip.loaded.shape[1]
    if frames <= MIN_FRAMES:
        yield Finding("too short", clip.name, f"{frames} frames of {MIN_FRAMES + 1}", True)
    elif frames > LONGEST_FRAMES:
        yield Finding("long", clip.name, f"{frames / FPS:.1f} s; cropped at random", False)
    lengths = [
        len(np.load(folder.motions / f"person{person + 1}" / f"{clip.name}.npy", mmap_mode="r"))
        for person in range(folder.people)
    ]
    if len(set(lengths)) > 1:
        detail = f"{lengths[0]} and {lengths[1]} frames; cut to the shorter"
        yield Finding("unequal lengths", clip.name, detail, False)
    if frames:
        positions = representation.z_up_to_y_up(representation.split_loaded(clip.loaded)[0])
        upright = geometry.hips_are_upright(positions[:, 0])
        for person in torch.nonzero(~upright).flatten().tolist():
            detail = f"person {person + 1} starts lying on a side; the spine tells where they face"
            logger.info("%s: %s", clip.name, detail)
            yield Finding("facing fallback", clip.name, detail, False)


def _bone_drift(clip: Clip) -> Tensor:
    """Deviation over mean (21,) of each bone's length, of the worse person."""
    positions = representation.split_loaded(clip.loaded)[0]
    return bone_length_drift(positions).amax(0)


def _drift_findings(name: str, drift: Tensor) -> list[Finding]:
    worst = int(drift.argmax())
    if float(drift[worst]) <= BONE_DRIFT:
        return []
    detail = f"{_bone_name(worst)} varies by {100 * float(drift[worst]):.1f} %"
    return [Finding("bone drift", name, detail, False)]


def _bone_name(bone: int) -> str:
    parent, child = SMPL22.bones[bone]
    return f"{SMPL22.names[parent]} to {SMPL22.names[child]}"
