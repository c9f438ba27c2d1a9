"""Loss terms of the tokenizer (paper section 3.2; method, section 3), as pure named functions.

Both motion layouts are read into the same `JointView`, and the terms are written once for it.
What differs is kept in the two readers: InterHuman compares *normalised* numbers except in the
foot term (and in the rotation term, where its true order is chosen); Inter-X numbers are never
normalised, and its joints come from forward kinematics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import roma
import torch
import torch.nn.functional as F
from torch import Tensor

from intermask.config import LossWeights
from intermask.geometry import columns6d_to_matrix, rows6d_to_matrix
from intermask.representation import (
    DECODED,
    ROTATED,
    ROTATIONS,
    decode_positions,
    decode_rotations,
    foot_contacts,
)
from intermask.skeleton import FEET, SMPL22
from intermask.smplx import TRANSLATION_ROW, RestBody, joint_positions

Distance = Callable[[Tensor, Tensor], Tensor]

# The angle between rotations has an infinite slope at exactly half a turn; this keeps it finite.
_ANGLE_CLAMP = 1.0 - 1e-6


class SupportsDenormalise(Protocol):
    """What the losses need of a normaliser: features (..., f) back to metres."""

    def denormalise(self, features: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class JointView:
    """One motion as the loss terms see it.

    Attributes:
        features: (b, t, ...) every number that the reconstruction term compares.
        positions: (b, t, j, 3) joints, in the unit of the reconstruction.
        rotations: (b, t, r, 3, 3) rotation matrices.
        metres: (b, t, j, 3) joints in metres, y up, floor at y = 0; the foot term reads them.
    """

    features: Tensor
    positions: Tensor
    rotations: Tensor
    metres: Tensor


def interhuman_terms(
    prediction: Tensor, target: Tensor, normaliser: SupportsDenormalise, weights: LossWeights
) -> dict[str, Tensor]:
    """Unweighted loss terms of normalised InterHuman features (b, t, 262).

    Args:
        prediction: decoded features; the four contact columns are not read.
        target: the features that were encoded.
        normaliser: takes features back to metres, for the foot term only.
        weights: chooses the distance and the order in which 6D rotations are read.
    """
    return motion_terms(
        _interhuman_view(prediction.float(), normaliser, weights),
        _interhuman_view(target.float(), normaliser, weights),
        SMPL22.bones,
        weights,
    )


def interx_terms(
    prediction: Tensor, target: Tensor, body: RestBody, weights: LossWeights
) -> dict[str, Tensor]:
    """Unweighted loss terms of Inter-X motion (b, t, 56, 6), not normalised.

    The bone term is only rounding noise here, because kinematics keep bone lengths.
    """
    # Long chains of products drift too far in half precision.
    with torch.autocast(prediction.device.type, enabled=False):
        return motion_terms(
            _interx_view(prediction.float(), body),
            _interx_view(target.float(), body),
            body.bones,
            weights,
        )


def motion_terms(
    prediction: JointView,
    target: JointView,
    bones: Sequence[tuple[int, int]],
    weights: LossWeights,
) -> dict[str, Tensor]:
    """The six scalar terms ``recon position velocity bone rotation foot``, unweighted."""
    distance = _DISTANCES[weights.distance]
    return {
        "recon": distance(prediction.features, target.features),
        "position": distance(prediction.positions, target.positions),
        "velocity": distance(_steps(prediction.positions), _steps(target.positions)),
        "bone": distance(
            bone_lengths(prediction.positions, bones), bone_lengths(target.positions, bones)
        ),
        "rotation": _mean_angle(prediction.rotations, target.rotations),
        "foot": _foot_slide(prediction.metres, target.metres, distance),
    }


def total(terms: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """Weighted sum of named terms; ``recon`` weighs 1, each other term has its weight's name."""
    unknown = set(terms) - {"recon", *_WEIGHTED}
    if unknown or not terms:
        raise ValueError(
            f"terms {sorted(terms)} cannot be weighted; expected some of {('recon', *_WEIGHTED)}"
        )
    weighted = [
        term if name == "recon" else term * getattr(weights, name) for name, term in terms.items()
    ]
    return torch.stack(weighted).sum()


_WEIGHTED = ("commitment", "position", "velocity", "bone", "rotation", "foot")


def _interhuman_view(
    features: Tensor, normaliser: SupportsDenormalise, weights: LossWeights
) -> JointView:
    metres = normaliser.denormalise(features)
    return JointView(
        features=features[..., DECODED],
        positions=decode_positions(features),
        rotations=_ROTATION_READERS[weights.rotation_order](features, metres),
        metres=decode_positions(metres),
    )


def _as_two_columns(normalised: Tensor, metres: Tensor) -> Tensor:
    """What the released loss compares: interleaved, normalised numbers read as two columns."""
    return columns6d_to_matrix(normalised[..., ROTATIONS].unflatten(-1, (ROTATED, 6)))


def _as_rotations(normalised: Tensor, metres: Tensor) -> Tensor:
    """The rotations themselves, in their true order and with their mean put back."""
    return decode_rotations(metres)


_ROTATION_READERS = {"two_columns": _as_two_columns, "interleaved": _as_rotations}


def _interx_view(motion: Tensor, body: RestBody) -> JointView:
    positions = joint_positions(motion, body)
    return JointView(
        features=motion,
        positions=positions,
        rotations=rows6d_to_matrix(motion[..., :TRANSLATION_ROW, :]),
        metres=positions,
    )


_DISTANCES: dict[str, Distance] = {"smooth_l1": F.smooth_l1_loss, "l1": F.l1_loss}


def _steps(positions: Tensor) -> Tensor:
    """Movement (b, t-1, j, 3) from each frame to the next."""
    return positions[:, 1:] - positions[:, :-1]


def bone_lengths(positions: Tensor, bones: Sequence[tuple[int, int]]) -> Tensor:
    """Distances (b, t, bones) between the two joints of every bone."""
    parents, children = (list(joints) for joints in zip(*bones, strict=True))
    return (positions[..., children, :] - positions[..., parents, :]).norm(dim=-1)


def _mean_angle(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean angle in radians between rotations (..., 3, 3)."""
    return roma.rotmat_geodesic_distance(prediction, target, clamping=_ANGLE_CLAMP).mean()


def standing_feet(positions: Tensor) -> Tensor:
    """Where (b, t-1, 4) the feet of joints (b, t, j, 3) in metres stand; the foot term's mean runs
    over these.

    SMPL-X numbers its body joints as SMPL does, so the feet are the same four in both layouts.
    """
    return foot_contacts(positions[:, :-1], _steps(positions)).bool()


def _foot_slide(prediction: Tensor, target: Tensor, distance: Distance) -> Tensor:
    """How far predicted feet move while the target's stand; 0 if none does.

    Both are joints (b, t, j, 3) in metres.
    """
    moved = _steps(prediction)[..., FEET, :][standing_feet(target)]
    if moved.numel() == 0:
        # Not a bare zero: the result keeps its place in the graph.
        return prediction.sum() * 0.0
    return distance(moved, torch.zeros_like(moved))
