"""One body out of what a decoder says twice: rigid bones, and rotations that lead to the joints.

Decoded positions and decoded rotations disagree, and bones stretch from frame to frame.
`consolidate` spreads jumps of a whole body, sets down who hovers, smooths the jitter (and bursts
of it more strongly), gives each person one set of bones, moves the joints as little as possible
until the bones fit (a position-based solver: all constraints in turn, a few rounds), plants the
feet, keeps hands where they were on the partner, and reads the final positions off the corrected
rotations, so that every file format shows the same two people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from intermask.generation.jumps import spread_jumps
from intermask.generation.landing import land
from intermask.generation.pacing import paced
from intermask.generation.rigid_bones import (
    hand_relations,
    project_onto_bones,
)
from intermask.generation.settling import SettlingOptions, settle
from intermask.generation.smoothing import (
    calm_bursts,
    fade_weights,
    smooth_positions,
    smooth_rotations,
)
from intermask.kinematics import (
    bone_offsets,
    correct_rotations,
    fit_rotations,
)
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22
from intermask.solver.bodies import Bodies


@dataclass(frozen=True, kw_only=True)
class ConsolidationOptions:
    """What is done to a decoded motion. Each part can be switched off."""

    smoothing: float = 1.0
    """Frames of the Gaussian over positions and rotations; 0: none."""
    calming: bool = True
    """Whether bodies that jerk as no body can are smoothed more strongly, there and then."""
    settling: SettlingOptions | None = field(default_factory=SettlingOptions)
    """How bodies are calmed, planted and kept apart; None: not at all."""
    hand_contact: float = 0.20
    """Metres within which a wrist keeps its place relative to a joint of the partner; 0: never."""
    grounding: float = 0.08
    """A person who hovers or sinks by up to this many metres all the time is set on the floor."""
    landing: float = 0.4
    """A pair in the air for longer than a leap comes down, by up to this many metres; 0: never."""
    pacing: bool = True
    """Whether new frames beside kept ones are held to the pace of the clip (`pacing`)."""
    rounds: int = 25
    """Rounds of the solver."""

    def __post_init__(self) -> None:
        for name in ("smoothing", "hand_contact", "grounding", "landing"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected zero or more")
        if self.rounds < 1:
            raise ValueError(f"rounds is {self.rounds}; expected at least 1")


class Consolidated(NamedTuple):
    """Positions (2, t, 22, 3) metres, root_rotations (2, t, 3, 3), rotations (2, t, 21, 3, 3)."""

    positions: Tensor
    root_rotations: Tensor
    rotations: Tensor


def consolidate(
    positions: Tensor,
    rotations: Tensor,
    *,
    fps: float = 30.0,
    keep: Tensor | None = None,
    root_rotations: Tensor | None = None,
    options: ConsolidationOptions | None = None,
) -> Consolidated:
    """Two people with rigid bones, rotations that agree with positions, and feet that stand.

    Args:
        positions: (2, t, 22, 3) decoded joint positions, metres, y up, floor at y = 0.
        rotations: (2, t, 21, 3, 3) decoded rotations, relative to the parent.
        fps: frames a second.
        keep: (2, t) bool, frames that come back exactly as they are; changes fade in around them,
            and they alone decide the bone lengths of their person.
        root_rotations: (2, t, 3, 3), given back in the kept frames; elsewhere the orientation of
            the pelvis follows from the positions.
        options: what to do; everything by default.
    """
    options = options or ConsolidationOptions()
    kept = torch.zeros(positions.shape[:2], dtype=torch.bool, device=positions.device)
    kept = kept if keep is None else keep
    given = positions.double(), rotations.double()
    known_roots = None if root_rotations is None else root_rotations.double()
    change = fade_weights(kept).double()
    steady = land(spread_jumps(given[0], change, fps), change, fps, options.landing)
    smooth = _without_jitter(steady, fps, options)
    targets = steady + change[..., None, None] * (smooth - steady)
    targets = grounded(targets, kept, options.grounding)
    smooth_turns = smooth_rotations(given[1], options.smoothing)
    turns = torch.where(kept[..., None, None, None], given[1], smooth_turns)

    offsets = person_offsets(given[0], given[1], kept, known_roots)
    relations = hand_relations(targets, options.hand_contact, change)
    solved = project_onto_bones(targets, offsets, kept, relations, rounds=options.rounds)

    guess = fit_rotations(solved, offsets).root_rotations
    if known_roots is not None:
        guess = torch.where(kept[..., None, None], known_roots, guess)
    corrected = correct_rotations(solved, offsets, guess, turns)
    together = torch.cat((corrected.root_rotations[:, :, None], corrected.rotations), 2)
    bodies = Bodies(offsets[:, 0], solved[..., 0, :], together)
    if options.settling is not None:
        bodies = settle(bodies, change, relations, fps, options.settling)
    if options.pacing and bool(kept.any()):
        bodies = paced(bodies, given[0], kept, fps)
    final = bodies.posed().positions
    roots, turned = bodies.rotations[:, :, 0], bodies.rotations[:, :, 1:]
    if known_roots is not None:
        roots = torch.where(kept[..., None, None], known_roots, roots)
    joints = torch.where(kept[..., None, None, None], given[1], turned)
    final = torch.where(kept[..., None, None], given[0], final)
    return Consolidated(*(part.to(positions.dtype) for part in (final, roots, joints)))


def steadied(
    positions: Tensor, rotations: Tensor, fps: float, options: ConsolidationOptions
) -> tuple[Tensor, Tensor]:
    """Decoded positions (p, t, 22, 3) and rotations (p, t, 21, 3, 3) without jumps and jitter.

    What eases into kept frames must be steady before it does: beside them `consolidate` can change
    little.
    """
    everywhere = positions.new_ones(positions.shape[:2])
    steady = _without_jitter(spread_jumps(positions, everywhere, fps), fps, options)
    return steady, smooth_rotations(rotations, options.smoothing)


def _without_jitter(positions: Tensor, fps: float, options: ConsolidationOptions) -> Tensor:
    smooth = smooth_positions(positions, options.smoothing)
    return calm_bursts(smooth, fps) if options.calming else smooth


def person_offsets(
    positions: Tensor, rotations: Tensor, kept: Tensor, root_rotations: Tensor | None = None
) -> Tensor:
    """One set of rest offsets (p, 1, 22, 3) a person, metres.

    Lengths are medians over the clip (over the kept frames, if there are any). Directions are those
    that the rotations imply, unless these are too far from the mean adult's T-pose, as with a model
    that has not learned rotations: then the mean adult's.
    """
    adult = torch.tensor(MEAN_ADULT_OFFSETS, dtype=positions.dtype, device=positions.device)
    people = []
    for person in range(positions.shape[0]):
        chosen = kept[person] if bool(kept[person].any()) else torch.ones_like(kept[person])
        joints, turns = positions[person, chosen], rotations[person, chosen]
        bones = joints[:, 1:] - joints[:, list(SMPL22.parents[1:])]
        lengths = torch.quantile(bones.norm(dim=-1), 0.5, dim=0)
        lengths = torch.cat((lengths.new_zeros(1), lengths))
        if root_rotations is not None and bool(kept[person].any()):
            roots = root_rotations[person, chosen]
        else:
            scaled = _with_lengths(adult, lengths)
            roots = fit_rotations(joints, scaled).root_rotations
        implied = _with_lengths(bone_offsets(joints, roots, turns), lengths)
        expected = _with_lengths(adult, lengths)
        cosine = torch.nn.functional.cosine_similarity(implied, expected, dim=-1)
        believable = (cosine > _PLAUSIBLE_COSINE)[:, None]
        people.append(torch.where(believable, implied, expected))
    return torch.stack(people)[:, None]


_PLAUSIBLE_COSINE = 0.9  # 26 degrees
_FLOOR_MARGIN = 0.01  # metres
_UNEVEN = 0.02  # metres by which two people may stand at different heights


def grounded(positions: Tensor, kept: Tensor, limit: float) -> Tensor:
    """Set people who hover or sink all the time on the floor, if no frame must be kept.

    Both move together where that will do, so that they stay where they were on each other.
    """
    lowest = positions[..., 1].amin(-1)
    above = torch.quantile(lowest, 0.05, dim=1)
    below = torch.quantile(lowest, 0.5, dim=1)  # single frames below the floor are the solver's
    shift = -below.clamp_max(0.0) - (above - _FLOOR_MARGIN).clamp_min(0.0)
    shift = torch.where(shift.abs() < limit, shift, torch.zeros_like(shift))
    if bool(kept.any()):
        return positions
    together = shift[shift.abs().argmin()]
    shift = torch.where((shift - together).abs() < _UNEVEN, together, shift)
    result = positions.clone()
    result[..., 1] += shift[:, None, None]
    return result


def _with_lengths(offsets: Tensor, lengths: Tensor) -> Tensor:
    return torch.nn.functional.normalize(offsets, dim=-1) * lengths[:, None]
