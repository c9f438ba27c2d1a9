"""Tokenizer losses: parity with the released code (golden numbers), and laws of each term."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from golden_files import FOLDER, golden
from intermask.config import LossWeights, RotationOrder
from intermask.geometry import axis_angle_to_matrix, matrix_to_rot6d
from intermask.representation import (
    CONTACTS,
    DECODED,
    FEATURES,
    POSITIONS,
    ROTATED,
    ROTATIONS,
    VELOCITIES,
    Normaliser,
)
from intermask.skeleton import FEET, MEAN_ADULT_OFFSETS, rest_positions
from intermask.smplx import joint_positions, load_rest_body
from intermask.training.losses import interhuman_terms, interx_terms, total

# Names of the released terms in the golden files.
TERMS = {
    "recon": "rec",
    "position": "explicit",
    "velocity": "vel",
    "bone": "bone",
    "rotation": "geodesic",
    "foot": "foot",
}
WEIGHTS = {"l1": LossWeights(distance="l1"), "l1_smooth": LossWeights(distance="smooth_l1")}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_interhuman_terms_match_the_released_code(kind: str) -> None:
    expected = golden(f"losses_interhuman_{kind}")
    normaliser = Normaliser(expected["mean"], expected["std"])

    terms = interhuman_terms(expected["pred"], expected["target"], normaliser, WEIGHTS[kind])

    assert set(terms) == set(TERMS)
    for ours, theirs in TERMS.items():
        assert terms[ours].item() == pytest.approx(expected[theirs].item(), abs=1e-5), ours


@pytest.mark.parametrize("kind", WEIGHTS)
def test_interx_terms_match_the_released_code(kind: str) -> None:
    expected = golden(f"losses_interx_{kind}")
    body = load_rest_body(FOLDER / "synthetic_SMPLX_NEUTRAL.npz")

    terms = interx_terms(expected["pred"], expected["target"], body, WEIGHTS[kind])

    assert set(terms) == set(TERMS)
    for ours, theirs in TERMS.items():
        assert terms[ours].item() == pytest.approx(expected[theirs].item(), abs=1e-5), ours


def _standing(frames: int = 6) -> Tensor:
    """Unnormalised features (1, t, 262) of a person who stands still, soles on the floor."""
    positions = torch.from_numpy(rest_positions(MEAN_ADULT_OFFSETS)).float()
    positions = positions - positions[:, 1].min() * torch.tensor((0.0, 1.0, 0.0))
    features = torch.zeros(1, frames, FEATURES)
    features[..., POSITIONS] = positions.flatten()
    identity = matrix_to_rot6d(torch.eye(3))
    features[..., ROTATIONS] = identity.repeat(ROTATED)
    return features


def _plain() -> Normaliser:
    return Normaliser(torch.zeros(FEATURES), torch.ones(FEATURES))


def _scaled() -> Normaliser:
    generator = torch.Generator().manual_seed(1)
    return Normaliser(
        torch.randn(FEATURES, generator=generator),
        torch.rand(FEATURES, generator=generator) + 0.5,
    )


def test_a_perfect_reconstruction_costs_nothing() -> None:
    normaliser = _scaled()
    features = normaliser.normalise(_standing())
    for weights in (LossWeights(), LossWeights(rotation_order="interleaved", distance="l1")):
        terms = interhuman_terms(features, features, normaliser, weights)
        assert all(term.item() == pytest.approx(0.0, abs=1e-6) for term in terms.values())


@pytest.mark.parametrize(
    ("columns", "touched"),
    [
        (POSITIONS, {"recon", "position", "velocity", "bone", "foot"}),
        (VELOCITIES, {"recon"}),
        (ROTATIONS, {"recon", "rotation"}),
        (CONTACTS, set()),
    ],
)
def test_every_column_reaches_its_terms_and_no_other(columns: slice, touched: set[str]) -> None:
    target = _standing()
    prediction = target.clone()
    noise = torch.randn(prediction[..., columns].shape, generator=torch.Generator().manual_seed(2))
    prediction[..., columns] += 0.1 * noise

    terms = interhuman_terms(prediction, target, _plain(), LossWeights(distance="l1"))

    assert {name for name, term in terms.items() if term.item() > 1e-4} == touched


def test_a_body_moved_as_a_whole_keeps_velocity_bones_and_feet() -> None:
    target = _standing()
    prediction = target.clone()
    prediction[..., POSITIONS] += torch.tensor((0.3, 0.0, -0.2)).repeat(22)

    terms = interhuman_terms(prediction, target, _plain(), LossWeights(distance="l1"))

    assert terms["position"].item() == pytest.approx(0.5 / 3, abs=1e-5)
    for name in ("velocity", "bone", "foot", "rotation"):
        assert terms[name].item() == pytest.approx(0.0, abs=1e-5), name


@pytest.mark.parametrize("angle", [0.05, 0.7, 2.5])
def test_interleaved_rotations_cost_their_true_angle(angle: float) -> None:
    normaliser = _scaled()
    target = _standing()
    prediction = target.clone()
    turned = axis_angle_to_matrix(torch.tensor((0.6, 0.0, 0.8)) * angle)
    prediction[..., ROTATIONS] = matrix_to_rot6d(turned).repeat(ROTATED)
    pair = normaliser.normalise(prediction), normaliser.normalise(target)

    true = interhuman_terms(*pair, normaliser, LossWeights(rotation_order="interleaved"))
    released = interhuman_terms(*pair, normaliser, LossWeights())

    assert true["rotation"].item() == pytest.approx(angle, abs=1e-4)
    assert released["rotation"].item() != pytest.approx(angle, rel=0.05)


def test_feet_may_move_only_where_the_target_feet_stand() -> None:
    frames = 6
    standing, lifted, running = _standing(frames), _standing(frames), _standing(frames)
    lifted[..., POSITIONS] += torch.tensor((0.0, 0.5, 0.0)).repeat(22)
    pace = torch.arange(frames).float()[:, None] * torch.tensor((0.0, 0.0, 0.1))
    running[..., POSITIONS] += pace.repeat(1, 22)
    weights = LossWeights(distance="l1")

    def foot(prediction: Tensor, target: Tensor) -> float:
        return interhuman_terms(prediction, target, _plain(), weights)["foot"].item()

    assert foot(running, standing) == pytest.approx(0.1 / 3, abs=1e-6)
    assert foot(standing, standing) == 0.0
    assert foot(running, lifted) == 0.0, "feet in the air are free"
    assert foot(standing, running) == 0.0, "a still foot never slides"
    assert foot(running, running) == 0.0, "moving feet are not in contact"


def test_one_standing_foot_counts_alone() -> None:
    target = _standing()
    grid = target[..., POSITIONS].unflatten(-1, (22, 3))
    grid[..., list(FEET[1:]), 1] += 0.5
    prediction = target.clone()
    moved = prediction[..., POSITIONS].unflatten(-1, (22, 3))
    moved[..., FEET[0], 0] += torch.arange(6) * 0.3

    terms = interhuman_terms(prediction, target, _plain(), LossWeights(distance="l1"))

    assert terms["foot"].item() == pytest.approx(0.1, abs=1e-6)


def _two_columns(matrix: Tensor) -> Tensor:
    return matrix[..., :2].transpose(-1, -2).flatten(-2)


@pytest.mark.parametrize(
    ("order", "write"), [("two_columns", _two_columns), ("interleaved", matrix_to_rot6d)]
)
def test_gradients_are_finite_even_at_a_perfect_match_and_at_half_a_turn(
    order: RotationOrder, write: Callable[[Tensor], Tensor]
) -> None:
    weights = LossWeights(rotation_order=order)
    target = _standing()
    target[..., ROTATIONS] = write(torch.eye(3)).repeat(ROTATED)
    axes = torch.randn(1, 6, ROTATED, 3, generator=torch.Generator().manual_seed(3))
    half_turns = axis_angle_to_matrix(F.normalize(axes, dim=-1) * math.pi)
    opposite = target.clone()
    opposite[..., ROTATIONS] = write(half_turns).flatten(-2)
    for start in (target, opposite, target + 0.01):
        prediction = start.clone().requires_grad_()
        total(interhuman_terms(prediction, target, _plain(), weights), weights).backward()
        assert prediction.grad is not None
        assert bool(prediction.grad.isfinite().all())
    assert not bool(prediction.grad[..., CONTACTS].any())
    assert float(prediction.grad[..., DECODED].abs().sum()) > 0


def test_interx_gradient_reaches_every_posed_rotation() -> None:
    expected = golden("losses_interx_l1")
    body = load_rest_body(FOLDER / "synthetic_SMPLX_NEUTRAL.npz")
    prediction = expected["pred"].clone().requires_grad_()
    terms = interx_terms(prediction, expected["target"], body, LossWeights())

    (gradient,) = torch.autograd.grad(terms["position"], prediction)

    reached = gradient.abs().sum((0, 1, 3)) > 0
    has_child = torch.zeros(56, dtype=torch.bool)
    has_child[[parent for parent, _ in body.bones]] = True
    has_child[55] = True  # the translation moves everything
    assert reached.tolist() == has_child.tolist()
    assert bool((joint_positions(prediction, body) - expected["joints_pred"]).abs().max() < 5e-5)


def test_total_weighs_by_name() -> None:
    weights = LossWeights()
    terms = {name: torch.tensor(2.0**power) for power, name in enumerate((*TERMS, "commitment"))}

    expected = 1 * 1 + 2 * 1 + 4 * 100 + 8 * 5 + 16 * 0.01 + 32 * 500 + 64 * 0.02
    assert total(terms, weights).item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="sparkle"):
        total({"sparkle": torch.tensor(1.0)}, weights)
