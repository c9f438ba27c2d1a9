"""Import single-person motion for the tokenizer, which sees one person at a time.

Input: a folder of ``NAME.npz`` with ``joints22 (t, 22, 3)`` metres, y-up, ``fps``, and optionally
``rotations22 (t, 22, 4)``, quaternions w first, relative to the parent, the root's first.
Output: InterHuman's layout with ``person1`` only and no captions.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.data.bvh_file import Array
from intermask.data.bvh_rest import rest_corrections
from intermask.data.capture_faults import (
    faulty_frames,
    resample_positions,
    resample_rotations,
    runs_of,
)
from intermask.data.layout import write_clip, write_provenance, write_split
from intermask.data.retarget import retarget
from intermask.data.takes import floor_height
from intermask.errors import UserError
from intermask.files import atomic_folder
from intermask.geometry import quaternion_to_matrix
from intermask.kinematics import bone_offsets, global_rotations
from intermask.motion import FPS
from intermask.skeleton import FEET, SMPL22, rest_positions

MINIMUM_FRAMES = 32
FAULT_MARGIN_FRAMES = 2
AIRBORNE_M = 0.35  # nobody jumps with both feet this high for longer than AIRBORNE_S
AIRBORNE_S = 0.6
FLOOR_SHARE = 0.25  # people climb and jump: the floor is under the lower of their still feet


@dataclass(frozen=True)
class SingleImport:
    """Report of an import: files read, clips and seconds written, frames cut away as faulty."""

    out: Path
    files: int
    clips: int
    seconds: float
    faulty_frames: int
    dropped_frames: int
    with_rotations: int
    skipped: tuple[str, ...]

    def describe(self) -> str:
        """One sentence."""
        return (
            f"{self.files} files ({self.with_rotations} with rotations) -> {self.clips} clips, "
            f"{self.seconds / 60:.1f} minutes; {self.faulty_frames} faulty frames, "
            f"{self.dropped_frames} frames dropped in all; nothing usable in "
            f"{', '.join(self.skipped) or 'none'}; written to {self.out}"
        )


@dataclass(frozen=True)
class SinglePerson:
    """One person at 30 fps.

    positions: ``(t, 22, 3)`` metres. rotations: ``(t, 22, 3, 3)`` relative to the parent, the
    root's first, identity = T-pose facing +z; None where the file has none.
    """

    positions: Array
    rotations: Array | None


def import_single(
    folder: str | Path,
    out: str | Path,
    *,
    validation_every: int = 12,
    source: str = "",
    licence: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> SingleImport:
    """Import a folder of single-person ``.npz`` files onto the mean-adult body.

    Files are cut at faulty frames (a joint that jumps, a root that flips) and where a person hangs
    in the air, from a bar that is not in the data; pieces shorter than
    ``MINIMUM_FRAMES`` are dropped. Every ``validation_every``-th file is held out as a whole.
    """
    paths = sorted(Path(folder).glob("*.npz"))
    if not paths:
        raise FileNotFoundError(
            f"There are no .npz files in {folder}; expected NAME.npz with joints22 (t, 22, 3)."
        )
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    seconds, faulty, dropped, rotated = 0.0, 0, 0, 0
    skipped: list[str] = []
    with atomic_folder(out) as target:
        for number, path in enumerate(paths):
            person = read_single(path)
            rotated += person.rotations is not None
            frames = len(person.positions)
            bad = _faulty(person)
            pieces = _good_pieces(bad | _off_the_floor(person.positions))
            faulty += int(bad.sum())
            dropped += frames - sum(stop - start for start, stop in pieces)
            held_out = number % validation_every == validation_every - 1
            for piece, (start, stop) in enumerate(pieces):
                name = f"single_{path.stem}_{piece}"
                _write_piece(target, name, person, start, stop)
                splits["val" if held_out else "train"].append(name)
                seconds += (stop - start) / FPS
            if not pieces:
                skipped.append(path.stem)
            if progress is not None:
                progress(number + 1, len(paths))
        for split, names in splits.items():
            write_split(target, split, names)
        report = SingleImport(
            Path(out), len(paths), sum(map(len, splits.values())), seconds, faulty, dropped,
            rotated, tuple(skipped),
        )  # fmt: skip
        facts = {
            "kind": "motion capture of one person, for tokenizer training only",
            "source": source or "files given by the user",
            "licence": licence or "not stated",
            "body": "retargeted to one mean-adult skeleton with SMPL's 22 joints",
            "captions": "none",
            "report": {key: value for key, value in asdict(report).items() if key != "out"},
        }
        write_provenance(target, facts)
    return report


def npz_tables(path: str | Path) -> dict[str, NDArray[Any]]:
    """Arrays of an ``.npz`` file by name, without pickles.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return {key: np.asarray(data[key]) for key in data.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}; check the name") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as .npz: {error}. Copy it again.") from error


def read_single(path: str | Path, fps: float | None = None) -> SinglePerson:
    """Read ``joints22`` and, if they are there, ``rotations22``, and bring them to 30 fps.

    Args:
        path: of an ``.npz`` file, see the module.
        fps: the true frame rate; by default the file's.

    Raises:
        FileNotFoundError, UserError: there is no such file, or it holds something else.
    """
    tables = npz_tables(path)
    positions = tables.get("joints22")
    joints = SMPL22.joint_count
    if positions is None or positions.ndim != 3 or positions.shape[1:] != (joints, 3):
        found = "nothing" if positions is None else f"shape {positions.shape}"
        raise UserError(f"{path} needs joints22 of shape (t, {joints}, 3); found {found}.")
    positions = positions.astype(np.float64)
    if not np.isfinite(positions).all():
        raise UserError(f"{path} holds NaN or infinite positions; remove these frames first.")
    rate = float(tables.get("fps", np.array(FPS))) if fps is None else fps
    quaternions = tables.get("rotations22")
    if quaternions is None:
        return SinglePerson(resample_positions(positions, rate, FPS), None)
    if quaternions.shape != (len(positions), joints, 4):
        raise UserError(
            f"{path} needs rotations22 of shape ({len(positions)}, {joints}, 4), "
            f"found {quaternions.shape}."
        )
    quaternions = quaternions.astype(np.float64)
    unit = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    rotations = quaternion_to_matrix(torch.from_numpy(unit)).numpy()
    placed = resample_positions(positions, rate, FPS)
    return SinglePerson(placed, _rebased(placed, resample_rotations(rotations, rate, FPS)))


def _rebased(positions: Array, rotations: Array) -> Array:
    """Rotations ``(t, 22, 3, 3)`` for which identity is SMPL's T-pose, not the source's rest."""
    turned = torch.from_numpy(rotations)
    rest = bone_offsets(torch.from_numpy(positions), turned[:, 0], turned[:, 1:]).numpy()
    world = global_rotations(turned[:, 0], turned[:, 1:]).numpy() @ rest_corrections(
        rest_positions(rest)
    )
    local = world.copy()
    local[:, 1:] = np.swapaxes(world[:, list(SMPL22.parents[1:])], -1, -2) @ world[:, 1:]
    return local


def _faulty(person: SinglePerson) -> NDArray[np.bool_]:
    """Frames where a joint jumps or the root flips (the latter only where rotations are given)."""
    identity = np.broadcast_to(np.eye(3), (len(person.positions), 3, 3))
    root = identity if person.rotations is None else person.rotations[:, 0]
    return faulty_frames(person.positions, np.ascontiguousarray(root), FPS)


def _off_the_floor(positions: Array) -> NDArray[np.bool_]:
    """Frames ``(t,)`` of people who hang from a bar or climb: there is nothing under them here."""
    feet = positions[:, list(FEET), 1].min(axis=-1) - floor_height(positions[None], FLOOR_SHARE)
    result = np.zeros(len(positions), dtype=bool)
    for first, last in runs_of(feet > AIRBORNE_M, 0, 0):
        if last - first + 1 > AIRBORNE_S * FPS:
            result[first : last + 1] = True
    return result


def _good_pieces(bad: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) between faults, long enough to be of use."""
    pieces, start = [], 0
    for first, last in [*runs_of(bad, 3, FAULT_MARGIN_FRAMES), (len(bad), len(bad))]:
        if first - start >= MINIMUM_FRAMES:
            pieces.append((start, first))
        start = last + 1
    return pieces


def _write_piece(target: Path, name: str, person: SinglePerson, start: int, stop: int) -> None:
    positions = person.positions[None, start:stop].copy()
    positions[..., 1] -= floor_height(positions, FLOOR_SHARE)
    tensor = torch.from_numpy(positions)
    if person.rotations is None:
        moved = retarget(tensor)
    else:
        rotations = torch.from_numpy(person.rotations[None, start:stop])
        moved = retarget(tensor, rotations[:, :, 0], rotations[:, :, 1:])
    write_clip(target, name, moved.positions, moved.rotations, ())
