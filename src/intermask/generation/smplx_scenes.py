"""People of Inter-X: SMPL-X bodies with hands, where the model puts them.

Kinematics keep bones rigid, so nothing has to be solved; rotations and places are smoothed against
the jitter of tokens, and new frames ease into kept ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from intermask import representation_smplx
from intermask.errors import UserError
from intermask.generation.smoothing import smooth_positions, smooth_rotations
from intermask.generation.world import EASE_FRAMES
from intermask.geometry import matrix_to_rows6d
from intermask.kinematics import forward_kinematics
from intermask.motion import Motion, SMPLXMotion
from intermask.skeleton import SMPL22
from intermask.smplx import RestBody
from intermask.timeline import minimum_jerk, runs


@dataclass(frozen=True)
class Pose:
    """Rotations (2, t, 55, 3, 3), the root's first, and translations (2, t, 3) in metres."""

    rotations: Tensor
    translations: Tensor


@dataclass(frozen=True)
class GivenPose:
    """A given motion, ready for a tokenizer."""

    pose: Pose
    features: Tensor
    """(2, t', 336) float32; t' is t rounded up to whole columns."""


class InterXScenes:
    """55 joints in the world of the data.

    Args:
        body: rest joints of SMPL-X.
        smoothing: frames of the Gaussian over rotations and translations; 0: none.
    """

    def __init__(self, body: RestBody, smoothing: float = 1.0) -> None:
        self.body, self.smoothing = body, smoothing
        parents = [max(parent, 0) for parent in body.parents]
        self._offsets = body.positions - body.positions[parents]

    def finished(self, features: Tensor) -> SMPLXMotion:
        """Smoothed rotations and translations, and the joints that they lead to."""
        return self._motion(self._smooth(_decoded(features)), features.dtype)

    def rough(self, features: Tensor) -> Tensor:
        """The joints of the body that rotations lead to."""
        made = self._motion(_decoded(features), features.dtype)
        return made.positions[..., : SMPL22.joint_count, :]

    def accepted(self, given: Motion) -> SMPLXMotion:
        """A motion with hands; another one cannot be read.

        Raises:
            UserError: the motion has no hands.
        """
        if not isinstance(given, SMPLXMotion):
            raise UserError(
                f"the given motion has {given.skeleton.joint_count} joints, but this model reads "
                f"the {len(self.body.parents)} of SMPL-X, with hands; give a motion that such a "
                "model made"
            )
        return given

    def place(self, given: Motion, kept: Tensor, stride: int, grounded: bool = False) -> GivenPose:
        """See `given_pose`; the floor is where the data has it."""
        return given_pose(self.accepted(given), stride)

    def settled(
        self,
        placed: GivenPose,
        features: Tensor,
        kept: Tensor,
        ease: int = EASE_FRAMES,
        paced: bool = True,
    ) -> SMPLXMotion:
        """Smoothed, and eased into the kept frames (2, t)."""
        pose = self._smooth(_decoded(features))
        return self._motion(ease_into_pose(pose, placed.pose, kept, ease), torch.float64)

    def _smooth(self, pose: Pose) -> Pose:
        places = smooth_positions(pose.translations[:, :, None], self.smoothing)[:, :, 0]
        return Pose(smooth_rotations(pose.rotations, self.smoothing), places)

    def _motion(self, pose: Pose, dtype: torch.dtype) -> SMPLXMotion:
        rest = self.body.positions[0].double()
        roots, rotations = pose.rotations[:, :, 0], pose.rotations[:, :, 1:]
        positions = forward_kinematics(
            self._offsets.double(), pose.translations + rest, roots, rotations, self.body.parents
        )
        x, y, z = self.body.positions[0].tolist()
        return SMPLXMotion(
            positions.to(dtype), rotations.to(dtype), roots.to(dtype), rest_pelvis=(x, y, z)
        )


def given_pose(given: SMPLXMotion, stride: int) -> GivenPose:
    """A given motion as features; behind its end it goes on at the speed of its last frame.

    Args:
        given: two or more frames.
        stride: frames a token column.
    """
    rotations = torch.cat((given.root_rotations[:, :, None], given.rotations), 2).double()
    pose = Pose(rotations, given.translations.double())
    more = math.ceil(given.frames / stride) * stride + 1 - given.frames
    places = pose.translations
    ahead = torch.arange(1, more + 1).to(places)[:, None]
    step = places[:, -1:] - places[:, -2:-1]
    places = torch.cat((places, places[:, -1:] + ahead * step), 1)
    rows = matrix_to_rows6d(rotations)
    rows = torch.cat((rows, rows[:, -1:].expand(-1, more - 1, -1, -1)), 1)
    last = torch.cat((places[:, :-1], places[:, 1:] - places[:, :-1]), -1)[:, :, None]
    features = representation_smplx.from_joint_grid(torch.cat((rows, last), 2))
    return GivenPose(pose, features.float())


def ease_into_pose(generated: Pose, given: Pose, kept: Tensor, frames: int = EASE_FRAMES) -> Pose:
    """A generated motion without jumps beside the kept frames (2, t) of a given one.

    What the generated motion says of a kept frame differs from the frame itself. This difference
    goes on into the new frames beside it, along a minimum-jerk curve that has died away after
    ``frames`` frames, or sooner where another kept frame follows. Kept frames come back as given.
    """
    rotations = torch.where(kept[..., None, None, None], given.rotations, generated.rotations)
    places = torch.where(kept[..., None], given.translations, generated.translations)
    for person in range(len(kept)):
        for start, stop in runs(~kept[person]):
            sides = [frame for frame in (start - 1, stop) if 0 <= frame < kept.shape[1]]
            reach = min(frames, (stop - start) // len(sides)) if sides else 0
            for frame in sides:
                chosen = torch.arange(start, stop)
                weight = 1 - minimum_jerk((chosen - frame).abs().double() / (reach + 1))
                turn = given.rotations[person, frame] @ generated.rotations[person, frame].mT
                turns = weight[:, None, None] * roma.rotmat_to_rotvec(turn)
                rotations[person, chosen] = roma.rotvec_to_rotmat(turns) @ rotations[person, chosen]
                shift = given.translations[person, frame] - generated.translations[person, frame]
                places[person, chosen] = places[person, chosen] + weight[:, None] * shift
    return Pose(rotations, places)


def _decoded(features: Tensor) -> Pose:
    return Pose(
        representation_smplx.decode_rotations(features.double()),
        representation_smplx.decode_translations(features.double()),
    )
