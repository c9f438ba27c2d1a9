"""BVH files, read back by an independent parser, show the same people as the motion."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from intermask.data.bvh_file import parse_bvh
from intermask.data.bvh_joints import bvh_joints
from intermask.data.bvh_mapping import mapping_by_names
from intermask.export.bvh import euler_angles, write_bvh
from intermask.generation.consolidate import consolidate
from intermask.generation.smplx_scenes import InterXScenes
from intermask.geometry import axis_angle_to_matrix
from intermask.motion import Motion
from intermask.representation_smplx import encode
from intermask.skeleton import SMPL22, SMPLX55
from people55 import walking_smplx
from tiny_smplx import rest_body
from tumbling import tumbling
from walking import walking_pair


@pytest.fixture
def walkers() -> Motion:
    return walking_pair()


Array = NDArray[np.float64]


def read_joints(path: Path) -> tuple[dict[str, Array], Array, float]:
    """World positions (t, 3) in metres by joint name, channel table and frame time of a file."""
    header, motion = path.read_text().split("MOTION\n")
    rows = motion.splitlines()
    values = np.array([[float(word) for word in row.split()] for row in rows[2:]])
    assert int(rows[0].split()[1]) == len(values)
    positions: dict[str, Array] = {}
    turns: dict[str, Array] = {}
    stack: list[str] = []
    name, column = "", 0
    for words in (line.split() for line in header.splitlines()):
        if words[0] in ("ROOT", "JOINT", "End"):
            name = words[1] if words[0] != "End" else f"End {stack[-1]}"
        elif words[0] == "{":
            stack.append(name)
        elif words[0] == "}":
            stack.pop()
        elif words[0] == "OFFSET":
            offset = np.array([float(word) for word in words[1:]])
            if len(stack) == 1:
                positions[name] = np.tile(offset, (len(values), 1))
                turns[name] = np.tile(np.eye(3), (len(values), 1, 1))
            else:
                parent = stack[-2]
                positions[name] = positions[parent] + turns[parent] @ offset
                turns[name] = turns[parent]
        elif words[0] == "CHANNELS":
            for channel in words[2:]:
                value = values[:, column]
                column += 1
                if channel.endswith("position"):
                    positions[name] = positions[name] + np.outer(
                        value, np.eye(3)["XYZ".index(channel[0])]
                    )
                else:
                    turn = Rotation.from_euler(channel[0].lower(), value[:, None], degrees=True)
                    turns[name] = turns[name] @ turn.as_matrix()
    assert column == values.shape[1]
    metres = {joint: place / 100.0 for joint, place in positions.items()}
    return metres, values, float(rows[1].split()[2])


def largest_error(motion: Motion, paths: tuple[Path, Path]) -> float:
    worst = 0.0
    for person, path in enumerate(paths):
        joints, _, _ = read_joints(path)
        read = np.stack([joints[name] for name in SMPL22.names], 1)
        distance = np.linalg.norm(read - motion.positions[person].numpy(), axis=-1)
        worst = max(worst, float(distance.max()))
    return worst


def test_positions_come_back(walkers: Motion, tmp_path: Path) -> None:
    """Person 2 faces away from +z all the time."""
    paths = write_bvh(walkers, tmp_path / "walk")
    assert [path.name for path in paths] == ["walk_1.bvh", "walk_2.bvh"]
    assert largest_error(walkers, paths) < 1e-4
    assert read_joints(paths[0])[2] == pytest.approx(1 / 30, abs=1e-7)


def test_the_projects_own_reader_agrees(walkers: Motion, tmp_path: Path) -> None:
    paths = write_bvh(walkers, tmp_path / "walk.bvh")
    for person, path in enumerate(paths):
        file = parse_bvh(path)
        joints = bvh_joints(file, mapping_by_names(file), unit_scale=0.01)
        expected = walkers.positions[person].numpy()
        assert np.abs(joints.positions - expected).max() < 1e-4


def test_rotations_that_disagree_follow_the_positions(walkers: Motion, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = axis_angle_to_matrix(0.2 * torch.randn(2, 60, 21, 3, generator=generator))
    motion = replace(walkers, rotations=walkers.rotations @ noise)
    assert largest_error(motion, write_bvh(motion, tmp_path / "noisy")) < 0.01


def test_a_generated_motion_agrees(walkers: Motion, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = walkers.positions.shape
    positions = walkers.positions + 0.01 * torch.randn(shape, generator=generator)
    noise = axis_angle_to_matrix(0.2 * torch.randn(*shape[:2], 21, 3, generator=generator))
    settled = consolidate(positions, walkers.rotations @ noise)
    motion = Motion(settled.positions, settled.rotations, settled.root_rotations)
    assert largest_error(motion, write_bvh(motion, tmp_path / "generated")) < 1e-4


def test_people_lying_down_and_tumbling(walkers: Motion, tmp_path: Path) -> None:
    motion = tumbling(walkers)
    assert largest_error(motion, write_bvh(motion, tmp_path / "tumble")) < 1e-4


def test_angles_have_no_jumps() -> None:
    turns = np.zeros((200, 1, 3))
    turns[:, 0, 1] = np.linspace(0, 6 * math.pi, 200)
    matrices = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(200, 1, 3, 3)
    assert np.abs(np.diff(euler_angles(matrices), axis=0)).max() < 10


def test_each_person_keeps_their_size(walkers: Motion, tmp_path: Path) -> None:
    shins = []
    for path in write_bvh(walkers, tmp_path / "sizes"):
        joints, _, _ = read_joints(path)
        shins.append(np.linalg.norm(joints["left_ankle"] - joints["left_knee"], axis=-1).mean())
    assert shins[1] == pytest.approx(1.03 * shins[0], rel=1e-4)


def test_hands_are_in_the_file(tmp_path: Path) -> None:
    motion = InterXScenes(rest_body(), smoothing=0.0).finished(encode(walking_smplx(21)))
    for person, path in enumerate(write_bvh(motion, tmp_path / "pair")):
        positions, _, _ = read_joints(path)
        assert {name for name in positions if not name.startswith("End")} == set(SMPLX55.names)
        joints = np.stack([positions[name] for name in SMPLX55.names], 1)
        np.testing.assert_allclose(joints, motion.positions[person].numpy(), atol=2e-4)
