"""What programs call the joints of a body: names for each of SMPL's 22, to read and to write.

Tables, not guesses: a naming says which joint of a file stands for which of ours. Files differ in
their number of spine joints; the names here are the usual ones, and a reader goes by the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from intermask.skeleton import SMPL22


@dataclass(frozen=True)
class JointNaming:
    """One program's names.

    name: to choose it by. title: where one meets it. joints: SMPL joint -> name without prefix;
    joints that the program lacks are left out. prefix: what the program puts before every name.
    """

    name: str
    title: str
    joints: Mapping[str, str]
    prefix: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether all 22 joints have a name, so that files can be written with it."""
        return set(self.joints) == set(SMPL22.names)

    def names(self) -> tuple[str, ...]:
        """Names of SMPL's 22 joints in their order, with the prefix; for complete namings."""
        return tuple(self.prefix + self.joints[joint] for joint in SMPL22.names)


_MIDDLE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
_SIDED = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")


def _table(middle: str, sided: str, sides: tuple[str, str] = ("Left", "Right")) -> dict[str, str]:
    """SMPL joint -> name, from words in the order of `_MIDDLE` and `_SIDED`; ``-``: no such joint.

    sided: words with ``*`` where the side stands. Words are divided by commas.
    """
    table = dict(zip(_MIDDLE, (word.strip() for word in middle.split(",")), strict=True))
    parts = dict(zip(_SIDED, (word.strip() for word in sided.split(",")), strict=True))
    for ours, theirs in zip(("left", "right"), sides, strict=True):
        table |= {f"{ours}_{part}": word.replace("*", theirs) for part, word in parts.items()}
    return {joint: table[joint] for joint in SMPL22.names if table[joint] != "-"}


_ALL = (
    JointNaming("smpl", "SMPL, AMASS, this program", {name: name for name in SMPL22.names}),
    JointNaming(
        "mixamo",
        "Mixamo; HumanIK, MotionBuilder and Maya without the prefix",
        _table(
            "Hips, Spine, Spine1, Spine2, Neck, Head",
            "*UpLeg, *Leg, *Foot, *ToeBase, *Shoulder, *Arm, *ForeArm, *Hand",
        ),
        prefix="mixamorig:",
    ),
    JointNaming(
        "vrm",
        "VRM, Unity's humanoid",
        _table(
            "hips, spine, chest, upperChest, neck, head",
            "*UpperLeg, *LowerLeg, *Foot, *Toes, *Shoulder, *UpperArm, *LowerArm, *Hand",
            ("left", "right"),
        ),
    ),
    JointNaming(
        "ue5",
        "Unreal Engine's mannequins (Manny has two spine joints and one of the neck more)",
        _table(
            "pelvis, spine_01, spine_02, spine_03, neck_01, head",
            "thigh_*, calf_*, foot_*, ball_*, clavicle_*, upperarm_*, lowerarm_*, hand_*",
            ("l", "r"),
        ),
    ),
    JointNaming(
        "lafan1",
        "LAFAN1, 100STYLE's kind",
        _table(
            "Hips, Spine, Spine1, Spine2, Neck, Head",
            "*UpLeg, *Leg, *Foot, *Toe, *Shoulder, *Arm, *ForeArm, *Hand",
        ),
    ),
    JointNaming(
        "rokoko",
        "Rokoko Studio (Newton)",
        _table(
            "Hips, Spine1, Spine2, Spine4, Neck, Head",
            "*Thigh, *Shin, *Foot, *Toe, *Shoulder, *Arm, *ForeArm, *Hand",
        ),
    ),
    JointNaming(
        "xsens",
        "Xsens MVN, Character Studio, 3ds Max, CMU's conversion for it",
        _table(
            "Hips, Chest, Chest2, Chest3, Neck, Head",
            "*Hip, *Knee, *Ankle, *Toe, *Collar, *Shoulder, *Elbow, *Wrist",
        ),
    ),
    JointNaming(
        "perception_neuron",
        "Perception Neuron, Axis Studio",
        _table(
            "Hips, Spine, Spine1, Spine2, Neck, Head",
            "*UpLeg, *Leg, *Foot, -, *Shoulder, *Arm, *ForeArm, *Hand",
        ),
    ),
    JointNaming(
        "daz",
        "DAZ and Poser, CMU's conversion by cgspeed",
        _table(
            "hip, abdomen, chest, -, neck, head",
            "*Thigh, *Shin, *Foot, -, *Collar, *Shldr, *ForeArm, *Hand",
            ("l", "r"),
        ),
    ),
    JointNaming(
        "biped",
        "3ds Max Biped",
        _table(
            "Pelvis, Spine, Spine1, Spine2, Neck, Head",
            "* Thigh, * Calf, * Foot, * Toe0, * Clavicle, * UpperArm, * Forearm, * Hand",
            ("L", "R"),
        ),
        prefix="Bip01 ",
    ),
)

NAMINGS: Mapping[str, JointNaming] = MappingProxyType({naming.name: naming for naming in _ALL})
"""Every known naming by its name."""

WRITTEN_NAMINGS = ("smpl", "mixamo", "vrm", "ue5")
"""Namings that exports offer; all are complete."""
