"""Laws of the readers of ASF and AMC, on files written by `acclaim` from known rotations."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from acclaim import BONES, amc_text, asf_text, bone_ends, metres_per_unit, still, swaying
from intermask.data.amc_file import parse_amc
from intermask.data.asf_file import parse_asf
from intermask.data.bvh_joints import pose_positions, smpl_joints
from intermask.data.bvh_mapping import resolve_mapping
from intermask.errors import UserError
from intermask.kinematics import global_rotations
from intermask.skeleton import SMPL22

FRAMES = 40


def read_ends(asf: str, amc: str) -> dict[str, np.ndarray]:
    """Far ends of bones in metres, as the package reads them: where children start."""
    skeleton = parse_asf(asf)
    positions = pose_positions(parse_amc(amc, skeleton), skeleton.parents)
    positions = positions * skeleton.metres_per_unit
    ends = {"root": positions[:, 0]}
    for joint, parent in enumerate(skeleton.parents):
        if parent > 0:
            ends[skeleton.names[parent]] = positions[:, joint]
    return ends


def test_known_rotations_come_back() -> None:
    values = swaying(FRAMES)
    found, expected = read_ends(asf_text(), amc_text(values)), bone_ends(values)
    assert set(found) == {bone.name for bone in BONES}
    for name, ends in expected.items():
        np.testing.assert_allclose(found[name], ends, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("skeleton_in_degrees", [True, False])
@pytest.mark.parametrize("motion_in_degrees", [True, False])
def test_degrees_and_radians(skeleton_in_degrees: bool, motion_in_degrees: bool) -> None:
    values = swaying(6)
    found = read_ends(
        asf_text(degrees=skeleton_in_degrees), amc_text(values, degrees=motion_in_degrees)
    )
    for name, ends in bone_ends(values).items():
        np.testing.assert_allclose(found[name], ends, atol=1e-6, err_msg=name)


def test_motion_without_a_unit_takes_the_skeletons() -> None:
    values = swaying(4)
    amc = amc_text(values, degrees=False).replace(":RADIANS\n", "")
    found = read_ends(asf_text(degrees=False), amc)
    np.testing.assert_allclose(found["lfingers"], bone_ends(values)["lfingers"], atol=1e-6)


@pytest.mark.parametrize("length", [0.45, 1.0])
def test_units_are_parts_of_an_inch(length: float) -> None:
    skeleton = parse_asf(asf_text(length))
    assert skeleton.metres_per_unit == pytest.approx(1 / length * 2.54 / 100)
    assert skeleton.metres_per_unit == metres_per_unit(length)
    values = swaying(4)
    found = read_ends(asf_text(length), amc_text(values, length))
    np.testing.assert_allclose(found["ltoes"], bone_ends(values)["ltoes"], atol=1e-6)


def test_the_order_of_freedoms_is_kept() -> None:
    """A bone may turn about z first."""
    skeleton = parse_asf(asf_text().replace("    dof rx ry rz", "    dof rz rx ry"))
    values = still(3)
    values["lhumerus"] += (10.0, 20.0, 30.0)
    found = parse_amc(amc_text(values), skeleton).rotations[:, skeleton.names.index("lhumerus")]
    axes = Rotation.from_euler("xyz", [180, 30, 90], degrees=True)
    turn = Rotation.from_euler("zxy", [10, 20, 30], degrees=True)
    np.testing.assert_allclose(found[0], (axes * turn * axes.inv()).as_matrix(), atol=1e-9)


def test_gzipped_files_and_frames_from_any_number(tmp_path: Path) -> None:
    values = swaying(5)
    asf, amc = tmp_path / "18.asf.gz", tmp_path / "18_01.amc.gz"
    asf.write_bytes(gzip.compress(asf_text().encode()))
    amc.write_bytes(gzip.compress(amc_text(values, first=120).encode()))
    pose = parse_amc(amc, parse_asf(asf))
    assert len(pose.rotations) == 5
    np.testing.assert_allclose(pose.translations[:, 0] * metres_per_unit(0.45),
                               values["root"][:, :3], atol=1e-7)  # fmt: skip
    with pytest.raises(FileNotFoundError, match=r"no AMC file .*absent\.amc"):
        parse_amc(tmp_path / "absent.amc", parse_asf(asf))


def test_smpl_joints_lie_where_the_bones_are() -> None:
    values = swaying(FRAMES)
    skeleton = parse_asf(asf_text())
    assert resolve_mapping(skeleton, None).name == "cmu_acclaim"
    joints = smpl_joints(
        skeleton, parse_amc(amc_text(values), skeleton), None, skeleton.metres_per_unit
    )
    ends = bone_ends(values)
    for joint, bone in {
        "left_hip": "lhipjoint", "right_knee": "rfemur", "left_ankle": "ltibia",
        "right_foot": "rfoot", "left_shoulder": "lclavicle", "right_elbow": "rhumerus",
        "spine1": "lowerback", "spine2": "upperback",
    }.items():  # fmt: skip
        found = joints.positions[:, SMPL22.index(joint)]
        np.testing.assert_allclose(found, ends[bone], atol=1e-6, err_msg=joint)
    forearm = joints.positions[:, SMPL22.index("left_wrist")] - ends["lhumerus"]
    np.testing.assert_allclose(np.linalg.norm(forearm, axis=-1), 0.251, atol=1e-3)


def test_smpl_rotations_carry_the_bones() -> None:
    """What hangs rigidly on a joint stands still in its frame, so its rotation is the bone's."""
    skeleton = parse_asf(asf_text())
    pose = parse_amc(amc_text(swaying(FRAMES)), skeleton)
    joints = smpl_joints(skeleton, pose, None, skeleton.metres_per_unit)
    world = global_rotations(
        torch.from_numpy(joints.root_rotations), torch.from_numpy(joints.rotations)
    ).numpy()
    sides = ("knee", "ankle", "foot", "elbow", "wrist", "shoulder", "hip")
    names = [f"{side}_{joint}" for side in ("left", "right") for joint in sides]
    for name in (*names, "spine2"):
        child = SMPL22.index(name)
        parent = SMPL22.parents[child]
        bone = joints.positions[:, child] - joints.positions[:, parent]
        if name.endswith("shoulder"):  # its SMPL bone starts inside the clavicle
            bone = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
        local = np.einsum("tji,tj->ti", world[:, parent], bone)
        np.testing.assert_allclose(local, np.broadcast_to(local[0], local.shape), atol=2e-3,
                                   err_msg=name)  # fmt: skip


def test_rest_pose_is_a_t_pose_with_the_legs_apart() -> None:
    skeleton = parse_asf(asf_text())
    pose = parse_amc(amc_text(still(1)), skeleton)
    joints = smpl_joints(skeleton, pose, None, skeleton.metres_per_unit)
    turned = Rotation.from_matrix(joints.rotations[0]).as_rotvec(degrees=True)
    expected = np.zeros((21, 3))
    expected[SMPL22.index("left_hip") - 1, 2] = 20
    expected[SMPL22.index("right_hip") - 1, 2] = -20
    # SMPL's own thighs, ankles and collars lean by some degrees in its T-pose.
    names = ("spine", "hip", "knee", "neck", "head", "wrist", "elbow")
    upright = [at for at, name in enumerate(SMPL22.names[1:]) if any(n in name for n in names)]
    np.testing.assert_allclose(turned[upright], expected[upright], atol=4)
    assert np.abs(turned).max() < 21
    np.testing.assert_allclose(joints.root_rotations[0], np.eye(3), atol=1e-9)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda t: t.replace("rfemur ", "rthigh ", 1), "line 23: .*skeleton .*no bone 'rthigh'"),
        (lambda t: t.replace("ltibia", "lfemur", 1), r"not 'lfemur' twice"),
        (lambda t: t.replace("rtibia", "rtibia 1", 1), "1 numbers for rtibia"),
        (lambda t: t.replace("rtibia", "rtibia x #", 1), "1 numbers for rtibia"),
        (lambda t: t.replace("\n2\n", "\n3\n"), "frame 2"),
        (lambda t: t[: t.rindex("rfemur")], "no values of rfemur, .* by the end of the file"),
        (lambda t: t.replace("\n2\n", "\nhead 0 0 0\n2\n"), "'head' twice"),
        (lambda t: t[:40], "cut short"),
        (lambda t: t.replace("\n1\n", "\n"), "number of the first frame"),
    ],
)
def test_damaged_motion_is_named_with_the_line(tmp_path: Path, spoil, expected: str) -> None:
    path = tmp_path / "18_01.amc"
    path.write_text(spoil(amc_text(swaying(3))))
    with pytest.raises(UserError, match=expected) as error:
        parse_amc(path, parse_asf(asf_text()))
    assert "18_01.amc" in str(error.value) and "line" in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda t: t.replace("length 0.45", "length -1"), "positive length"),
        (lambda t: t.replace("angle deg", "angle gon"), "angle deg"),
        (lambda t: t.replace("dof rx ry rz", "dof rx l", 1), "some of rx ry rz"),
        (lambda t: t.replace("XYZ\n   position", "XY\n   position"), "order of three axes"),
        (lambda t: t.replace("name lfemur", "name rfemur"), "a name of its own"),
        (lambda t: t.replace("lfemur ltibia", "lfemur lshin"), "'lshin' is none"),
        (lambda t: t.replace("lfemur ltibia", "lfemur rtibia"), "'rtibia' has two"),
        (lambda t: t.replace("    lfemur ltibia\n", ""), "bones that its hierarchy .*ltibia"),
        (lambda t: t[: t.index(":hierarchy")], "no section :hierarchy"),
        (lambda t: t[: t.index("name ltibia")], "cut short"),
        (lambda t: "HIERARCHY\n" + t, "line 1.*a section"),
        (lambda t: t.replace("direction", "richtung", 1), "name, direction"),
        (lambda t: t.replace("   order TX TY TZ RX RY RZ\n", ""), "order TX TY TZ"),
    ],
)
def test_damaged_skeletons_are_named(tmp_path: Path, spoil, expected: str) -> None:
    path = tmp_path / "18.asf"
    path.write_text(spoil(asf_text()))
    with pytest.raises(UserError, match=expected) as error:
        parse_asf(path)
    assert "18.asf" in str(error.value)
