"""Clips of two people that words can tell apart, for evaluators that learn in seconds."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from intermask.data.layout import write_clip, write_split
from intermask.motion import Motion
from intermask.skeleton import SMPL22
from intermask.smplx import TRANSLATION_ROW
from people55 import walking_smplx, write_interx_clip, write_list, write_text
from walking import walking_pair

KINDS = {
    "near": "Two people walk closely together.",
    "far": "Two people walk many metres apart.",
    "still": "Two people stand still like statues.",
    "low": "Two people crouch low on the floor.",
    "left": "Both people step to the left.",
    "right": "Both people step to the right.",
    "slow": "Two people creep slowly forwards.",
    "hop": "Two people jump up and down.",
}


def write_kinds(root: Path, train: int = 3, validation: int = 1, frames: int = 48) -> Path:
    """A dataset with so many clips of each kind in its splits, of different people and lengths.

    All clips of a kind share their one caption.
    """
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number, split in enumerate(_splits(train, validation)):
        for kind, caption in KINDS.items():
            motion = _changed(walking_pair(frames + 4 * number, seed=number), kind)
            name = f"{kind}_{number}"
            write_clip(root, name, motion.positions, motion.rotations, [caption])
            splits[split].append(name)
    for split, names in splits.items():
        write_split(root, split, names)
    return root


def write_kinds_interx(root: Path, train: int = 3, validation: int = 1, frames: int = 48) -> Path:
    """The same kinds in Inter-X's layout, with people of `people55`."""
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number, split in enumerate(_splits(train, validation)):
        for kind, caption in KINDS.items():
            name = f"{kind}_{number}"
            loaded = _changed_loaded(walking_smplx(frames + 4 * number, number), kind)
            write_interx_clip(root, split, name, loaded)
            write_text(root, name, [caption])
            splits[split].append(name)
    for split, names in splits.items():
        write_list(root, split, names)
    return root


def _splits(train: int, validation: int) -> list[str]:
    return ["train"] * train + ["val"] * validation + ["test"] * validation


def _changed_loaded(loaded: Tensor, kind: str) -> Tensor:
    """Loaded arrays (2, t, 56, 3) of Inter-X, changed as `_changed` does."""
    time = torch.arange(loaded.shape[1]) / 30.0
    if kind == "slow":
        loaded = loaded[:, torch.arange(loaded.shape[1]) // 3]
    if kind == "still":
        loaded = loaded[:, :1].expand_as(loaded)
    loaded = loaded.clone()
    places = loaded[:, :, TRANSLATION_ROW]
    match kind:
        case "far":
            places[1, :, 2] += 4.0
        case "low":
            places[..., 1] -= 0.5
        case "left" | "right":
            side = 1.0 if kind == "left" else -1.0
            places[..., 0] += side * torch.tensor([1.0, -1.0])[:, None] * time
        case "hop":
            places[..., 1] += 0.4 * torch.sin(9.0 * time).clamp_min(0)
    return loaded


def _changed(motion: Motion, kind: str) -> Motion:
    positions, frames = motion.positions.clone(), motion.frames
    time = torch.arange(frames) / 30.0
    match kind:
        case "far":
            positions[1, ..., 2] += 4.0
        case "still":
            positions = positions[:, :1].expand_as(positions).clone()
        case "low":
            positions[..., 1] *= 0.4
        case "left" | "right":
            side = 1.0 if kind == "left" else -1.0
            positions[0, ..., 0] += side * time[:, None]
            positions[1, ..., 0] -= side * time[:, None]
        case "slow":
            half = torch.arange(frames) // 3
            positions = positions[:, half]
        case "hop":
            positions[..., 1] += 0.4 * torch.sin(9.0 * time).clamp_min(0)[:, None]
    assert positions.shape[2] == SMPL22.joint_count
    return Motion(positions, motion.rotations, motion.root_rotations)
