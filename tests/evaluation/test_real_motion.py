"""What clips of a dataset score."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from intermask.data.interx import InterXFolder
from intermask.data.layout import InterHumanFolder, write_clip, write_split
from intermask.errors import UserError
from intermask.evaluation.measurement import measure
from intermask.evaluation.physics import jerk_curve
from intermask.evaluation.real_motion import (
    JointClips,
    measure_real_motion,
    positions_on_floor,
)
from intermask.representation_smplx import encode, to_joint_grid
from intermask.skeleton import SMPLX55
from intermask.smplx import RestBody, joint_positions
from people55 import rest_joints, write_interx
from walking import walking_pair


def write_walks(root: Path, lengths: tuple[int, ...]) -> Path:
    for number, frames in enumerate(lengths):
        motion = walking_pair(frames, seed=number)
        raised = motion.positions + torch.tensor([0.0, 0.5, 0.0])  # datasets have no floor at 0
        write_clip(root, f"walk_{number}", raised, motion.rotations, ["They walk."])
    write_split(root, "test", [f"walk_{number}" for number in range(len(lengths))])
    return root


def test_clips_come_back_upright_on_the_floor(tmp_path: Path) -> None:
    folder = InterHumanFolder(write_walks(tmp_path, (30,)))
    positions = positions_on_floor(folder.read("walk_0"))
    torch.testing.assert_close(positions, walking_pair(30).positions, atol=1e-5, rtol=0)


def test_the_mean_counts_every_clip_once(tmp_path: Path) -> None:
    walks = write_walks(tmp_path, (30, 60, 3))  # the last is too short to have a jerk
    seen: list[tuple[int, int]] = []
    real = measure_real_motion(
        JointClips.of(walks), "test", lambda done, total: seen.append((done, total))
    )
    folder = InterHumanFolder(walks)
    clips = [positions_on_floor(folder.read(name)) for name in ("walk_0", "walk_1")]
    curves = [float(jerk_curve(clip.double()).mean()) for clip in clips]
    assert real.clips == 2
    assert real.jerk == pytest.approx(sum(curves) / 2)
    expected = [measure(clip, reference_jerk=real.jerk) for clip in clips]
    assert real.metrics.skate == pytest.approx(sum(each.skate for each in expected) / 2)
    assert real.metrics.jerk_area == pytest.approx(
        sum(each.jerk_area or 0 for each in expected) / 2
    )
    assert seen[-1] == (3, 3)


def test_data_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no clip of 4 frames"):
        measure_real_motion(JointClips.of(write_walks(tmp_path / "short", (3,))), "test")
    single = write_walks(tmp_path / "single", (30,))
    shutil.rmtree(single / "motions_processed" / "person2")
    with pytest.raises(UserError, match="single people"):
        JointClips.of(single)


def test_clips_of_inter_x_stand_where_they_were_captured(tmp_path: Path) -> None:
    root = write_interx(tmp_path / "interx", train=1, validation=1)
    clips = JointClips.of(root)
    (name,) = clips.names("val")
    loaded = InterXFolder(root).read(name, "val").loaded
    body = RestBody(torch.from_numpy(rest_joints()).float(), SMPLX55.parents)
    expected = joint_positions(to_joint_grid(encode(loaded)), body)[..., :22, :]
    assert torch.equal(clips.positions(name, "val"), expected)
    (only,) = [measure(expected, reference_jerk=measure_real_motion(clips, "val").jerk)]
    assert measure_real_motion(clips, "val").metrics.numbers() == pytest.approx(only.numbers())
    (root / "SMPLX_NEUTRAL.npz").rename(tmp_path / "body.npz")
    assert torch.equal(JointClips.of(root, tmp_path / "body.npz").positions(name, "val"), expected)
    with pytest.raises(UserError, match=r"put SMPLX_NEUTRAL\.npz into .*interx, or say where"):
        JointClips.of(root)
