"""A person as ASF and AMC files, written from the format's description: motion data for tests.

Where the ends of bones are is found here by scipy, so that a reader can be held against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]
Values = dict[str, Array]

INCH_M = 0.0254


@dataclass(frozen=True)
class Bone:
    """A bone of the skeleton: its far end in metres from its near one, axes in degrees."""

    name: str
    parent: str
    end: tuple[float, float, float]
    axis: tuple[float, float, float] = (0.0, 0.0, 0.0)
    freedoms: str = ""


def _side(letter: str, sign: float) -> list[Bone]:
    leg, foot = (0.0, 0.0, 20.0 * sign), (-90.0, 0.0, 20.0 * sign)
    arm = (180.0, 30.0 * sign, 90.0 * sign)
    rows = [
        ("hipjoint", "root", (0.102, -0.092, 0.05), (0.0, 0.0, 0.0), ""),
        ("femur", "hipjoint", (0.1385, -0.3805, 0.0), leg, "rx ry rz"),
        ("tibia", "femur", (0.1387, -0.3812, 0.0), leg, "rx"),
        ("foot", "tibia", (0.02, -0.03, 0.12), foot, "rx rz"),
        ("toes", "foot", (0.0, -0.01, 0.06), foot, "rx"),
        ("clavicle", "thorax", (0.183, 0.076, 0.01), (0.0, 0.0, 0.0), "ry rz"),
        ("humerus", "clavicle", (0.277, 0.0, 0.0), arm, "rx ry rz"),
        ("radius", "humerus", (0.186, 0.0, 0.0), arm, "rx"),
        ("wrist", "radius", (0.093, 0.0, 0.0), arm, "ry"),
        ("hand", "wrist", (0.04, 0.0, 0.0), arm, "rx rz"),
        ("fingers", "hand", (0.033, 0.0, 0.0), arm, "rx"),
        ("thumb", "wrist", (0.03, 0.0, 0.03), arm, "rx rz"),
    ]
    middle = ("root", "thorax")
    return [
        Bone(
            letter + name,
            parent if parent in middle else letter + parent,
            (sign * end[0], end[1], end[2]),
            axis,
            freedoms,
        )
        for name, parent, end, axis, freedoms in rows
    ]


ROOT = Bone("root", "", (0.0, 0.0, 0.0), freedoms="tx ty tz rx ry rz")
BONES = (
    ROOT,
    Bone("lowerback", "root", (0.0, 0.1, -0.01), freedoms="rx ry rz"),
    Bone("upperback", "lowerback", (0.0, 0.114, 0.001), freedoms="rx ry rz"),
    Bone("thorax", "upperback", (0.0, 0.114, 0.005), freedoms="rx ry rz"),
    Bone("lowerneck", "thorax", (0.0, 0.09, 0.01), freedoms="rx ry rz"),
    Bone("upperneck", "lowerneck", (0.0, 0.09, 0.0), freedoms="rx ry rz"),
    Bone("head", "upperneck", (0.0, 0.09, 0.01), freedoms="rx ry rz"),
    *_side("l", 1.0),
    *_side("r", -1.0),
)
"""Named and joined as in CMU's database, of the size of an adult."""


def metres_per_unit(length: float) -> float:
    """Of a file whose ``length`` is so many units of an inch."""
    return 2.54 / 100 / length


def still(frames: int) -> Values:
    """The rest pose: values (t, degrees of freedom) of each bone, degrees and metres."""
    return {
        bone.name: np.zeros((frames, len(bone.freedoms.split()))) for bone in BONES if bone.freedoms
    }


def swaying(
    frames: int,
    fps: float = 120.0,
    seed: int = 0,
    place: tuple[float, float] = (0.0, 0.0),
    facing: float = 0.0,
) -> Values:
    """Somebody who moves every joint smoothly, arms down; as `still`. Facing: degrees about y."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames) / fps
    values = still(frames)
    for rows in values.values():
        count = rows.shape[1]
        phase, size = generator.uniform(0, 6, count), generator.uniform(4, 12, count)
        rows += size * np.sin(1.5 * time[:, None] + phase)
    values["root"][:, :3] = np.stack(
        [place[0] + 0.1 * np.sin(time), 0.95 + 0.01 * np.sin(2 * time), place[1] + 0 * time], -1
    )
    values["root"][:, 3:] *= 0.3
    values["root"][:, 4] += facing
    return values


def asf_text(length: float = 0.45, degrees: bool = True) -> str:
    """The skeleton as ASF; ``length`` units make an inch."""
    angle = 1.0 if degrees else np.pi / 180
    metre = 1 / metres_per_unit(length)
    lines = [
        "# written for a test",
        ":version 1.10",
        ":name VICON",
        ":units",
        "  mass 1.0",
        f"  length {length}",
        f"  angle {'deg' if degrees else 'rad'}",
        ":documentation",
        "   angles and lengths of nobody in particular",
        ":root",
        "   order TX TY TZ RX RY RZ",
        "   axis XYZ",
        "   position 0 0 0",
        "   orientation 0 0 0",
        ":bonedata",
    ]
    for number, bone in enumerate(BONES[1:], 1):
        size = float(np.linalg.norm(bone.end))
        lines += [
            "  begin",
            f"     id {number}",
            f"     name {bone.name}",
            "     direction " + _numbers(np.divide(bone.end, size)),
            "     length " + _numbers([size * metre]),
            "     axis " + _numbers(angle * np.array(bone.axis)) + "  XYZ",
        ]
        if bone.freedoms:
            limits = ["(-180 180)"] * len(bone.freedoms.split())
            lines += [f"    dof {bone.freedoms}", "    limits " + "\n           ".join(limits)]
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for bone in BONES:
        children = [child.name for child in BONES if child.parent == bone.name]
        if children:
            lines.append("    " + " ".join([bone.name, *children]))
    return "\n".join([*lines, "  end"]) + "\n"


def amc_text(values: Values, length: float = 0.45, degrees: bool = True, first: int = 1) -> str:
    """Motion as AMC, of a skeleton with the same ``length``."""
    angle = 1.0 if degrees else np.pi / 180
    lines = ["#!OML:ASF test.asf", ":FULLY-SPECIFIED", ":DEGREES" if degrees else ":RADIANS"]
    for frame in range(len(values["root"])):
        lines.append(str(first + frame))
        for name, rows in values.items():
            row = angle * rows[frame]
            if name == "root":
                row[:3] = rows[frame, :3] / metres_per_unit(length)
            lines.append(f"{name} {_numbers(row)}")
    return "\n".join(lines) + "\n"


def bone_ends(values: Values) -> Values:
    """Far ends (t, 3) of all bones in metres; the root's is where it stands."""
    turned: dict[str, Rotation] = {}
    ends: Values = {}
    for bone, turn in _local(values).items():
        if bone.name == "root":
            turned["root"], ends["root"] = turn, values["root"][:, :3]
        else:
            turned[bone.name] = turned[bone.parent] * turn
            ends[bone.name] = ends[bone.parent] + turned[bone.name].apply(bone.end)
    return ends


def _local(values: Values) -> dict[Bone, Rotation]:
    """Rotation of each bone against its parent and the rest pose."""
    local = {}
    for bone in BONES:
        axes = Rotation.from_euler("xyz", bone.axis, degrees=True)
        turn = Rotation.identity(len(values["root"]))
        if bone.name == "root":
            turn = Rotation.from_euler("xyz", values["root"][:, 3:], degrees=True)
        elif bone.freedoms:
            order = "".join(freedom[1] for freedom in bone.freedoms.split())
            turn = Rotation.from_euler(order, values[bone.name], degrees=True)
        local[bone] = axes * turn * axes.inv()
    return local


_MIDDLE = {
    "root": "Hips", "lowerback": "LowerBack", "upperback": "Spine", "thorax": "Spine1",
    "lowerneck": "Neck", "upperneck": "Neck1", "head": "Head",
}  # fmt: skip
_SIDE = {
    "hipjoint": "HipJoint", "femur": "UpLeg", "tibia": "Leg", "foot": "Foot", "toes": "ToeBase",
    "clavicle": "Shoulder", "humerus": "Arm", "radius": "ForeArm", "wrist": "Hand",
    "hand": "FingerBase", "fingers": "HandIndex1", "thumb": "Thumb",
}  # fmt: skip


def _motionbuilder_name(bone: str) -> str:
    if bone in _MIDDLE:
        return _MIDDLE[bone]
    side = {"l": "Left", "r": "Right"}[bone[0]]
    return (side[0] if bone[1:] in ("hipjoint", "thumb") else side) + _SIDE[bone[1:]]


def motionbuilder_text(values: Values) -> str:
    """The motion as the database's conversion to BVH for MotionBuilder: names, units, no wrist."""
    metre = 1 / metres_per_unit(0.45)
    local = _local(values)
    columns = [values["root"][:, :3] * metre]
    lines = ["HIERARCHY"]

    def write(bone: Bone, offset: tuple[float, float, float], indent: str) -> None:
        places = "Xposition Yposition Zposition " if bone is ROOT else ""
        lines.extend([
            f"{indent}{'JOINT' if indent else 'ROOT'} {_motionbuilder_name(bone.name)}",
            f"{indent}{{",
            f"{indent}  OFFSET " + _numbers(metre * np.array(offset)),
            f"{indent}  CHANNELS {6 if bone is ROOT else 3} {places}Zrotation Yrotation Xrotation",
        ])  # fmt: skip
        columns.append(local[bone].as_euler("ZYX", degrees=True))
        end = (0.0, 0.0, 0.0) if bone.name in ("lwrist", "rwrist") else bone.end
        children = [child for child in BONES if child.parent == bone.name]
        for child in children:
            write(child, end, indent + "  ")
        if not children:
            tip = _numbers(metre * np.array(end))
            lines.extend([f"{indent}  End Site", f"{indent}  {{", f"{indent}    OFFSET {tip}",
                          f"{indent}  }}"])  # fmt: skip
        lines.append(f"{indent}}}")

    write(ROOT, (0.0, 0.0, 0.0), "")
    rows = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", "Frame Time: .0083333"]
    return "\n".join([*lines, *(_numbers(row) for row in rows)]) + "\n"


def write_person(folder: Path, subject: int, trials: dict[int, Values]) -> None:
    """``SS.asf`` and ``SS_TT.amc`` of one subject, as the database names them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{subject:02d}.asf").write_text(asf_text())
    for trial, values in trials.items():
        (folder / f"{subject:02d}_{trial:02d}.amc").write_text(amc_text(values))


def _numbers(values: Array | list[float]) -> str:
    return " ".join(f"{value:.9g}" for value in values)
