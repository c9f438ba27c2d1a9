"""Which joints of a BVH file make SMPL's 22: from a mapping file, or by common names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path

from intermask.data.bvh_file import JointTree
from intermask.errors import UserError
from intermask.skeleton import SMPL22


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


def mapping_by_names(file: JointTree) -> JointMapping:
    """Match a file's joints with SMPL's by common names (Hips, LeftUpLeg, mixamorig:..., lThigh).

    The foot may come from the ankle's end site, and a missing spine3 or collar from its
    neighbours. Raises UserError that lists what has no match.
    """
    plain: dict[str, str] = {}
    for name in file.names:
        if not name.startswith("End_"):
            plain.setdefault(_plain(name), name)
    # A file with SMPL's own names means them: other spellings would take its foot for the ankle.
    own_names = set(SMPL22.names) <= set(file.names)
    found: dict[str, str] = {name: name for name in SMPL22.names} if own_names else {}
    for joint in SMPL22.names:
        if joint not in found and joint not in _SPINE and not joint.endswith("_collar"):
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


def _turning_chain(file: JointTree, joint: str, found: dict[str, str]) -> tuple[str, ...]:
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


def _match_side(file: JointTree, side: str, plain: dict[str, str], found: dict[str, str]) -> None:
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


def _match_spine(file: JointTree, found: dict[str, str]) -> None:
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
    picks = (
        (chain[0], chain[1]) if len(chain) == 2 else (chain[0], chain[len(chain) // 2], chain[-1])
    )
    for joint_name, name in zip(_SPINE, picks, strict=False):
        found[joint_name] = name


def load_mapping(source: str | Path) -> JointMapping:
    """Read a mapping from a JSON file, or a built-in one by name (``cmu_daz``)."""
    path = Path(source)
    if path.suffix == "" and str(source) in built_in_mappings():
        text = (
            resources.files("intermask.data")
            .joinpath(f"mappings/{source}.json")
            .read_text(encoding="utf-8")
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


def resolve_mapping(file: JointTree, mapping: JointMapping | str | Path | None) -> JointMapping:
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


def _absent(file: JointTree, mapping: JointMapping) -> list[str]:
    wanted = {name for weights in mapping.positions.values() for name in weights}
    wanted |= {name for names in mapping.rotations.values() for name in names}
    return sorted(wanted - set(file.names))
