"""A dataset's own clips as joints in metres, and what they score: beside it others stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from intermask import representation
from intermask.data.interx import InterXFolder, is_interx
from intermask.data.layout import Clip, InterHumanFolder
from intermask.errors import UserError
from intermask.evaluation import physics
from intermask.evaluation.measurement import PhysicalMetrics, mean_of, measure
from intermask.motion import FPS
from intermask.representation_smplx import encode, to_joint_grid
from intermask.skeleton import SMPL22
from intermask.smplx import BODY_MODEL, RestBody, find_body_model, joint_positions, load_rest_body

Folder = InterHumanFolder | InterXFolder


def open_dataset(root: Path) -> Folder:
    """A dataset in InterHuman's or Inter-X's layout.

    Raises:
        FileNotFoundError: the folder is neither.
        MissingExtra: Inter-X without h5py.
    """
    return InterXFolder(root) if is_interx(root) else InterHumanFolder(root)


def read_clip(folder: Folder, name: str, split: str) -> Clip:
    """One clip of a split.

    Raises:
        FileNotFoundError: the clip or its file is missing.
        UserError: the file is damaged.
    """
    if isinstance(folder, InterXFolder):
        return folder.read(name, split)
    return folder.read(name)


@dataclass(frozen=True)
class JointClips:
    """Clips of two people as joints, whichever layout their dataset has."""

    folder: Folder
    body: RestBody | None
    """Rest joints of SMPL-X; only Inter-X needs them."""

    @staticmethod
    def of(root: Path, body_model: Path | None = None) -> JointClips:
        """A dataset.

        Args:
            root: its folder.
            body_model: SMPL-X's file, which Inter-X needs; by default that in the folder.

        Raises:
            FileNotFoundError: no dataset, or no such file.
            UserError: single people, or Inter-X without the body model.
            MissingExtra: Inter-X without h5py.
        """
        folder = open_dataset(root)
        if folder.people != 2:
            raise UserError(f"{root} holds single people; give a dataset of two people a clip")
        if isinstance(folder, InterHumanFolder):
            return JointClips(folder, None)
        path = body_model or find_body_model([root])
        if path is None:
            raise UserError(
                f"joints of Inter-X's clips need the body model: put {BODY_MODEL} into {root}, or "
                "say where it is (--smplx FILE); it is free for research at "
                "https://smpl-x.is.tue.mpg.de"
            )
        return JointClips(folder, load_rest_body(path))

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.root.resolve().name

    def names(self, split: str) -> tuple[str, ...]:
        """Clips of a split.

        Raises:
            FileNotFoundError: the split's list is missing.
        """
        return self.folder.names(split)

    def positions(self, name: str, split: str) -> Tensor:
        """Joints (2, t, 22, 3) of a clip, metres, y up.

        InterHuman's people are put on the floor by their lowest point; Inter-X's stand where they
        were captured, as motion of its models does, and lose their last frame.

        Raises:
            FileNotFoundError: the clip's file is missing.
            UserError: it is damaged.
        """
        clip = read_clip(self.folder, name, split)
        if self.body is None:
            return positions_on_floor(clip)
        grid = to_joint_grid(encode(clip.loaded))
        return joint_positions(grid, self.body)[..., : SMPL22.joint_count, :]


@dataclass(frozen=True)
class RealMotion:
    """What clips of a dataset score."""

    metrics: PhysicalMetrics
    """Means over clips."""
    jerk: float
    """Mean over clips and time of the `physics.jerk_curve`, m/s³: the reference of AUJ."""
    clips: int


def measure_real_motion(
    clips: JointClips, split: str, progress: Callable[[int, int], None] | None = None
) -> RealMotion:
    """Physical metrics of a split of a dataset.

    Raises:
        FileNotFoundError: the split's list or a clip's file is missing.
        UserError: the split has no clip of four frames.
    """
    names = clips.names(split)
    found = []
    for number, name in enumerate(names):
        clip = clips.positions(name, split)
        if clip.shape[1] >= physics.JERK_FRAMES:
            found.append(clip)
        if progress is not None:
            progress(number + 1, len(names))
    if not found:
        raise UserError(
            f"the split {split!r} of {clips.folder.root} has no clip of {physics.JERK_FRAMES} "
            "frames or more to compare with; choose another with --split"
        )
    curves = [physics.jerk_curve(clip.double(), FPS).mean().item() for clip in found]
    jerk = math.fsum(curves) / len(curves)
    metrics = mean_of([measure(clip, FPS, jerk) for clip in found])
    return RealMotion(metrics, jerk, len(found))


def positions_on_floor(clip: Clip) -> Tensor:
    """Joint positions (2, t, 22, 3) of a clip, metres, y up, their lowest point on the floor.

    Args:
        clip: of InterHuman's layout.
    """
    positions = representation.z_up_to_y_up(representation.split_loaded(clip.loaded)[0])
    floor = positions[..., 1].amin()
    return positions - positions.new_tensor((0.0, 1.0, 0.0)) * floor
