"""Read the BVH files of people who share one world, and find out what the files do not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intermask.data.bvh_file import Array, BvhFile, parse_bvh
from intermask.data.bvh_joints import BvhPose, bvh_pose, mapped_positions, rest_joints
from intermask.data.bvh_mapping import resolve_mapping
from intermask.data.bvh_units import guess_unit, rest_height, upright_turn
from intermask.data.mapping_file import JointMapping
from intermask.data.takes import Recording
from intermask.errors import UserError


@dataclass(frozen=True)
class BvhPeople:
    """People of one world, y up.

    recordings: one a file. notes: what was found out and not stated, a sentence each.
    """

    recordings: tuple[Recording, ...]
    mappings: tuple[JointMapping, ...]
    notes: tuple[str, ...]


def read_bvh_people(
    paths: Sequence[str | Path],
    *,
    fps: float | None = None,
    unit_scale: float | None = None,
    mapping: JointMapping | str | Path | None = None,
) -> BvhPeople:
    """Read files of one world.

    Args:
        paths: one file a person.
        fps: the true frame rate; by default the headers', which are often wrong.
        unit_scale: metres of one unit; by default guessed from the people's size.
        mapping: built-in name, file or object; by default found from the joints' names.

    Raises:
        UserError: a damaged file, or joints that are not recognised.
    """
    files = [parse_bvh(path) for path in paths]
    mappings = tuple(resolve_mapping(file, mapping) for file in files)
    rests = [rest_joints(file, chosen) for file, chosen in zip(files, mappings, strict=True)]
    poses = [bvh_pose(file) for file in files]
    notes = [f"joints by {name}" for name in dict.fromkeys(chosen.name for chosen in mappings)]
    if unit_scale is None:
        height = float(np.mean([rest_height(rest) for rest in rests]))
        if height <= 0:
            raise UserError(f"{files[0].source}: the bones of the rest pose have no length.")
        unit = guess_unit(height, mappings[0].name)
        unit_scale = unit.metres
        notes.append(unit.describe())
    turn = _common_turn(files, mappings, rests, poses)
    if not np.array_equal(turn, np.eye(3)):
        notes.append("another axis than y is up; everything is turned so that y is")
        poses = [_turned(pose, turn) for pose in poses]
    recordings = tuple(
        Recording(file, pose, file.header_fps if fps is None else fps, unit_scale)
        for file, pose in zip(files, poses, strict=True)
    )
    return BvhPeople(recordings, mappings, tuple(notes))


def _common_turn(
    files: Sequence[BvhFile],
    mappings: Sequence[JointMapping],
    rests: Sequence[Array],
    poses: Sequence[BvhPose],
) -> Array:
    """The turn to y up of one world: one person who stands tells it, another may lie."""
    for file, chosen, rest, pose in zip(files, mappings, rests, poses, strict=True):
        turn = upright_turn(rest, mapped_positions(file, pose, chosen))
        if not np.array_equal(turn, np.eye(3)):
            return turn
    return np.eye(3)


def _turned(pose: BvhPose, turn: Array) -> BvhPose:
    """The same motion in a turned world: only the root, the first joint, knows of it."""
    translations, rotations = pose.translations.copy(), pose.rotations.copy()
    translations[:, 0] = translations[:, 0] @ turn.T
    rotations[:, 0] = turn @ rotations[:, 0]
    return BvhPose(translations, rotations)
