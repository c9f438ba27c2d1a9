"""Read BVH files and turn them into SMPL's 22 joints.

A BVH file is a tree of joints with offsets (file units), and per frame one number for each
channel: Euler angles in degrees, in the order in which the channels are listed, and positions.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermask.errors import UserError
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions

Array = NDArray[np.float64]

ROTATION_CHANNELS = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}
POSITION_CHANNELS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}

# A standing adult, ankle to head joint, is about 1.45 m; anything outside is a wrong unit.
PLAUSIBLE_HEIGHT_M = (1.0, 1.9)
TYPICAL_HEIGHT_M = 1.45


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


@dataclass(frozen=True)
class BvhPose:
    """Local motion of every BVH joint: what bridging and resampling work on.

    translations: ``(t, j, 3)`` from the parent, file units (the root's is its position).
    rotations: ``(t, j, 3, 3)`` relative to the parent, identity = the file's rest pose.
    """

    translations: Array
    rotations: Array


@dataclass(frozen=True)
class SmplJoints:
    """One person on SMPL's 22 joints.

    positions: ``(t, 22, 3)`` metres, y-up. root_rotations: ``(t, 3, 3)`` of the pelvis in the
    world. rotations: ``(t, 21, 3, 3)`` relative to the parent, identity = T-pose facing +z.
    """

    positions: Array
    root_rotations: Array
    rotations: Array


@dataclass(frozen=True)
class JointMapping:
    """How SMPL's 22 joints follow from the joints of a file.

    positions: SMPL joint -> {file joint: weight}, weights summing to 1.
    rotations: SMPL joint -> file joints whose local rotations are multiplied, parent first; an
    empty tuple where the file has no such joint (identity relative to the parent).
    """

    positions: Mapping[str, Mapping[str, float]]
    rotations: Mapping[str, tuple[str, ...]]
    name: str = "mapping"
    notes: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for table, what in ((self.positions, "positions"), (self.rotations, "rotations")):
            missing = [joint for joint in SMPL22.names if joint not in table]
            unknown = [joint for joint in table if joint not in SMPL22.names]
            if missing or unknown:
                raise UserError(
                    f"The joint mapping {self.name} has the wrong joints under {what}: missing "
                    f"{missing or 'none'}, unknown {unknown or 'none'}. It needs exactly the 22 "
                    f"SMPL joints: {', '.join(SMPL22.names)}."
                )
        for joint, weights in self.positions.items():
            if abs(sum(weights.values()) - 1.0) > 1e-6:
                raise UserError(
                    f"The joint mapping {self.name} has weights for {joint} that sum to "
                    f"{sum(weights.values()):g}; a position needs weights that sum to 1."
                )


# --------------------------------------------------------------------------- parsing


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
    rows = [(number, line) for number, line in enumerate(reader.lines[start:], start + 1) if
            line.strip()]
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


# --------------------------------------------------------------------------- kinematics


def _axis_rotation(axis: int, degrees: Array) -> Array:
    """Rotation by angles ``(t,)`` degrees about a coordinate axis -> ``(t, 3, 3)``."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.zeros((*degrees.shape, 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = cosine
    matrix[..., second, second] = cosine
    matrix[..., first, second] = -sine
    matrix[..., second, first] = sine
    return matrix


def bvh_pose(file: BvhFile) -> BvhPose:
    """Channel values to local translations and rotations, in float64.

    Position channels replace the offset (what MotionBuilder, Mixamo and bvhacker write and
    mean); they are not added to it.
    """
    count, joints = len(file.frames), len(file.names)
    translations = np.broadcast_to(file.offsets, (count, joints, 3)).copy()
    rotations = np.broadcast_to(np.eye(3), (count, joints, 3, 3)).copy()
    column = 0
    for joint, channels in enumerate(file.channels):
        for channel in channels:
            values = file.frames[:, column]
            column += 1
            if channel in POSITION_CHANNELS:
                translations[:, joint, POSITION_CHANNELS[channel]] = values
            else:
                turn = _axis_rotation(ROTATION_CHANNELS[channel], values)
                rotations[:, joint] = rotations[:, joint] @ turn
    return BvhPose(translations, rotations)


def pose_positions(pose: BvhPose, parents: tuple[int, ...]) -> Array:
    """Forward kinematics: world positions ``(t, j, 3)`` of all file joints, file units."""
    positions = np.empty_like(pose.translations)
    turned = np.empty_like(pose.rotations)
    for joint, parent in enumerate(parents):
        if parent < 0:
            positions[:, joint] = pose.translations[:, joint]
            turned[:, joint] = pose.rotations[:, joint]
        else:
            step = np.einsum("tij,tj->ti", turned[:, parent], pose.translations[:, joint])
            positions[:, joint] = positions[:, parent] + step
            turned[:, joint] = turned[:, parent] @ pose.rotations[:, joint]
    return positions


def rest_joints(file: BvhFile, mapping: JointMapping) -> Array:
    """SMPL's 22 joints ``(22, 3)`` of the file's rest pose (all rotations zero), file units."""
    rest = np.zeros_like(file.offsets)
    for joint, parent in enumerate(file.parents):
        if parent >= 0:
            rest[joint] = rest[parent] + file.offsets[joint]
    return _weights(file, mapping) @ rest


def bvh_joints(
    file: BvhFile,
    mapping: JointMapping | str | Path | None = None,
    unit_scale: float = 1.0,
    pose: BvhPose | None = None,
) -> SmplJoints:
    """The 22 SMPL joints of a BVH file: positions in metres and parent-relative rotations.

    Positions are weighted sums of file joints, rotations products of file rotations, both named
    by the mapping. Files differ in their rest pose (arms down, bent elbows, facing away); each
    joint's rotation is re-based so that identity means SMPL's T-pose facing +z.

    unit_scale: metres per file unit. pose: a repaired or resampled replacement for the file's own
    frames. Raises UserError when the scale gives no person of human size.
    """
    chosen = resolve_mapping(file, mapping)
    rest = rest_joints(file, chosen)
    _check_height(file, rest, unit_scale)
    pose = bvh_pose(file) if pose is None else pose
    positions = np.einsum("jk,tkc->tjc", _weights(file, chosen), pose_positions(pose, file.parents))
    index = {name: number for number, name in enumerate(file.names)}
    world = np.empty((len(positions), len(SMPL22.names), 3, 3))
    # The file's joints above the mapped root (a "Root" or "Reference" node) turn it as well.
    above = _chain_above(file, chosen)
    rebase = rest_corrections(rest)
    for joint, name in enumerate(SMPL22.names):
        parent = SMPL22.parents[joint]
        product = world[:, parent] if parent >= 0 else np.eye(3)
        for source in (*(above if parent < 0 else ()), *chosen.rotations[name]):
            product = product @ pose.rotations[:, index[source]]
        world[:, joint] = product
    world = world @ rebase
    local = np.swapaxes(world[:, list(SMPL22.parents[1:])], -1, -2) @ world[:, 1:]
    return SmplJoints(positions * unit_scale, world[:, 0], local)


def _weights(file: BvhFile, mapping: JointMapping) -> Array:
    """Position weights as a matrix ``(22, j)``."""
    index = {name: number for number, name in enumerate(file.names)}
    matrix = np.zeros((len(SMPL22.names), len(file.names)))
    for row, joint in enumerate(SMPL22.names):
        for source, weight in mapping.positions[joint].items():
            matrix[row, index[source]] = weight
    return matrix


def _chain_above(file: BvhFile, mapping: JointMapping) -> tuple[str, ...]:
    """File joints between the file's root and the joint that turns the pelvis."""
    turning = mapping.rotations["pelvis"]
    if not turning:
        return ()
    chain: list[str] = []
    joint = file.parents[file.names.index(turning[0])]
    while joint >= 0:
        chain.append(file.names[joint])
        joint = file.parents[joint]
    return tuple(reversed(chain))


def rest_corrections(rest: Array) -> Array:
    """Rotations ``(22, 3, 3)`` from SMPL's T-pose to the file's rest pose, joint by joint.

    First the body as a whole (a file may rest facing -z), from the hips and the spine; then each
    limb's own swing. End joints take their parent's: a hand follows its forearm.
    """
    ours = rest_positions(MEAN_ADULT_OFFSETS)
    body = _body_frame(rest) @ _body_frame(ours).T
    corrections = np.broadcast_to(body, (len(SMPL22.names), 3, 3)).copy()
    for joint, name in enumerate(SMPL22.names):
        children = [c for c, p in enumerate(SMPL22.parents) if p == joint]
        is_limb = name.split("_")[0] in ("left", "right")
        if is_limb and len(children) == 1:
            wanted = body @ (ours[children[0]] - ours[joint])
            found = rest[children[0]] - rest[joint]
            corrections[joint] = _swing(wanted, found) @ body
        elif is_limb:
            corrections[joint] = corrections[SMPL22.parents[joint]]
    return corrections


def _body_frame(rest: Array) -> Array:
    """Columns: left, up, forward of a rest pose ``(22, 3)``."""
    left = rest[SMPL22.index("left_hip")] - rest[SMPL22.index("right_hip")]
    up = rest[SMPL22.index("neck")] - rest[SMPL22.index("pelvis")]
    left = left / np.linalg.norm(left)
    # The spine leans a little in any rest pose; a file axis near it is what "up" means.
    axis = np.zeros(3)
    axis[np.argmax(np.abs(up))] = np.sign(up[np.argmax(np.abs(up))])
    forward = np.cross(left, axis)
    forward = forward / np.linalg.norm(forward)
    return np.stack([left, np.cross(forward, left), forward], axis=-1)


def _swing(start: Array, end: Array) -> Array:
    """Smallest rotation ``(3, 3)`` that turns one direction onto another."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis, cosine = np.cross(start, end), float(start @ end)
    if cosine < -1 + 1e-9:
        other = np.cross(start, np.eye(3)[np.argmin(np.abs(start))])
        other = other / np.linalg.norm(other)
        return 2 * np.outer(other, other) - np.eye(3)
    skew = np.cross(np.eye(3), axis)
    return np.eye(3) + skew + skew @ skew / (1.0 + cosine)


def _check_height(file: BvhFile, rest: Array, unit_scale: float) -> None:
    names = ("head", "left_ankle")
    height = float(np.linalg.norm(rest[SMPL22.index(names[0])] - rest[SMPL22.index(names[1])]))
    if height <= 0 or not PLAUSIBLE_HEIGHT_M[0] <= height * unit_scale <= PLAUSIBLE_HEIGHT_M[1]:
        suggestion = f" about {TYPICAL_HEIGHT_M / height:.3g}" if height > 0 else ""
        raise UserError(
            f"{file.source}: with a unit scale of {unit_scale:g} m the person measures "
            f"{height * unit_scale:.3g} m from ankle to head joint; expected "
            f"{PLAUSIBLE_HEIGHT_M[0]} to {PLAUSIBLE_HEIGHT_M[1]} m. State the metres per file "
            f"unit{suggestion} (--unit-scale)."
        )


# --------------------------------------------------------------------------- mapping

_SIDE_NAMES: dict[str, tuple[str, ...]] = {
    "hip": ("upleg", "upperleg", "thigh", "hip", "femur"),
    "knee": ("leg", "lowerleg", "lowleg", "shin", "knee", "calf", "tibia"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toe", "toes", "ball", "toe0", "forefoot", "foot"),
    "collar": ("shoulder", "collar", "clavicle"),
    "shoulder": ("arm", "uparm", "upperarm", "shldr", "shoulder", "humerus"),
    "elbow": ("forearm", "lowerarm", "lowarm", "elbow", "radius"),
    "wrist": ("wrist", "hand"),
}
_MIDDLE_NAMES: dict[str, tuple[str, ...]] = {
    "pelvis": ("pelvis", "hips", "hip", "root"),
    "spine1": ("spine1", "spine", "abdomen", "lowerback", "torso"),
    "spine2": ("spine2", "spine1", "chest"),
    "spine3": ("spine3", "spine2", "chest2", "upperchest"),
    "neck": ("neck", "neck1"),
    "head": ("head",),
}
_SPINE = ("spine1", "spine2", "spine3")


def _plain(name: str) -> str:
    """Lower case, without a namespace (``mixamorig:``), prefix and punctuation."""
    bare = re.split(r"[:|]", name)[-1]
    return re.sub(r"^(mixamorig\d*|bip\d*|def)", "", re.sub(r"[^a-z0-9]", "", bare.lower()))


def _spellings(joint: str) -> list[str]:
    """Plain file names that a SMPL joint may go by, the likeliest first."""
    side, _, part = joint.partition("_")
    if not part:
        return list(_MIDDLE_NAMES[joint])
    spelled = []
    for word in _SIDE_NAMES[part]:
        spelled += [side + word, side[0] + word, word + side, word + side[0]]
    return spelled


def mapping_by_names(file: BvhFile) -> JointMapping:
    """Match a file's joints with SMPL's by common names (Hips, LeftUpLeg, mixamorig:..., lThigh).

    The foot may come from the ankle's end site, and a missing spine3 or collar from its
    neighbours. Raises UserError that lists what has no match.
    """
    plain: dict[str, str] = {}
    for name in file.names:
        if not name.startswith("End_"):
            plain.setdefault(_plain(name), name)
    found: dict[str, str] = {}
    for joint in SMPL22.names:
        if joint not in _SPINE and not joint.endswith("_collar"):
            options = [plain[s] for s in _spellings(joint) if s in plain]
            free = [option for option in options if option not in found.values()]
            if free:
                found[joint] = free[0]
    for side in ("left", "right"):
        _match_side(file, side, plain, found)
    _match_spine(file, found)
    positions: dict[str, dict[str, float]] = {joint: {name: 1.0} for joint, name in found.items()}
    rotations = {joint: _turning_chain(file, joint, found) for joint in SMPL22.names}
    if "spine2" in found and "spine3" not in found and "neck" in found:
        positions["spine3"] = {found["spine2"]: 0.7, found["neck"]: 0.3}
    for side in ("left", "right"):
        collar, shoulder = f"{side}_collar", f"{side}_shoulder"
        if collar not in found and shoulder in found and "neck" in found:
            positions[collar] = {found["neck"]: 0.6, found[shoulder]: 0.4}
    missing = [joint for joint in SMPL22.names if joint not in positions]
    if missing:
        raise UserError(
            f"{file.source}: no joint was recognised by name for {', '.join(missing)}. The file's "
            f"joints are {', '.join(file.names)}. Give a mapping file (--mapping FILE.json) with "
            '"positions" and "rotations" for the 22 SMPL joints.'
        )
    return JointMapping(positions, rotations, "by names")


def _turning_chain(file: BvhFile, joint: str, found: dict[str, str]) -> tuple[str, ...]:
    """File joints that turn a SMPL joint against its parent: itself and what lies between.

    A file may have joints that SMPL lacks (LHipJoint, a second neck); their turns belong to the
    next joint that is matched.
    """
    name = found.get(joint, "")
    if not name or name.startswith("End_"):
        return ()
    above = SMPL22.parents[SMPL22.index(joint)]
    while above >= 0 and SMPL22.names[above] not in found:
        above = SMPL22.parents[above]
    stop = file.names.index(found[SMPL22.names[above]]) if above >= 0 else -1
    chain, at = [name], file.parents[file.names.index(name)]
    while at >= 0 and at != stop:
        chain.insert(0, file.names[at])
        at = file.parents[at]
    # The root's ancestors are added by whoever multiplies; a parent off the path counts as none.
    return tuple(chain) if above >= 0 and at == stop else (name,)


def _match_side(file: BvhFile, side: str, plain: dict[str, str], found: dict[str, str]) -> None:
    """Collar and foot of one side, where several naming habits collide."""
    shoulder, collar, foot = f"{side}_shoulder", f"{side}_collar", f"{side}_foot"
    if shoulder in found:
        # "LeftShoulder" is the collar where a "LeftArm" hangs below it, else the shoulder.
        parent = file.parents[file.names.index(found[shoulder])]
        name = file.names[parent] if parent >= 0 else ""
        if _plain(name) in _spellings(collar):
            found[collar] = name
    if foot not in found and f"{side}_ankle" in found:
        end = f"End_{found[f'{side}_ankle']}"
        if end in file.names:
            found[foot] = end


def _match_spine(file: BvhFile, found: dict[str, str]) -> None:
    """Spread the file's joints between pelvis and neck over spine1 to spine3."""
    if "pelvis" not in found or "neck" not in found:
        return
    chain: list[str] = []
    joint = file.parents[file.names.index(found["neck"])]
    stop = file.names.index(found["pelvis"])
    while joint >= 0 and joint != stop:
        chain.insert(0, file.names[joint])
        joint = file.parents[joint]
    if joint != stop or len(chain) < 2:
        return
    picks = (chain[0], chain[1]) if len(chain) == 2 else (chain[0], chain[len(chain) // 2],
                                                          chain[-1])
    for joint_name, name in zip(_SPINE, picks, strict=False):
        found[joint_name] = name


def load_mapping(source: str | Path) -> JointMapping:
    """Read a mapping from a JSON file, or a built-in one by name (``cmu_daz``)."""
    path = Path(source)
    if path.suffix == "" and str(source) in built_in_mappings():
        text = resources.files("intermask.data").joinpath(f"mappings/{source}.json").read_text(
            encoding="utf-8"
        )
    elif path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        raise FileNotFoundError(
            f"There is no joint mapping {source}; give a JSON file, or one of the built-in "
            f"names: {', '.join(built_in_mappings())}."
        )
    try:
        table = json.loads(text)
        return JointMapping(
            {joint: dict(weights) for joint, weights in table["positions"].items()},
            {joint: tuple(names) for joint, names in table["rotations"].items()},
            str(source),
            str(table.get("notes", "")),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{source} is not a joint mapping ({error}); it needs a JSON object with "
            '"positions" {SMPL joint: {file joint: weight}} and "rotations" '
            "{SMPL joint: [file joints]}."
        ) from error


@lru_cache
def built_in_mappings() -> tuple[str, ...]:
    """Names of the mappings that ship with the package."""
    folder = resources.files("intermask.data").joinpath("mappings")
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".json")))


def resolve_mapping(file: BvhFile, mapping: JointMapping | str | Path | None) -> JointMapping:
    """The mapping to use: the given one, else the built-in one that fits, else by names."""
    if mapping is None:
        for name in built_in_mappings():
            candidate = load_mapping(name)
            if not _absent(file, candidate):
                return candidate
        return mapping_by_names(file)
    chosen = mapping if isinstance(mapping, JointMapping) else load_mapping(mapping)
    absent = _absent(file, chosen)
    if absent:
        raise UserError(
            f"{file.source} lacks joints that the mapping {chosen.name} names: "
            f"{', '.join(absent)}. The file has {', '.join(file.names)}."
        )
    return chosen


def _absent(file: BvhFile, mapping: JointMapping) -> list[str]:
    wanted = {name for weights in mapping.positions.values() for name in weights}
    wanted |= {name for names in mapping.rotations.values() for name in names}
    return sorted(wanted - set(file.names))
