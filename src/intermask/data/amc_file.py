"""Parse Acclaim motion (AMC) on the skeleton of an ASF file.

A frame is its number on a line of its own, then a line for each bone that moves: its name and the
values of its degrees of freedom, as the skeleton lists them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from intermask.data.asf_file import ROTATIONS, TRANSLATIONS, AsfFile, euler_rotation
from intermask.data.bvh_file import Array
from intermask.data.bvh_joints import BvhPose
from intermask.data.capture_text import LineReader, read_capture_text
from intermask.errors import UserError


def parse_amc(source: str | Path, skeleton: AsfFile) -> BvhPose:
    """Local motion of a skeleton's joints from AMC text, or the file at a path (also gzipped).

    A bone's rotation M is given in its own axes C; relative to its parent and to the rest pose it
    is C M C^-1. A string with a line break is taken as the text itself.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: a bone that the skeleton lacks, wrong or missing values; file and line are named.
    """
    if isinstance(source, str) and "\n" in source:
        text, name = source, "AMC text"
    else:
        text, name = read_capture_text(source, "AMC"), str(source)
    reader = LineReader(text, name, "AMC", comment="#")
    degrees = _read_header(reader, skeleton.degrees)
    return _pose(skeleton, _read_frames(reader, skeleton), degrees)


def _read_header(reader: LineReader, degrees: bool) -> bool:
    """Whether angles are degrees; leaves the reader before the first frame."""
    while (words := reader.next())[0].startswith(":"):
        if words[0].upper() in (":DEGREES", ":RADIANS"):
            degrees = words[0].upper() == ":DEGREES"
    if not (len(words) == 1 and words[0].isdigit()):
        raise reader.fail("the number of the first frame after the lines that start with ':'")
    reader.at -= 1
    return degrees


def _read_frames(reader: LineReader, skeleton: AsfFile) -> dict[str, Array]:
    """Values ``(t, degrees of freedom)`` of each bone that moves."""
    counts = {
        name: len(freedoms)
        for name, freedoms in zip(skeleton.names, skeleton.freedoms, strict=True)
        if freedoms
    }
    values: dict[str, list[list[float]]] = {name: [] for name in counts}
    frames, first = 0, 0
    while (words := reader.next_or_none()) is not None:
        if len(words) == 1 and words[0].isdigit():
            _check_whole(reader, values, frames, "before this frame")
            first = first if frames else int(words[0])
            if int(words[0]) != first + frames:
                raise reader.fail(f"frame {first + frames}, which follows the one before")
            frames += 1
            continue
        bone = words[0]
        if bone not in values:
            raise UserError(
                f"{reader.source}, line {reader.at}: the skeleton {skeleton.source} has no bone "
                f"{bone!r} that moves (it has {', '.join(values)}); use the skeleton of the same "
                "subject, or copy the file again."
            )
        if len(values[bone]) == frames:
            raise reader.fail(f"each bone once in frame {first + frames - 1}, not {bone!r} twice")
        expected = f"{counts[bone]} numbers for {bone}, as {skeleton.source} lists them"
        values[bone].append(reader.floats(words[1:], counts[bone], expected))
    _check_whole(reader, values, frames, "by the end of the file, which may be cut short")
    return {bone: np.array(rows) for bone, rows in values.items()}


def _check_whole(
    reader: LineReader, values: dict[str, list[list[float]]], frames: int, where: str
) -> None:
    lacking = [bone for bone, rows in values.items() if len(rows) < frames]
    if lacking:
        raise UserError(
            f"{reader.source}, line {reader.at}: no values of {', '.join(lacking[:4])} {where}; "
            "expected one line for each bone that moves. Copy the file again."
        )


def _pose(skeleton: AsfFile, values: dict[str, Array], degrees: bool) -> BvhPose:
    count, joints = len(values["root"]), len(skeleton.names)
    translations = np.broadcast_to(skeleton.offsets, (count, joints, 3)).copy()
    translations[:, 0] = skeleton.position
    rotations = np.broadcast_to(np.eye(3), (count, joints, 3, 3)).copy()
    for joint, (name, freedoms) in enumerate(zip(skeleton.names, skeleton.freedoms, strict=True)):
        if not freedoms:
            continue
        columns = values[name]
        for column, freedom in enumerate(freedoms):
            if freedom in TRANSLATIONS:
                translations[:, joint, TRANSLATIONS.index(freedom)] += columns[:, column]
        turning = [column for column, freedom in enumerate(freedoms) if freedom in ROTATIONS]
        angles = columns[:, turning] if degrees else np.degrees(columns[:, turning])
        turn = euler_rotation(tuple(ROTATIONS.index(freedoms[each]) for each in turning), angles)
        axes = skeleton.axes[joint]
        rotations[:, joint] = axes @ turn @ axes.T
    return BvhPose(translations, rotations)
