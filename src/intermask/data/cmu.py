"""Import the two-person trials of CMU's motion capture database, which a user brings.

The database (mocap.cs.cmu.edu) gives skeletons and motion as ASF and AMC; conversions to BVH are
in use, too. Rates and captions come from a list of the trials, see `cmu_trials`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from intermask.data.bvh_pairs import splits_of_takes
from intermask.data.cmu_files import TrialFiles, files_of_trials, read_recordings
from intermask.data.cmu_trials import read_trials
from intermask.data.takes import ClipPlan, TakesImport, TakeWriter, pair_of_recordings
from intermask.errors import UserError
from intermask.files import atomic_folder

ACKNOWLEDGEMENT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217."
)


def import_cmu(
    folder: str | Path,
    out: str | Path,
    *,
    trials: str | Path | None = None,
    fps: float | None = None,
    unit_scale: float | None = None,
    drop_first: int | None = None,
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    plan: ClipPlan | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TakesImport:
    """Import the trials of two people that lie in a folder, as a dataset in InterHuman's layout.

    A trial that cannot be used (a partner or a skeleton is missing, a file is damaged) is left out
    and named in the report. A trial no longer than the longest clip is one clip with the captions
    of the list; parts of it, and of longer ones, get captions derived from the motion, since what
    the list says may happen outside of them.

    Args:
        folder: with ``SS.asf`` and ``SS_TT.amc``, or ``SS_TT.bvh``, at any depth.
        out: dataset folder to make.
        trials: a list of trials in TOML, see `read_trials`; by default all of the database.
        fps, unit_scale: see `read_recordings`.
        drop_first: frames to drop; by default `TrialFiles.lead_in`.
        validation, test: names of trials, such as ``18_19_02``, that are held out; by default
            those that the list holds out.
        plan: how trials are cut.
        progress: called with trials done and trials in all.

    Raises:
        FileNotFoundError: there is no file of any trial.
        UserError: no trial can be used, or ``out`` exists.
    """
    complete, lacking = files_of_trials(folder, read_trials(trials))
    complete = _held_out(complete, validation, test)
    left_out = [f"{name}: {reason}" for name, reason in lacking.items()]
    used: list[TrialFiles] = []
    with atomic_folder(out) as target:
        writer = TakeWriter(target, plan)
        for number, files in enumerate(complete, 1):
            try:
                people = read_recordings(files, fps, unit_scale)
                lead_in = files.lead_in if drop_first is None else drop_first
                take = pair_of_recordings(people, drop_first=lead_in)
            except UserError as error:
                left_out.append(f"{files.trial.name}: {error}")
            else:
                name = f"cmu_{files.trial.name}"
                writer.add(name, files.trial.split, take, files.trial.text)
                used.append(files)
            if progress is not None:
                progress(number, len(complete))
        if not used:
            raise UserError(f"{folder} holds no trial that can be used ({left_out[0]})")
        writer.finish(
            {
                "kind": "motion capture of two people in one world",
                "source": "CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu",
                "licence": "free for research and commercial use; the data itself may not be "
                "resold, converted or not",
                "acknowledgement": ACKNOWLEDGEMENT,
                "captions": "stated: written from the database's list of trials, by people who "
                "did not see the motion; derived: from the geometry of the motion by rules",
                "files": {f"cmu_{files.trial.name}": files.names for files in used},
                "left_out": left_out,
            }
        )
    return TakesImport(Path(out), tuple(writer.reports), tuple(left_out))


def _held_out(
    complete: Sequence[TrialFiles], validation: Sequence[str], test: Sequence[str]
) -> list[TrialFiles]:
    """Trials with their splits: as asked for, else as listed, unless one would be left empty."""
    splits = {files.trial.split for files in complete}
    if not validation and not test and {"train", "val"} <= splits:
        return list(complete)
    chosen = splits_of_takes([files.trial.name for files in complete], validation, test)
    return [
        replace(files, trial=replace(files.trial, split=chosen[files.trial.name]))
        for files in complete
    ]
