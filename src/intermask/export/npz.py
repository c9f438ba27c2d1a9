"""The project's own motion file, ``NAME.npz``: everything another program needs, and no pickles.

| key | content |
|---|---|
| ``positions`` | (2, T, 22, 3) float32, metres, y up, floor at y = 0, one world for both people |
| ``rotations`` | (2, T, 21, 3, 3) float32, relative to the parent, joints 1 to 21 |
| ``root_rotations`` | (2, T, 3, 3) float32, orientation of the pelvis in the world |
| ``fps`` | frames per second |
| ``joint_names``, ``parents`` | (22) names and parent indices (-1: root) |
| ``caption``, ``seed``, ``model`` | where the motion came from; seed -1: none |
| ``schema_version`` | 1 |
| ``frame``, ``units`` | the conventions above, as sentences |
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.errors import UserError
from intermask.files import atomic_path
from intermask.motion import Motion
from intermask.skeleton import SMPL22

SCHEMA_VERSION = 1

FRAME = (
    "right-handed, y up, floor at y=0, both people in one world; identity rotations are a T-pose "
    "that faces +z with left along +x; rotations are relative to the parent, root_rotations to "
    "the world"
)
UNITS = "metres, frames per second"

_SHAPES: dict[str, tuple[int | None, ...]] = {
    "positions": (2, None, SMPL22.joint_count, 3),
    "rotations": (2, None, SMPL22.joint_count - 1, 3, 3),
    "root_rotations": (2, None, 3, 3),
}
_REQUIRED = (*_SHAPES, "fps", "joint_names", "parents", "schema_version")
_ORTHONORMAL = 1e-2
_ADVICE = "give an .npz file that `intermask generate` or `intermask data` wrote"


def write_npz(motion: Motion, path: str | Path) -> Path:
    """Write a motion to ``path`` (``.npz`` is added if missing) and return the path.

    The file is whole or absent.
    """
    target = Path(path)
    if target.suffix != ".npz":
        target = target.with_name(f"{target.name}.npz")
    content: dict[str, Any] = {
        "positions": motion.positions.detach().cpu().numpy().astype(np.float32),
        "rotations": motion.rotations.detach().cpu().numpy().astype(np.float32),
        "root_rotations": motion.root_rotations.detach().cpu().numpy().astype(np.float32),
        "fps": np.float64(motion.fps),
        "joint_names": np.array(SMPL22.names),
        "parents": np.array(SMPL22.parents, dtype=np.int64),
        "caption": np.array(motion.caption),
        "seed": np.int64(-1 if motion.seed is None else motion.seed),
        "model": np.array(motion.model),
        "schema_version": np.int64(SCHEMA_VERSION),
        "frame": np.array(FRAME),
        "units": np.array(UNITS),
    }
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **content)
    return target


def read_npz(path: str | Path) -> Motion:
    """Read a motion that `write_npz` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: the file is not such a motion; the message says what is wrong with it.
    """
    source = Path(path)
    content = _load(source)
    missing = [key for key in _REQUIRED if key not in content]
    if missing:
        raise UserError(
            f"{source} is not a motion of two people: it lacks {', '.join(missing)}; {_ADVICE}"
        )
    _check_version(source, content)
    _check_skeleton(source, content)
    arrays = {key: _checked_array(source, key, content[key]) for key in _SHAPES}
    frames = {array.shape[1] for array in arrays.values()}
    if len(frames) != 1 or frames == {0}:
        counts = ", ".join(f"{key} {array.shape[1]}" for key, array in arrays.items())
        raise UserError(f"{source} must have one number of frames above zero, but has {counts}")
    _check_orthonormal(source, arrays)
    seed = int(_scalar(source, content, "seed", -1))
    return Motion(
        positions=torch.from_numpy(arrays["positions"]),
        rotations=torch.from_numpy(arrays["rotations"]),
        root_rotations=torch.from_numpy(arrays["root_rotations"]),
        fps=_frame_rate(source, content),
        caption=str(content.get("caption", "")),
        seed=None if seed < 0 else seed,
        model=str(content.get("model", "")),
    )


def _load(source: Path) -> dict[str, NDArray[Any]]:
    if source.is_dir():
        raise UserError(f"{source} is a folder; {_ADVICE}")
    if not source.exists():
        raise FileNotFoundError(f"there is no motion file {source}; check the name")
    if not zipfile.is_zipfile(source):
        raise UserError(f"{source} is not an .npz file; {_ADVICE}")
    try:
        with np.load(source, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{source} cannot be read as a motion ({error}); {_ADVICE}") from error


def _check_version(source: Path, content: dict[str, NDArray[Any]]) -> None:
    version = int(_scalar(source, content, "schema_version", 0))
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{source} has schema_version {version}, but this version reads {SCHEMA_VERSION}; "
            "read it with the version of intermask that wrote it, or write it again"
        )


def _check_skeleton(source: Path, content: dict[str, NDArray[Any]]) -> None:
    if tuple(str(name) for name in content["joint_names"].ravel()) != SMPL22.names:
        raise UserError(
            f"{source} must have the {SMPL22.joint_count} SMPL joints in this order: "
            f"{', '.join(SMPL22.names)}"
        )
    if tuple(content["parents"].ravel().tolist()) != SMPL22.parents:
        raise UserError(f"{source} must have the joint parents {SMPL22.parents}")


def _checked_array(source: Path, key: str, array: NDArray[Any]) -> NDArray[np.float32]:
    wanted = _SHAPES[key]
    fits = array.ndim == len(wanted) and all(
        size is None or size == given for size, given in zip(wanted, array.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("T" if size is None else str(size) for size in wanted)
        raise UserError(f"{key} in {source} has shape {array.shape}, expected ({expected})")
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"{key} in {source} holds {array.dtype}, expected floating-point numbers")
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).any(axis=(0, *range(2, array.ndim))).sum())
        raise UserError(f"{key} in {source} has NaN or infinite values in {count} frames")
    return np.ascontiguousarray(array, dtype=np.float32)


def _check_orthonormal(source: Path, arrays: dict[str, NDArray[np.float32]]) -> None:
    for key in ("rotations", "root_rotations"):
        matrices = arrays[key]
        product = np.swapaxes(matrices, -1, -2) @ matrices
        off = float(np.abs(product - np.eye(3, dtype=np.float32)).max())
        if off > _ORTHONORMAL or bool((np.linalg.det(matrices) < 0).any()):
            raise UserError(f"{key} in {source} are not rotation matrices (off by {off:.2g})")


def _frame_rate(source: Path, content: dict[str, NDArray[Any]]) -> float:
    fps = _scalar(source, content, "fps", 0.0)
    if not (np.isfinite(fps) and fps > 0):
        raise UserError(f"fps in {source} is {fps}, expected frames per second above zero")
    return fps


def _scalar(source: Path, content: dict[str, NDArray[Any]], key: str, default: float) -> float:
    array = content.get(key, np.array(default))
    if array.size != 1 or not np.issubdtype(array.dtype, np.number):
        raise UserError(f"{key} in {source} must be one number, but has shape {array.shape}")
    return array.item()
