"""The project's own motion file, ``NAME.npz``: everything another program needs, and no pickles.

| key | content |
|---|---|
| ``positions`` | (2, T, 22, 3) float32, metres, y up, floor at y = 0, one world for both people |
| ``rotations`` | (2, T, 21, 3, 3) float32, relative to the parent, joints 1 to 21 |
| ``root_rotations`` | (2, T, 3, 3) float32, orientation of the pelvis in the world |
| ``fps`` | frames per second |
| ``joint_names``, ``parents`` | (22) names and parent indices (-1: root) |
| ``caption``, ``seed``, ``model`` | where the motion came from; seed -1: none |
| ``captions`` | only of a motion told in several sentences: (n) what happens |
| ``caption_seconds`` | (n, 2) from when to when each of them happens |
| ``schema_version`` | 1 |
| ``frame``, ``units`` | the conventions above, as sentences |

A motion with hands (`SMPLXMotion`) has SMPL-X's 55 joints in place of 22, 54 rotations in place of
21, and the arguments of the public ``smplx`` package under their own names, one row a frame. What
``smplx.create(..., model_type="smplx", use_pca=False, flat_hand_mean=True, batch_size=T)`` makes
takes those of one person as they are:

| key | content |
|---|---|
| ``global_orient``, ``transl`` | (2, T, 3) rotation vector in radians; metres |
| ``body_pose`` | (2, T, 63) 21 rotation vectors |
| ``left_hand_pose``, ``right_hand_pose`` | (2, T, 45) 15 rotation vectors each, flat hand at 0 |
| ``jaw_pose``, ``leye_pose``, ``reye_pose`` | (2, T, 3) |
| ``betas``, ``expression`` | (2, T, 10) zero |
| ``rest_pelvis`` | (3) metres, where the body model's pelvis rests; ``transl`` counts from there |
"""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.errors import UserError
from intermask.files import atomic_path, with_ending
from intermask.geometry import matrix_to_axis_angle
from intermask.motion import Caption, Motion, SMPLXMotion
from intermask.skeleton import SMPL22, SMPLX55, Skeleton

SCHEMA_VERSION = 1

FRAME = (
    "right-handed, y up, floor at y=0, both people in one world; identity rotations are a T-pose "
    "that faces +z with left along +x; rotations are relative to the parent, root_rotations to "
    "the world"
)
UNITS = "metres, frames per second"

_ARRAYS = ("positions", "rotations", "root_rotations")
_REQUIRED = (*_ARRAYS, "fps", "joint_names", "parents", "schema_version")
SMPLX_POSES = {
    "global_orient": (0, 1),
    "body_pose": (1, 22),
    "jaw_pose": (22, 23),
    "leye_pose": (23, 24),
    "reye_pose": (24, 25),
    "left_hand_pose": (25, 40),
    "right_hand_pose": (40, 55),
}
"""Arguments of the ``smplx`` package and the joints, first and behind the last, that they turn."""
_COEFFICIENTS = 10  # of shape and expression, as many as ``smplx`` has if not told otherwise

_ORTHONORMAL = 1e-2
_ADVICE = "give an .npz file that `intermask generate` or `intermask data` wrote"


def write_npz(motion: Motion, path: str | Path) -> Path:
    """Write a motion to ``path`` (``.npz`` is added if missing) and return the path.

    The file is whole or absent.
    """
    target = with_ending(path, ".npz")
    content: dict[str, Any] = {
        "positions": motion.positions.detach().cpu().numpy().astype(np.float32),
        "rotations": motion.rotations.detach().cpu().numpy().astype(np.float32),
        "root_rotations": motion.root_rotations.detach().cpu().numpy().astype(np.float32),
        "fps": np.float64(motion.fps),
        "joint_names": np.array(motion.skeleton.names),
        "parents": np.array(motion.skeleton.parents, dtype=np.int64),
        "caption": np.array(motion.caption),
        "seed": np.int64(-1 if motion.seed is None else motion.seed),
        "model": np.array(motion.model),
        "schema_version": np.int64(SCHEMA_VERSION),
        "frame": np.array(FRAME),
        "units": np.array(UNITS),
    }
    if motion.captions:
        content["captions"] = np.array([each.text for each in motion.captions])
        spans = [(each.start, each.end) for each in motion.captions]
        content["caption_seconds"] = np.array(spans, dtype=np.float64)
    if isinstance(motion, SMPLXMotion):
        content |= smplx_parameters(motion)
        content["rest_pelvis"] = np.array(motion.rest_pelvis, dtype=np.float64)
    with atomic_path(target) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **content)
    return target


def smplx_parameters(motion: SMPLXMotion) -> dict[str, NDArray[np.float32]]:
    """The arguments of the ``smplx`` package by name, (2, t, ...) each; see the module."""
    matrices = torch.cat((motion.root_rotations[:, :, None], motion.rotations), 2)
    vectors = matrix_to_axis_angle(matrices.detach().cpu().double())
    parameters = {
        name: vectors[:, :, first:stop].flatten(2) for name, (first, stop) in SMPLX_POSES.items()
    }
    parameters["transl"] = motion.translations.detach().cpu()
    for name in ("betas", "expression"):
        parameters[name] = vectors.new_zeros(2, motion.frames, _COEFFICIENTS)
    return {name: value.numpy().astype(np.float32) for name, value in parameters.items()}


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
    skeleton = _checked_skeleton(source, content)
    shapes = _shapes(skeleton)
    arrays = {key: _checked_array(source, key, content[key], shapes[key]) for key in _ARRAYS}
    frames = {array.shape[1] for array in arrays.values()}
    if len(frames) != 1 or frames == {0}:
        counts = ", ".join(f"{key} {array.shape[1]}" for key, array in arrays.items())
        raise UserError(f"{source} must have one number of frames above zero, but has {counts}")
    _check_orthonormal(source, arrays)
    seed = int(_scalar(source, content, "seed", -1))
    motion = Motion if skeleton is SMPL22 else _with_rest_pelvis(source, content)
    return motion(
        positions=torch.from_numpy(arrays["positions"]),
        rotations=torch.from_numpy(arrays["rotations"]),
        root_rotations=torch.from_numpy(arrays["root_rotations"]),
        fps=_frame_rate(source, content),
        caption=str(content.get("caption", "")),
        seed=None if seed < 0 else seed,
        model=str(content.get("model", "")),
        captions=_captions(source, content),
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
    if version > SCHEMA_VERSION:
        raise UserError(
            f"{source} has schema_version {version}, this program reads up to {SCHEMA_VERSION}; "
            "update intermask (pip install --upgrade)"
        )
    if version < 1:
        raise UserError(f"{source} has schema_version {version}, expected 1 or more; {_ADVICE}")


def _checked_skeleton(source: Path, content: dict[str, NDArray[Any]]) -> Skeleton:
    names = tuple(str(name) for name in content["joint_names"].ravel())
    skeleton = SMPLX55 if len(names) == SMPLX55.joint_count else SMPL22
    if names != skeleton.names:
        raise UserError(
            f"{source} must have the {skeleton.joint_count} "
            f"{'SMPL' if skeleton is SMPL22 else 'SMPL-X'} joints in this order: "
            f"{', '.join(skeleton.names)}"
        )
    if tuple(content["parents"].ravel().tolist()) != skeleton.parents:
        raise UserError(f"{source} must have the joint parents {skeleton.parents}")
    return skeleton


def _shapes(skeleton: Skeleton) -> dict[str, tuple[int | None, ...]]:
    return {
        "positions": (2, None, skeleton.joint_count, 3),
        "rotations": (2, None, skeleton.joint_count - 1, 3, 3),
        "root_rotations": (2, None, 3, 3),
    }


def _with_rest_pelvis(source: Path, content: dict[str, NDArray[Any]]) -> partial[SMPLXMotion]:
    """`SMPLXMotion` with the place that a file says its pelvis rests at."""
    rest = content.get("rest_pelvis", np.zeros(0))
    if rest.shape != (3,) or not np.isfinite(rest.astype(np.float64)).all():
        raise UserError(f"rest_pelvis in {source} must be three numbers (metres); {_ADVICE}")
    x, y, z = rest.astype(np.float64).tolist()
    return partial(SMPLXMotion, rest_pelvis=(x, y, z))


def _checked_array(
    source: Path, key: str, array: NDArray[Any], wanted: tuple[int | None, ...]
) -> NDArray[np.float32]:
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


def _captions(source: Path, content: dict[str, NDArray[Any]]) -> tuple[Caption, ...]:
    texts = content.get("captions", np.zeros(0, dtype=np.str_))
    spans = content.get("caption_seconds", np.zeros((0, 2)))
    numbers = np.issubdtype(spans.dtype, np.number) and bool(np.isfinite(spans).all())
    if texts.ndim != 1 or spans.shape != (len(texts), 2) or not numbers:
        raise UserError(
            f"captions in {source} have shape {texts.shape} and caption_seconds {spans.shape}; "
            "expected (n,) sentences and their (n, 2) first and last seconds"
        )
    return tuple(
        Caption(str(text), float(start), float(end))
        for text, (start, end) in zip(texts, spans, strict=True)
    )


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
