"""One person out of a file: the same one, whatever the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from intermask.data.person_file import load_person
from intermask.errors import UserError
from intermask.export.bvh import write_bvh
from intermask.geometry import matrix_to_axis_angle
from intermask.kinematics import forward_kinematics
from intermask.motion import Motion
from intermask.representation import y_up_to_z_up
from intermask.skeleton import MEAN_ADULT_OFFSETS
from walking import walking_pair


def test_a_bvh_and_an_npz_give_the_same_person(tmp_path: Path) -> None:
    motion = walking_pair(60)
    files = write_bvh(motion, tmp_path / "walk")
    motion.save(tmp_path / "walk.npz")
    for person in (1, 2):
        from_bvh = load_person(files[person - 1])
        from_npz = load_person(tmp_path / "walk.npz", person=person)
        assert from_npz.positions.equal(motion.positions[person - 1])
        moved = from_bvh.positions - from_npz.positions  # the floor may be found elsewhere
        assert (moved - moved[0, 0]).abs().max() < 1e-3 and moved[..., [0, 2]].abs().max() < 1e-3
        assert (from_bvh.rotations - from_npz.rotations).abs().max() < 1e-3
        assert (from_bvh.root_rotations - from_npz.root_rotations).abs().max() < 1e-3
        assert any("centimetres" in note for note in from_bvh.notes)
        assert from_bvh.frames == 60 and from_bvh.seconds == 2.0


def test_two_files_make_a_motion(tmp_path: Path) -> None:
    motion = walking_pair(40)
    first, second = (load_person(path) for path in write_bvh(motion, tmp_path / "walk"))
    both = first.beside(second, "Two people walk.")
    assert (both.positions - motion.positions)[..., [0, 2]].norm(dim=-1).max() < 1e-3
    assert both.caption == "Two people walk."
    alone = first.beside()
    assert alone.positions[0].equal(alone.positions[1])


def test_joints_and_amass_give_the_same_person(tmp_path: Path) -> None:
    motion = walking_pair(30)
    root, local = motion.root_rotations[0], motion.rotations[0]
    offsets = torch.tensor(MEAN_ADULT_OFFSETS).float()
    positions = forward_kinematics(offsets, motion.positions[0, :, 0], root, local)
    np.savez(tmp_path / "joints.npz", joints22=positions.numpy(), fps=30)
    to_z_up = y_up_to_z_up(root.transpose(-1, -2)).transpose(-1, -2)
    poses = matrix_to_axis_angle(torch.cat((to_z_up[:, None], local), 1)).flatten(1)
    place = y_up_to_z_up(positions[:, 0])
    hands = np.zeros((30, 90))
    np.savez(
        tmp_path / "amass.npz",
        poses=np.concatenate((poses.numpy(), hands), 1),
        trans=place.numpy(),
        mocap_framerate=30.0,
    )
    for name in ("joints.npz", "amass.npz"):
        person = load_person(tmp_path / name)
        moved = person.positions - positions  # the floor may have been found elsewhere
        assert (moved - moved[0, 0]).abs().max() < 1e-4, name
        assert moved[0, 0, [0, 2]].abs().max() < 1e-5
    assert (person.rotations - local).abs().max() < 1e-4


def test_moved_onto_the_mean_adult(tmp_path: Path) -> None:
    motion = walking_pair(30, seed=3)  # 9 % larger
    person = load_person(write_bvh(motion, tmp_path / "walk")[0], mean_adult=True)
    bones = torch.tensor(MEAN_ADULT_OFFSETS)[[4, 7]].norm(dim=-1).float()
    found = (person.positions[:, [4, 7]] - person.positions[:, [1, 4]]).norm(dim=-1)
    torch.testing.assert_close(found, bones.expand_as(found), atol=1e-4, rtol=0)


def test_a_floor_elsewhere_is_found_and_said(tmp_path: Path) -> None:
    still = walking_pair(30).cropped(0, 1)
    raised = Motion(
        still.positions.expand(-1, 30, -1, -1) + torch.tensor((0.0, 0.5, 0.0)),
        still.rotations.expand(-1, 30, -1, -1, -1),
        still.root_rotations.expand(-1, 30, -1, -1),
    )
    person = load_person(write_bvh(raised, tmp_path / "up")[0])
    assert person.positions[:, [10, 11], 1].min().item() == pytest.approx(0.02, abs=0.01)
    assert any("floor" in note for note in person.notes)
    own = load_person(raised.save(tmp_path / "up.npz"))
    assert own.positions.equal(raised.positions[0])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", None, r"give \.bvh, \.bvh\.gz or \.npz"),
        ("a.npz", {"something": np.zeros(3)}, "holds something"),
        ("a.npz", {"poses": np.zeros((4, 66)), "trans": np.zeros((4, 3))}, "mocap_framerate"),
        ("a.npz", {"poses": np.zeros((4, 60)), "trans": np.zeros((4, 3))}, "AMASS"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, name: str, content: dict[str, Any] | None, expected: str
) -> None:
    if content is not None:
        np.savez(tmp_path / name, **content)
    with pytest.raises(UserError, match=expected):
        load_person(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load_person(tmp_path / "none.npz")
