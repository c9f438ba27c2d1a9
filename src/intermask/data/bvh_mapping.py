"""Which joints of a BVH file make SMPL's 22: from a mapping file, or by known and common names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from intermask.data.bvh_file import JointTree
from intermask.data.mapping_file import JointMapping, built_in_mappings, load_mapping, mapping_text
from intermask.errors import UserError
from intermask.joint_names import NAMINGS, JointNaming
from intermask.skeleton import SMPL22

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
    "neck": ("neck", "neck01", "neck0", "neck1"),
    "head": ("head",),
}
_SPINE = ("spine1", "spine2", "spine3")


_SHARED = 0.8
"""Share of a file's joints that begin alike, from which on this is a prefix and no name."""


def _plain(name: str, prefix: str = "") -> str:
    """Lower case, without a namespace (``mixamorig:``), prefix and punctuation."""
    bare = re.split(r"[:|]", name.removeprefix(prefix))[-1]
    bare = re.sub(r"^C_", "", bare)  # VRoid says L, R and C for the sides
    return re.sub(r"^(mixamorig\d*|bip\d*|def)", "", re.sub(r"[^a-z0-9]", "", bare.lower()))


def _prefix(names: list[str]) -> str:
    """The longest beginning, up to punctuation, that most names share (``Character1_``), or ""."""
    beginnings = Counter(
        name[: match.end()] for name in names for match in re.finditer(r"[_:.\- ]", name)
    )
    shared = [each for each, count in beginnings.items() if count >= _SHARED * len(names)]
    return max(shared, key=len, default="")


def _plain_names(file: JointTree) -> dict[str, str]:
    """Plain name -> name of a file's joints; of two that are alike, the first."""
    names = [name for name in file.names if not name.startswith("End_")]
    prefix = _prefix(names)
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name, prefix), name)
    return plain


def _spellings(joint: str) -> list[str]:
    """Plain file names that a SMPL joint may go by, the likeliest first."""
    side, _, part = joint.partition("_")
    if not part:
        return list(_MIDDLE_NAMES[joint])
    spelled = []
    for word in _SIDE_NAMES[part]:
        spelled += [side + word, side[0] + word, word + side, word + side[0]]
    return spelled


@dataclass(frozen=True)
class Matches:
    """What of a file is recognised by its joints' names.

    positions, rotations: as in `JointMapping`, of the joints that are found. naming: the known one
    that is nearest. missing: SMPL joints that nothing was found for.
    """

    positions: dict[str, dict[str, float]]
    rotations: dict[str, tuple[str, ...]]
    naming: JointNaming
    missing: tuple[str, ...]


def match_joints(file: JointTree) -> Matches:
    """Match a file's joints with SMPL's by known namings, and then by common words.

    Spines are matched by the tree, whatever their number. The foot may come from the ankle's end
    site, and a missing spine3 or collar from its neighbours.
    """
    plain = _plain_names(file)
    naming = _nearest_naming(plain)
    # A file with SMPL's own names means them: other spellings would take its foot for the ankle.
    own_names = set(SMPL22.names) <= set(file.names)
    found: dict[str, str] = {name: name for name in SMPL22.names} if own_names else {}
    if not own_names and not _absent_names(naming, plain):
        found = {joint: plain[_plain(name)] for joint, name in _beyond_spine(naming).items()}
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
    _fill_in(found, positions)
    missing = tuple(joint for joint in SMPL22.names if joint not in positions)
    return Matches(positions, rotations, naming, missing)


def mapping_by_names(file: JointTree) -> JointMapping:
    """The mapping that follows from a file's names (Hips, LeftUpLeg, mixamorig:..., lThigh).

    Raises:
        UserError: something has no match; it lists the joints, the nearest known naming, and the
            mapping file to fill in.
    """
    matches = match_joints(file)
    if matches.missing:
        raise UserError(_unknown_skeleton(file, matches))
    known = not _absent_names(matches.naming, _plain_names(file))
    name = f"names of {matches.naming.title}" if known else "common names"
    return JointMapping(matches.positions, matches.rotations, name)


def draft_of_mapping(file: JointTree) -> str:
    """A mapping file as text, with what was recognised filled in and the rest empty."""
    matches, built_in = match_joints(file), _built_in(file)
    if built_in is not None:
        return mapping_text(built_in.positions, built_in.rotations, built_in.notes)
    notes = (
        f"Draft for {Path(file.source).name}. positions: weights of the file's joints, summing to "
        "1. rotations: the file's joints whose turns are multiplied, parent first; [] where it has "
        "none. Still empty: " + (", ".join(matches.missing) or "nothing") + ". The file's joints: "
        f"{', '.join(file.names)}."
    )
    # What turns a joint that is still to be filled in must not turn the one below it as well.
    alone = {joint: chain[-1:] for joint, chain in matches.rotations.items()}
    above = {joint: SMPL22.names[SMPL22.parents[SMPL22.index(joint)]] for joint in alone}
    rotations = {
        joint: alone[joint] if above[joint] in matches.missing else chain
        for joint, chain in matches.rotations.items()
    }
    return mapping_text(matches.positions, rotations, notes)


def _beyond_spine(naming: JointNaming) -> dict[str, str]:
    return {joint: name for joint, name in naming.joints.items() if joint not in _SPINE}


def _absent_names(naming: JointNaming, plain: dict[str, str]) -> dict[str, str]:
    """SMPL joint -> name of a naming, but for the spine, that a file lacks."""
    return {
        joint: name for joint, name in _beyond_spine(naming).items() if _plain(name) not in plain
    }


def _nearest_naming(plain: dict[str, str]) -> JointNaming:
    """The naming with most of its joints in a file; of those that are there as a whole, the
    largest."""

    def nearness(naming: JointNaming) -> tuple[bool, int]:
        absent = len(_absent_names(naming, plain))
        return absent == 0, len(_beyond_spine(naming)) - absent

    return max(NAMINGS.values(), key=nearness)


def _fill_in(found: dict[str, str], positions: dict[str, dict[str, float]]) -> None:
    """Joints that a file may lack, from their neighbours."""
    if "spine2" in found and "neck" in found and "pelvis" in found:
        above, below = found["neck"], found["pelvis"]
        positions.setdefault("spine1", {below: 0.5, found["spine2"]: 0.5})
        positions.setdefault("spine3", {found["spine2"]: 0.7, above: 0.3})
    for side in ("left", "right"):
        collar, shoulder = f"{side}_collar", f"{side}_shoulder"
        if collar not in found and shoulder in found and "neck" in found:
            positions[collar] = {found["neck"]: 0.6, found[shoulder]: 0.4}


def _unknown_skeleton(file: JointTree, matches: Matches) -> str:
    naming = matches.naming
    absent = _absent_names(naming, _plain_names(file))
    lacks = ", ".join(f"{naming.prefix}{name} ({joint})" for joint, name in absent.items())
    empty = mapping_text(
        {joint: {"JOINT OF THE FILE": 1} for joint in matches.missing[:2]},
        {joint: ["JOINT OF THE FILE"] for joint in matches.missing[:2]},
        joints=matches.missing[:2],
    )
    return (
        f"{file.source}: no joint was recognised by name for {', '.join(matches.missing)}. The "
        f"file's joints are {', '.join(file.names)}. The nearest known names are those of "
        f"{naming.title}, of which it lacks {lacks or 'none but joints of the spine'}. Write a "
        "mapping file with what was recognised (--write-mapping mapping.json), fill in what is "
        f"empty in it, and give it (--mapping mapping.json):\n{empty.rstrip()}"
    )


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
    if joint != stop or not chain:
        return
    if len(chain) == 1:
        found["spine2"] = chain[0]
        return
    picks = (
        (chain[0], chain[1]) if len(chain) == 2 else (chain[0], chain[len(chain) // 2], chain[-1])
    )
    for joint_name, name in zip(_SPINE, picks, strict=False):
        found[joint_name] = name


def resolve_mapping(file: JointTree, mapping: JointMapping | str | Path | None) -> JointMapping:
    """The mapping to use: the given one, else the built-in one that fits, else by names."""
    if mapping is None:
        return _built_in(file) or mapping_by_names(file)
    chosen = mapping if isinstance(mapping, JointMapping) else load_mapping(mapping)
    absent = _absent(file, chosen)
    if absent:
        raise UserError(
            f"{file.source} lacks joints that the mapping {chosen.name} names: "
            f"{', '.join(absent)}. The file has {', '.join(file.names)}."
        )
    return chosen


def _built_in(file: JointTree) -> JointMapping | None:
    """The built-in mapping that fits, if one does."""
    candidates = (load_mapping(name) for name in built_in_mappings())
    return next((each for each in candidates if not _absent(file, each)), None)


def _absent(file: JointTree, mapping: JointMapping) -> list[str]:
    wanted = {name for weights in mapping.positions.values() for name in weights}
    wanted |= {name for names in mapping.rotations.values() for name in names}
    return sorted(wanted - set(file.names))
