"""Names of joints in files for other programs."""

from __future__ import annotations

import re

from intermask.errors import UserError
from intermask.joint_names import NAMINGS, WRITTEN_NAMINGS
from intermask.skeleton import SMPL22, Skeleton

# Knuckles of a finger from the palm outwards, the thumb's apart in VRM.
_FINGERS = {
    "mixamo": ("mixamorig:{Side}Hand{Finger}{knuckle}", {"pinky": "Pinky"}),
    "vrm": ("{side}{Finger}{part}", {"pinky": "Little"}),
    "ue5": ("{finger}_{knuckle:02d}_{s}", {}),
}
_VRM_PARTS = ("Proximal", "Intermediate", "Distal")
_VRM_THUMB = ("Metacarpal", "Proximal", "Distal")
_KNUCKLE = re.compile(r"(left|right)_(index|middle|pinky|ring|thumb)([123])")


def written_names(skeleton: Skeleton, naming: str = "smpl") -> tuple[str, ...]:
    """Names of a skeleton's joints in their order, as a program calls them.

    Jaw and eyes of SMPL-X, for which programs have no common names, keep theirs.

    Raises:
        UserError: files are not written with that naming.
    """
    check_naming(naming)
    body = dict(zip(SMPL22.names, NAMINGS[naming].names(), strict=True))
    return tuple(body.get(name) or _hand_name(name, naming) for name in skeleton.names)


def check_naming(naming: str) -> None:
    """Raise a `UserError` for names of joints that files are not written with."""
    if naming not in WRITTEN_NAMINGS:
        raise UserError(
            f"unknown names of joints {naming!r}; choose from {', '.join(WRITTEN_NAMINGS)}"
        )


def _hand_name(name: str, naming: str) -> str:
    found = _KNUCKLE.fullmatch(name)
    if found is None or naming == "smpl":
        return name
    side, finger, knuckle = found[1], found[2], int(found[3])
    pattern, others = _FINGERS[naming]
    parts = _VRM_THUMB if finger == "thumb" else _VRM_PARTS
    return pattern.format(
        side=side,
        Side=side.capitalize(),
        s=side[0],
        finger=finger,
        Finger=others.get(finger, finger.capitalize()),
        knuckle=knuckle,
        part=parts[knuckle - 1],
    )
