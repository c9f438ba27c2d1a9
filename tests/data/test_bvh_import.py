"""Laws of the BVH reader and importer, on tiny files made here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from intermask.data.bvh import BvhPair, import_bvh, import_bvh_pair, pairs_from_table
from intermask.data.bvh_file import parse_bvh
from intermask.data.bvh_joints import bvh_joints, bvh_pose, pose_positions
from intermask.data.bvh_mapping import mapping_by_names
from intermask.data.capture_faults import (
    bridge_rotations,
    faulty_frames,
    resample_positions,
    resample_rotations,
    runs_of,
)
from intermask.data.layout import InterHumanFolder
from intermask.data.mapping_file import load_mapping
from intermask.data.takes import ClipPlan, cut_into_clips, floor_height
from intermask.errors import UserError
from intermask.export.bvh import bvh_text
from intermask.geometry import axis_angle_to_matrix, geodesic_angle, yaw_matrix
from intermask.kinematics import forward_kinematics
from intermask.motion import Motion
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

FRAMES = 150


def dancing(frames: int = FRAMES, fps: float = 30.0, seed: int = 0) -> Motion:
    """Two people who sway, swing their limbs smoothly and turn, 0.8 m apart."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames) / fps
    phase = generator.uniform(0, 6, (2, 1, 21, 3))
    amount = generator.uniform(-0.4, 0.4, (2, 1, 21, 3))
    swing = torch.from_numpy(amount * np.sin(2.0 * time[None, :, None, None] + phase))
    rotations = axis_angle_to_matrix(swing)
    yaw = torch.from_numpy(np.stack([0.5 * time, np.pi - 0.3 * time]))
    root = yaw_matrix(yaw)
    place = torch.zeros(2, frames, 3, dtype=torch.float64)
    place[..., 1] = 0.95
    place[1, :, 2] = 0.8
    offsets = torch.from_numpy(np.array(MEAN_ADULT_OFFSETS))
    positions = forward_kinematics(offsets, place, root, rotations)
    return Motion(positions.float(), rotations.float(), root.float(), fps=fps)


def write_pair(folder: Path, motion: Motion) -> tuple[Path, Path]:
    paths = folder / "a.bvh", folder / "b.bvh"
    for person, path in enumerate(paths):
        path.write_text(bvh_text(motion, person))
    return paths


def test_own_files_come_back(tmp_path: Path) -> None:
    motion = dancing()
    for person, path in enumerate(write_pair(tmp_path, motion)):
        joints = bvh_joints(parse_bvh(path), unit_scale=0.01)
        assert np.abs(joints.positions - motion.positions[person].numpy()).max() < 1e-3
        turned = torch.from_numpy(joints.rotations).float()
        assert geodesic_angle(turned, motion.rotations[person]).max() < 5e-3
        root = torch.from_numpy(joints.root_rotations).float()
        assert geodesic_angle(root, motion.root_rotations[person]).max() < 5e-3


def test_gzip_and_text_are_the_same(tmp_path: Path) -> None:
    text = bvh_text(dancing(5), 0)
    path = tmp_path / "a.bvh.gz"
    path.write_bytes(gzip.compress(text.encode()))
    one, two = parse_bvh(path), parse_bvh(text)
    assert one.names == two.names and np.array_equal(one.frames, two.frames)
    assert one.header_fps == pytest.approx(30.0, rel=1e-4)


def test_forward_kinematics_by_hand() -> None:
    text = """HIERARCHY
ROOT hip
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
 JOINT knee
 {
  OFFSET 1 0 0
  CHANNELS 3 Zrotation Xrotation Yrotation
  End Site
  {
   OFFSET 0 2 0
  }
 }
}
MOTION
Frames: 2
Frame Time: 0.5
1 2 3 0 0 0 0 0 0
0 0 0 90 0 0 0 90 0
"""
    file = parse_bvh(text)
    assert file.names == ("hip", "knee", "End_knee") and file.parents == (-1, 0, 1)
    positions = pose_positions(bvh_pose(file), file.parents)
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [2, 2, 3], [2, 4, 3]])
    # Rz(90) turns x to y; then Rx(90) in the knee's frame turns its y to z.
    np.testing.assert_allclose(positions[1], [[0, 0, 0], [0, 1, 0], [0, 1, 2]], atol=1e-12)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda t: t.replace("Frames: 5", "Frames: 9"), "states 9 frames and holds 5"),
        (lambda t: t[: t.rindex(" ")], "line"),
        (lambda t: t.replace("0.95", "zero", 1) if "0.95" in t else t + "x 1\n", "line"),
        (lambda t: t[:400], "cut short"),
        (lambda t: t.replace("HIERARCHY", "HIERARCHIE"), "line 1"),
        (lambda t: t.replace("CHANNELS 3", "CHANNELS 4", 1), "CHANNELS"),
        (lambda t: t.replace("Frame Time", "Frametime"), "Frame Time"),
    ],
)
def test_corrupt_files_are_named_with_the_line(tmp_path: Path, spoil, expected: str) -> None:
    path = tmp_path / "broken.bvh"
    path.write_text(spoil(bvh_text(dancing(5), 0)))
    with pytest.raises(UserError, match=expected) as error:
        parse_bvh(path)
    assert "broken.bvh" in str(error.value) and "line" in str(error.value)


def test_missing_file_and_cut_gzip(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no BVH file"):
        parse_bvh(tmp_path / "none.bvh")
    path = tmp_path / "cut.bvh.gz"
    path.write_bytes(gzip.compress(bvh_text(dancing(5), 0).encode())[:200])
    with pytest.raises(UserError, match=r"cut\.bvh\.gz"):
        parse_bvh(path)


def renamed(text: str, names: dict[str, str]) -> str:
    lines = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0] in ("ROOT", "JOINT"):
            line = line.replace(words[1], names[words[1]])
        lines.append(line)
    return "\n".join(lines) + "\n"


MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck",
    "head": "Head",
    **{f"{side.lower()}_{ours}": side + theirs for side in ("Left", "Right") for ours, theirs in {
        "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder",
        "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}.items()},
}  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "mixamorig:"])
def test_common_names_are_recognised(prefix: str) -> None:
    text = bvh_text(dancing(4), 0)
    names = {ours: prefix + theirs for ours, theirs in MIXAMO.items()}
    found = bvh_joints(parse_bvh(renamed(text, names)), unit_scale=0.01)
    expected = bvh_joints(parse_bvh(text), unit_scale=0.01)
    np.testing.assert_allclose(found.positions, expected.positions)
    np.testing.assert_allclose(found.rotations, expected.rotations, atol=1e-12)


def test_missing_names_are_listed() -> None:
    names = {**{name: name for name in SMPL22.names}, "left_elbow": "thing", "head": "stuff"}
    file = parse_bvh(renamed(bvh_text(dancing(3), 0), names))
    with pytest.raises(UserError, match="head, left_elbow"):
        mapping_by_names(file)


def test_rest_pose_that_faces_away_changes_nothing() -> None:
    """A file whose rest pose faces -z means the same motion with other numbers."""
    motion = dancing(6)
    text = bvh_text(motion, 0)
    file = parse_bvh(text)
    half_turn = np.diag([-1.0, 1.0, -1.0])
    # New rest offsets turned by 180 degrees; every global rotation G becomes G @ half_turn.
    pose = bvh_pose(file)
    translations, rotations = pose.translations.copy(), pose.rotations.copy()
    rotations[:, 1:] = half_turn @ rotations[:, 1:] @ half_turn
    rotations[:, 0] = rotations[:, 0] @ half_turn
    translations[:, 1:] = translations[:, 1:] @ half_turn
    away = type(file)(
        file.names, file.parents, file.offsets @ half_turn, file.channels, file.frames,
        file.frame_time,
    )  # fmt: skip
    found = bvh_joints(away, None, 0.01, type(pose)(translations, rotations))
    expected = bvh_joints(file, None, 0.01)
    np.testing.assert_allclose(found.positions, expected.positions, atol=1e-9)
    np.testing.assert_allclose(found.root_rotations, expected.root_rotations, atol=1e-9)
    np.testing.assert_allclose(found.rotations, expected.rotations, atol=1e-9)


def test_wrong_unit_is_said_with_a_better_one() -> None:
    with pytest.raises(UserError, match=r"unit.* about 0\.0"):
        bvh_joints(parse_bvh(bvh_text(dancing(3), 0)), unit_scale=1.0)


def test_mapping_files(tmp_path: Path) -> None:
    assert load_mapping("cmu_daz").rotations["left_hip"] == ("lButtock", "lThigh")
    with pytest.raises(FileNotFoundError, match="cmu_daz"):
        load_mapping("unheard_of")
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"positions": {"pelvis": {"a": 1}}, "rotations": {}}))
    with pytest.raises(UserError, match="left_hip"):
        load_mapping(path)
    table = {
        "positions": {joint: {joint: 1.0} for joint in SMPL22.names},
        "rotations": {joint: [joint] for joint in SMPL22.names},
    }
    path.write_text(json.dumps(table))
    file = parse_bvh(bvh_text(dancing(3), 0))
    np.testing.assert_allclose(
        bvh_joints(file, path, 0.01).rotations, bvh_joints(file, None, 0.01).rotations
    )
    with pytest.raises(UserError, match="lThigh"):
        bvh_joints(file, "cmu_daz", 0.01)


def test_runs_join_and_widen() -> None:
    bad = np.zeros(40, dtype=bool)
    bad[[0, 10, 14, 30]] = True
    assert runs_of(bad, gap=5, margin=1) == [(0, 1), (9, 15), (29, 31)]


def test_flips_are_found_and_bridged(tmp_path: Path) -> None:
    motion = dancing(200, fps=60.0)
    spoiled = motion.root_rotations.clone()
    spoiled[0, 80:84] = spoiled[0, 80:84] @ yaw_matrix(torch.tensor(1.5))
    flipped = Motion(motion.positions, motion.rotations, spoiled, fps=60.0)
    offsets = torch.tensor(np.array(MEAN_ADULT_OFFSETS), dtype=torch.float32)
    positions = forward_kinematics(offsets, motion.positions[:, :, 0], spoiled, motion.rotations)
    flipped = Motion(positions, motion.rotations, spoiled, fps=60.0)
    assert faulty_frames(positions[0].double().numpy(), spoiled[0].double().numpy(), 60.0).any()
    good = import_bvh_pair(*write_pair(tmp_path, motion), unit_scale=0.01)
    assert good.faults[0].bridged == good.faults[1].bridged == 0
    pair = import_bvh_pair(*write_pair(tmp_path, flipped), unit_scale=0.01)
    first, second = pair.faults
    assert second.bridged == 0 and 4 <= first.bridged <= 10 and not first.remaining
    assert all(76 <= start <= 80 and 83 <= stop <= 88 for start, stop in first.runs)
    assert np.abs(pair.positions - good.positions).max() < 0.02
    assert pair.positions.shape == (2, 100, 22, 3)


def test_bridge_at_an_end_holds_the_neighbour() -> None:
    rotations = yaw_matrix(torch.arange(6, dtype=torch.float64) / 10).numpy()
    bridged = bridge_rotations(rotations, [(0, 1), (5, 5)])
    np.testing.assert_allclose(bridged[:2], rotations[[2, 2]])
    np.testing.assert_allclose(bridged[5], rotations[4])
    # A steady turn is bridged exactly.
    np.testing.assert_allclose(bridge_rotations(rotations, [(2, 3)]), rotations, atol=1e-12)


@pytest.mark.parametrize("fps", [60.0, 120.0, 25.0, 30.0])
def test_resampling_keeps_a_steady_motion(fps: float) -> None:
    count = int(4 * fps) + 1
    time = np.arange(count) / fps
    turned = yaw_matrix(torch.from_numpy(time)).numpy()
    moved = resample_positions(np.stack([time, 2 * time, 0 * time], -1), fps, 30.0)
    now = resample_rotations(turned, fps, 30.0)
    assert len(moved) == len(now) == 121
    inner = slice(6, -6)
    expected = np.arange(121)[inner] / 30.0
    np.testing.assert_allclose(moved[inner, 0], expected, atol=1e-9)
    np.testing.assert_allclose(
        now[inner], yaw_matrix(torch.from_numpy(expected)).numpy(), atol=1e-9
    )


def test_stated_rate_beats_the_header(tmp_path: Path) -> None:
    paths = write_pair(tmp_path, dancing(121, fps=60.0))
    assert import_bvh_pair(*paths, unit_scale=0.01).positions.shape[1] == 61
    assert import_bvh_pair(*paths, unit_scale=0.01, fps=30).positions.shape[1] == 121
    dropped = import_bvh_pair(*paths, unit_scale=0.01, fps=30, drop_first=21)
    assert dropped.positions.shape[1] == 100
    with pytest.raises(UserError, match="cannot be dropped"):
        import_bvh_pair(*paths, unit_scale=0.01, drop_first=500)


def test_floor_is_where_still_feet_stand() -> None:
    positions = dancing(60).positions.double().numpy()
    standing = np.repeat(positions[:, :1], 60, axis=1)
    lowest = standing[:, :, [10, 11], 1].min(axis=-1)
    assert floor_height(standing) == pytest.approx(np.median(lowest) - 0.02)
    shifted = standing + np.array([0, 0.5, 0])
    assert floor_height(shifted) - floor_height(standing) == pytest.approx(0.5)


def test_clips_lie_inside_and_avoid_faults() -> None:
    clips = cut_into_clips(900)
    assert clips[0] == (0, 150) and all(0 <= a < b <= 900 for a, b in clips)
    assert all(b - a >= 90 for a, b in clips) and max(b for _, b in clips) == 900
    assert all(not a <= 200 < b for a, b in cut_into_clips(900, avoid=[200]))
    assert cut_into_clips(60) == [(0, 60)] and cut_into_clips(20) == []
    assert cut_into_clips(60, avoid=[3]) == []
    with pytest.raises(UserError, match="positive"):
        ClipPlan(step_seconds=0)


def test_import_writes_a_dataset_once(tmp_path: Path) -> None:
    write_pair(tmp_path, dancing(200))
    (tmp_path / "pairs.csv").write_text(
        "name,file_a,file_b,caption,split\n"
        "one,a.bvh,b.bvh,Two people sway.,\n"
        "two,b.bvh,a.bvh,,val\n"
    )
    pairs = pairs_from_table(tmp_path / "pairs.csv")
    report = import_bvh(pairs, tmp_path / "set", unit_scale=0.01)
    folder = InterHumanFolder(tmp_path / "set")
    train, val = folder.names("train"), folder.names("val")
    assert report.clips == len(train) + len(val) and folder.names("test") == ()
    assert all(name.startswith("one_") for name in train) and train
    assert all(name.startswith("two_") for name in val) and val
    clip = folder.read(train[0])
    assert clip.loaded.shape == (2, 150, 192) and len(clip.captions) == 3
    assert clip.captions[0] == "Two people sway."
    facts = json.loads((tmp_path / "set" / "provenance.json").read_text())
    assert "derived" in facts["captions"]
    assert facts["captions_source"][train[0]] == "stated+derived"
    assert facts["captions_source"][val[0]] == "derived"
    assert "2 takes" in report.describe()
    again = import_bvh(pairs, tmp_path / "again", unit_scale=0.01)
    assert again.takes == report.takes
    for path in sorted((tmp_path / "set").rglob("*.*")):
        other = tmp_path / "again" / path.relative_to(tmp_path / "set")
        assert path.read_bytes() == other.read_bytes()


def test_failed_import_leaves_nothing(tmp_path: Path) -> None:
    a, b = write_pair(tmp_path, dancing(40))
    pairs = [BvhPair("one", a, b), BvhPair("two", a, tmp_path / "none.bvh")]
    with pytest.raises(FileNotFoundError):
        import_bvh(pairs, tmp_path / "set", unit_scale=0.01)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bvh", "b.bvh"]
    with pytest.raises(UserError, match="different names"):
        import_bvh([pairs[0], pairs[0]], tmp_path / "set", unit_scale=0.01)
    with pytest.raises(UserError, match="split"):
        BvhPair("one", a, b, split="training")


def test_table_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="table of pairs"):
        pairs_from_table(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_text("name,file_a\nx,y\n")
    with pytest.raises(UserError, match="file_b"):
        pairs_from_table(tmp_path / "bad.csv")
