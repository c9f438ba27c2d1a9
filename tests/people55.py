"""People of SMPL-X made by formulas: a body of a person's proportions, and a pair that walks.

The recorded ``synthetic_SMPLX_NEUTRAL.npz`` holds random numbers, which is fine for parity; this
one looks like a person and can be drawn.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from intermask.geometry import matrix_to_axis_angle
from intermask.representation_smplx import encode, to_joint_grid
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, SMPLX55, rest_positions
from intermask.smplx import BODY_MODEL, RestBody, joint_positions
from walking import walking_pair

CAPTIONS = ("Two people shake hands.", "One person waves and the other one walks to the left.")

REST_PELVIS = (0.003, -0.35, 0.012)
"""Metres; as in SMPL-X, the pelvis does not rest at the origin."""

# Metres from the left wrist to the first joint of each finger, and from joint to joint.
_FINGERS = {
    "index": ((0.098, -0.008, 0.024), (0.033, -0.002, 0.002), (0.022, -0.001, 0.001)),
    "middle": ((0.104, -0.006, 0.001), (0.034, -0.002, 0.0), (0.024, -0.001, 0.0)),
    "pinky": ((0.085, -0.013, -0.038), (0.022, -0.002, -0.004), (0.017, -0.001, -0.002)),
    "ring": ((0.096, -0.008, -0.020), (0.031, -0.002, -0.002), (0.022, -0.001, -0.001)),
    "thumb": ((0.028, -0.014, 0.028), (0.026, -0.006, 0.022), (0.022, -0.003, 0.012)),
}


def rest_joints() -> np.ndarray:
    """(55, 3) metres."""
    joints = np.zeros((SMPLX55.joint_count, 3))
    joints[:22] = rest_positions(MEAN_ADULT_OFFSETS) + REST_PELVIS
    offsets = {"jaw": (0.0, 0.02, 0.02)}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        offsets[f"{side}_eye_smplhf"] = (0.032 * sign, 0.07, 0.075)
        for finger, steps in _FINGERS.items():
            for knuckle, (x, y, z) in enumerate(steps, start=1):
                offsets[f"{side}_{finger}{knuckle}"] = (x * sign, y, z)
    for name, offset in offsets.items():
        joint = SMPLX55.index(name)
        joints[joint] = joints[SMPLX55.parents[joint]] + offset
    return joints


def write_body_model(folder: Path) -> Path:
    """``SMPLX_NEUTRAL.npz`` with the three arrays that are read; every joint is a vertex."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BODY_MODEL
    joints = rest_joints()
    tree = np.array((SMPLX55.parents, range(len(joints))), dtype=np.int64)
    tree[0, 0] = 2**32 - 1
    np.savez(path, J_regressor=np.eye(len(joints)), v_template=joints, kintree_table=tree)
    return path


def walking_smplx(frames: int = 60, seed: int = 0) -> Tensor:
    """Loaded arrays (2, t, 56, 3) of `walking_pair` whose hands open and close."""
    motion = walking_pair(frames, seed)
    turns = torch.cat((motion.root_rotations[:, :, None], motion.rotations), 2)
    loaded = torch.zeros(2, frames, 56, 3)
    loaded[:, :, :22] = matrix_to_axis_angle(turns)
    curl = 0.4 - 0.4 * torch.cos(2 * math.pi * torch.arange(frames) / 40 + seed)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        for finger in ("index", "middle", "ring", "pinky"):
            for knuckle in (1, 2, 3):
                loaded[:, :, SMPLX55.index(f"{side}_{finger}{knuckle}"), 2] = sign * curl
    loaded[:, :, 55] = motion.positions[:, :, SMPL22.index("pelvis")] - torch.tensor(REST_PELVIS)
    # This body is not as large as those of `walking_pair`: put it on the floor.
    body = RestBody(torch.from_numpy(rest_joints()).float(), SMPLX55.parents)
    joints = joint_positions(to_joint_grid(encode(loaded)), body)
    loaded[:, :, 55, 1] -= joints[..., 1].amin((1, 2))[:, None]
    return loaded


def write_interx(root: Path, train: int = 3, validation: int = 2, frames: int = 52) -> Path:
    """A small dataset in the released layout, with a body model of formulas beside it."""
    names = [f"G001T000A{number:03d}R000" for number in range(train + validation)]
    splits = {"train": names[:train], "val": names[train:], "test": names[-1:]}
    for split, members in splits.items():
        for name in members:
            number = names.index(name)
            write_interx_clip(root, split, name, walking_smplx(frames + 4 * number, number))
            write_text(root, name, [line_of(caption) for caption in CAPTIONS])
        write_list(root, split, members)
    write_body_model(root)
    return root


def write_interx_clip(root: Path, split: str, name: str, loaded: Tensor) -> None:
    """Add or replace a clip (2, t, 56, 3) in the motion file of a split."""
    path = root / "motions" / f"{split}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        file[name] = np.concatenate(loaded.numpy(), -1)


def line_of(caption: str) -> str:
    """A caption as the release writes it."""
    words = " ".join(f"{word}/NOUN" for word in caption.rstrip(".").lower().split())
    return f"{caption}#{words}#0.0#0.0"


def write_text(root: Path, name: str, lines: list[str], ending: str = "\n") -> None:
    """A clip's text file."""
    path = root / "texts_processed" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{ending}" for line in lines).encode())


def write_list(root: Path, split: str, names: list[str], ending: str = "\n") -> None:
    """The list of a split."""
    path = root / "splits" / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{name}{ending}" for name in names).encode())
