"""Motion: two people in metres and seconds, the one type that crosses the library's borders."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.skeleton import SMPL22, SMPLX55, Skeleton

FPS = 30.0
"""Frames a second of every motion that the models read or write."""


@dataclass(frozen=True)
class Caption:
    """What happens in a part of a motion."""

    text: str
    start: float
    """Seconds from the beginning of the motion."""
    end: float


@dataclass(frozen=True)
class Motion:
    """Two people over time.

    Axes: right-handed, metres, y up, floor at y = 0. Rotations are parent-relative; identity
    everywhere is a T-pose that faces +z. A model's motion starts with person 1 at the origin,
    facing +z; a motion that was read from a file keeps the file's frame.
    """

    positions: Tensor
    """(2, t, 22, 3) joint positions in metres."""
    rotations: Tensor
    """(2, t, 21, 3, 3) rotations of joints 1..21 relative to their parents."""
    root_rotations: Tensor
    """(2, t, 3, 3) orientation of the pelvis in the world."""
    fps: float = FPS
    caption: str = ""
    seed: int | None = None
    """Seed that made this motion, if a model made it."""
    model: str = ""
    """Name of the model that made this motion, if one did."""
    captions: tuple[Caption, ...] = ()
    """What happens when, of a motion that was told in several sentences; in order."""
    skeleton: Skeleton = field(default=SMPL22, repr=False)

    def __post_init__(self) -> None:
        joints = self.skeleton.joint_count
        frames = self.positions.shape[1] if self.positions.ndim == 4 else -1
        expected = {
            "positions": (2, frames, joints, 3),
            "rotations": (2, frames, joints - 1, 3, 3),
            "root_rotations": (2, frames, 3, 3),
        }
        for name, shape in expected.items():
            given = tuple(getattr(self, name).shape)
            if given != shape or frames < 1:
                raise UserError(
                    f"a motion's {name} have shape {given}; expected "
                    f"{str(shape).replace('-1', 'frames')}: two people, frames, joints"
                )
        if not self.fps > 0:
            raise UserError(f"a motion's fps is {self.fps}; expected a positive number")

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.positions.shape[1])

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.fps

    def caption_at(self, seconds: float) -> str:
        """What happens at a time: of several captions the last that has begun, else the caption."""
        begun = [each.text for each in self.captions if each.start <= seconds + 1e-6]
        if begun:
            return begun[-1]
        return self.captions[0].text if self.captions else self.caption

    def cropped(self, start: int, stop: int) -> Motion:
        """Frames ``start`` up to ``stop`` (exclusive)."""
        first, last, _ = slice(start, stop).indices(self.frames)
        return replace(
            self,
            positions=self.positions[:, start:stop],
            rotations=self.rotations[:, start:stop],
            root_rotations=self.root_rotations[:, start:stop],
            captions=_cropped_captions(self.captions, first / self.fps, last / self.fps),
        )

    def swapped(self) -> Motion:
        """Person 1 and person 2 exchanged."""
        return replace(
            self,
            positions=self.positions.flip(0),
            rotations=self.rotations.flip(0),
            root_rotations=self.root_rotations.flip(0),
        )

    def mirrored(self) -> Motion:
        """The motion seen in a mirror: x negated, left and right limbs exchanged.

        The caption is left alone; `intermask.data.augment.mirror_caption` turns its words.
        """
        order = list(self.skeleton.mirror_order)
        flip = self.positions.new_tensor((-1.0, 1.0, 1.0))
        reflect = flip[:, None] * flip  # S R S with S = diag(-1, 1, 1)
        return replace(
            self,
            positions=self.positions[..., order, :] * flip,
            rotations=self.rotations[..., [joint - 1 for joint in order[1:]], :, :] * reflect,
            root_rotations=self.root_rotations * reflect,
        )

    def to(self, device: torch.device | str) -> Motion:
        """The same motion on another device."""
        return replace(
            self,
            positions=self.positions.to(device),
            rotations=self.rotations.to(device),
            root_rotations=self.root_rotations.to(device),
        )

    def save(self, path: str | Path) -> Path:
        """Write ``path`` (``.npz`` is added if missing) and return it; see `export.npz`."""
        from intermask.export.npz import write_npz

        return write_npz(self, path)

    @staticmethod
    def load(path: str | Path) -> Motion:
        """Read a motion that `save` wrote; a `UserError` says what is wrong with other files."""
        from intermask.export.npz import read_npz

        return read_npz(path)


@dataclass(frozen=True)
class SMPLXMotion(Motion):
    """Two people with hands: a `Motion` of SMPL-X's 55 joints, shape parameters zero.

    Positions are (2, t, 55, 3), rotations (2, t, 54, 3, 3). The first 22 joints are SMPL's; jaw,
    eyes and 15 joints of each hand follow (`skeleton.SMPLX55`).
    """

    skeleton: Skeleton = field(default=SMPLX55, repr=False)
    rest_pelvis: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the pelvis of the body model rests, metres: its translation counts from there."""

    @property
    def translations(self) -> Tensor:
        """(2, t, 3) metres: SMPL-X's ``transl``."""
        return self.positions[:, :, 0] - self.positions.new_tensor(self.rest_pelvis)

    @property
    def body(self) -> Motion:
        """The same people without jaw, eyes and hands."""
        joints = SMPL22.joint_count
        return Motion(
            self.positions[:, :, :joints],
            self.rotations[:, :, : joints - 1],
            self.root_rotations,
            self.fps,
            self.caption,
            self.seed,
            self.model,
            self.captions,
        )


def _cropped_captions(
    captions: tuple[Caption, ...], start: float, end: float
) -> tuple[Caption, ...]:
    """Those of the part of a motion from ``start`` to ``end`` seconds, which becomes the whole."""
    inside = (
        replace(each, start=max(each.start, start) - start, end=min(each.end, end) - start)
        for each in captions
    )
    return tuple(each for each in inside if each.end > each.start)
