"""Geometry inside the transformer: what each person sees of both, and what follows from it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from golden_files import largest_error
from intermask.config import TransformerConfig
from intermask.models.code_geometry import (
    JOINTS,
    CodeGeometry,
    geometry_loss,
    measured,
    places_of,
)
from intermask.models.transformer import InterMTransformer

SMALL = TransformerConfig(
    codebook_size=32, code_dim=8, width=16, layers=2, heads=2, feedforward=16, dropout=0.0,
    condition_width=8, rows=3, row_codebooks=True, whole_columns=True, reach=1,
    geometry_channels=4,
)  # fmt: skip


def _people(frames: int = 8) -> Tensor:
    """Two made-up bodies (1, 2, 1, t, 22, 3), whose hips are across, somewhere in the world."""
    generator = torch.Generator().manual_seed(0)
    joints = torch.randn(1, 2, 1, frames, 22, 3, generator=generator)
    joints[..., 2, 1] = joints[..., 1, 1]
    return joints + torch.tensor([3.0, 0.0, -2.0])


def _rotated(joints: Tensor, degrees: float) -> Tensor:
    angle = torch.deg2rad(torch.tensor(degrees))
    x, y, z = joints.unbind(-1)
    return torch.stack(
        [x * angle.cos() + z * angle.sin(), y, z * angle.cos() - x * angle.sin()], -1
    )


def test_what_people_see_of_each_other_does_not_depend_on_the_world() -> None:
    people = _people()
    moved = _rotated(people, 70.0) + torch.tensor([1.0, 0.0, 5.0])
    for before, after in zip(_seen(people), _seen(moved), strict=True):
        assert largest_error(before, after) < 1e-5


def _seen(people: Tensor) -> tuple[Tensor, Tensor]:
    places = places_of(measured(people))
    return places.joints, places.partner()


def test_someone_to_the_front_is_seen_to_the_front() -> None:
    people = torch.zeros(1, 2, 1, 8, 22, 3)
    # SMPL's rest pose faces +z, with the left side at +x.
    people[..., 1, 0], people[..., 2, 0] = 0.1, -0.1
    people[:, 1, ..., 2] += 2.0
    partner = places_of(measured(people)).partner()[0, :, 0, 0, 0]
    assert partner.tolist() == [pytest.approx([0, 0, 2]), pytest.approx([0, 0, -2])]


def test_ways_from_wrists_are_as_long_as_in_the_world() -> None:
    people = _people()
    at = int(0.3125 * people.shape[3])
    wrists = people[0, 0, 0, at, [20, 21]]
    others = people[0, 1, 0, at, [0, *JOINTS]]
    ways = places_of(measured(people)).wrists_to_partner()[0, 0, 0, 0]
    assert largest_error(ways.norm(dim=-1), torch.cdist(wrists, others)) < 1e-5


def _fitted() -> tuple[CodeGeometry, Tensor, Tensor]:
    """Codes of motion that is linear in their vectors, tokens (m, s), and joints (m, t, 22, 3)."""
    generator = torch.Generator().manual_seed(1)
    codebooks = torch.randn(3, 32, 4, generator=generator)
    tokens = torch.randint(0, 32, (400, 3), generator=generator)
    vectors = torch.cat([codebooks[row, tokens[:, row]] for row in range(3)], -1)
    pose = torch.randn(22, 3, generator=generator)
    pose[1], pose[2] = torch.tensor([0.1, 0.0, 0.0]), torch.tensor([-0.1, 0.0, 0.0])
    change = torch.randn(12, 22, 3, generator=generator) * 0.1
    change[:, 1] = change[:, 2] = 0.0  # the pelvis keeps its direction
    joints = (pose + torch.einsum("mv,vjd->mjd", vectors, change))[:, None].expand(-1, 8, -1, -1)
    geometry = CodeGeometry(SMALL)
    geometry.fit(codebooks, tokens, joints)
    return geometry, tokens, joints


def test_codes_tell_places() -> None:
    geometry, tokens, joints = _fitted()
    ids = tokens[:6].T.reshape(1, 1, 3, 6).expand(1, 2, 3, 6)
    told = geometry.places(geometry.vectors(ids))
    truth = places_of(measured(joints[:6])[None, None].expand(1, 2, -1, -1, -1))
    assert largest_error(told.pelvis, truth.pelvis) < 1e-2
    assert largest_error(told.joints, truth.joints) < 1e-2


def test_hidden_tokens_tell_nothing() -> None:
    geometry, _, _ = _fitted()
    assert not geometry.vectors(torch.full((1, 2, 3, 5), 32)).any()


def test_codebooks_of_another_tokenizer_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 16, 4\).*\(3, 32, 4\)"):
        CodeGeometry(SMALL).fit(torch.zeros(3, 16, 4), torch.zeros(1, 3), torch.zeros(1, 8, 22, 3))


def test_only_what_is_expected_wrongly_costs() -> None:
    geometry, tokens, _ = _fitted()
    ids = tokens[:10].reshape(1, 2, 5, 3).mT
    truth = geometry.vectors(ids)
    labelled, valid = torch.ones(1, 2, 5, 3, dtype=torch.bool), torch.ones(1, 5, dtype=torch.bool)
    right = geometry_loss(geometry, [truth], truth, labelled, valid)
    assert right.codes == 0 and right.reach < 2e-3  # the root of a small number, not of 0
    wrong = truth.clone()
    wrong[:, 0, 4] += 1.0
    missed = geometry_loss(geometry, [wrong], truth, labelled, valid)
    assert missed.codes > 0.05 and missed.reach > 1e-2
    labelled[:, 0, 4] = False
    assert geometry_loss(geometry, [wrong], truth, labelled, valid).codes == 0


def _transformer(speaks: bool) -> InterMTransformer:
    torch.manual_seed(0)
    model = InterMTransformer(SMALL).eval()
    assert model.geometry is not None
    model.geometry.load_state_dict(_fitted()[0].state_dict())
    if speaks:
        for reader in model.readers:
            nn.init.normal_(reader.tells.weight)
            nn.init.normal_(reader.expects.weight, std=0.3)
    return model


def _inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(0, 32, (2, 2, 3, 6), generator=generator)
    tokens[:, 0, 1, 2:] = 32
    valid = torch.arange(6) < torch.tensor([6, 4])[:, None]
    return tokens, torch.randn(2, 8, generator=generator), valid


@torch.inference_mode()
def test_geometry_is_silent_at_the_start() -> None:
    without = InterMTransformer(dataclasses.replace(SMALL, geometry_channels=0)).eval()
    model, inputs = _transformer(speaks=False), _inputs()
    kept = {name: model.state_dict()[name] for name in without.state_dict()}
    without.load_state_dict(kept)
    assert largest_error(model(*inputs), without(*inputs)) < 1e-6


@torch.inference_mode()
def test_exchanging_the_people_exchanges_the_logits() -> None:
    model, (tokens, condition, valid) = _transformer(speaks=True), _inputs()
    exchanged = model(tokens.flip(1), condition, valid)
    assert largest_error(exchanged.flip(1)[0], model(tokens, condition, valid)[0]) < 1e-4


@torch.inference_mode()
def test_padding_does_not_reach_a_sample() -> None:
    model, (tokens, condition, valid) = _transformer(speaks=True), _inputs()
    alone = model(tokens[1:, ..., :4], condition[1:], valid[1:, :4])
    assert largest_error(model(tokens, condition, valid)[1:, ..., :4, :], alone) < 1e-4


@torch.inference_mode()
def test_visible_tokens_are_known_and_hidden_ones_expected() -> None:
    model, (tokens, condition, valid) = _transformer(speaks=True), _inputs()
    assert model.geometry is not None
    known = model.geometry.vectors(tokens)
    hidden = (tokens >= 32).transpose(2, 3)
    for vectors in model.predict(tokens, condition, valid).expected:
        assert torch.equal(vectors[0][~hidden[0]], known[0][~hidden[0]])
        assert (vectors[0][hidden[0]] != 0).any()


def test_geometry_needs_whole_columns_and_two_layers() -> None:
    with pytest.raises(ValueError, match="two layers"):
        dataclasses.replace(SMALL, layers=1)
    with pytest.raises(ValueError, match="geometry_channels needs whole_columns"):
        TransformerConfig(geometry_channels=4)
