"""Single-person captures become person1-only datasets, cut at their faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from intermask.data.layout import InterHumanFolder
from intermask.data.single import import_single
from intermask.errors import UserError
from intermask.geometry import axis_angle_to_matrix, matrix_to_quaternion
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS


def person(frames: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions (t, 22, 3) and rotations (t, 22, 3, 3) of a person who sways on the spot."""
    time = torch.arange(frames, dtype=torch.float64) / 30
    swing = 0.3 * torch.sin(time[:, None, None] + torch.arange(22 * 3).reshape(22, 3))
    swing[:, [0, 1, 2, 4, 5, 7, 8, 10, 11]] = 0
    rotations = axis_angle_to_matrix(swing)
    root = torch.tensor([0.0, 0.95, 0.0], dtype=torch.float64).expand(frames, 3)
    offsets = torch.from_numpy(np.array(MEAN_ADULT_OFFSETS))
    return forward_kinematics(offsets, root, rotations[:, 0], rotations[:, 1:]), rotations


def test_positions_and_rotations_arrive(tmp_path: Path) -> None:
    positions, rotations = person()
    np.savez(tmp_path / "a.npz", joints22=positions, fps=30.0)
    quaternions = matrix_to_quaternion(rotations)
    np.savez(tmp_path / "b.npz", joints22=positions, rotations22=quaternions, fps=30.0)
    report = import_single(tmp_path, tmp_path / "set", validation_every=2)
    folder = InterHumanFolder(tmp_path / "set")
    assert folder.people == 1
    assert folder.names("train") == ("single_a_0",) and folder.names("val") == ("single_b_0",)
    assert report.clips == 2 and report.with_rotations == 1 and report.faulty_frames == 0
    for name in ("single_a_0", "single_b_0"):
        clip = folder.read(name)
        assert clip.loaded.shape == (1, 120, 192) and clip.captions == ()
        z_up = clip.loaded[0, :, :66].reshape(120, 22, 3).double()
        y_up = torch.stack((z_up[..., 0], z_up[..., 2], -z_up[..., 1]), -1)
        moved = y_up - y_up[:1, :1] - (positions - positions[:1, :1])
        assert moved.norm(dim=-1).mean() < 0.02


def test_cut_at_a_jump_and_in_the_air(tmp_path: Path) -> None:
    positions, _ = person(200)
    jumped = positions.numpy().copy()
    jumped[60, 20] += 1.0  # one wrist, one frame
    jumped[150:, :, 1] += 1.0  # nothing under the feet from here on
    np.savez(tmp_path / "a.npz", joints22=jumped, fps=30.0)
    report = import_single(tmp_path, tmp_path / "set")
    folder = InterHumanFolder(tmp_path / "set")
    lengths = [folder.read(name).loaded.shape[1] for name in folder.names("train")]
    assert len(lengths) == 2 and max(lengths) < 90 and report.faulty_frames >= 3


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.npz"):
        import_single(tmp_path, tmp_path / "set")
    np.savez(tmp_path / "a.npz", joints22=np.zeros((5, 21, 3)))
    with pytest.raises(UserError, match=r"a\.npz"):
        import_single(tmp_path, tmp_path / "set")
    (tmp_path / "a.npz").write_bytes(b"PK not an archive")
    with pytest.raises(UserError, match=r"a\.npz"):
        import_single(tmp_path, tmp_path / "set")
    assert not (tmp_path / "set").exists()
