"""Parse BVH files.

A BVH file is a tree of joints with offsets (file units), and per frame one number for each
channel: Euler angles in degrees, in the order in which the channels are listed, and positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intermask.data.capture_text import LineReader, read_capture_text
from intermask.errors import UserError

Array = NDArray[np.float64]

ROTATION_CHANNELS = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}
POSITION_CHANNELS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}


class JointTree(Protocol):
    """The skeleton of a capture file of j joints, whatever its format; fields as in `BvhFile`."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def parents(self) -> tuple[int, ...]: ...
    @property
    def offsets(self) -> Array: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True)
class BvhFile:
    """A parsed BVH file of j joints (end sites included) and t frames.

    names: joint names; the end site below joint J is called ``End_J``.
    parents: index of the parent, -1 for the root; parents come before their children.
    offsets: ``(j, 3)`` rest offsets from the parent, file units.
    channels: per joint the names of its channels in file order (empty for end sites).
    frames: ``(t, c)`` channel values: degrees and file units.
    frame_time: seconds, as the header states (headers are often wrong).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    frames: Array
    frame_time: float
    source: str = "BVH text"

    @property
    def header_fps(self) -> float:
        """Frames per second according to the header.

        The whole number that a short frame time stands for: 0.0333 is 30. Rates just below one, as
        of television (29.97), are meant.
        """
        rate = 1.0 / self.frame_time
        whole = round(rate)
        return float(whole) if -0.0002 < rate / max(whole, 1) - 1.0 < 0.0015 else rate


def parse_bvh(source: str | Path) -> BvhFile:
    """Parse BVH text, or the file at a path (``.bvh`` or ``.bvh.gz``).

    A string with a line break is taken as the text itself. Errors name the file and the line.
    """
    if isinstance(source, str) and "\n" in source:
        return _parse_text(source, "BVH text")
    return _parse_text(read_capture_text(source, "BVH"), str(source))


def _parse_text(text: str, source: str) -> BvhFile:
    reader = LineReader(text, source, "BVH")
    if reader.next()[0].lstrip("\ufeff").upper() != "HIERARCHY":
        raise reader.fail("HIERARCHY as the first word")
    names, parents, offsets, channels = _parse_hierarchy(reader)
    frames, frame_time = _parse_motion(reader, sum(len(c) for c in channels))
    return BvhFile(
        tuple(names), tuple(parents), np.array(offsets), tuple(channels), frames, frame_time, source
    )


def _parse_hierarchy(
    reader: LineReader,
) -> tuple[list[str], list[int], list[list[float]], list[tuple[str, ...]]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    stack: list[int] = []
    while True:
        words = reader.next()
        keyword = words[0].upper()
        if keyword in ("ROOT", "JOINT", "END"):
            if (keyword == "ROOT") != (not stack) or len(words) < 2:
                raise reader.fail("one ROOT, then JOINT or End Site inside it, each with a name")
            parent = stack[-1] if stack else -1
            name = f"End_{names[parent]}" if keyword == "END" else " ".join(words[1:])
            if name in names:
                raise reader.fail(f"a joint name that is not yet used ({name} is)")
            names.append(name)
            parents.append(parent)
            offsets.append([0.0, 0.0, 0.0])
            channels.append(())
            if words[-1] != "{" and reader.next() != ["{"]:
                raise reader.fail("'{' after a joint name")
            stack.append(len(names) - 1)
        elif keyword == "OFFSET" and stack:
            offsets[stack[-1]] = reader.floats(words[1:], 3, "OFFSET and three numbers")
        elif keyword == "CHANNELS" and stack:
            channels[stack[-1]] = _parse_channels(reader, words)
        elif keyword == "}" and stack:
            stack.pop()
        elif keyword == "MOTION" and not stack and names:
            return names, parents, offsets, channels
        else:
            raise reader.fail("JOINT, End Site, OFFSET, CHANNELS, '}' or MOTION")


def _parse_channels(reader: LineReader, words: list[str]) -> tuple[str, ...]:
    known = {name.lower(): name for name in (*ROTATION_CHANNELS, *POSITION_CHANNELS)}
    listed = [known.get(word.lower(), "") for word in words[2:]]
    if len(words) < 2 or words[1] != str(len(listed)) or "" in listed:
        raise reader.fail("CHANNELS, a count, and as many of Xposition ... Zrotation")
    return tuple(listed)


def _parse_motion(reader: LineReader, width: int) -> tuple[Array, float]:
    words = reader.next()
    if words[0].upper() != "FRAMES:" or len(words) != 2 or not words[1].isdigit():
        raise reader.fail("'Frames: N'")
    count = int(words[1])
    words = reader.next()
    if [word.upper() for word in words[:2]] != ["FRAME", "TIME:"]:
        raise reader.fail("'Frame Time: seconds'")
    frame_time = reader.floats(words[2:], 1, "'Frame Time: seconds'")[0]
    if frame_time <= 0 or count < 1:
        raise reader.fail("at least one frame and a positive frame time")
    start = reader.at
    rows = [
        (number, line)
        for number, line in enumerate(reader.lines[start:], start + 1)
        if line.strip()
    ]
    try:
        values = np.array(" ".join(line for _, line in rows).split(), dtype=np.float64)
    except ValueError:
        values = np.empty(0)
    if values.size == count * width and np.isfinite(values).all():
        return values.reshape(count, width), frame_time
    raise _motion_error(reader, rows, count, width)


def _motion_error(
    reader: LineReader, rows: list[tuple[int, str]], count: int, width: int
) -> UserError:
    """Say which line of the motion block is wrong."""
    for number, line in rows:
        words = line.split()
        reader.at = number
        try:
            good = len(words) == width and bool(np.isfinite([float(w) for w in words]).all())
        except ValueError:
            good = False
        if not good:
            return reader.fail(f"{width} numbers for one frame ({len(words)} words are there)")
    return UserError(
        f"{reader.source} states {count} frames and holds {len(rows)} (the last on line "
        f"{rows[-1][0] if rows else len(reader.lines)}); the file is cut short, copy it again."
    )
