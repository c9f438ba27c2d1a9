"""Move imported people onto one mean-adult body and keep their hands and feet where they were.

Copying rotations to a body with other bone lengths lets hands miss the partner and feet slide.
So the whole scene is scaled once (the same factor for both people, from leg length), the trunk is
laid over the scaled one, and arms and legs are solved as two-bone chains: ankles towards the
scaled footprints, wrists towards the same place relative to whatever they are near (the partner,
or one's own body). Everything is closed-form per frame and smooth in time, so ten minutes of two
people take seconds on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from intermask.data.limbs import (
    ARMS,
    LEGS,
    SOFT_REACH,
    calm_limbs,
    ramp,
    smooth_in_time,
    turned_up,
    two_bone,
)
from intermask.errors import UserError
from intermask.kinematics import (
    correct_rotations,
    fit_rotations,
    forward_kinematics,
    global_rotations,
)
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

CONTACT_RADIUS = 0.15
"""Metres (in the scaled source) within which two joints of two people count as a contact."""

_NEAR = 0.22
"""Metres at which a joint of the partner stops pulling a hand or foot."""
_NEAR_SELF = 0.20
"""The same for the person's own body (a hand on one's own hip)."""
_FREE = 0.08
"""Weight of the free pose against contacts; a touching pair weighs one."""
_ROUNDS = 8
"""Rounds of contact solving; hands that hold hands need several to agree."""
_MAX_SHIFT = 0.15
"""Metres a hand, a foot or a trunk may be moved away from the scaled source."""
_FOOT_HEIGHT = 0.02
"""Metres of the foot joint above the floor when it bears weight."""
_KNEE_HEIGHT = 0.05
"""Metres above the floor of a knee or elbow that rests on it."""
_TRUNK = SMPL22.indices(
    "pelvis", "left_hip", "right_hip", "spine1", "spine2", "spine3", "neck", "left_collar",
    "right_collar", "head", "left_shoulder", "right_shoulder",
)  # fmt: skip
_TRUNK_MATCH = {"left_hip": 1.0, "right_hip": 1.0, "spine2": 0.3, "neck": 0.3,
                "left_shoulder": 0.5, "right_shoulder": 0.5}  # fmt: skip


@dataclass(frozen=True)
class Retargeted:
    """One clip on the target body, p people of t frames.

    Attributes:
        positions: (p, t, 22, 3) float32 metres, y up, floor at 0.
        root_rotations: (p, t, 3, 3) world rotation of the pelvis.
        rotations: (p, t, 21, 3, 3) relative to the parent; identity is a T-pose facing +z.
        scale: factor from source metres to target metres, the same for both people.
        contact_error_before_mm: mean change, in mm, of the vector between joints of two people
            closer than `CONTACT_RADIUS`, when rotations are only copied; ``nan`` without contact.
        contact_error_after_mm: the same for this result.
        limb_error_before_mm: the same over pairs with a hand or foot (wrist, ankle, foot joint).
        limb_error_after_mm: the same for this result.
        contact_pairs: number of (frame, joint, joint) pairs measured.
        limb_pairs: number of those with a hand or foot.
        peak_acceleration_source: 99.9th percentile of joint acceleration in the scaled source,
            m/s².
        peak_acceleration: the same for this result; far above the source means pops.
    """

    positions: Tensor
    root_rotations: Tensor
    rotations: Tensor
    scale: float
    contact_error_before_mm: float
    contact_error_after_mm: float
    limb_error_before_mm: float
    limb_error_after_mm: float
    contact_pairs: int
    limb_pairs: int
    peak_acceleration_source: float
    peak_acceleration: float


def retarget(
    positions: Tensor,
    root_rotations: Tensor | None = None,
    rotations: Tensor | None = None,
    offsets: NDArray[np.float64] = MEAN_ADULT_OFFSETS,
    *,
    source_offsets: NDArray[np.float64] | None = None,
    scale: float | None = None,
    fps: float = 30.0,
) -> Retargeted:
    """Bring one or two people onto the body ``offsets``.

    Args:
        positions: (p, t, 22, 3) joints of the source in metres, y up, floor at 0; p is 1 or 2.
        root_rotations: (p, t, 3, 3) of the source's pelvis, or None to fit them to the positions.
        rotations: (p, t, 21, 3, 3) relative to the parent, identity = T-pose facing +z, or None.
        offsets: (22, 3) rest offsets of the target in metres.
        source_offsets: (22, 3) rest offsets of the source; by default the target's directions with
            the source's bone lengths. State them where the rest shapes differ (a steeper foot).
        scale: source to target metres; by default from the two bodies' standing leg length.
        fps: frames per second of the source, for accelerations and smoothing.
    """
    source, root, local = _checked(positions, root_rotations, rotations)
    rest = torch.as_tensor(np.array(offsets), dtype=source.dtype)
    source_rest = _source_rest(source, rest, source_offsets)
    if scale is None:
        scale = _standing_leg(rest) / _standing_leg(source_rest)
    scene = source * scale
    if root is None or local is None:
        root, local = fit_rotations(source, source_rest)
    copied = forward_kinematics(rest, scene[:, :, 0], root, local, SMPL22.parents)
    goal = _Solver(scene, copied, global_rotations(root, local, SMPL22.parents), rest, fps).solve()
    new_root, new_local = correct_rotations(goal, rest, root, local)
    final = forward_kinematics(rest, goal[:, :, 0], new_root, new_local, SMPL22.parents)
    before, after = _contact_errors(scene, copied), _contact_errors(scene, final)
    return Retargeted(
        positions=final.float(),
        root_rotations=new_root.float(),
        rotations=new_local.float(),
        scale=float(scale),
        contact_error_before_mm=before.all_mm,
        contact_error_after_mm=after.all_mm,
        limb_error_before_mm=before.limbs_mm,
        limb_error_after_mm=after.limbs_mm,
        contact_pairs=after.pairs,
        limb_pairs=after.limb_pairs,
        peak_acceleration_source=_peak_acceleration(scene, fps),
        peak_acceleration=_peak_acceleration(final, fps),
    )


def _checked(
    positions: Tensor, root_rotations: Tensor | None, rotations: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    joints = SMPL22.joint_count
    if positions.ndim != 4 or len(positions) not in (1, 2) or positions.shape[2:] != (joints, 3):
        raise UserError(
            f"retarget needs positions of shape (1 or 2 people, frames, {joints}, 3), "
            f"got {tuple(positions.shape)}"
        )
    if not bool(torch.isfinite(positions).all()):
        raise UserError("retarget needs finite positions; bridge or drop the bad frames first")
    if (root_rotations is None) != (rotations is None):
        raise UserError("give both root_rotations and rotations, or neither to have them fitted")
    people, frames = positions.shape[:2]
    if root_rotations is not None and root_rotations.shape != (people, frames, 3, 3):
        raise UserError(
            f"root_rotations must be {(people, frames, 3, 3)}, got {tuple(root_rotations.shape)}"
        )
    if rotations is not None and rotations.shape != (people, frames, joints - 1, 3, 3):
        raise UserError(
            f"rotations must be {(people, frames, joints - 1, 3, 3)}, got {tuple(rotations.shape)}"
        )
    return (
        positions.double(),
        None if root_rotations is None else root_rotations.double(),
        None if rotations is None else rotations.double(),
    )


def _source_rest(
    source: Tensor, rest: Tensor, source_offsets: NDArray[np.float64] | None
) -> Tensor:
    """Rest offsets (22, 3) of the source body."""
    if source_offsets is not None:
        return torch.as_tensor(np.array(source_offsets), dtype=rest.dtype)
    parents = torch.tensor(SMPL22.parents[1:])
    lengths = (source[:, :, 1:] - source[:, :, parents]).norm(dim=-1).flatten(0, 1)
    guessed = rest.clone()
    guessed[1:] = functional.normalize(rest[1:], dim=-1) * lengths.median(0).values[:, None]
    return guessed


def _standing_leg(rest: Tensor) -> float:
    """Metres from hip joint to sole joint of a body that stands upright."""
    legs = [rest[[knee, ankle]].norm(dim=-1).sum() - rest[foot, 1] for _, knee, ankle, foot in LEGS]
    return float(sum(legs) / len(legs))


class _Solver:
    """Iterates trunk placement and two-bone limbs until contacts agree."""

    def __init__(
        self, scene: Tensor, copied: Tensor, frames_of_joints: Tensor, rest: Tensor, fps: float
    ) -> None:
        self.scene, self.rest, self.fps = scene, rest, fps
        self.global_rotations = frames_of_joints
        self.shape = copied - copied[:, :, :1]  # pose of the target body around its pelvis
        self.people, self.frames = scene.shape[:2]
        self.near = self._partner_weights()
        self.planted = self._planted()

    def solve(self) -> Tensor:
        """Joint positions (p, t, 22, 3) to reach."""
        names = list(_TRUNK_MATCH)
        weight = self.scene.new_tensor([_TRUNK_MATCH[name] for name in names])
        joints = list(SMPL22.indices(*names))
        gap = self.scene[:, :, joints] - self.shape[:, :, joints]
        root = (gap * weight[:, None]).sum(2) / weight.sum()
        pose = self.shape + root[:, :, None]
        push = torch.zeros_like(root)
        shift = {joint: torch.zeros_like(root) for joint in self._ends()}
        for round_index in range(_ROUNDS):
            delta = pose - self.scene
            if self.people == 2:
                push = _limited(push + 0.5 * self._trunk_pull(delta), _MAX_SHIFT)
            base = self._above_floor(root + self._smooth(push))
            base = base + self._lower_to_feet(base, shift)
            trunk = self.shape + base[:, :, None]
            damping = 1.0 if round_index == 0 else 0.6
            for joint in self._ends():
                wanted = _limited(self._end_shift(joint, delta, trunk), _MAX_SHIFT)
                shift[joint] = shift[joint] + damping * (self._smooth(wanted) - shift[joint])
            pose = self._limbs(trunk, shift)
        lengths = self.rest.norm(dim=-1)
        for _ in range(2):
            pose = calm_limbs(pose, lengths, self.fps, self.scene)
        return pose

    @staticmethod
    def _ends() -> tuple[int, ...]:
        return tuple(arm[-1] for arm in ARMS) + tuple(leg[2] for leg in LEGS)

    def _partner_weights(self) -> Tensor:
        """(p, t, own joint, partner joint) pulls in 0..1 from distances in the scaled source."""
        if self.people == 1:
            return self.scene.new_zeros((1, self.frames, SMPL22.joint_count, SMPL22.joint_count))
        distance = torch.cdist(self.scene[0].float(), self.scene[1].float())
        near = _falloff(distance, _NEAR).to(self.scene.dtype)
        return torch.stack((near, near.transpose(1, 2)))

    def _planted(self) -> Tensor:
        """(p, t, 2) in 0..1: how much each foot bears on the floor (low and slow)."""
        flags = []
        for _, _, ankle, foot in LEGS:
            track = self.scene[:, :, [ankle, foot]].mean(2)
            speed = torch.zeros_like(track[..., 0])
            if self.frames > 1:
                step = (track[:, 1:] - track[:, :-1]).norm(dim=-1) * self.fps
                speed = functional.pad(step[:, None], (1, 0), mode="replicate")[:, 0]
            low = ramp(self.scene[:, :, foot, 1], 0.12, 0.06)
            flags.append(low * ramp(speed, 1.0, 0.3))
        stacked = torch.stack(flags, -1)
        return self._smooth(stacked)

    def _trunk_pull(self, delta: Tensor) -> Tensor:
        """(p, t, 3) metres by which contacts would like the trunk to move."""
        trunk = list(_TRUNK)
        near = self.near[:, :, trunk]
        other = delta.flip(0)
        pulled = torch.einsum("ptij,ptjc->ptc", near, other)
        own = torch.einsum("pti,ptic->ptc", near.sum(-1), delta[:, :, trunk])
        return 0.5 * (pulled - own) / (near.sum((2, 3))[..., None] + 2.0)

    def _end_shift(self, joint: int, delta: Tensor, trunk: Tensor) -> Tensor:
        """(p, t, 3): how far the end of a limb should sit from its place in the scaled source."""
        near = self.near[:, :, joint]
        total = torch.einsum("ptj,ptjc->ptc", near, delta.flip(0))
        weight = near.sum(-1)
        arm = next((arm for arm in ARMS if arm[-1] == joint), None)
        if arm is not None:
            body = [other for other in range(SMPL22.joint_count) if other not in _own_arm(arm)]
            gap = (self.scene[:, :, body] - self.scene[:, :, joint, None]).norm(dim=-1)
            own = 0.5 * _falloff(gap, _NEAR_SELF)
            total = total + torch.einsum("ptj,ptjc->ptc", own, delta[:, :, body])
            weight = weight + own.sum(-1)
            free = trunk[:, :, joint] - self.scene[:, :, joint]
            anchor = torch.full_like(weight, _FREE)
        else:
            leg = next(leg for leg in range(2) if LEGS[leg][2] == joint)
            free = self._footprint(leg)
            anchor = 4 * _FREE + 20.0 * self.planted[..., leg]
        return (total + anchor[..., None] * free) / (weight + anchor)[..., None]

    def _footprint(self, leg: int) -> Tensor:
        """(p, t, 3) ankle shift that lays the target's foot over the scaled source's foot."""
        _, _, ankle, foot = LEGS[leg]
        bone = self.shape[:, :, foot] - self.shape[:, :, ankle]
        gap = self.scene[:, :, foot] - self.scene[:, :, ankle] - bone
        # Feet of other lengths share their middle, but the sole decides the height.
        return gap * gap.new_tensor((0.5, 1.0, 0.5))

    def _lower_to_feet(self, base: Tensor, shift: dict[int, Tensor]) -> Tensor:
        """(p, t, 3) metres that bring planted feet back into reach of the legs."""
        move = torch.zeros_like(base)
        for _ in range(3):
            step = torch.zeros_like(base)
            for index, (hip, knee, ankle, _foot) in enumerate(LEGS):
                start = base + move + self.shape[:, :, hip]
                span = self.scene[:, :, ankle] + shift[ankle] - start
                distance = span.norm(dim=-1)
                reach = float(self.rest[[knee, ankle]].norm(dim=-1).sum()) * (1 - SOFT_REACH)
                excess = (distance - reach).clamp_min(0.0) * self.planted[..., index]
                step = step + span / distance.clamp_min(1e-6)[..., None] * excess[..., None]
            move = move + 0.7 * step
        return self._smooth(move, seconds=0.1)

    def _above_floor(self, root: Tensor) -> Tensor:
        """Lift roots (p, t, 3) so that no trunk joint is lower than in the scaled source."""
        trunk = self.shape[:, :, list(_TRUNK), 1] + root[:, :, None, 1]
        allowed = torch.minimum(self.scene[:, :, list(_TRUNK), 1], root.new_tensor(0.08))
        lift = (allowed - trunk).amax(2).clamp_min(0.0)
        lift = functional.max_pool1d(lift, 7, stride=1, padding=3)
        up = root.new_tensor((0.0, 1.0, 0.0))
        return root + self._smooth(lift[..., None] * up, seconds=0.1)

    def _limbs(self, trunk: Tensor, shift: dict[int, Tensor]) -> Tensor:
        """Bend arms and legs of the pose (p, t, 22, 3) to their shifted ends."""
        pose = trunk.clone()
        for chain in ARMS + LEGS:
            start, middle, end = chain[:3]
            # Legs fold forwards at the knee, arms backwards at the elbow.
            ahead = self.global_rotations[:, :, start, :, 2]
            hint = 0.03 * ahead if len(chain) == 4 else -0.015 * ahead
            target = self.scene[:, :, end] + shift[end]
            bone = None
            if len(chain) == 4:
                bone = self.shape[:, :, chain[3]] - self.shape[:, :, end]
                lowest = torch.minimum(bone[..., 1], torch.zeros_like(bone[..., 1]))
                lift = (_FOOT_HEIGHT - target[..., 1] - lowest).clamp_min(0.0)
                target = target + lift[..., None] * target.new_tensor((0.0, 1.0, 0.0))
            else:
                lift = (_FOOT_HEIGHT - target[..., 1]).clamp_min(0.0)
                target = target + lift[..., None] * target.new_tensor((0.0, 1.0, 0.0))
            pole = _bend(self.scene[:, :, start], self.scene[:, :, middle], self.scene[:, :, end])
            lengths = [float(self.rest[joint].norm()) for joint in (middle, end)]
            knee, tip = two_bone(trunk[:, :, start], target, self._smooth(pole + hint), *lengths)
            resting = self.scene[:, :, middle]
            knee, tip = _on_floor(trunk[:, :, start], knee, tip, resting, *lengths)
            pose[:, :, middle], pose[:, :, end] = knee, tip
            if bone is not None:
                pose[:, :, chain[3]] = tip + bone
        return pose

    def _smooth(self, values: Tensor, seconds: float = 0.05) -> Tensor:
        """Gaussian in time over dimension 1; ``seconds`` is its standard deviation."""
        return smooth_in_time(values, seconds * self.fps)


def _on_floor(
    start: Tensor, middle: Tensor, end: Tensor, source: Tensor, upper: float, lower: float
) -> tuple[Tensor, Tensor]:
    """Keep knees and elbows (p, t, 3) that rest on the floor where they rest in the ``source``.

    Near the floor the middle joint gives up its part in reaching for the end: it turns towards its
    own place in the source, never below it, and the end follows with the last bone.
    """
    resting = ramp(source[..., 1], 0.16, 0.08)[..., None]
    lowest = source[..., 1].clamp(_FOOT_HEIGHT, _KNEE_HEIGHT)
    towards = functional.normalize(source - start, dim=-1) * upper
    out = functional.normalize((middle - start).lerp(towards, resting), dim=-1) * upper
    middle = turned_up(start, start + out, lowest)
    return middle, middle + lower * functional.normalize(end - middle, dim=-1)


def _own_arm(arm: Sequence[int]) -> tuple[int, ...]:
    """Joints that say nothing about where a hand touches the own body: its arm and collar."""
    return (*arm, SMPL22.parents[arm[0]])


def _bend(start: Tensor, middle: Tensor, end: Tensor) -> Tensor:
    """(..., 3) metres from the line start-end to the middle joint."""
    along = functional.normalize(end - start, dim=-1)
    out = middle - start
    return out - (out * along).sum(-1, keepdim=True) * along


def _falloff(distance: Tensor, radius: float) -> Tensor:
    """One at zero distance, smoothly zero from ``radius``."""
    return (1 - (distance / radius) ** 2).clamp_min(0.0) ** 2


def _limited(vectors: Tensor, longest: float) -> Tensor:
    """Vectors (..., 3) eased so that none is longer than ``longest``."""
    length = vectors.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    return vectors * (longest * torch.tanh(length / longest) / length)


@dataclass(frozen=True)
class _ContactErrors:
    all_mm: float
    limbs_mm: float
    pairs: int
    limb_pairs: int


def _contact_errors(scene: Tensor, result: Tensor) -> _ContactErrors:
    """Mean change in mm of vectors between close joints of the two people."""
    if scene.shape[0] < 2:
        return _ContactErrors(float("nan"), float("nan"), 0, 0)
    close = torch.cdist(scene[0].float(), scene[1].float()) < CONTACT_RADIUS
    frame, first, second = close.nonzero(as_tuple=True)
    wanted = scene[0, frame, first] - scene[1, frame, second]
    got = result[0, frame, first] - result[1, frame, second]
    error = (got - wanted).norm(dim=-1) * 1000
    ends = torch.zeros(SMPL22.joint_count, dtype=torch.bool)
    ends[[joint for limb in ARMS for joint in limb[2:]]] = True
    ends[[joint for limb in LEGS for joint in limb[2:]]] = True
    limbs = ends[first] | ends[second]
    return _ContactErrors(
        float(error.mean()) if len(error) else float("nan"),
        float(error[limbs].mean()) if bool(limbs.any()) else float("nan"),
        len(error),
        int(limbs.sum()),
    )


def _peak_acceleration(positions: Tensor, fps: float) -> float:
    """99.9th percentile of joint acceleration (m/s²) of (p, t, 22, 3)."""
    if positions.shape[1] < 3:
        return 0.0
    second = positions[:, 2:] - 2 * positions[:, 1:-1] + positions[:, :-2]
    values = second.norm(dim=-1).flatten() * fps**2
    return float(values.kthvalue(max(1, int(0.999 * len(values)))).values)
