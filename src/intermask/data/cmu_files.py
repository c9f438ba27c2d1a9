"""Which files of a folder are CMU's two-person trials, and how each of them is read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from intermask.data.amc_file import parse_amc
from intermask.data.asf_file import INCH_M, parse_asf
from intermask.data.bvh_file import BvhFile, parse_bvh
from intermask.data.bvh_joints import bvh_pose, rest_joints
from intermask.data.bvh_mapping import resolve_mapping
from intermask.data.bvh_units import TYPICAL_HEIGHT_M, rest_height
from intermask.data.cmu_trials import CmuTrial
from intermask.data.takes import Recording
from intermask.errors import UserError

_MOTION = re.compile(r"^0*(\d+)_0*(\d+)\.(amc|bvh)(\.gz)?$", re.IGNORECASE)
_SKELETON = re.compile(r"^0*(\d+)\.asf(\.gz)?$", re.IGNORECASE)

BVH_UNITS_M = (0.01, INCH_M / 0.45, 1.28)
"""Metres of one unit in conversions of the database to BVH: Hahne's for DAZ (centimetres) and for
MotionBuilder (the database's own unit), and the first of these shrunk to a 128th."""
BVH_LEAD_IN = 8
"""Frames of a conversion to BVH that are a T-pose or blend from it."""
LENGTH_DIFFERENCE_S = 0.25
"""By so much the files of a trial may differ in length; more, and one is cut short or another."""


@dataclass(frozen=True)
class TrialFiles:
    """The files of one trial: motion of subjects A and B, and for AMC their skeletons."""

    trial: CmuTrial
    motions: tuple[Path, Path]
    skeletons: tuple[Path, Path] | None

    @property
    def names(self) -> list[str]:
        """File names, for provenance."""
        return [path.name for path in (*self.motions, *(self.skeletons or ()))]

    @property
    def lead_in(self) -> int:
        """First frames that are no motion: conversions to BVH begin with a T-pose."""
        return BVH_LEAD_IN if self.skeletons is None else 0


def files_of_trials(
    folder: str | Path, trials: Sequence[CmuTrial]
) -> tuple[list[TrialFiles], dict[str, str]]:
    """Trials with all their files, and what the others lack, by the trial's name.

    Files may lie anywhere below the folder: ``SS.asf`` and ``SS_TT.amc`` as CMU gives them, or
    ``SS_TT.bvh``, each also gzipped. AMC is taken where there are both. Trials without any file
    are not mentioned.

    Raises:
        FileNotFoundError: there is no file of any trial.
        UserError: two files of one name and kind.
    """
    found = _Found(Path(folder))
    complete: list[TrialFiles] = []
    lacking: dict[str, str] = {}
    for trial in trials:
        files = found.files(trial)
        if isinstance(files, TrialFiles):
            complete.append(files)
        elif files:
            lacking[trial.name] = files
    if not complete and not lacking:
        subjects = sorted({subject for trial in trials for subject in trial.people})
        raise FileNotFoundError(
            f"There are no files of two-person trials in {folder}; expected SS.asf and SS_TT.amc, "
            f"or SS_TT.bvh, of the subjects {', '.join(map(str, subjects))}."
        )
    return complete, lacking


def read_recordings(
    files: TrialFiles, fps: float | None = None, unit_scale: float | None = None
) -> tuple[Recording, Recording]:
    """Both people of a trial in the world of the capture, from the same first frame on.

    Args:
        fps: by default the list's rate; what BVH files state is wrong.
        unit_scale: metres of a file's unit; by default what the skeleton says, or for BVH the unit
            of the known conversion that makes people of human size.

    Raises:
        UserError: a damaged file, or two of different lengths; they are named.
    """
    rate = files.trial.fps if fps is None else fps
    people = []
    for person, motion in enumerate(files.motions):
        if files.skeletons is None:
            bvh = parse_bvh(motion)
            scale = _bvh_unit(bvh) if unit_scale is None else unit_scale
            people.append(Recording(bvh, bvh_pose(bvh), rate, scale))
        else:
            skeleton = parse_asf(files.skeletons[person])
            scale = skeleton.metres_per_unit if unit_scale is None else unit_scale
            people.append(Recording(skeleton, parse_amc(motion, skeleton), rate, scale))
    first, second = people
    counts = len(first.pose.rotations), len(second.pose.rotations)
    if abs(counts[0] - counts[1]) > LENGTH_DIFFERENCE_S * rate:
        raise UserError(
            f"{files.motions[0].name} has {counts[0]} frames and {files.motions[1].name} "
            f"{counts[1]}; files of one trial are of the same length, copy them again"
        )
    return first, second


def _bvh_unit(file: BvhFile) -> float:
    height = rest_height(rest_joints(file, resolve_mapping(file, None)))
    if height <= 0:
        return BVH_UNITS_M[0]
    return min(BVH_UNITS_M, key=lambda unit: abs(math.log(height * unit / TYPICAL_HEIGHT_M)))


class _Found:
    """Motion files by (subject, trial, kind) and skeletons by subject."""

    def __init__(self, folder: Path) -> None:
        self.motions: dict[tuple[int, int, str], Path] = {}
        self.skeletons: dict[int, Path] = {}
        for path in sorted(folder.rglob("*")):
            if match := _MOTION.match(path.name):
                key = int(match[1]), int(match[2]), match[3].lower()
                self._only(path, self.motions.get(key))
                self.motions[key] = path
            elif match := _SKELETON.match(path.name):
                self._only(path, self.skeletons.get(int(match[1])))
                self.skeletons[int(match[1])] = path

    @staticmethod
    def _only(path: Path, other: Path | None) -> None:
        if other is not None:
            raise UserError(f"{other} and {path} are of the same name; leave one of them in place.")

    def files(self, trial: CmuTrial) -> TrialFiles | str:
        """The trial's files, or what they lack, or "" without any."""
        first, second = trial.people
        lacking = ""
        for kind in ("amc", "bvh"):
            paths = [self.motions.get((who, trial.number, kind)) for who in trial.people]
            if not any(paths):
                continue
            if paths[0] is None or paths[1] is None:
                here, there = (first, second) if paths[0] else (second, first)
                number = f"{trial.number:02d}.{kind}"
                lacking += f"{here:02d}_{number} has no partner {there:02d}_{number}; "
            elif kind == "bvh":
                return TrialFiles(trial, (paths[0], paths[1]), None)
            else:
                bare = [who for who in trial.people if who not in self.skeletons]
                if not bare:
                    skeletons = self.skeletons[first], self.skeletons[second]
                    return TrialFiles(trial, (paths[0], paths[1]), skeletons)
                names = " and ".join(f"{who:02d}.asf" for who in bare)
                lacking += f"there is no {names}, the skeleton of {paths[0].name}; "
        return f"{lacking}put the file beside the others" if lacking else ""
