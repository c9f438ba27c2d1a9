"""GLB files, evaluated node by node as glTF says, show the same people as the motion."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
import torch
from scipy.spatial.transform import Rotation

from intermask.export.glb import glb_bytes, smooth_quaternions, write_glb
from intermask.export.naming import written_names
from intermask.generation.smplx_scenes import InterXScenes
from intermask.geometry import axis_angle_to_matrix
from intermask.motion import Motion
from intermask.representation_smplx import encode
from intermask.skeleton import SMPL22
from people55 import walking_smplx
from tiny_smplx import rest_body
from tumbling import tumbling
from walking import walking_pair

COMPONENTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
KINDS = {5121: "<u1", 5123: "<u2", 5126: "<f4"}


class Glb:
    """Reads back what a file holds."""

    def __init__(self, content: bytes) -> None:
        self.gltf = pygltflib.GLTF2.load_from_bytes(content)
        self.blob = self.gltf.binary_blob()

    def array(self, accessor: int) -> np.ndarray:
        said = self.gltf.accessors[accessor]
        view = self.gltf.bufferViews[said.bufferView]
        start = (view.byteOffset or 0) + (said.byteOffset or 0)
        kind = np.dtype(KINDS[said.componentType])
        count = said.count * COMPONENTS[said.type]
        return np.frombuffer(self.blob, kind, count, start).reshape(said.count, -1)

    def keys(self) -> tuple[np.ndarray, dict[tuple[int, str], np.ndarray]]:
        """Times (t), and values by node and path."""
        (animation,) = self.gltf.animations
        inputs = {sampler.input for sampler in animation.samplers}
        assert len(inputs) == 1
        values = {
            (channel.target.node, channel.target.path): self.array(
                animation.samplers[channel.sampler].output
            ).astype(np.float64)
            for channel in animation.channels
        }
        return self.array(inputs.pop())[:, 0], values

    def matrices(self, animated: bool = True) -> np.ndarray:
        """(nodes, t, 4, 4) of all nodes in the world at the keys, or (nodes, 1, 4, 4) at rest."""
        times, values = self.keys()
        frames = len(times) if animated else 1
        parents = {
            child: parent
            for parent, node in enumerate(self.gltf.nodes)
            for child in node.children or []
        }
        local = np.tile(np.eye(4), (len(self.gltf.nodes), frames, 1, 1))
        for number, node in enumerate(self.gltf.nodes):
            place = values.get((number, "translation")) if animated else None
            turn = values.get((number, "rotation")) if animated else None
            local[number, :, :3, 3] = place if place is not None else node.translation or (0, 0, 0)
            turn = turn if turn is not None else np.array([node.rotation or (0, 0, 0, 1)])
            local[number, :, :3, :3] = Rotation.from_quat(turn).as_matrix()

        def world(number: int) -> np.ndarray:
            own = local[number]
            return world(parents[number]) @ own if number in parents else own

        return np.stack([world(number) for number in range(len(self.gltf.nodes))])

    def joints(self, person: int) -> list[int]:
        return list(self.gltf.skins[person].joints)


@pytest.fixture(scope="module")
def walkers() -> Motion:
    return walking_pair()


def largest_error(motion: Motion, glb: Glb) -> float:
    places = glb.matrices()[:, :, :3, 3]
    errors = [
        np.abs(places[glb.joints(person)].transpose(1, 0, 2) - motion.positions[person].numpy())
        for person in range(2)
    ]
    return float(np.max(errors))


@pytest.mark.parametrize("turned", [False, True], ids=["facing away", "lying and tumbling"])
def test_positions_come_back(walkers: Motion, turned: bool) -> None:
    """Person 2 faces away from +z all the time."""
    motion = tumbling(walkers) if turned else walkers
    assert largest_error(motion, Glb(glb_bytes(motion))) < 1e-3


def test_rotations_that_disagree_follow_the_positions(walkers: Motion) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = axis_angle_to_matrix(0.2 * torch.randn(2, 60, 21, 3, generator=generator))
    motion = replace(walkers, rotations=walkers.rotations @ noise)
    assert largest_error(motion, Glb(glb_bytes(motion))) < 0.01


def test_hands_are_in_the_file() -> None:
    motion = InterXScenes(rest_body(), smoothing=0.0).finished(encode(walking_smplx(21)))
    glb = Glb(glb_bytes(motion, "vrm"))
    assert largest_error(motion, glb) < 1e-3
    names = [glb.gltf.nodes[joint].name for joint in glb.joints(0)]
    assert names[25] == "leftIndexProximal" and names[-1] == "rightThumbDistal"


def test_keys_are_seconds_of_the_motion(walkers: Motion) -> None:
    motion = replace(walkers, fps=24.0)
    times, values = Glb(glb_bytes(motion)).keys()
    np.testing.assert_allclose(times, np.arange(60) / 24, atol=1e-6)
    assert {path for _, path in values} == {"rotation", "translation"}
    for quaternions in (array for (_, path), array in values.items() if path == "rotation"):
        np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1.0, atol=1e-5)
        assert ((quaternions[1:] * quaternions[:-1]).sum(1) > 0).all()


def test_the_rest_pose_is_a_t_pose_that_faces_z_and_stands_on_the_floor(walkers: Motion) -> None:
    glb = Glb(glb_bytes(walkers))
    rest = glb.matrices(animated=False)[:, 0]
    np.testing.assert_array_equal(rest[:, :3, :3], np.tile(np.eye(3), (len(rest), 1, 1)))
    for person in range(2):
        at = dict(zip(SMPL22.names, rest[glb.joints(person)][:, :3, 3], strict=True))
        assert at["left_wrist"][0] - at["right_wrist"][0] > 1.2
        assert abs(at["left_wrist"][1] - at["left_shoulder"][1]) < 0.05
        assert at["left_foot"][2] > at["left_ankle"][2] + 0.05
        mesh = glb.gltf.meshes[person]
        points = glb.array(mesh.primitives[0].attributes.POSITION)
        assert points[:, 1].min() == pytest.approx(0.0, abs=1e-4)
        # the surface is bound there: skinning at rest moves nothing
        inverse = glb.array(glb.gltf.skins[person].inverseBindMatrices).reshape(-1, 4, 4)
        bound = rest[glb.joints(person)] @ inverse.transpose(0, 2, 1)
        np.testing.assert_allclose(bound, np.tile(np.eye(4), (22, 1, 1)), atol=1e-6)


@pytest.mark.parametrize("naming", ["smpl", "mixamo", "vrm", "ue5"])
def test_joints_are_called_what_programs_call_them(walkers: Motion, naming: str) -> None:
    glb = Glb(glb_bytes(walkers.cropped(0, 2), naming))
    expected = list(written_names(SMPL22, naming))
    for person in range(2):
        assert [glb.gltf.nodes[joint].name for joint in glb.joints(person)] == expected
    assert len(set(expected)) == 22


def test_every_triangle_has_one_material(walkers: Motion) -> None:
    glb = Glb(glb_bytes(walkers.cropped(0, 2)))
    for mesh in glb.gltf.meshes:
        indices = [glb.array(primitive.indices)[:, 0] for primitive in mesh.primitives]
        assert all(len(each) for each in indices)
        triangles = np.concatenate(indices).reshape(-1, 3)
        assert len(np.unique(triangles, axis=0)) == len(triangles)
        weights = glb.array(mesh.primitives[0].attributes.WEIGHTS_0)
        assert (weights.astype(int).sum(1) == 255).all()
    materials = {material.name for material in glb.gltf.materials}
    assert {"person_1_top", "person_2_hair"} <= materials


def test_quaternions_do_not_jump() -> None:
    turns = np.zeros((100, 1, 3))
    turns[:, 0, 1] = np.linspace(0, 6 * math.pi, 100)
    matrices = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(100, 1, 3, 3)
    quaternions = smooth_quaternions(matrices)
    assert np.abs(np.diff(quaternions, axis=0)).max() < 0.1
    again = Rotation.from_quat(quaternions[:, 0]).as_matrix()
    np.testing.assert_allclose(again, matrices[:, 0], atol=1e-6)


def test_the_file_says_where_it_came_from(walkers: Motion, tmp_path: Path) -> None:
    path = write_glb(replace(walkers, seed=3, model="tiny"), tmp_path / "walk")
    assert path.name == "walk.glb"
    about: dict[str, Any] = Glb(path.read_bytes()).gltf.asset.extras
    assert (about["seed"], about["model"], about["frames_per_second"]) == (3, "tiny", 30.0)
    assert about["caption"] == walkers.caption


def test_the_validator_of_khronos_finds_nothing(walkers: Motion, tmp_path: Path) -> None:
    """Needs Node.js and its package: ``npm install gltf-validator`` in a folder above."""
    node = shutil.which("node")
    script = """
const validator = require("gltf-validator");
const bytes = new Uint8Array(require("fs").readFileSync(process.argv[1]));
validator.validateBytes(bytes).then((report) => console.log(JSON.stringify(report.issues)));
"""
    if node is None or subprocess.run([node, "-e", 'require("gltf-validator")']).returncode:
        pytest.skip("the npm package gltf-validator is not installed")
    path = write_glb(walkers, tmp_path / "walk", "mixamo")
    found = subprocess.run(
        [node, "-e", script, str(path)], capture_output=True, text=True, check=True
    )
    issues = json.loads(found.stdout)
    assert issues["numErrors"] == issues["numWarnings"] == 0, issues["messages"]
