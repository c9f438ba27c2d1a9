"""Files of SMPL bodies, posed by formulas of the body model's own, show the same people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from intermask.export.amass import REST_PELVIS, BodyModel, amass_arrays, write_amass
from intermask.export.rig import rig_of
from intermask.generation.smplx_scenes import InterXScenes
from intermask.motion import Motion
from intermask.representation_smplx import encode
from intermask.skeleton import SMPL22, SMPLX55, rest_positions
from people55 import walking_smplx
from tiny_smplx import rest_body
from tumbling import tumbling
from walking import walking_pair

SMPLH_FINGERS = 30
JOINTS = {"smplh": SMPL22.joint_count + SMPLH_FINGERS, "smplx": SMPLX55.joint_count}


def posed(path: Path, offsets: np.ndarray) -> np.ndarray:
    """(t, j, 3) joints, z up, of a body with these rest offsets whose pelvis rests as SMPL's does.

    As the body model does it: joints rest around the model's origin, the pelvis turns about
    itself, and ``trans`` is added.
    """
    with np.load(path) as file:
        vectors = file["poses"].reshape(len(file["poses"]), -1, 3)
        pelvis, shift = file["rest_pelvis"], file["trans"]
    skeleton = SMPL22 if len(offsets) == 22 else SMPLX55
    rest = pelvis + rest_positions_of(offsets, skeleton.parents)
    turns = [Rotation.from_rotvec(vectors[:, joint]) for joint in range(len(offsets))]
    world, places = [turns[0]], [np.tile(rest[0], (len(vectors), 1))]
    for joint in range(1, len(offsets)):
        parent = skeleton.parents[joint]
        places.append(places[parent] + world[parent].apply(rest[joint] - rest[parent]))
        world.append(world[parent] * turns[joint])
    return np.stack(places, 1) + shift[:, None]


def rest_positions_of(offsets: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    if len(offsets) == SMPL22.joint_count:
        return rest_positions(offsets)
    places = np.array(offsets)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            places[joint] += places[parent]
    return places


def y_up(places: np.ndarray) -> np.ndarray:
    return places[..., [0, 2, 1]] * (1.0, 1.0, -1.0)


@pytest.mark.parametrize("model", ["smplh", "smplx"])
@pytest.mark.parametrize("turned", [False, True], ids=["facing away", "lying and tumbling"])
def test_positions_come_back(model: BodyModel, turned: bool, tmp_path: Path) -> None:
    """Person 2 faces away from +z all the time."""
    motion = tumbling(walking_pair()) if turned else walking_pair()
    paths = write_amass(motion, tmp_path / "walk", model)
    assert [path.name for path in paths] == [f"walk_1_{model}.npz", f"walk_2_{model}.npz"]
    for person, path in enumerate(paths):
        found = y_up(posed(path, rig_of(motion, person).offsets))
        assert np.abs(found - motion.positions[person].numpy()).max() < 1e-3


def test_the_world_is_z_up() -> None:
    """Person 1 walks along +z here, which is -y there, and keeps the head up."""
    content = amass_arrays(walking_pair(), 0, "smplh")
    pelvis = content["trans"] + content["rest_pelvis"]
    assert pelvis[-1, 1] < pelvis[0, 1] - 0.5
    assert 0.7 < pelvis[:, 2].mean() < 1.2
    upright = Rotation.from_rotvec(content["poses"][:, :3]).apply((0.0, 1.0, 0.0))
    assert (upright[:, 2] > 0.9).all()


@pytest.mark.parametrize("model", ["smplh", "smplx"])
def test_the_layout_is_that_of_amass(model: BodyModel) -> None:
    motion = walking_pair(20)
    content = amass_arrays(motion, 1, model)
    assert content["poses"].shape == (20, 3 * JOINTS[model])
    assert content["trans"].shape == (20, 3)
    assert content["betas"].shape == (16,) and not content["betas"].any()
    assert str(content["gender"]) == "neutral"
    assert content["mocap_framerate"] == content["mocap_frame_rate"] == 30.0
    assert not content["poses"][:, 66:].any()  # flat hands
    if model == "smplx":
        parts = ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")
        together = np.concatenate([content[name] for name in parts], 1)
        np.testing.assert_array_equal(together, content["poses"])
    else:
        assert content["dmpls"].shape == (20, 8)


def test_hands_are_kept(tmp_path: Path) -> None:
    motion: Motion = InterXScenes(rest_body(), smoothing=0.0).finished(encode(walking_smplx(21)))
    for person, path in enumerate(write_amass(motion, tmp_path / "walk", "smplx")):
        found = y_up(posed(path, rig_of(motion, person).offsets))
        assert np.abs(found - motion.positions[person].numpy()).max() < 1e-3
    with_face, without = (amass_arrays(motion, 0, model)["poses"] for model in ("smplx", "smplh"))
    np.testing.assert_array_equal(with_face[:, 75:], without[:, 66:])
    np.testing.assert_array_equal(with_face[:, :66], without[:, :66])
    assert with_face[:, 75:].any()


def test_the_pelvis_of_a_known_body_model_is_used() -> None:
    motion = InterXScenes(rest_body(), smoothing=0.0).finished(encode(walking_smplx(21)))
    content = amass_arrays(motion, 0, "smplx")
    np.testing.assert_allclose(content["rest_pelvis"], motion.rest_pelvis)
    np.testing.assert_allclose(
        amass_arrays(walking_pair(15), 0, "smplx")["rest_pelvis"], REST_PELVIS["smplx"]
    )
