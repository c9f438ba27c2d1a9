"""The text format of GrappleMap, and its body of 23 joints.

Each block is a name, optional ``tags:``, ``properties:`` and ``ref:`` lines, and data lines that
start with four spaces: pairs of base-62 digits, one pair a coordinate in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermask.errors import UserError
from intermask.skeleton import SMPL22

Frames = NDArray[np.float64]

KEYFRAME_SECONDS = 0.2
"""Time between two frames of a transition."""

DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
JOINTS = (
    "left_toe", "right_toe", "left_heel", "right_heel", "left_ankle", "right_ankle",
    "left_knee", "right_knee", "left_hip", "right_hip", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
    "left_fingers", "right_fingers", "core", "neck", "head",
)  # fmt: skip
"""The 23 joints of a player in file order."""

PLAYERS = 2
FRAME_CHARACTERS = PLAYERS * len(JOINTS) * 3 * 2
# SMPL's joints as weighted sums of the file's; joints that are not listed have the same name.
_SUMS: dict[str, dict[str, float]] = {
    "pelvis": {"left_hip": 0.32, "right_hip": 0.32, "core": 0.36},
    "spine1": {"left_hip": 0.15, "right_hip": 0.15, "core": 0.7},
    "spine2": {"core": 0.8, "neck": 0.2},
    "spine3": {"core": 0.6, "neck": 0.4},
    "left_foot": {"left_toe": 0.8, "left_heel": 0.2},
    "right_foot": {"right_toe": 0.8, "right_heel": 0.2},
    "left_collar": {"left_shoulder": 0.5, "neck": 0.5},
    "right_collar": {"right_shoulder": 0.5, "neck": 0.5},
    "head": {"neck": 0.5, "head": 0.5},
}

# Rest offsets of that body, metres: mean bones of the file in the frames of pelvis and chest over
# the poses that stand upright; the foot as it lies flat; limbs straight.
_REST_SIDE: dict[str, tuple[float, float, float]] = {
    "hip": (0.115, -0.088, 0.0),
    "knee": (0.016, -0.432, 0.0),
    "ankle": (-0.005, -0.428, -0.020),
    "foot": (0.012, -0.084, 0.108),
    "collar": (0.081, 0.204, -0.020),
    "shoulder": (0.081, -0.030, 0.002),
    "elbow": (0.290, -0.005, -0.010),
    "wrist": (0.265, 0.005, 0.005),
}
_REST_MIDDLE: dict[str, tuple[float, float, float]] = {
    "pelvis": (0.0, 0.0, 0.0),
    "spine1": (0.0, 0.083, -0.006),
    "spine2": (0.0, 0.144, 0.010),
    "spine3": (0.0, 0.076, 0.012),
    "neck": (0.0, 0.232, -0.024),
    "head": (0.0, 0.079, 0.020),
}


def _smpl_weights() -> Frames:
    """(22, 23) sums that give SMPL's joints."""
    weights = np.zeros((SMPL22.joint_count, len(JOINTS)))
    for row, name in enumerate(SMPL22.names):
        for joint, weight in _SUMS.get(name, {name: 1.0}).items():
            weights[row, JOINTS.index(joint)] = weight
    return weights


def _rest_offsets() -> Frames:
    """(22, 3) rest offsets of the file's body."""
    rest = np.zeros((SMPL22.joint_count, 3))
    for row, name in enumerate(SMPL22.names):
        side, _, part = name.partition("_")
        if part:
            rest[row] = np.multiply(_REST_SIDE[part], (1.0 if side == "left" else -1.0, 1.0, 1.0))
        else:
            rest[row] = _REST_MIDDLE[name]
    return rest


SMPL_WEIGHTS = _smpl_weights()
REST_OFFSETS = _rest_offsets()


@dataclass(frozen=True)
class Block:
    """A named position (one frame) or transition (more frames).

    frames: (t, 2, 23, 3) metres, y up, floor at 0; player 0 is called top, player 1 bottom.
    line: line number of the name, from 1.
    """

    name: str
    tags: tuple[str, ...]
    properties: tuple[str, ...]
    line: int
    frames: Frames

    @property
    def is_position(self) -> bool:
        """Whether this is a single pose."""
        return len(self.frames) == 1

    @property
    def seconds(self) -> float:
        """How long a transition takes."""
        return (len(self.frames) - 1) * KEYFRAME_SECONDS

    @property
    def actor(self) -> int | None:
        """Player who acts: 0 for ``top``, 1 for ``bottom``; None where the file does not say."""
        roles = [role for role in ("top", "bottom") if role in self.properties]
        return ("top", "bottom").index(roles[0]) if len(roles) == 1 else None


def read_grapplemap(file: str | Path) -> tuple[Block, ...]:
    """Blocks of a ``GrappleMap.txt``; errors name the line."""
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the path of a GrappleMap.txt")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a GrappleMap text file ({error})") from error
    blocks = parse_grapplemap(text, str(path))
    if not blocks:
        raise UserError(f"{path} holds no GrappleMap blocks; expected names and lines of digits")
    return blocks


def parse_grapplemap(text: str, source: str = "GrappleMap text") -> tuple[Block, ...]:
    """Blocks of the text, in its order; ``source`` names it in errors."""
    blocks: list[Block] = []
    head: list[tuple[int, str]] = []
    data: list[tuple[int, str]] = []

    def close() -> None:
        if data:
            blocks.append(_block(head, data, source))
        head.clear()
        data.clear()

    number = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("    ") and line.strip():
            if not head:
                raise UserError(f"{source}, line {number}: data without a name before it")
            data.append((number, line.strip()))
        elif line.strip():
            if data:
                close()
            head.append((number, line.strip()))
    if head and not data:
        raise UserError(f"{source}, line {number}: {head[0][1]!r} has no data after it")
    close()
    return tuple(blocks)


def _block(head: list[tuple[int, str]], data: list[tuple[int, str]], source: str) -> Block:
    line, name = head[0]
    words: dict[str, list[str]] = {"tags": [], "properties": []}
    for _, text in head[1:]:
        key, _, rest = text.replace(";", ":", 1).partition(":")
        words.setdefault(key, []).extend(rest.split())
    for number, digits in data:
        wrong = sorted(set(digits) - set(DIGITS))
        if wrong:
            raise UserError(
                f"{source}, line {number}: {wrong[0]!r} is not a digit; expected a-z, A-Z and 0-9"
            )
    digits = "".join(text for _, text in data)
    if len(digits) % FRAME_CHARACTERS:
        raise UserError(
            f"{source}, line {data[0][0]}: {name!r} has {len(digits)} digits, expected a multiple "
            f"of {FRAME_CHARACTERS} (2 players, {len(JOINTS)} joints, 3 numbers, 2 digits each)"
        )
    values = np.array([DIGITS.index(digit) for digit in digits], dtype=np.float64)
    metres = (62 * values[::2] + values[1::2]) / 1000.0
    frames = metres.reshape(-1, PLAYERS, len(JOINTS), 3) - np.array((2.0, 0.0, 2.0))
    return Block(name, tuple(words["tags"]), tuple(words["properties"]), line, frames)
