"""Write people as files of SMPL-H or SMPL-X bodies in the layout of AMASS, one file a person.

AMASS is **z-up**: the world is turned by a quarter about x, so (x, y, z) here is (x, -z, y) there,
and somebody who faces +z here faces -y there. All other files of this program are y-up.

| key | content |
|---|---|
| ``poses`` | (T, 156) or, for SMPL-X, (T, 165) rotation vectors: pelvis, 21 body joints, (jaw, two eyes,) 15 joints of the left hand, 15 of the right |
| ``trans`` | (T, 3) metres; the pelvis is at ``trans + rest_pelvis`` |
| ``betas`` | (16) zero: the mean body |
| ``gender`` | ``neutral`` |
| ``mocap_framerate``, ``mocap_frame_rate`` | frames a second (the older and the newer name) |
| ``surface_model_type`` | ``smplh`` or ``smplx`` |
| ``dmpls`` | SMPL-H: (T, 8) zero |
| ``root_orient``, ``pose_body``, ``pose_jaw``, ``pose_eye``, ``pose_hand`` | SMPL-X: parts of ``poses``, as AMASS's SMPL-X files have them |
| ``rest_pelvis`` | (3) metres, where the pelvis of the mean body rests |
| ``frame`` | these conventions, as a sentence |

Hands of a motion without fingers are flat (zero). Rotations are those of the motion, so joint
angles are right whatever the size; a body with other bones than the motion's people (``betas``
are zero) has its pelvis where theirs is, and its hands and feet nearby.
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from intermask.export.rig import rig_of
from intermask.files import atomic_path
from intermask.geometry import matrix_to_axis_angle
from intermask.motion import Motion, SMPLXMotion
from intermask.skeleton import SMPL22, SMPLX55

BodyModel = Literal["smplh", "smplx"]

REST_PELVIS: dict[BodyModel, tuple[float, float, float]] = {
    "smplh": (-0.002, -0.223, 0.028),
    "smplx": (0.003, -0.351, 0.012),
}
"""Metres: where the pelvis of the neutral mean body rests, to a millimetre.

Published numbers of the licensed models, which this program neither has nor needs.
"""

UP = np.array(((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))
"""Takes y-up to AMASS's z-up."""

_FRAME = (
    "AMASS: right-handed, metres, z up, floor at z=0; poses are rotation vectors relative to the "
    "parent; the pelvis is at trans + rest_pelvis; betas 0"
)
_BETAS = 16
_FIRST_OF_HANDS = 25  # of the joints of SMPL-X
_PARTS = {
    "root_orient": (0, 1),
    "pose_body": (1, 22),
    "pose_jaw": (22, 23),
    "pose_eye": (23, 25),
    "pose_hand": (25, 55),
}


def write_amass(motion: Motion, stem: str | Path, model: BodyModel) -> tuple[Path, Path]:
    """Write ``STEM_1_smplh.npz`` and ``STEM_2_smplh.npz`` (or ``smplx``) and return their paths.

    Args:
        motion: any motion; people with hands keep them.
        stem: path without an ending.
        model: which body.
    """
    base = Path(stem)
    paths = tuple(base.with_name(f"{base.name}_{person + 1}_{model}.npz") for person in range(2))
    for person, path in enumerate(paths):
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **amass_arrays(motion, person, model))
    return paths[0], paths[1]


def amass_arrays(motion: Motion, person: int, model: BodyModel) -> dict[str, Any]:
    """What a file of one person (0 or 1) holds; see the module."""
    rig = rig_of(motion, person)
    rotations = rig.rotations.copy()
    rotations[:, 0] = UP @ rotations[:, 0]
    vectors = matrix_to_axis_angle(torch.from_numpy(rotations)).numpy()
    joints = np.zeros((motion.frames, SMPLX55.joint_count, 3))
    joints[:, : vectors.shape[1]] = vectors
    rest = np.array(_rest_pelvis(motion, model))
    content: dict[str, Any] = {
        "trans": rig.root_positions @ UP.T - rest,
        "betas": np.zeros(_BETAS),
        "gender": np.array("neutral"),
        "mocap_framerate": np.float64(motion.fps),
        "mocap_frame_rate": np.float64(motion.fps),
        "surface_model_type": np.array(model),
        "rest_pelvis": rest,
        "frame": np.array(_FRAME),
    }
    if model == "smplh":
        chosen = [*range(SMPL22.joint_count), *range(_FIRST_OF_HANDS, SMPLX55.joint_count)]
        content["poses"] = joints[:, chosen].reshape(motion.frames, -1)
        content["dmpls"] = np.zeros((motion.frames, 8))
        return content
    content["poses"] = joints.reshape(motion.frames, -1)
    content["num_betas"] = np.int64(_BETAS)
    content["mocap_time_length"] = np.float64(motion.seconds)
    for name, (first, stop) in _PARTS.items():
        content[name] = joints[:, first:stop].reshape(motion.frames, -1)
    return content


def _rest_pelvis(motion: Motion, model: BodyModel) -> tuple[float, float, float]:
    """That of the body model that a motion with hands was made with, else the published one."""
    if model == "smplx" and isinstance(motion, SMPLXMotion) and any(motion.rest_pelvis):
        return motion.rest_pelvis
    return REST_PELVIS[model]
