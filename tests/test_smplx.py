"""Inter-X kinematics: parity with the released code, laws, and files that are not SMPL-X."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from golden_files import FOLDER, golden, largest_error
from intermask.errors import UserError
from intermask.geometry import axis_angle_to_matrix, matrix_to_rows6d
from intermask.smplx import (
    JOINT_COUNT,
    TRANSLATION_ROW,
    RestBody,
    joint_positions,
    load_rest_body,
)

BODY_FILE = FOLDER / "synthetic_SMPLX_NEUTRAL.npz"


@pytest.fixture(scope="module")
def body() -> RestBody:
    return load_rest_body(BODY_FILE)


def _random_motion(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    turns = torch.randn(*shape, JOINT_COUNT, 3, generator=generator)
    rows = matrix_to_rows6d(axis_angle_to_matrix(turns))
    translation = torch.randn(*shape, 1, 6, generator=generator)
    return torch.cat((rows, translation), -2)


@pytest.mark.parametrize("kind", ["l1", "l1_smooth"])
@pytest.mark.parametrize("side", ["target", "pred"])
def test_joints_match_the_released_code(kind: str, side: str, body: RestBody) -> None:
    recorded = golden(f"losses_interx_{kind}")
    joints = joint_positions(recorded[side], body)
    assert largest_error(joints, recorded[f"joints_{side}"]) < 5e-5


def test_rest_pose_is_the_rest_joints_moved_by_the_translation(body: RestBody) -> None:
    motion = torch.zeros(2, 56, 6)
    motion[:, :JOINT_COUNT] = matrix_to_rows6d(torch.eye(3))
    motion[:, TRANSLATION_ROW, :3] = torch.tensor(((0.0, 0.0, 0.0), (1.0, 2.0, 3.0)))
    joints = joint_positions(motion, body)
    torch.testing.assert_close(joints[0], body.positions)
    torch.testing.assert_close(joints[1], body.positions + torch.tensor((1.0, 2.0, 3.0)))


def test_bones_keep_their_length_and_velocity_is_not_read(body: RestBody) -> None:
    motion = _random_motion(3, 4)
    parents, children = (list(joints) for joints in zip(*body.bones, strict=True))
    joints = joint_positions(motion, body)
    lengths = (joints[..., children, :] - joints[..., parents, :]).norm(dim=-1)
    rest = (body.positions[children] - body.positions[parents]).norm(dim=-1)
    torch.testing.assert_close(lengths, rest.expand_as(lengths), atol=2e-6, rtol=1e-5)

    motion[..., TRANSLATION_ROW, 3:] += 1.0
    torch.testing.assert_close(joint_positions(motion, body), joints, atol=0, rtol=0)


def test_a_turned_root_turns_the_whole_body_about_the_pelvis(body: RestBody) -> None:
    motion = _random_motion(2)
    motion[..., TRANSLATION_ROW, :] = 0.0
    turn = axis_angle_to_matrix(torch.tensor((0.3, -1.0, 0.4)))
    turned = motion.clone()
    root = axis_angle_to_matrix(torch.randn(2, 3, generator=torch.Generator().manual_seed(5)))
    motion[..., 0, :] = matrix_to_rows6d(root)
    turned[..., 0, :] = matrix_to_rows6d(turn @ root)
    pelvis = body.positions[0]
    expected = (joint_positions(motion, body) - pelvis) @ turn.T + pelvis
    torch.testing.assert_close(joint_positions(turned, body), expected, atol=1e-5, rtol=1e-5)


def test_jaw_and_eyes_do_not_move_anything(body: RestBody) -> None:
    motion = _random_motion(2)
    changed = motion.clone()
    jaw_and_eyes = slice(22, 25)
    changed[..., jaw_and_eyes, :] = changed[..., jaw_and_eyes, :].flip(-1)
    torch.testing.assert_close(
        joint_positions(changed, body), joint_positions(motion, body), atol=0, rtol=0
    )
    changed[..., 1, :] = changed[..., 1, :].flip(-1)
    moved = joint_positions(changed, body) - joint_positions(motion, body)
    assert float(moved.abs().max()) > 0.01


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"SMPLX_NEUTRAL.npz.*smpl-x.is.tue.mpg.de"):
        load_rest_body(tmp_path / "SMPLX_NEUTRAL.npz")


class _Bomb:
    """Unpickling this would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (_explode, ("unpickled",))


def _explode(message: str) -> None:
    raise AssertionError(message)


def test_pickled_files_are_refused_and_never_executed(tmp_path: Path) -> None:
    bare = tmp_path / "SMPLX_NEUTRAL.pkl"
    bare.write_bytes(pickle.dumps({"J_regressor": _Bomb()}))
    with pytest.raises(UserError, match=r"SMPLX_NEUTRAL.pkl.*pickled"):
        load_rest_body(bare)

    inside = tmp_path / "inside.npz"
    with np.load(BODY_FILE) as archive:
        arrays = {name: archive[name] for name in archive.files}
    objects = np.empty(1, dtype=object)
    objects[0] = _Bomb()
    np.savez(inside, **(arrays | {"J_regressor": objects}))
    with pytest.raises(UserError, match=r"inside.npz.*pickled"):
        load_rest_body(inside)


def test_pickled_arrays_that_are_not_needed_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with np.load(BODY_FILE) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(path, joint2num=np.array({"pelvis": 0}, dtype=object), **arrays)
    assert load_rest_body(path).positions.shape == (JOINT_COUNT, 3)


def test_other_body_models_are_named(tmp_path: Path) -> None:
    path = tmp_path / "SMPLH.npz"
    np.savez(path, J_regressor=np.zeros((52, 9)), v_template=np.zeros((9, 3)))
    with pytest.raises(UserError, match="kintree_table"):
        load_rest_body(path)
    tree = np.zeros((2, 52), dtype=np.int64)
    np.savez(path, J_regressor=np.zeros((52, 9)), v_template=np.zeros((9, 3)), kintree_table=tree)
    with pytest.raises(UserError, match="55"):
        load_rest_body(path)
