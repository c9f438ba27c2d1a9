"""Joint positions of Inter-X motion from the 55 rest joints of SMPL-X.

The losses compare joints, never skin, so of the licensed body model only ``J_regressor``,
``v_template`` and ``kintree_table`` are read: shape parameters are zero throughout, and then the
rest joints are ``J_regressor @ v_template`` (method, section 2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from intermask.errors import UserError
from intermask.geometry import rows6d_to_matrix

JOINT_COUNT = 55
"""Root, 21 body joints, jaw, two eyes, 15 joints for each hand."""

TRANSLATION_ROW = 55
"""Row of an Inter-X frame (56, 6) with translation and its velocity; rows 0..54 are rotations."""

BODY_MODEL = "SMPLX_NEUTRAL.npz"
"""The file of the licensed body model, which everybody fetches for themselves."""

BODY_MODEL_PLACES = (
    BODY_MODEL,
    f"body_models/smplx/{BODY_MODEL}",
    f"body_models/{BODY_MODEL}",
    f"smplx/{BODY_MODEL}",
)
"""Where it is looked for in a data folder."""

_ARRAYS = ("J_regressor", "v_template", "kintree_table")
_WHERE = f"download {BODY_MODEL} from https://smpl-x.is.tue.mpg.de (licence needed)"


@dataclass(frozen=True)
class RestBody:
    """Rest pose of a body model: where the joints are, and which joint hangs on which.

    Attributes:
        positions: (j, 3) float32 metres, y up.
        parents: index of every joint's parent, -1 for the root, parents before children.
    """

    positions: Tensor
    parents: tuple[int, ...]

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) for every joint but the root."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def generations(self) -> tuple[tuple[int, ...], ...]:
        """Joints by their distance from the root, so that siblings are posed in one step."""
        depth: list[int] = []
        for parent in self.parents:
            depth.append(0 if parent < 0 else depth[parent] + 1)
        return tuple(
            tuple(joint for joint, own in enumerate(depth) if own == level)
            for level in range(max(depth) + 1)
        )


def find_body_model(folders: Iterable[Path]) -> Path | None:
    """The first body model in one of several folders, if there is one; see `BODY_MODEL_PLACES`."""
    places = (folder / place for folder in folders for place in BODY_MODEL_PLACES)
    return next((path for path in places if path.is_file()), None)


def load_rest_body(path: Path) -> RestBody:
    """Read the rest joints from SMPL-X's ``.npz``, without unpickling anything.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: the file is pickled, or is not SMPL-X with 55 joints.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no SMPL-X body model at {path}: {_WHERE}")
    regressor, template, tree = _read_arrays(path)
    if (
        regressor.ndim != 2
        or template.shape != (regressor.shape[1], 3)
        or regressor.shape[0] != JOINT_COUNT
        or tree.shape != (2, JOINT_COUNT)
    ):
        raise UserError(
            f"{path} is not an SMPL-X body model: J_regressor {regressor.shape}, v_template "
            f"{template.shape}, kintree_table {tree.shape}; expected (55, v), (v, 3), (2, 55): "
            f"{_WHERE}"
        )
    # The root's parent is written as 2^32 - 1.
    parents = (-1, *(int(parent) for parent in tree[0, 1:]))
    if any(not 0 <= parent < child for child, parent in enumerate(parents) if child > 0):
        raise UserError(f"{path}: kintree_table puts a child before its parent: {_WHERE}")
    rest = np.asarray(regressor, np.float64) @ np.asarray(template, np.float64)
    return RestBody(torch.from_numpy(rest.astype(np.float32)), parents)


def _read_arrays(path: Path) -> list[NDArray[np.generic]]:
    """The numeric arrays of the body model; pickled content is refused, never executed."""
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise _not_an_archive(path) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise _not_an_archive(path)
    with archive:
        missing = [name for name in _ARRAYS if name not in archive.files]
        if missing:
            raise UserError(f"{path} has no {', '.join(missing)}, so it is not SMPL-X: {_WHERE}")
        try:
            return [archive[name] for name in _ARRAYS]
        except ValueError as error:
            raise UserError(
                f"{path} holds pickled objects where numbers were expected in "
                f"{', '.join(_ARRAYS)}; pickles can run code and are not read: {_WHERE}"
            ) from error


def _not_an_archive(path: Path) -> UserError:
    return UserError(
        f"{path} is not an .npz archive of arrays (a .pkl body model is pickled, which can run "
        f"code, and is not read): {_WHERE}"
    )


def joint_positions(motion: Tensor, body: RestBody) -> Tensor:
    """Joint positions (..., 55, 3) in metres of Inter-X frames by forward kinematics.

    Args:
        motion: (..., 56, 6): 55 rotations as their first two matrix rows, then the translation
            in metres and its velocity.
        body: rest joints. Nothing hangs on jaw and eyes, so rotations 22..24 have no effect.
    """
    rest = body.positions.to(motion)
    local = rows6d_to_matrix(motion[..., :TRANSLATION_ROW, :])
    parents = torch.tensor(body.parents, device=motion.device)
    translation = motion[..., TRANSLATION_ROW, :3]

    # Joints are appended generation by generation; `place[joint]` is where a joint was appended.
    root = list(body.generations[0])
    rotations = local[..., root, :, :]
    positions = rest[root] + translation[..., None, :]
    order = root
    for generation in body.generations[1:]:
        place = {joint: index for index, joint in enumerate(order)}
        joints = list(generation)
        above = [place[body.parents[joint]] for joint in joints]
        offsets = rest[joints] - rest[parents[joints]]
        turned = rotations[..., above, :, :]
        positions = torch.cat(
            (positions, positions[..., above, :] + (turned @ offsets[..., None])[..., 0]), -2
        )
        rotations = torch.cat((rotations, turned @ local[..., joints, :, :]), -3)
        order = order + joints
    back = sorted(range(len(order)), key=order.__getitem__)
    return positions[..., back, :]
