"""Motion that is given: into the frame that models work in, and back into the caller's world.

Models see two people in a canonical frame (`representation.canonicalise_pair`): the first person
starts at the origin and faces +z, and every person's lowest point is the floor. A motion that comes
to be reacted to or completed stands anywhere. Three frames are told apart here, all y up, metres:

* **world**: the caller's. What is kept goes back into it bit for bit.
* **scene**: the world turned about y and moved, so that the reference person starts at the origin
  facing +z and the lowest point of the given people is at y = 0. Motion is consolidated here.
* **canonical**: the scene, but with each person's own floor at y = 0 (the same as the scene where
  the model was trained with the floor rule ``shared``).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from intermask import geometry
from intermask.config import FloorRule
from intermask.errors import UserError
from intermask.motion import Motion
from intermask.representation import canonicalise_pair, y_up_to_z_up

EASE_FRAMES = 12
"""Most new frames that are changed so that they lead into a kept one."""

_ROUNDING_S = 0.05
"""Seconds by which a range may exceed the motion: durations are told to one decimal."""


@dataclass(frozen=True)
class SceneFrame:
    """Where the scene lies in the caller's world; float64, so that a round trip loses nothing."""

    turn: Tensor
    """(3, 3) turn about y from the scene to the world."""
    origin: Tensor
    """(3,) the scene's origin in the world: a point on the floor, metres."""
    floors: Tensor
    """(2,) heights of the two people's own floors above the scene's, metres."""

    def to_scene(self, motion: Motion) -> Motion:
        """A motion of the world, seen in the scene (float64)."""
        return replace(
            motion,
            positions=(motion.positions.double() - self.origin) @ self.turn,
            rotations=motion.rotations.double(),
            root_rotations=self.turn.T @ motion.root_rotations.double(),
        )

    def to_world(self, motion: Motion) -> Motion:
        """A motion of the scene, seen in the world (float64)."""
        return replace(
            motion,
            positions=motion.positions.double() @ self.turn.T + self.origin,
            rotations=motion.rotations.double(),
            root_rotations=self.turn @ motion.root_rotations.double(),
        )

    def lifted(self, positions: Tensor) -> Tensor:
        """Canonical positions (2, t, 22, 3) on their floors in the scene."""
        up = positions.new_tensor((0.0, 1.0, 0.0))
        return positions + self.floors.to(positions)[:, None, None, None] * up


@dataclass(frozen=True)
class GivenScene:
    """A given motion, ready for a tokenizer."""

    frame: SceneFrame
    motion: Motion
    """The given motion in the scene, float64."""
    features: Tensor
    """(2, t', 262) canonical, not normalised, float32; t' is t rounded up to whole columns."""


def place_given(given: Motion, kept: Tensor, floor: FloorRule, stride: int) -> GivenScene:
    """A given motion in the frame that models work in.

    The scene is placed by the first person's frame 0, whether it is kept or not: tokenizers expect
    a clip to be placed by its own first frame. A person of whom nothing is kept has no say in it:
    the partner's floor is theirs.

    Features need a next frame for their velocities, and tokens whole columns: behind its end the
    motion goes on at the speed of its last frame, in its last pose, and not below its lowest point.

    Args:
        given: t >= 2 frames, the person by whom the scene is placed first.
        kept: (2, t) bool.
        floor: the model's rule.
        stride: frames a token column.
    """
    positions, rotations = given.positions.double(), given.rotations.double()
    absent = ~kept.any(1)
    if bool(absent.any()) and not bool(absent.all()):
        present = int((~absent).nonzero()[0])
        positions = torch.where(absent[:, None, None, None], positions[present], positions)
        rotations = torch.where(absent[:, None, None, None, None], rotations[present], rotations)

    columns = math.ceil(given.frames / stride)
    more = columns * stride + 1 - given.frames
    positions = torch.cat((positions, _continuation(positions, more)), 1)
    rotations = torch.cat((rotations, rotations[:, -1:].expand(-1, more, -1, -1, -1)), 1)
    loaded = torch.cat(
        (y_up_to_z_up(positions).flatten(-2), geometry.matrix_to_rot6d(rotations).flatten(-2)), -1
    )
    pair = canonicalise_pair(loaded, floor)
    origins = torch.stack([placement.origin for placement in pair.placements])
    ground = origins[:, 1].amin()
    reference = pair.placements[0]
    frame = SceneFrame(
        geometry.quaternion_to_matrix(geometry.quaternion_inverse(reference.to_forward)),
        torch.stack((reference.origin[0], ground, reference.origin[2])),
        origins[:, 1] - ground,
    )
    return GivenScene(frame, frame.to_scene(given), pair.features.float())


def _continuation(positions: Tensor, frames: int) -> Tensor:
    """That many frames (p, frames, 22, 3) behind the end of positions (p, t, 22, 3)."""
    ahead = torch.arange(1, frames + 1).to(positions)[:, None, None]
    last, step = positions[:, -1:], positions[:, -1:] - positions[:, -2:-1]
    result = last + ahead * step
    # a fall that goes on would lower the floor, which is read off the lowest point
    lowest = positions[..., 1].amin((1, 2))[:, None, None]
    height = torch.maximum(result[..., 1], lowest)
    return torch.stack((result[..., 0], height, result[..., 2]), -1)


def kept_columns(kept: Tensor, stride: int) -> Tensor:
    """Which token columns (2, n) are known: those of which every frame of (2, t) is kept.

    Frames behind the end of the last column count as the last frame does.
    """
    missing = -kept.shape[1] % stride
    padded = torch.cat((kept, kept[:, -1:].expand(-1, missing)), 1)
    return padded.unflatten(1, (-1, stride)).all(-1)


def kept_frames(ranges: Sequence[tuple[float, float]], frames: int, fps: float) -> Tensor:
    """Which frames (t,) lie in ranges of (start, end) seconds; the end is not part of a range.

    Raises:
        UserError: a range is backwards, empty, before the start or behind the end of the motion,
            or overlaps another one.
    """
    kept = torch.zeros(frames, dtype=torch.bool)
    seconds = frames / fps
    for start, end in ranges:
        name = f"the range to keep {start:g}:{end:g}"
        if not (math.isfinite(start) and math.isfinite(end)):
            raise UserError(f"{name} is not made of numbers; expected START:END in seconds")
        if start < 0 or end > seconds + _ROUNDING_S:
            raise UserError(
                f"{name} leaves the motion, which lasts {seconds:.2f} seconds; "
                f"give seconds from 0 to {seconds:.2f}"
            )
        if start >= end:
            raise UserError(f"{name} ends before it starts; expected START:END in seconds")
        first, last = round(start * fps), min(round(end * fps), frames)
        if first >= last:
            raise UserError(f"{name} holds no frame; a frame lasts {1 / fps:.3f} seconds")
        if bool(kept[first:last].any()):
            raise UserError(f"{name} overlaps another one; give ranges that follow each other")
        kept[first:last] = True
    return kept


def with_kept(given: Motion, made: Motion, kept: Tensor) -> Motion:
    """What is kept (2, t) of the given motion to the last bit, the made one elsewhere."""

    def merged(theirs: Tensor, ours: Tensor) -> Tensor:
        mask = kept.reshape(*kept.shape, *(1 for _ in theirs.shape[2:]))
        return torch.where(mask, theirs, ours.to(theirs.dtype))

    return replace(
        made,
        positions=merged(given.positions, made.positions),
        rotations=merged(given.rotations, made.rotations),
        root_rotations=merged(given.root_rotations, made.root_rotations),
    )


class Eased(NamedTuple):
    """Positions (2, t, 22, 3) metres and rotations (2, t, 21, 3, 3) relative to the parent."""

    positions: Tensor
    rotations: Tensor


def ease_into(generated: Eased, given: Eased, kept: Tensor, frames: int = EASE_FRAMES) -> Eased:
    """Generated motion with the kept frames of the given one put in, without jumps beside them.

    What the generated motion says of a kept frame differs from the frame itself, as any decoded
    motion does. This difference (where the pelvis is, which way the body is turned, then the pose)
    is added to the new frames beside it, along a minimum-jerk curve that has died away after
    ``frames`` frames, or sooner where another kept frame follows. Kept frames come back as given.

    Args:
        generated: all frames, also those that are kept, in the frame of ``given``.
        given: the same frames; only kept ones are read.
        kept: (2, t) bool.
        frames: most new frames to change on each side.
    """
    people = [
        _eased_person(
            Eased(*(part[person] for part in generated)),
            Eased(*(part[person] for part in given)),
            kept[person],
            frames,
        )
        for person in range(len(kept))
    ]
    return Eased(*(torch.stack(parts) for parts in zip(*people, strict=True)))


def _eased_person(generated: Eased, given: Eased, kept: Tensor, frames: int) -> Eased:
    """`ease_into` for one person: (t, 22, 3), (t, 21, 3, 3) and (t,)."""
    positions = generated.positions
    yaw, shift = positions.new_zeros(len(kept)), positions.new_zeros(len(kept), 3)
    pose = torch.zeros_like(positions)
    bends = positions.new_zeros(*generated.rotations.shape[:2], 3)
    touched = torch.zeros_like(kept)
    for start, stop in _gaps(kept):
        reach = min(frames, stop - start)
        steps = torch.arange(1, reach + 1)
        weight = 1 - minimum_jerk(steps.to(positions) / (reach + 1))
        for edge, beside in ((start - 1, start - 1 + steps), (stop, stop - steps)):
            if not 0 <= edge < len(kept):
                continue
            ours, theirs = positions[edge], given.positions[edge]
            turn = _turn_between(ours - ours[0], theirs - theirs[0])
            turned = (ours - ours[0]) @ geometry.yaw_matrix(turn).T
            bend = geometry.matrix_to_axis_angle(
                generated.rotations[edge].transpose(-1, -2) @ given.rotations[edge]
            )
            touched[beside] = True
            yaw[beside] += weight * turn
            shift[beside] += weight[:, None] * (theirs[0] - ours[0])
            pose[beside] += weight[:, None, None] * (theirs - theirs[0] - turned)
            bends[beside] += weight[:, None, None] * bend
    pelvis = positions[:, :1]
    eased = (positions - pelvis) @ geometry.yaw_matrix(yaw).transpose(-1, -2)
    eased = eased + pelvis + shift[:, None] + pose
    rotations = generated.rotations @ geometry.axis_angle_to_matrix(bends)
    # frames out of reach stay what they are to the last bit
    eased = torch.where(touched[:, None, None], eased, positions)
    rotations = torch.where(touched[:, None, None, None], rotations, generated.rotations)
    return Eased(
        torch.where(kept[:, None, None], given.positions, eased),
        torch.where(kept[:, None, None, None], given.rotations, rotations),
    )


def minimum_jerk(x: Tensor) -> Tensor:
    """From 0 at x <= 0 to 1 at x >= 1 with no speed and no acceleration at both ends."""
    x = x.clamp(0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


def _turn_between(ours: Tensor, theirs: Tensor) -> Tensor:
    """The yaw () in radians that best turns joints (22, 3) about the pelvis onto others.

    All joints decide, because hips alone do not tell the direction of a person who lies.
    """
    along = (ours[:, (0, 2)] * theirs[:, (0, 2)]).sum()
    across = (ours[:, 2] * theirs[:, 0] - ours[:, 0] * theirs[:, 2]).sum()
    return torch.atan2(across, along)


def _gaps(kept: Tensor) -> Iterator[tuple[int, int]]:
    """(start, stop) of every run of frames that are not kept."""
    for is_kept, run in itertools.groupby(range(len(kept)), key=kept.tolist().__getitem__):
        frames = list(run)
        if not is_kept:
            yield frames[0], frames[-1] + 1
