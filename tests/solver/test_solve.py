"""Whole-clip least squares: what is asked for is met, the rest stays, and nothing jitters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from intermask.evaluation.collision import capsule_penetration, segment_distances
from intermask.kinematics import forward_kinematics
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22
from intermask.solver.bodies import Bodies
from intermask.solver.flesh import BETWEEN_PEOPLE, WITHIN_A_PERSON, segments_apart
from intermask.solver.solve import SolverOptions, small_turns, solve, spline_basis
from intermask.solver.terms import AboveFloor, Apart, Near, Planted, Smooth
from walking import walking_pair


def walkers(frames: int = 40) -> Bodies:
    """Two people who walk towards each other."""
    motion = walking_pair(frames)
    offsets = torch.tensor(MEAN_ADULT_OFFSETS, dtype=torch.float64).expand(2, 22, 3)
    rotations = torch.cat((motion.root_rotations[:, :, None], motion.rotations), 2)
    return Bodies(offsets, motion.positions[:, :, 0].double(), rotations.double())


def in_each_other(frames: int = 40) -> Bodies:
    """The same two, 15 cm from pelvis to pelvis all the time."""
    bodies = walkers(frames)
    root = bodies.root.clone()
    root[1] = root[0] + torch.tensor([0.05, 0.0, 0.14])
    return Bodies(bodies.offsets, root, bodies.rotations)


def test_posed_bodies_are_those_of_forward_kinematics() -> None:
    bodies = walkers()
    expected = forward_kinematics(
        bodies.offsets[:, None], bodies.root, bodies.rotations[:, :, 0], bodies.rotations[:, :, 1:]
    )
    torch.testing.assert_close(bodies.posed().positions, expected, atol=1e-12, rtol=0)


def test_a_point_on_a_joint_moves_with_it() -> None:
    posed = walkers().posed()
    child = SMPL22.index("left_wrist")
    elbow = SMPL22.parents[child]
    offset = torch.tensor(MEAN_ADULT_OFFSETS[child], dtype=torch.float64)
    wrist = posed.points(0, elbow, offset)
    torch.testing.assert_close(wrist, posed.positions[0, :, child], atol=1e-12, rtol=0)


def test_small_turns_are_rotations_by_their_vectors() -> None:
    vectors = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turns = small_turns(vectors)
    identity = torch.eye(3, dtype=torch.float64).expand(50, 3, 3)
    torch.testing.assert_close(turns @ turns.mT, identity, atol=1e-12, rtol=0)
    torch.testing.assert_close(turns @ vectors[..., None], vectors[..., None])
    tiny = small_turns(1e-4 * vectors)
    cross = torch.linalg.cross(1e-4 * vectors, torch.ones(50, 3, dtype=torch.float64))
    moved = (tiny @ torch.ones(3, dtype=torch.float64)) - 1
    torch.testing.assert_close(moved, cross, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("frames", "spacing"), [(1, 3), (2, 1), (40, 3), (41, 4)])
def test_splines_hold_constants_and_lines(frames: int, spacing: int) -> None:
    basis = spline_basis(frames, spacing)
    torch.testing.assert_close(basis.sum(1), torch.ones(frames, dtype=torch.float64))
    knots = (torch.arange(basis.shape[1], dtype=torch.float64) - 1) * spacing
    torch.testing.assert_close(basis @ knots, torch.arange(frames, dtype=torch.float64))


def test_distances_of_segments_agree_with_those_of_the_metrics() -> None:
    ends = torch.rand(4, 500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(segments_apart(*ends), segment_distances(*ends))
    ends[1, :50] = ends[0, :50]  # points
    ends[3, 50:90] = ends[2, 50:90] + 2 * (ends[1, 50:90] - ends[0, 50:90])  # parallel
    torch.testing.assert_close(segments_apart(*ends), segment_distances(*ends))


def test_what_is_already_met_stays_as_it_is() -> None:
    bodies = walkers()
    posed = bodies.posed()
    terms = [Near(posed.positions, torch.tensor(1.0)), Apart(posed, (0, 1), BETWEEN_PEOPLE, 0, 1)]
    assert (solve(bodies, terms).posed().positions - posed.positions).abs().max() < 1e-6


def test_people_who_stand_in_each_other_are_parted() -> None:
    bodies = in_each_other()
    posed = bodies.posed()
    terms = [
        Near(posed.positions, torch.tensor(0.3)),
        Smooth(posed.positions, 20.0),
        Apart(posed, (0, 1), BETWEEN_PEOPLE, 0.03, 20.0),
    ]
    parted = solve(bodies, terms).posed().positions
    apart = terms[-1]
    assert apart(solve(bodies, terms).posed()) < 0.02 * apart(posed)
    deepest = capsule_penetration(posed.positions).deepest
    assert capsule_penetration(parted).deepest < deepest - 0.7 * (deepest - 60)  # soft flesh
    assert (parted - posed.positions).norm(dim=-1).mean() < 0.12
    change = parted - posed.positions
    assert change.diff(n=3, dim=1).abs().max() < 0.01, "the correction does not jitter"


def test_limbs_of_one_person_are_parted() -> None:
    bodies = walkers()
    rotations = torch.eye(3, dtype=torch.float64).expand(2, bodies.frames, 22, 3, 3).clone()
    inwards = torch.tensor([0.0, 0.0, 0.1], dtype=torch.float64)
    left, right = SMPL22.indices("left_hip", "right_hip")
    rotations[:, :, left] = small_turns(-inwards)
    rotations[:, :, right] = small_turns(inwards)
    crossed = Bodies(bodies.offsets, bodies.root, rotations)
    posed = crossed.posed()
    apart = Apart(posed, (0, 0), WITHIN_A_PERSON, 0.02, 20.0)
    settled = solve(crossed, [Near(posed.positions, torch.tensor(0.01)), apart]).posed()
    assert apart(settled) < 0.1 * apart(posed)
    assert apart(posed) > 0.01


def test_frames_that_must_stay_do_not_move() -> None:
    bodies = in_each_other()
    posed = bodies.posed()
    change = torch.ones(2, bodies.frames, dtype=torch.float64)
    change[0, :10] = 0.0
    apart = Apart(posed, (0, 1), BETWEEN_PEOPLE, 0.03, 20.0)
    settled = solve(bodies, [apart], change)
    assert torch.equal(settled.root[0, :10], bodies.root[0, :10])
    torch.testing.assert_close(
        settled.rotations[0, :10], bodies.rotations[0, :10], atol=1e-12, rtol=0
    )
    assert not torch.equal(settled.root[0, 10:], bodies.root[0, 10:])


def test_planted_feet_stand_and_nobody_is_below_the_floor() -> None:
    bodies = walkers()
    sunk = Bodies(bodies.offsets, bodies.root - torch.tensor([0.0, 0.1, 0.0]), bodies.rotations)
    posed = sunk.posed()
    feet = list(SMPL22.indices("left_ankle", "left_foot", "right_ankle", "right_foot"))
    places = bodies.posed().positions[:, :, feet]
    weights = torch.zeros(2, bodies.frames, 4, dtype=torch.float64)
    weights[:, 20:30] = 100.0
    settled = solve(
        sunk,
        [Near(posed.positions, torch.tensor(0.1)), Planted(places, weights), AboveFloor(100.0)],
        options=SolverOptions(rounds=80),
    ).posed()
    away = (settled.positions[:, 20:30, feet] - places[:, 20:30]).norm(dim=-1)
    assert away.max() < 0.01
    assert settled.positions[..., 1].min() > -0.005


def test_bones_keep_their_lengths() -> None:
    bodies = in_each_other()
    apart = Apart(bodies.posed(), (0, 1), BETWEEN_PEOPLE, 0.03, 20.0)

    def lengths(solved: Bodies) -> Tensor:
        joints = solved.posed().positions
        return (joints[:, :, 1:] - joints[:, :, list(SMPL22.parents[1:])]).norm(dim=-1)

    torch.testing.assert_close(lengths(solve(bodies, [apart])), lengths(bodies))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="spacing"):
        SolverOptions(spacing=0)
