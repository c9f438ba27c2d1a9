"""What differs between InterHuman and Inter-X, in one place for both stages of training.

Samplers, stages and validation are the same for both datasets: they see features, grids and joint
positions through a `Representation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from intermask import representation, representation_smplx
from intermask.config import EvaluatorConfig, LossWeights, TokenizerConfig, TokenizerTraining
from intermask.conventions import FloorRule
from intermask.data.batching import SourceClips, canonical_people
from intermask.data.placement import Crop, placed_features
from intermask.errors import UserError
from intermask.representation import Normaliser, fit_normaliser
from intermask.skeleton import SMPL22
from intermask.smplx import (
    BODY_MODEL,
    RestBody,
    find_body_model,
    joint_positions,
    load_rest_body,
)
from intermask.training.losses import interhuman_terms, interx_terms


class Representation(Protocol):
    """One dataset's way from clips to what networks see, and from there to joints and losses."""

    @property
    def bones(self) -> Sequence[tuple[int, int]]:
        """Parent and child of every bone, as rows of `positions`."""
        ...

    def encode(self, loaded: Tensor, *, mirror: bool = False, swap: bool = False) -> Tensor:
        """Unnormalised features (people, t-1, f) of loaded frames (people, t, ...)."""
        ...

    def windows(self, crops: Sequence[Crop], /) -> Tensor:
        """Unnormalised features (b, t-1, f) of crops of one length t."""
        ...

    def fit_normaliser(self, clips: Iterable[Tensor]) -> Normaliser:
        """Statistics of features (people, t, f)."""
        ...

    def to_grid(self, features: Tensor) -> Tensor:
        """Joint grid (..., t, j, d) of features (..., t, f)."""
        ...

    def from_grid(self, grid: Tensor) -> Tensor:
        """Features (..., t, f) of a joint grid (..., t, j, d)."""
        ...

    def positions(self, features: Tensor) -> Tensor:
        """Joint positions (..., t, joints, 3) in metres of unnormalised features; root first."""
        ...

    def terms(
        self, prediction: Tensor, target: Tensor, normaliser: Normaliser, weights: LossWeights
    ) -> dict[str, Tensor]:
        """Unweighted loss terms of normalised features (b, t, f)."""
        ...


@dataclass(frozen=True)
class InterHumanRepresentation:
    """262 features of 22 joints in a canonical place; see `intermask.representation`."""

    floor: FloorRule
    bones = SMPL22.bones

    def encode(self, loaded: Tensor, *, mirror: bool = False, swap: bool = False) -> Tensor:
        """See `canonical_people`."""
        return canonical_people(loaded, self.floor, mirror=mirror, swap=swap)

    def windows(self, crops: Sequence[Crop], /) -> Tensor:
        """See `placement.placed_features`."""
        return placed_features(crops, self.floor)

    def fit_normaliser(self, clips: Iterable[Tensor]) -> Normaliser:
        """See `representation.fit_normaliser`."""
        return fit_normaliser([people.flatten(0, 1) for people in clips])

    def to_grid(self, features: Tensor) -> Tensor:
        """(..., t, 262) to (..., t, 22, 12)."""
        return representation.to_joint_grid(features)

    def from_grid(self, grid: Tensor) -> Tensor:
        """(..., t, 22, 12) to (..., t, 262)."""
        return representation.from_joint_grid(grid)

    def positions(self, features: Tensor) -> Tensor:
        """(..., t, 262) to (..., t, 22, 3)."""
        return representation.decode_positions(features)

    def terms(
        self, prediction: Tensor, target: Tensor, normaliser: Normaliser, weights: LossWeights
    ) -> dict[str, Tensor]:
        """See `losses.interhuman_terms`."""
        return interhuman_terms(prediction, target, normaliser, weights)


@dataclass(frozen=True)
class InterXRepresentation:
    """56 rows of 6 where they were captured; see `intermask.representation_smplx`.

    Only positions and losses need a body: the transformer's training has none.
    """

    body: RestBody | None = None

    @property
    def bones(self) -> Sequence[tuple[int, int]]:
        """SMPL-X's, hands included."""
        return self._body.bones

    def encode(self, loaded: Tensor, *, mirror: bool = False, swap: bool = False) -> Tensor:
        """See `representation_smplx.encode_pair`."""
        return representation_smplx.encode_pair(loaded, mirror=mirror, swap=swap)

    def windows(self, crops: Sequence[Crop], /) -> Tensor:
        """Each from its own frames of its own person alone: nothing is placed."""
        people = [crop.clip.loaded[crop.person, crop.start : crop.stop] for crop in crops]
        seen = [
            representation_smplx.mirror_loaded(person) if crop.mirror else person
            for person, crop in zip(people, crops, strict=True)
        ]
        return representation_smplx.encode(torch.stack(seen))

    def fit_normaliser(self, clips: Iterable[Tensor]) -> Normaliser:
        """Statistics that change nothing."""
        return representation_smplx.unit_normaliser()

    def to_grid(self, features: Tensor) -> Tensor:
        """(..., t, 336) to (..., t, 56, 6)."""
        return representation_smplx.to_joint_grid(features)

    def from_grid(self, grid: Tensor) -> Tensor:
        """(..., t, 56, 6) to (..., t, 336)."""
        return representation_smplx.from_joint_grid(grid)

    def positions(self, features: Tensor) -> Tensor:
        """(..., t, 336) to (..., t, 55, 3), by forward kinematics."""
        return joint_positions(self.to_grid(features), self._body)

    def terms(
        self, prediction: Tensor, target: Tensor, normaliser: Normaliser, weights: LossWeights
    ) -> dict[str, Tensor]:
        """See `losses.interx_terms`; an imported model may bring statistics that normalise."""
        made = self.to_grid(normaliser.denormalise(prediction))
        true = self.to_grid(normaliser.denormalise(target))
        return interx_terms(made, true, self._body, weights)

    @property
    def _body(self) -> RestBody:
        if self.body is None:
            raise ValueError("positions and losses of Inter-X need the rest joints of SMPL-X")
        return self.body


def representation_of(
    config: TokenizerConfig | EvaluatorConfig, floor: FloorRule, body: RestBody | None = None
) -> Representation:
    """The representation that a tokenizer or an evaluator was made for."""
    if config.dataset == "interx":
        return InterXRepresentation(body)
    return InterHumanRepresentation(floor)


def training_representation(
    training: TokenizerTraining, sources: Sequence[SourceClips]
) -> Representation:
    """The representation of a tokenizer's training, with the body that its losses need.

    Raises:
        FileNotFoundError: Inter-X without the body model; the message says where to put it.
        UserError: a folder holds another dataset than the tokenizer reads.
    """
    check_same_dataset(training.model, sources)
    body = None
    if training.model.dataset == "interx":
        body = load_rest_body(_body_model(training, sources))
    return representation_of(training.model, training.floor, body)


def check_same_dataset(config: TokenizerConfig, sources: Sequence[SourceClips]) -> None:
    """A tokenizer reads the motion of one dataset only.

    Raises:
        UserError: a folder holds another one.
    """
    names = {"interhuman": "InterHuman's layout", "interx": "Inter-X's layout"}
    for each in sources:
        if each.dataset != config.dataset:
            raise UserError(
                f"{each.source.root} has {names[each.dataset]}, but this tokenizer reads "
                f"{names[config.dataset]}; choose the preset paper-{each.dataset}, or another "
                "folder"
            )


def _body_model(training: TokenizerTraining, sources: Sequence[SourceClips]) -> Path:
    if training.body_model:
        return Path(training.body_model)
    found = find_body_model(each.source.root for each in sources)
    if found is None:
        raise FileNotFoundError(
            f"the losses of Inter-X need the rest joints of SMPL-X: put {BODY_MODEL} into "
            f"{sources[0].source.root}, or say where it is (--set body_model=FILE). It is free "
            "for research at https://smpl-x.is.tue.mpg.de"
        )
    return found
