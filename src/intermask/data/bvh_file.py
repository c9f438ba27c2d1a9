"""Parse BVH files.

A BVH file is a tree of joints with offsets (file units), and per frame one number for each
channel: Euler angles in degrees, in the order in which the channels are listed, and positions.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermask.errors import UserError

Array = NDArray[np.float64]

ROTATION_CHANNELS = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}
POSITION_CHANNELS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}


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
        """Frames per second according to the header."""
        return 1.0 / self.frame_time


def parse_bvh(source: str | Path) -> BvhFile:
    """Parse BVH text, or the file at a path (``.bvh`` or ``.bvh.gz``).

    A string with a line break is taken as the text itself. Errors name the file and the line.
    """
    if isinstance(source, str) and "\n" in source:
        return _parse_text(source, "BVH text")
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"There is no BVH file {path}; give the path of a .bvh or .bvh.gz.")
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        text = data.decode("utf-8", errors="replace")
    except (EOFError, OSError, gzip.BadGzipFile) as error:
        raise UserError(
            f"{path} cannot be read as BVH: {error}. The file may be cut short; copy it again."
        ) from error
    return _parse_text(text, str(path))


class _Reader:
    """Lines of a file with the number of the current one, for errors that name it."""

    def __init__(self, text: str, source: str) -> None:
        self.lines = text.splitlines()
        self.source = source
        self.at = 0

    def next(self) -> list[str]:
        while self.at < len(self.lines):
            words = self.lines[self.at].split()
            self.at += 1
            if words:
                return words
        raise UserError(
            f"{self.source} ends at line {len(self.lines)} before its header is complete; "
            "the file is cut short, copy it again."
        )

    def fail(self, expected: str) -> UserError:
        line = self.lines[self.at - 1].strip() if self.at else ""
        return UserError(
            f"{self.source}, line {self.at}: expected {expected}, found {line[:60]!r}. "
            "This is not a valid BVH file."
        )

    def floats(self, words: list[str], count: int, expected: str) -> list[float]:
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise self.fail(expected) from None
        if len(values) != count or not all(np.isfinite(values)):
            raise self.fail(expected)
        return values


def _parse_text(text: str, source: str) -> BvhFile:
    reader = _Reader(text, source)
    if reader.next()[0].lstrip("\ufeff").upper() != "HIERARCHY":
        raise reader.fail("HIERARCHY as the first word")
    names, parents, offsets, channels = _parse_hierarchy(reader)
    frames, frame_time = _parse_motion(reader, sum(len(c) for c in channels))
    return BvhFile(
        tuple(names), tuple(parents), np.array(offsets), tuple(channels), frames, frame_time, source
    )


def _parse_hierarchy(
    reader: _Reader,
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


def _parse_channels(reader: _Reader, words: list[str]) -> tuple[str, ...]:
    known = {name.lower(): name for name in (*ROTATION_CHANNELS, *POSITION_CHANNELS)}
    listed = [known.get(word.lower(), "") for word in words[2:]]
    if len(words) < 2 or words[1] != str(len(listed)) or "" in listed:
        raise reader.fail("CHANNELS, a count, and as many of Xposition ... Zrotation")
    return tuple(listed)


def _parse_motion(reader: _Reader, width: int) -> tuple[Array, float]:
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
    reader: _Reader, rows: list[tuple[int, str]], count: int, width: int
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
