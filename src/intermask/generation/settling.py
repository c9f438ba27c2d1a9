"""Bodies that move calmly, stand on their feet and do not pass through each other or themselves.

The tokenizer knows poses, not flesh: two people who are right to a few centimetres still overlap,
legs pass through each other and feet creep. What follows is the smallest smooth correction of the
whole clip that takes this out (`intermask.solver`): jitter first, because only calm
feet tell where they stand, then everything else at once, slowly and then to the last millimetre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from intermask.generation.footlock import FootLockOptions, foot_contacts, planted_feet
from intermask.generation.rigid_bones import HandRelations
from intermask.solver.bodies import Bodies
from intermask.solver.flesh import BETWEEN_PEOPLE, WITHIN_A_PERSON
from intermask.solver.solve import SolverOptions, solve
from intermask.solver.terms import AboveFloor, Apart, Calm, HandsHeld, Near, Planted, Smooth, Term

_CALM_STAYING = 0.5
_CALM_ROUNDS = 25
_FIRM_ROUNDS = 15
_FIRMNESS = 10.0
"""How much firmer feet are held in the last step."""


@dataclass(frozen=True, kw_only=True)
class SettlingOptions:
    """What bodies should meet, and what it may cost. Weights are of squared metres a frame."""

    calming: float = 10.0
    """Weight of a joint's third difference over time; 0: jitter stays."""
    staying: float = 0.3
    """Weight of a joint's way from where it was decoded."""
    smoothness: float = 20.0
    """Weight of the second difference of what is corrected."""
    foot_lock: FootLockOptions | None = field(default_factory=FootLockOptions)
    """How planted feet are found; None: they may slide."""
    planting: float = 60.0
    """Weight of a planted foot's way from where it stands."""
    separating: float = 20.0
    """Weight of an overlap of two capsules; 0: people may pass through each other."""
    give_between: float = 0.03
    """Metres of overlap that two people's flesh is granted."""
    give_within: float = 0.02
    """Metres of overlap that limbs of one person are granted."""
    holding: float = 5.0
    """Weight of a hand's way from where it was on the partner."""
    floor: float = 20.0
    """Weight of a joint's way below the floor."""
    rounds: int = 40
    """Rounds of the solver."""

    def __post_init__(self) -> None:
        for name in ("calming", "staying", "smoothness", "planting", "separating", "holding"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected zero or more")


def settle(
    bodies: Bodies,
    change: Tensor,
    hands: HandRelations,
    fps: float,
    options: SettlingOptions,
    extra: Sequence[Term] = (),
) -> Bodies:
    """Two people, calmed, planted and kept apart.

    Args:
        bodies: two people, float64.
        change: (2, t) how much of a correction each frame may take; 0 where it must stay.
        hands: where wrists were on the partner.
        fps: frames a second.
        options: what to meet.
        extra: what else to meet, in every step.
    """
    calm = _calmed(bodies, change, options, extra)
    terms = [*_lasting(calm, hands, options), *extra]
    feet = _planted(calm, fps, options)
    slow = SolverOptions(rounds=options.rounds)
    settled = solve(calm, [*terms, *feet(options.planting)], change, slow)
    # Splines that cannot jitter cannot follow a foot from frame to frame either.
    quick = SolverOptions(spacing=1, rounds=_FIRM_ROUNDS)
    return solve(settled, [*terms, *feet(_FIRMNESS * options.planting)], change, quick)


def _lasting(bodies: Bodies, hands: HandRelations, options: SettlingOptions) -> Iterator[Term]:
    """What holds for any part of the body."""
    posed = bodies.posed()
    yield Near(posed.positions, options.staying * posed.positions.new_ones(()))
    yield Smooth(posed.positions, options.smoothness)
    yield AboveFloor(options.floor)
    if bool((hands.weights > 0).any()):
        yield HandsHeld(hands.vectors, options.holding * hands.weights)
    if options.separating > 0:
        weight = options.separating
        yield Apart(posed, (0, 1), BETWEEN_PEOPLE, options.give_between, weight)
        for person in (0, 1):
            yield Apart(posed, (person, person), WITHIN_A_PERSON, options.give_within, weight)


def _planted(bodies: Bodies, fps: float, options: SettlingOptions) -> Callable[[float], list[Term]]:
    """Terms, for any weight, that keep standing feet where they stand."""
    if options.foot_lock is None:
        return lambda weight: []
    positions = bodies.posed().positions
    contacts = foot_contacts(positions, fps, options.foot_lock)
    places = planted_feet(positions, contacts, options.foot_lock)
    return lambda weight: [Planted(places, weight * contacts.to(places))]


def _calmed(
    bodies: Bodies, change: Tensor, options: SettlingOptions, extra: Sequence[Term]
) -> Bodies:
    """Bodies without jitter: here a correction may be as quick as the jitter is."""
    if options.calming <= 0 or bodies.frames < 4:
        return bodies
    positions = bodies.posed().positions
    terms: list[Term] = [
        Near(positions, _CALM_STAYING * positions.new_ones(())),
        Calm(options.calming),
        *extra,
    ]
    return solve(bodies, terms, change, SolverOptions(spacing=1, rounds=_CALM_ROUNDS))
