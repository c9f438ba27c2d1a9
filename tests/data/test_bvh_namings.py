"""Skeletons of other programs: our motion in their names, rest poses and units comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rigs import Rig, bvh_of

from intermask.data.bvh import import_bvh_pair
from intermask.data.bvh_file import parse_bvh
from intermask.data.bvh_mapping import draft_of_mapping, mapping_by_names, match_joints
from intermask.data.bvh_recording import read_bvh_people
from intermask.data.bvh_units import guess_unit
from intermask.data.mapping_file import load_mapping
from intermask.data.person_file import load_person
from intermask.errors import UserError
from intermask.geometry import geodesic_angle
from intermask.joint_names import NAMINGS
from intermask.kinematics import bone_offsets, forward_kinematics
from intermask.motion import Motion
from intermask.skeleton import SMPL22
from walking import walking_pair

ARMS_DOWN = {"left_shoulder": (0.0, 0.0, -80.0), "right_shoulder": (0.0, 0.0, 80.0)}
A_POSE = {
    "left_shoulder": (0.0, 0.0, -45.0), "right_shoulder": (0.0, 0.0, 45.0),
    "left_hip": (0.0, 0.0, 8.0), "right_hip": (0.0, 0.0, -8.0),
}  # fmt: skip
BACKWARDS = ((-1, 0, 0), (0, 1, 0), (0, 0, -1))
Z_UP = ((1, 0, 0), (0, 0, -1), (0, 1, 0))

RIGS = {
    "Mixamo": Rig("mixamo"),
    "MotionBuilder": Rig("mixamo", prefix=""),
    "HumanIK, arms down": Rig("mixamo", prefix="Character1_", swings=ARMS_DOWN),
    "a second Mixamo figure": Rig("mixamo", prefix="mixamorig2:", above="Armature"),
    "LAFAN1": Rig("lafan1", laid=True),
    "Rokoko": Rig("rokoko", axes=BACKWARDS),
    "Xsens": Rig("xsens", swings=ARMS_DOWN),
    "Xsens, laid": Rig("xsens", metres=1.0, laid=True),
    "Perception Neuron": Rig("perception_neuron", metres=0.0254),
    "DAZ": Rig("daz", swings=A_POSE),
    "Biped": Rig("biped", axes=Z_UP, turned=True),
    "Biped, y up": Rig("biped", axes=Z_UP),
    "VRM": Rig("vrm", metres=1.0),
    "Unreal": Rig("ue5", swings=A_POSE, above="root"),
    "SMPL": Rig("smpl", metres=0.001, above="Root"),
}


def person(rig: Rig) -> Motion:
    """Two people whose turns the rig has joints for."""
    motion = walking_pair(60)
    absent = [
        joint
        for joint, name in enumerate(SMPL22.names)
        if name not in NAMINGS[rig.naming].joints and not name.endswith("_foot")
    ]
    if not absent:
        return motion
    rotations = motion.rotations.clone()
    rotations[:, :, [joint - 1 for joint in absent]] = torch.eye(3)
    offsets = bone_offsets(motion.positions, motion.root_rotations, motion.rotations)[:, None]
    positions = forward_kinematics(
        offsets, motion.positions[:, :, 0], motion.root_rotations, rotations
    )
    return replace(motion, positions=positions, rotations=rotations)


@pytest.mark.parametrize("rig", RIGS.values(), ids=list(RIGS))
def test_motion_comes_back_from_other_programs(rig: Rig, tmp_path: Path) -> None:
    motion = person(rig)
    paths = []
    for number in range(2):
        paths.append(tmp_path / f"walk_{number + 1}.bvh")
        paths[-1].write_text(bvh_of(rig, motion, number))
    people = read_bvh_people(paths)
    assert people.recordings[0].unit_scale == rig.metres
    assert people.recordings[0].fps == 30.0
    assert NAMINGS[rig.naming].title in people.mappings[0].name
    known = [joint for joint in range(22) if SMPL22.names[joint] in NAMINGS[rig.naming].joints]
    turning = [joint - 1 for joint in known if joint]
    for number, path in enumerate(paths):
        read = load_person(path)
        away = (read.positions - motion.positions[number])[:, known]
        assert away[..., [0, 2]].abs().max() < 3e-3
        assert (away[..., 1] - away[0, 0, 1]).abs().max() < 3e-3  # the floor may be found elsewhere
        # Rest poses say little of how a bone is turned about itself, laid ones nothing: hinges do.
        limit = 0.35 if rig.laid else 0.15 if rig.swings else 1e-2
        roots = geodesic_angle(read.root_rotations, motion.root_rotations[number])
        turns = geodesic_angle(read.rotations, motion.rotations[number])[:, turning]
        assert roots.max() < 0.02 and turns.max() < limit


def test_two_files_of_one_world_share_unit_and_place(tmp_path: Path) -> None:
    motion = walking_pair(60)
    paths = tmp_path / "a.bvh", tmp_path / "b.bvh"
    for number, path in enumerate(paths):
        path.write_text(bvh_of(Rig("mixamo"), motion, number))
    pair = import_bvh_pair(*paths)
    away = torch.from_numpy(pair.positions) - motion.positions
    assert (away - away[0, 0, 0]).abs().max() < 3e-3
    assert any("centimetres" in note for note in pair.notes)
    with pytest.raises(UserError, match="unit"):
        import_bvh_pair(*paths, unit_scale=1.0)


@pytest.mark.parametrize(
    ("height", "mapping", "metres"),
    [(1.45, "", 1.0), (145.0, "", 0.01), (1450.0, "", 0.001), (57.0, "", 0.0254),
     (105.0, "", 0.01), (1.1, "cmu_daz", 1.28), (25.7, "cmu_motionbuilder", 0.0254 / 0.45),
     (30.0, "", 0.0483)],
)  # fmt: skip
def test_units_are_those_that_make_a_person(height: float, mapping: str, metres: float) -> None:
    unit = guess_unit(height, mapping)
    assert unit.metres == pytest.approx(metres, rel=1e-6)
    assert unit.height == pytest.approx(height * metres, rel=1e-3)
    assert "--scale" in unit.describe()


def renamed(text: str, **names: str) -> str:
    for ours, theirs in names.items():
        text = text.replace(f" {ours}\n", f" {theirs}\n")
    return text


def test_an_unknown_skeleton_is_told_what_it_lacks(tmp_path: Path) -> None:
    text = bvh_of(Rig("mixamo", prefix=""), walking_pair(4), 0)
    file = parse_bvh(renamed(text, LeftForeArm="Bone_17", Head="Bone_5"))
    with pytest.raises(UserError) as error:
        mapping_by_names(file)
    said = str(error.value)
    assert "for head, left_elbow" in said and "Bone_17" in said
    assert "Mixamo" in said and "LeftForeArm (left_elbow)" in said
    assert "--write-mapping" in said and '"left_elbow": {"JOINT OF THE FILE": 1}' in said
    # What is written is filled in by hand, and then the file is read as if it had been known.
    draft = draft_of_mapping(file)
    path = tmp_path / "mapping.json"
    path.write_text(draft)
    with pytest.raises(UserError, match="head"):
        load_mapping(path)
    draft = draft.replace('"head": {}', '"head": {"Bone_5": 1}')
    draft = draft.replace('"head": []', '"head": ["Bone_5"]')
    draft = draft.replace('"left_elbow": {}', '"left_elbow": {"Bone_17": 1}')
    path.write_text(draft.replace('"left_elbow": []', '"left_elbow": ["Bone_17"]'))
    (tmp_path / "strange.bvh").write_text(renamed(text, LeftForeArm="Bone_17", Head="Bone_5"))
    (tmp_path / "known.bvh").write_text(text)
    strange = load_person(tmp_path / "strange.bvh", mapping=path)
    known = load_person(tmp_path / "known.bvh")
    torch.testing.assert_close(strange.positions, known.positions)
    turned = geodesic_angle(strange.rotations, known.rotations).amax(0)
    assert turned.max() < 1e-3


def test_spines_go_by_the_tree() -> None:
    text = bvh_of(Rig("daz"), walking_pair(4), 0)
    file = parse_bvh(renamed(text, abdomen="waist_twist"))
    matches = match_joints(file)
    assert not matches.missing and matches.positions["spine1"] == {"waist_twist": 1.0}
    assert matches.positions["spine3"] == {"chest": 0.7, "neck": 0.3}


def test_a_file_that_lies_is_not_turned(tmp_path: Path) -> None:
    """Rest poses lie in some files and people in others: one alone says nothing of what is up."""
    lying = walking_pair(30)
    turn = torch.tensor(((1.0, 0, 0), (0, 0, -1), (0, 1, 0)))
    lying = replace(
        lying, positions=lying.positions @ turn.T, root_rotations=turn @ lying.root_rotations
    )
    path = tmp_path / "lying.bvh"
    path.write_text(bvh_of(Rig("mixamo"), lying, 0))
    people = read_bvh_people([path])
    assert not any("another axis" in note for note in people.notes)
    assert np.allclose(people.recordings[0].pose.rotations[0, 0], lying.root_rotations[0, 0],
                       atol=1e-5)  # fmt: skip
