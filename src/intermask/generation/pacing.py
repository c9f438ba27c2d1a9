"""New frames beside kept ones move no faster than people do in the clip.

Easing brings new frames to kept ones in a fixed time, however far apart the two are. Where that
asks for more speed or acceleration than the kept frames have, the smallest correction of the new
frames near the seam that stays within it is found (`intermask.solver`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intermask.generation.smoothing import frames_away
from intermask.skeleton import SMPL22
from intermask.solver.bodies import Bodies, Posed
from intermask.solver.solve import SolverOptions, solve
from intermask.solver.terms import AboveFloor, Near, Smooth, Term
from intermask.timeline import smoothstep

_WATCHED = 12
"""Frames from a kept one within which the pace is watched."""
_CORRECTED = 24
"""Frames from a kept one within which joints may be moved for it."""
_USUAL_SPEEDS = (
    1.29, 1.57, 1.57, 1.24, 2.75, 2.75, 1.23, 3.87, 3.87, 1.24, 4.14, 4.14,
    1.65, 1.67, 1.67, 1.53, 2.12, 2.12, 2.86, 2.86, 2.44, 2.44,
)  # fmt: skip
"""Metres a second that each joint reaches in half of the held-out clips of salsa and grappling."""
_USUAL_ACCELERATIONS = (
    10.0, 12.7, 12.7, 10.5, 27.4, 27.4, 11.0, 38.3, 38.3, 12.2, 51.7, 51.7,
    13.8, 13.6, 13.6, 16.1, 16.2, 16.2, 29.1, 29.1, 26.5, 26.5,
)  # fmt: skip
"""The same, in m/s²."""
_MARGIN = 0.95
"""Share of the limits that corrections aim at, because a penalty is never met entirely."""
_STAYING, _SMOOTHNESS, _FLOOR, _HELD_BACK = 0.05, 1.0, 20.0, 3e3
"""Weights a squared metre: of the way from where joints were, of its second difference, of the way
below the floor, and of steps and their changes that are too large."""
_OPTIONS = SolverOptions(spacing=1, rounds=80, turning=0.001)


@dataclass(frozen=True)
class Pace:
    """What joints do at most from frame to frame, metres: steps (22,) and their changes (22,)."""

    steps: Tensor
    changes: Tensor


def pace_of(given: Tensor, kept: Tensor, fps: float) -> Pace:
    """The pace of a clip: of its kept frames, and at least what is usual.

    Either person may move as the other one does, and a left hand as a right one.

    Args:
        given: (p, t, 22, 3) metres; only kept frames are read.
        kept: (p, t) bool.
        fps: frames a second.
    """
    usual = Pace(
        given.new_tensor(_USUAL_SPEEDS) / fps, given.new_tensor(_USUAL_ACCELERATIONS) / fps**2
    )
    return Pace(
        _largest(given.diff(dim=1), _all_kept(kept, 2), usual.steps),
        _largest(given.diff(n=2, dim=1), _all_kept(kept, 3), usual.changes),
    )


def excess(
    positions: Tensor, kept: Tensor, pace: Pace, reach: int = _WATCHED
) -> tuple[Tensor, ...]:
    """Metres (p, t-1, 22) and (p, t-2, 22) by which steps and their changes near seams exceed.

    Only what touches both a new frame within ``reach`` of a kept one and no frame further away
    counts; elsewhere it is zero.

    Args:
        positions: (p, t, 22, 3) metres.
        kept: (p, t) bool.
        pace: the most that is allowed.
        reach: frames.
    """
    near = frames_away(kept) <= reach
    found = []
    for order, limit in ((1, pace.steps), (2, pace.changes)):
        watched = _all_kept(near, order + 1) & ~_all_kept(kept, order + 1)
        beyond = positions.diff(n=order, dim=1).norm(dim=-1) - limit
        found.append(torch.where(watched[..., None], beyond.clamp_min(0.0), 0.0))
    return tuple(found)


def paced(bodies: Bodies, given: Tensor, kept: Tensor, fps: float) -> Bodies:
    """Bodies whose new frames near kept ones stay within the clip's pace.

    Args:
        bodies: both people, float64.
        given: (p, t, 22, 3) metres; only kept frames are read, in which nothing changes.
        kept: (p, t) bool.
        fps: frames a second.
    """
    pace = pace_of(given, kept, fps)
    before = torch.where(kept[..., None, None], given, bodies.posed().positions)
    if not any(bool((part > 0).any()) for part in excess(before, kept, pace)):
        return bodies
    away = frames_away(kept)
    change = (away > 0) * (1 - smoothstep(2 * away / _CORRECTED - 1))
    terms: list[Term] = [
        Near(before, before.new_tensor(_STAYING)),
        Smooth(before, _SMOOTHNESS),
        AboveFloor(_FLOOR),
        _WithinPace(given, kept, _limits(before, kept, pace)),
    ]
    return solve(bodies, terms, change.to(before), _OPTIONS)


@dataclass(frozen=True)
class _WithinPace:
    """Seams hold nothing quicker than a pace."""

    given: Tensor
    kept: Tensor
    limits: tuple[Tensor, Tensor]

    def __call__(self, posed: Posed) -> Tensor:
        positions = torch.where(self.kept[..., None, None], self.given, posed.positions)
        held_back = posed.positions.new_zeros(())
        for order, limit in enumerate(self.limits, start=1):
            beyond = positions.diff(n=order, dim=1).norm(dim=-1) - limit
            held_back = held_back + beyond.clamp_min(0.0).square().sum()
        return _HELD_BACK * held_back


def _limits(before: Tensor, kept: Tensor, pace: Pace) -> tuple[Tensor, Tensor]:
    """Metres (p, t-1, 22) and (p, t-2, 22) that steps and their changes shall not exceed.

    Near seams that is the pace. Further away, what was quicker may stay so, but nothing becomes
    quicker: what is held back at a seam must not be made up for behind it.
    """
    near = frames_away(kept) <= _WATCHED
    found = []
    for order, usual in ((1, pace.steps), (2, pace.changes)):
        own = before.diff(n=order, dim=1).norm(dim=-1)
        watched = _all_kept(near, order + 1)[..., None]
        limit = torch.where(watched, _MARGIN * usual, torch.maximum(own, usual))
        found.append(torch.where(_all_kept(kept, order + 1)[..., None], torch.inf, limit))
    return found[0], found[1]


def _all_kept(flags: Tensor, frames: int) -> Tensor:
    """Flags (p, t) of runs of so many frames: (p, t - frames + 1)."""
    return flags.unfold(1, frames, 1).all(-1)


def _largest(differences: Tensor, counted: Tensor, least: Tensor) -> Tensor:
    """Largest norm a joint (22,) of differences (p, t, 22, 3), of either side of the body."""
    sizes = torch.cat((differences[counted].norm(dim=-1), least[None])).amax(0)
    return torch.maximum(sizes, sizes[list(SMPL22.mirror_order)])
