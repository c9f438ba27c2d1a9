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

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from intermask import geometry
from intermask.conventions import FloorRule
from intermask.errors import UserError
from intermask.motion import Motion
from intermask.representation import POSITIONS, canonicalise_pair, y_up_to_z_up
from intermask.skeleton import SMPL22
from intermask.timeline import minimum_jerk, runs

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


def place_given(
    given: Motion, kept: Tensor, floor: FloorRule, stride: int, grounded: bool = False
) -> GivenScene:
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
        grounded: the floor is at y = 0 of the given world, whoever touches it; otherwise it is read
            off the lowest points.
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
    features = pair.features
    if grounded:
        features = _raised(features, origins[:, 1])
        origins = origins * origins.new_tensor((1.0, 0.0, 1.0))
    ground = origins[:, 1].amin()
    reference = pair.placements[0]
    frame = SceneFrame(
        geometry.quaternion_to_matrix(geometry.quaternion_inverse(reference.to_forward)),
        torch.stack((reference.origin[0], ground, reference.origin[2])),
        origins[:, 1] - ground,
    )
    return GivenScene(frame, frame.to_scene(given), features.float())


def _raised(features: Tensor, heights: Tensor) -> Tensor:
    """Features (p, t, 262) of people who stand higher by ``heights`` (p,) metres."""
    up = features.new_tensor((0.0, 1.0, 0.0)).repeat(SMPL22.joint_count)
    raised = features.clone()
    raised[..., POSITIONS] += heights[:, None, None] * up
    return raised


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


def frames_in_ranges(
    ranges: Sequence[tuple[float, float]], frames: int, fps: float, purpose: str = "to keep"
) -> Tensor:
    """Which frames (t,) lie in ranges of (start, end) seconds; the end is not part of a range.

    ``purpose`` tells errors what the ranges are for.

    Raises:
        UserError: a range is backwards, empty, before the start or behind the end of the motion,
            or overlaps another one.
    """
    inside = torch.zeros(frames, dtype=torch.bool)
    seconds = frames / fps
    for start, end in ranges:
        name = f"the range {purpose} {start:g}:{end:g}"
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
        if bool(inside[first:last].any()):
            raise UserError(f"{name} overlaps another one; give ranges that follow each other")
        inside[first:last] = True
    return inside


def with_kept(given: Motion, made: Motion, kept: Tensor) -> Motion:
    """What is kept (2, t) of the given motion to the last bit, the made one elsewhere."""

    def merged(theirs: Tensor, ours: Tensor) -> Tensor:
        return torch.where(_broadcast(kept, theirs), theirs, ours.to(theirs.dtype))

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


def sized_like(positions: Tensor, given: Tensor, kept: Tensor) -> Tensor:
    """Generated positions of people whose bones are as long as in the kept frames.

    A decoded body is never quite as large as the given one. Every bone keeps its direction, so a
    straight leg stays straight; the body then goes up or down until its lowest joint is as high as
    it was. Bone lengths are medians over kept frames; a person without any is left alone.

    Args:
        positions: (2, t, 22, 3) metres, generated.
        given: (2, t, 22, 3) metres; only kept frames are read.
        kept: (2, t) bool.
    """
    people = []
    for person, theirs, chosen in zip(positions, given, kept, strict=True):
        if not bool(chosen.any()):
            people.append(person)
            continue
        joints = [person[:, 0]]
        for parent, child in SMPL22.bones:
            length = (theirs[chosen, child] - theirs[chosen, parent]).norm(dim=-1).median()
            bone = person[:, child] - person[:, parent]
            joints.append(joints[parent] + length * torch.nn.functional.normalize(bone, dim=-1))
        sized = torch.stack(joints, -2)
        lift = person[..., 1].amin(-1) - sized[..., 1].amin(-1)
        people.append(sized + lift[:, None, None] * sized.new_tensor((0.0, 1.0, 0.0)))
    return torch.stack(people)


def ease_into(generated: Eased, given: Eased, kept: Tensor, frames: int = EASE_FRAMES) -> Eased:
    """Generated motion with the kept frames of the given one put in, without jumps beside them.

    What the generated motion says of a kept frame differs from the frame itself, as any decoded
    motion does. This difference, and the speed at which it changes, go on into the new frames
    beside it, along a minimum-jerk curve that has died away after ``frames`` frames (of the speed
    after `EASE_FRAMES` at most), or sooner where another kept frame follows. Kept frames come back
    as given.

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
    change = torch.zeros(len(kept), _DIFFERENCE_WIDTH).to(generated.positions)
    touched = torch.zeros_like(kept)
    for start, stop in runs(~kept):
        reach = min(frames, stop - start)
        steps = torch.arange(1, reach + 1)
        weight = 1 - minimum_jerk(steps.to(change) / (reach + 1))
        # over a longer way the speed alone would lead people metres away
        quick = 1 - minimum_jerk(steps.to(change) / (min(reach, EASE_FRAMES) + 1))
        for edge, inwards in ((start - 1, 1), (stop, -1)):
            if not 0 <= edge < len(kept):
                continue
            difference = _difference(generated, given, edge)
            speed = torch.zeros_like(difference)
            before = edge - inwards
            if 0 <= before < len(kept) and bool(kept[before]):
                speed = difference - _difference(generated, given, before)
            # what grows so fast is an angle that went past the half-turn
            speed = speed.where(speed.abs() < _LARGEST_SPEED, torch.zeros_like(speed))
            beside = edge + inwards * steps
            touched[beside] = True
            change[beside] += weight[:, None] * difference
            change[beside] += (quick * steps.to(change))[:, None] * speed
    eased = _changed(generated, change)
    # frames out of reach stay what they are to the last bit
    return Eased(
        *(
            torch.where(
                _broadcast(kept, ours),
                theirs,
                torch.where(_broadcast(touched, ours), new, ours),
            )
            for ours, theirs, new in zip(generated, given, eased, strict=True)
        )
    )


_LARGEST_SPEED = 0.5
"""Radians (or metres) a frame by which a difference can plausibly grow."""

# A difference is one row: yaw of the body, way of the pelvis, swings and lengths of the 21 bones,
# bends of the 21 joints. Bones swing, because positions that are blended shorten limbs, and knees
# and elbows snap when these are stretched again.
_ROTATED = SMPL22.joint_count - 1
_SIZES = (1, 3, 3 * _ROTATED, _ROTATED, 3 * _ROTATED)
_DIFFERENCE_WIDTH = sum(_SIZES)


def _bones(positions: Tensor) -> Tensor:
    """Vectors (..., 21, 3) from the parents of joints 1 to 21 to these, of (..., 22, 3)."""
    return positions[..., 1:, :] - positions[..., list(SMPL22.parents[1:]), :]


def _difference(generated: Eased, given: Eased, frame: int) -> Tensor:
    """How the given frame differs from the generated one: a row for `_changed`."""
    ours, theirs = generated.positions[frame], given.positions[frame]
    yaw = _turn_between(ours - ours[0], theirs - theirs[0])
    our_bones, their_bones = _bones(ours) @ geometry.yaw_matrix(yaw).T, _bones(theirs)
    swings = geometry.matrix_to_axis_angle(geometry.rotation_between(our_bones, their_bones))
    lengths = their_bones.norm(dim=-1) - our_bones.norm(dim=-1)
    bends = geometry.matrix_to_axis_angle(
        generated.rotations[frame].transpose(-1, -2) @ given.rotations[frame]
    )
    return torch.cat((yaw[None], theirs[0] - ours[0], swings.flatten(), lengths, bends.flatten()))


def _changed(generated: Eased, change: Tensor) -> Eased:
    """Frames (t, ...) turned about their pelvis, moved, and bent by rows (t, width)."""
    yaw, way, swings, lengths, bends = change.split(_SIZES, dim=1)
    bones = _bones(generated.positions) @ geometry.yaw_matrix(yaw[:, 0]).transpose(-1, -2)
    turns = geometry.axis_angle_to_matrix(swings.unflatten(1, (-1, 3)))
    stretch = 1 + lengths / bones.norm(dim=-1).clamp_min(1e-6)
    bones = (turns @ bones[..., None])[..., 0] * stretch[..., None]
    joints = [generated.positions[:, 0] + way]
    for parent, child in SMPL22.bones:
        joints.append(joints[parent] + bones[:, child - 1])
    turned = geometry.axis_angle_to_matrix(bends.unflatten(1, (-1, 3)))
    return Eased(torch.stack(joints, 1), generated.rotations @ turned)


def _broadcast(flags: Tensor, values: Tensor) -> Tensor:
    """Flags (t,) or (2, t) with the dimensions of values (..., more)."""
    return flags.reshape(*flags.shape, *(1 for _ in values.shape[flags.ndim :]))


def _turn_between(ours: Tensor, theirs: Tensor) -> Tensor:
    """The yaw () in radians that best turns joints (22, 3) about the pelvis onto others.

    All joints decide, because hips alone do not tell the direction of a person who lies.
    """
    along = (ours[:, (0, 2)] * theirs[:, (0, 2)]).sum()
    across = (ours[:, 2] * theirs[:, 0] - ours[:, 0] * theirs[:, 2]).sum()
    return torch.atan2(across, along)


def off_seams(generated: Tensor, given: Tensor, kept: Tensor) -> float:
    """Mean metres from generated joints to given ones in kept frames beside new ones; 0: none.

    Args:
        generated: (2, t, 22, 3) metres.
        given: the same; only kept frames are read.
        kept: (2, t) bool.
    """
    beside = torch.zeros_like(kept)
    beside[:, 1:] |= ~kept[:, :-1]
    beside[:, :-1] |= ~kept[:, 1:]
    beside &= kept
    return float((generated - given)[beside].norm(dim=-1).mean()) if bool(beside.any()) else 0.0
