"""The smooth correction of two bodies that meets all terms best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22
from intermask.solver.bodies import Bodies
from intermask.solver.terms import Term

_OWN_REACH = 0.05
"""Square metres that every joint's turn counts as moving, also where nothing hangs on it."""


@dataclass(frozen=True, kw_only=True)
class SolverOptions:
    """How a correction is found."""

    spacing: int = 3
    """Frames between the knots of the splines that corrections are made of: they cannot jitter."""
    rounds: int = 40
    """Most steps of L-BFGS."""
    turning: float | tuple[float, ...] = 0.01
    """Weight of a squared radian by which a joint is turned, or of each of the 22: what nothing
    asks for stays, and stiff joints leave the work to others."""
    moving: float = 0.0
    """Weight of a squared metre by which a body is moved."""

    def __post_init__(self) -> None:
        if self.spacing < 1 or self.rounds < 1:
            raise ValueError(
                f"spacing is {self.spacing} and rounds {self.rounds}; expected at least 1 of each"
            )


def solve(
    bodies: Bodies,
    terms: Sequence[Term],
    change: Tensor | None = None,
    options: SolverOptions | None = None,
) -> Bodies:
    """Bodies moved and turned, smoothly over time, until the sum of all terms is least.

    Args:
        bodies: where to begin, float64 for steps that settle.
        terms: sums of squares.
        change: (p, t) how much of the correction each frame takes; 0 where it must stay as it is.
        options: how.
    """
    options = options or SolverOptions()
    stiffness = bodies.root.new_tensor(options.turning)
    people, frames = bodies.root.shape[:2]
    basis = spline_basis(frames, options.spacing).to(bodies.root)
    scale = _even_steps().to(bodies.root)
    knots = bodies.root.new_zeros(people, basis.shape[1], len(scale), requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [knots],
        max_iter=options.rounds,
        max_eval=2 * options.rounds,
        history_size=12,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-6,
        tolerance_change=1e-7,
    )

    def corrected() -> tuple[Bodies, Tensor]:
        rows = basis @ (knots * scale)
        if change is not None:
            rows = rows * change[..., None]
        way, turns = rows[..., :3], rows[..., 3:].unflatten(-1, (-1, 3))
        cost = (stiffness * turns.square().sum(-1)).sum() + options.moving * way.square().sum()
        turned = bodies.rotations @ small_turns(turns)
        return replace(bodies, root=bodies.root + way, rotations=turned), cost

    def closure() -> Tensor:
        optimiser.zero_grad()
        now, cost = corrected()
        posed = now.posed()
        for term in terms:
            cost = cost + term(posed)
        cost.backward()
        return cost

    optimiser.step(closure)
    with torch.no_grad():
        return corrected()[0]


@cache
def _even_steps() -> Tensor:
    """Scale (69,) of a body's way and of its joints' turns that lets equal steps move as much.

    A pelvis moves 22 joints and a wrist next to nothing. Without it, the search needs three times
    as many rounds.
    """
    parents, offsets = SMPL22.parents, torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float64)
    reach = torch.full((SMPL22.joint_count,), _OWN_REACH, dtype=torch.float64)
    for joint in range(SMPL22.joint_count):
        arm, above = torch.zeros(3, dtype=torch.float64), joint
        while parents[above] >= 0:
            arm, above = arm + offsets[above], parents[above]
            reach[above] += arm.square().sum()
    way = torch.full((3,), float(SMPL22.joint_count), dtype=torch.float64)
    return torch.cat((way, reach.repeat_interleave(3))).rsqrt()


def small_turns(vectors: Tensor) -> Tensor:
    """Rotations (..., 3, 3) by vectors (..., 3), about radians where these are small.

    The vector is twice the vector part of a quaternion whose scalar part is 1 before it is
    normalised: smooth everywhere, also at zero, and never more than half a turn.
    """
    x, y, z = (0.5 * vectors).unbind(-1)
    scale = 2.0 / (1.0 + x * x + y * y + z * z)
    rows = (
        1 - scale * (y * y + z * z), scale * (x * y - z), scale * (x * z + y),
        scale * (x * y + z), 1 - scale * (x * x + z * z), scale * (y * z - x),
        scale * (x * z - y), scale * (y * z + x), 1 - scale * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def spline_basis(frames: int, spacing: int) -> Tensor:
    """Uniform cubic B-splines (frames, knots) with a knot every ``spacing`` frames."""
    knots = (frames - 1) // spacing + 4
    place = torch.arange(frames, dtype=torch.float64) / spacing
    away = (place[:, None] - (torch.arange(knots) - 1)).abs()
    inner = 2 / 3 - away**2 + away**3 / 2
    outer = (2 - away).clamp_min(0.0) ** 3 / 6
    return torch.where(away < 1, inner, outer)
