"""Blender, which reads files by its own code, shows the same people: bone heads within 1 cm."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intermask.export.writing import write_all
from intermask.motion import Motion
from intermask.skeleton import SMPL22
from tumbling import tumbling
from walking import walking_pair

BLENDER = shutil.which("blender")
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        BLENDER is None,
        reason="no program `blender`; on Debian: apt-get install blender python3-numpy",
    ),
]

Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def motions() -> dict[str, Motion]:
    """Person 2 faces away from +z; in the other motion everybody turns head over heels."""
    walkers = walking_pair(30)
    return {"walk": walkers, "tumble": tumbling(walkers)}


@pytest.fixture(scope="module")
def read(motions: dict[str, Motion], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """What Blender makes of every file, by the file's name."""
    folder = tmp_path_factory.mktemp("blender")
    files: list[Path] = []
    for name, motion in motions.items():
        files += write_all(motion, folder / name, ("glb", "bvh"))
    script = Path(__file__).with_name("blender_joints.py")
    command = [str(BLENDER), "--background", "--factory-startup", "-noaudio", "--python"]
    result = subprocess.run(
        [*command, str(script), "--", str(folder / "found.json"), *map(str, files)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (folder / "found.json").exists(), result.stdout + result.stderr
    found = json.loads((folder / "found.json").read_text())
    return {path.name: each for path, each in zip(files, found, strict=True)}


def y_up(places: Any) -> np.ndarray:
    return np.array(places)[..., [0, 2, 1]] * (1.0, 1.0, -1.0)


def joints(armature: dict[str, Any]) -> np.ndarray:
    """(t, 22, 3) metres, y up."""
    return np.stack([y_up(armature["heads"][name]) for name in SMPL22.names], 1)


@pytest.mark.parametrize("name", ["walk", "tumble"])
def test_glb(motions: dict[str, Motion], read: dict[str, Found], name: str) -> None:
    people = read[f"{name}.glb"]
    assert len(people) == 2
    for person, armature in enumerate(people):
        expected = motions[name].positions[person].numpy()
        assert np.linalg.norm(joints(armature) - expected, axis=-1).max() < 0.01
        assert armature["skinned"] == [f"person_{person + 1}_body"]


def test_the_rest_pose_of_glb_is_a_t_pose(read: dict[str, Found]) -> None:
    for armature in read["walk.glb"]:
        rest = {name: y_up(place) for name, place in armature["rest"].items()}
        assert rest["left_wrist"][0] - rest["right_wrist"][0] > 1.2
        assert abs(rest["left_wrist"][1] - rest["left_shoulder"][1]) < 0.05


@pytest.mark.parametrize("name", ["walk", "tumble"])
@pytest.mark.parametrize("person", [0, 1])
def test_bvh(motions: dict[str, Motion], read: dict[str, Found], name: str, person: int) -> None:
    (armature,) = read[f"{name}_{person + 1}.bvh"]
    expected = motions[name].positions[person].numpy()
    assert np.linalg.norm(joints(armature) - expected, axis=-1).max() < 0.01
