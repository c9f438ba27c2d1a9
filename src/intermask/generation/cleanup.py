"""Optional clean-up of any motion of two people, generated, captured or drawn.

What `consolidate` does to what a decoder says, done to finished motion, gently and in parts:
jitter is smoothed, standing feet are held, bodies come out of each other and out of the floor.
Frames and bone lengths stay; limbs that touch the partner stay where they are on the partner; no
joint is made to jerk: where a correction would raise the largest acceleration of a joint, it gives
way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from intermask.errors import UserError
from intermask.generation.consolidate import (
    ConsolidationOptions,
    grounded,
    person_offsets,
    steadied,
)
from intermask.generation.footlock import FootLockOptions
from intermask.generation.kept_contacts import ContactsKept
from intermask.generation.rigid_bones import hand_relations, project_onto_bones
from intermask.generation.settling import SettlingOptions, settle
from intermask.kinematics import (
    bone_offsets,
    correct_rotations,
    fit_rotations,
    forward_kinematics,
)
from intermask.motion import Motion
from intermask.skeleton import SMPL22
from intermask.solver.bodies import Bodies, Posed
from intermask.solver.solve import SolverOptions, solve
from intermask.solver.terms import Near, Term

Part = Literal["jitter", "feet", "bodies", "floor"]
PARTS: tuple[Part, ...] = get_args(Part)
"""jitter: smoothing. feet: standing feet stand. bodies: people come out of each other and of
themselves. floor: nothing is below the floor, and who hovers over it all the time stands on it."""

LEAST_FRAMES = 4
RIGID = 1e-3
"""Metres between a motion's joints and those its rotations lead to, up to which it is taken as is;
else one set of bone lengths is found first."""

_FULL = SettlingOptions()
_HOLDING = 40.0
_NO_POPS = 2e4
_FIRMER = (10.0, 100.0, 1000.0)
_STAYING, _ROUNDS = 0.3, 20
_CALM_PEAK = 0.96  # of the largest acceleration of a joint, which no correction may exceed
_SMOOTHING = 1.0  # frames of the Gaussian over the roughest motion
_ROUGH = 0.002
"""Metres of noise of a coordinate in a single frame from which on all smoothing is needed; of
captured motion it is a tenth of it."""
_ROUGH_FRAMES = 8
_HOVER = 0.08
"""Metres up to which who never touches the floor hovers, rather than stands on something."""


@dataclass(frozen=True, kw_only=True)
class CleanupOptions:
    """What is cleaned up, and how firmly."""

    parts: tuple[Part, ...] = PARTS
    """What is done, of `PARTS`."""
    strength: float = 1.0
    """From 0, nothing, to 1, as firmly as generated motion is settled; above, more."""
    contacts: bool = True
    """Whether limbs that touch the partner stay there."""

    def __post_init__(self) -> None:
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown or not self.parts:
            raise UserError(
                f"clean-up has no part {', '.join(unknown) or '(none is given)'}; choose from "
                f"{', '.join(PARTS)}"
            )
        if not 0 < self.strength <= 3:
            raise UserError(f"the strength is {self.strength:g}; expected more than 0, at most 3")

    def has(self, part: Part) -> bool:
        """Whether a part is done."""
        return part in self.parts


def clean(motion: Motion, options: CleanupOptions | None = None) -> Motion:
    """The same motion with fewer flaws: as many frames, the same bones, the same contacts.

    Args:
        motion: two people in metres, y up, floor at y = 0; fingers come along with their hands.
        options: what is done; everything by default.

    Raises:
        UserError: fewer than four frames.
    """
    options = options or CleanupOptions()
    if motion.frames < LEAST_FRAMES:
        raise UserError(
            f"the motion has {motion.frames} frames; {LEAST_FRAMES} or more are needed to tell "
            "jitter from movement"
        )
    joints = SMPL22.joint_count
    original = motion.positions[:, :, :joints].double()
    turns = motion.rotations[:, :, : joints - 1].double()
    bodies = _rigid(original, motion.root_rotations.double(), turns)
    rigid = bodies.posed()
    if options.has("floor"):
        bodies = _on_floor(bodies)
    roughness = options.strength * _roughness(rigid.positions) if options.has("jitter") else 0.0
    if roughness > 0:
        bodies = _smoothed(bodies, roughness, motion.fps)
    wanted = bodies.posed()
    limits = peak_accelerations(rigid.positions, 1.0)
    held: list[Term] = [ContactsKept(rigid, wanted, _HOLDING)] if options.contacts else []
    change = original.new_ones(original.shape[:2])
    free = hand_relations(wanted.positions, 0.0)  # `ContactsKept` knows all limbs
    terms: list[Term] = [_NoPops(limits, _NO_POPS), *held]
    settled = settle(bodies, change, free, motion.fps, _settling(options, roughness), terms)
    return _as_motion(motion, _without_pops(settled, limits, held))


def _roughness(positions: Tensor) -> float:
    """How much smoothing positions (2, t, 22, 3) need, from 0 to 1.

    Fourth differences of movement are next to nothing, those of noise are 8 times as large as the
    noise; the median forgives blows and steps.
    """
    if positions.shape[1] < _ROUGH_FRAMES:
        return 0.0
    noise = positions.diff(n=4, dim=1).abs().median() / (0.6745 * 70**0.5)
    return min(1.0, float(noise) / _ROUGH)


def _settling(options: CleanupOptions, roughness: float) -> SettlingOptions:
    strength = options.strength
    return replace(
        _FULL,
        calming=_FULL.calming * roughness**2,
        foot_lock=FootLockOptions() if options.has("feet") else None,
        planting=_FULL.planting * strength,
        separating=_FULL.separating * strength if options.has("bodies") else 0.0,
        floor=_FULL.floor * strength if options.has("floor") else 0.0,
    )


def _rigid(positions: Tensor, root_rotations: Tensor, rotations: Tensor) -> Bodies:
    """Two people with rigid bones at (or, if theirs stretch, nearest to) their positions."""
    offsets = bone_offsets(positions, root_rotations, rotations)
    reached = forward_kinematics(offsets[:, None], positions[:, :, 0], root_rotations, rotations)
    if float((reached - positions).norm(dim=-1).max()) > RIGID:
        free = torch.zeros(positions.shape[:2], dtype=torch.bool)
        offsets = person_offsets(positions, rotations, free)[:, 0]
        return _led_by(project_onto_bones(positions, offsets[:, None], free), offsets, rotations)
    return Bodies(
        offsets, positions[:, :, 0], torch.cat((root_rotations[:, :, None], rotations), 2)
    )


def _led_by(positions: Tensor, offsets: Tensor, rotations: Tensor) -> Bodies:
    """Bodies whose rotations lead to positions of rigid bones."""
    roots = fit_rotations(positions, offsets[:, None]).root_rotations
    turned = correct_rotations(positions, offsets[:, None], roots, rotations)
    together = torch.cat((turned.root_rotations[:, :, None], turned.rotations), 2)
    return Bodies(offsets, positions[:, :, 0], together)


def _on_floor(bodies: Bodies) -> Bodies:
    """People who hover or sink by a little all the time set on the floor."""
    free = torch.zeros(bodies.root.shape[:2], dtype=torch.bool)
    positions = bodies.posed().positions
    return replace(bodies, root=grounded(positions, free, _HOVER)[:, :, 0])


def _smoothed(bodies: Bodies, roughness: float, fps: float) -> Bodies:
    """Bodies under a short Gaussian, with their own bones, without jumps and bursts of jerk."""
    options = ConsolidationOptions(smoothing=_SMOOTHING * roughness)
    positions, rotations = steadied(
        bodies.posed().positions, bodies.rotations[:, :, 1:], fps, options
    )
    free = torch.zeros(positions.shape[:2], dtype=torch.bool)
    solved = project_onto_bones(positions, bodies.offsets[:, None], free)
    return _led_by(solved, bodies.offsets, rotations)


class _NoPops:
    """No joint accelerates more than it may.

    Args:
        limits: (2, 22) metres a frame and frame.
        weight: of a square of these.
    """

    def __init__(self, limits: Tensor, weight: float) -> None:
        self.weight = weight
        self._limits = _CALM_PEAK * limits[:, None]

    def __call__(self, posed: Posed) -> Tensor:
        squares = posed.positions.diff(n=2, dim=1).square().sum(-1)
        beyond = squares.clamp_min(1e-18).sqrt() - self._limits
        return self.weight * beyond.clamp_min(0.0).square().sum()


def _without_pops(bodies: Bodies, limits: Tensor, held: list[Term]) -> Bodies:
    """Bodies moved the least until no joint pops: what cannot be met in time is not met."""
    for firmness in _FIRMER:
        positions = bodies.posed().positions
        if bool((peak_accelerations(positions, 1.0) <= limits).all()):
            break
        terms: list[Term] = [
            Near(positions, _STAYING * positions.new_ones(())),
            _NoPops(limits, firmness * _NO_POPS),
            *held,
        ]
        bodies = solve(bodies, terms, None, SolverOptions(spacing=1, rounds=_ROUNDS))
    return bodies


def peak_accelerations(positions: Tensor, fps: float) -> Tensor:
    """Largest acceleration (2, j), m/s², of joints (2, t, j, 3) in metres: pops show in it."""
    return positions.diff(n=2, dim=1).norm(dim=-1).amax(1) * fps**2


def _as_motion(motion: Motion, bodies: Bodies) -> Motion:
    """The body of a motion replaced; fingers keep their turns."""
    joints = SMPL22.joint_count
    roots, turned = bodies.rotations[:, :, 0], bodies.rotations[:, :, 1:]
    rotations = torch.cat((turned, motion.rotations[:, :, joints - 1 :].double()), 2)
    positions = bodies.posed().positions
    if motion.skeleton.joint_count > joints:
        parents = motion.skeleton.parents
        offsets = bone_offsets(
            motion.positions.double(),
            motion.root_rotations.double(),
            motion.rotations.double(),
            parents,
        )
        positions = forward_kinematics(offsets[:, None], bodies.root, roots, rotations, parents)
    kind = motion.positions.dtype
    return replace(
        motion,
        positions=positions.to(kind),
        rotations=rotations.to(kind),
        root_rotations=roots.to(kind),
    )
