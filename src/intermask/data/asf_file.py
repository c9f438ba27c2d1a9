"""Parse Acclaim skeletons (ASF), as Vicon writes them and CMU's database gives them.

An ASF file is a tree of bones. Each has a direction and a length in the rest pose, an axis (a
rotation of its own coordinate frame), and the angles that a frame of motion gives for it. Here a
bone becomes a joint at its near end, so that skeletons of ASF and BVH are used alike.

Format: Acclaim's description, as given by J. Lander, "Working with Motion Capture File Formats",
Game Developer, January 1998; kinematics as in CMU's own notes on the format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from intermask.data.bvh_file import Array
from intermask.data.bvh_joints import axis_rotation
from intermask.data.capture_text import LineReader, read_capture_text
from intermask.errors import UserError

INCH_M = 0.0254
TRANSLATIONS = ("tx", "ty", "tz")
ROTATIONS = ("rx", "ry", "rz")


@dataclass(frozen=True)
class AsfFile:
    """A parsed skeleton of j joints: one for each bone, at its near end, and one at each free end.

    names: of the bones, the root's first; the free end of bone B is ``End_B``.
    parents: index of the parent, -1 for the root; parents come before their children.
    offsets: ``(j, 3)`` rest offsets from the parent's joint, file units.
    axes: ``(j, 3, 3)`` coordinate frame of each bone in the rest pose.
    freedoms: for each joint the numbers that a frame of motion gives for it, in their order:
        "tx" to "tz" (the root) and "rx" to "rz"; empty for a bone that does not turn.
    position: ``(3,)`` of the root in the rest pose, file units.
    length: file units of an inch (CMU: 0.45).
    degrees: whether angles are degrees, not radians.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    axes: Array
    freedoms: tuple[tuple[str, ...], ...]
    position: Array
    length: float
    degrees: bool
    source: str = "ASF text"

    @property
    def metres_per_unit(self) -> float:
        """Metres of one unit of the file, of which ``length`` make an inch."""
        return INCH_M / self.length


@dataclass
class _Bone:
    name: str = ""
    direction: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    length: float = 0.0
    axis: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    order: str = "xyz"
    freedoms: tuple[str, ...] = ()

    @property
    def turning(self) -> tuple[int, ...]:
        """Coordinate axes in the order in which ``axis`` turns about them."""
        return tuple("xyz".index(each) for each in self.order)

    @property
    def end(self) -> Array:
        """Offset (3,) of the far end in the rest pose, file units."""
        direction = np.array(self.direction)
        return self.length * direction / max(float(np.linalg.norm(direction)), 1e-12)


@dataclass
class _Draft:
    """What has been read so far."""

    length: float = 1.0
    degrees: bool = True
    root: _Bone = field(default_factory=lambda: _Bone("root"))
    position: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    bones: dict[str, _Bone] = field(default_factory=dict)
    parent_of: dict[str, str] = field(default_factory=dict)


def parse_asf(source: str | Path) -> AsfFile:
    """Parse ASF text, or the file at a path (``.asf``, also gzipped).

    A string with a line break is taken as the text itself. Errors name the file and the line.
    """
    if isinstance(source, str) and "\n" in source:
        return _parse_text(source, "ASF text")
    return _parse_text(read_capture_text(source, "ASF"), str(source))


def euler_rotation(axes: tuple[int, ...], angles: Array) -> Array:
    """Rotations ``(t, 3, 3)`` by angles ``(t, n)`` in degrees about fixed axes, in their order."""
    result = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for axis, values in zip(axes, angles.T, strict=True):
        result = axis_rotation(axis, values) @ result
    return result


def _parse_text(text: str, source: str) -> AsfFile:
    reader = LineReader(text, source, "ASF", comment="#")
    draft = _Draft()
    readers = {
        ":units": _read_unit,
        ":root": _read_root,
        ":bonedata": _read_bones,
        ":hierarchy": _read_hierarchy,
    }
    section, met = "", set()
    while (words := reader.next_or_none()) is not None:
        if words[0].startswith(":"):
            section = words[0].lower()
            met.add(section)
        elif section in readers:
            readers[section](reader, words, draft)
        elif not section:
            raise reader.fail("a section such as ':version' or ':units' first")
    missing = [each for each in (":root", ":bonedata", ":hierarchy") if each not in met]
    if missing:
        raise UserError(
            f"{source} has no section {missing[0]} by its last line, {len(reader.lines)}; the "
            "file is cut short or no ASF file, copy it again."
        )
    if not draft.root.freedoms:
        raise UserError(
            f"{source} has no line 'order TX TY TZ RX RY RZ' under :root; copy it again."
        )
    return _skeleton(draft, source)


def _read_unit(reader: LineReader, words: list[str], draft: _Draft) -> None:
    if words[0].lower() == "length":
        (draft.length,) = reader.floats(words[1:], 1, "'length' and a number")
        if draft.length <= 0:
            raise reader.fail("a positive length")
    elif words[0].lower() == "angle":
        if len(words) != 2 or words[1].lower()[:3] not in ("deg", "rad"):
            raise reader.fail("'angle deg' or 'angle rad'")
        draft.degrees = words[1].lower().startswith("deg")


def _read_root(reader: LineReader, words: list[str], draft: _Draft) -> None:
    keyword = words[0].lower()
    if keyword == "order":
        draft.root.freedoms = _freedoms(reader, words[1:], (*TRANSLATIONS, *ROTATIONS))
    elif keyword == "axis":
        draft.root.order = _order(reader, words[1:])
    elif keyword == "position":
        draft.position = reader.floats(words[1:], 3, "'position' and three numbers")
    elif keyword == "orientation":
        draft.root.axis = reader.floats(words[1:], 3, "'orientation' and three numbers")
    else:
        raise reader.fail("order, axis, position or orientation")


def _read_bones(reader: LineReader, words: list[str], draft: _Draft) -> None:
    """One bone, from ``begin`` to ``end``."""
    if [word.lower() for word in words] != ["begin"]:
        raise reader.fail("'begin' of a bone")
    bone = _Bone()
    while (words := reader.next())[0].lower() != "end":
        keyword, rest = words[0].lower(), words[1:]
        if keyword == "name" and len(rest) == 1:
            bone.name = rest[0]
        elif keyword == "direction":
            bone.direction = reader.floats(rest, 3, "'direction' and three numbers")
        elif keyword == "length":
            (bone.length,) = reader.floats(rest, 1, "'length' and a number")
        elif keyword == "axis":
            bone.axis = reader.floats(rest[:3], 3, "'axis', three angles and their order")
            bone.order = _order(reader, rest[3:])
        elif keyword == "dof":
            bone.freedoms = _freedoms(reader, rest, ROTATIONS)
        elif keyword not in ("id", "limits", "bodymass", "cofmass") and keyword[0] != "(":
            raise reader.fail("name, direction, length, axis, dof, limits or end")
    if not bone.name or bone.name in draft.bones or bone.name == "root":
        raise reader.fail(f"a bone with a name of its own before this line ({bone.name!r} is not)")
    draft.bones[bone.name] = bone


def _read_hierarchy(reader: LineReader, words: list[str], draft: _Draft) -> None:
    if len(words) == 1 and words[0].lower() in ("begin", "end"):
        return
    for name in words:
        if name != "root" and name not in draft.bones:
            raise reader.fail(f"names of bones of this file ({name!r} is none)")
    for child in words[1:]:
        if child in draft.parent_of or child == "root":
            raise reader.fail(f"each bone below one parent only ({child!r} has two)")
        draft.parent_of[child] = words[0]


def _order(reader: LineReader, words: list[str]) -> str:
    if len(words) != 1 or sorted(words[0].lower()) != ["x", "y", "z"]:
        raise reader.fail("an order of three axes such as 'XYZ'")
    return words[0].lower()


def _freedoms(reader: LineReader, words: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(word.lower() for word in words)
    if len(set(found)) != len(found) or not set(found) <= set(known):
        raise reader.fail(f"some of {' '.join(known)}; others are not known here")
    return found


def _skeleton(draft: _Draft, source: str) -> AsfFile:
    """Joints in an order in which parents come first."""
    names, ends = ["root"], [np.zeros(3)]
    parents, offsets, bones = [-1], [np.zeros(3)], [draft.root]
    for name in names:  # grows while it is walked through
        at = names.index(name)
        for child in [child for child, parent in draft.parent_of.items() if parent == name]:
            names.append(child)
            parents.append(at)
            offsets.append(ends[at])
            bones.append(draft.bones[child])
            ends.append(draft.bones[child].end)
    lost = [name for name in draft.bones if name not in names]
    if lost:
        raise UserError(
            f"{source} has bones that its hierarchy does not hang below the root: "
            f"{', '.join(lost)}. The file is damaged, copy it again."
        )
    for at in [at for at in range(1, len(names)) if at not in parents]:
        names.append(f"End_{names[at]}")
        parents.append(at)
        offsets.append(ends[at])
        bones.append(_Bone())
    to_degrees = 1.0 if draft.degrees else float(np.degrees(1.0))
    axes = [euler_rotation(bone.turning, to_degrees * np.array([bone.axis]))[0] for bone in bones]
    return AsfFile(
        tuple(names),
        tuple(parents),
        np.array(offsets),
        np.array(axes),
        tuple(bone.freedoms for bone in bones),
        np.array(draft.position),
        draft.length,
        draft.degrees,
        source,
    )
