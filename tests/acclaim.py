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
    turned = {}
    ends: Values = {}
    for bone in BONES:
        axes = Rotation.from_euler("xyz", bone.axis, degrees=True)
        if bone.name == "root":
            turned["root"] = Rotation.from_euler("xyz", values["root"][:, 3:], degrees=True)
            ends["root"] = values["root"][:, :3]
            continue
        turn = Rotation.identity()
        if bone.freedoms:
            order = "".join(freedom[1] for freedom in bone.freedoms.split())
            turn = Rotation.from_euler(order, values[bone.name], degrees=True)
        turned[bone.name] = turned[bone.parent] * (axes * turn * axes.inv())
        ends[bone.name] = ends[bone.parent] + turned[bone.name].apply(bone.end)
    return ends


def write_person(folder: Path, subject: int, trials: dict[int, Values]) -> None:
    """``SS.asf`` and ``SS_TT.amc`` of one subject, as the database names them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{subject:02d}.asf").write_text(asf_text())
    for trial, values in trials.items():
        (folder / f"{subject:02d}_{trial:02d}.amc").write_text(amc_text(values))


def _numbers(values: Array | list[float]) -> str:
    return " ".join(f"{value:.9g}" for value in values)
