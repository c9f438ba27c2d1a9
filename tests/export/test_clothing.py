"""Hems are cut out of the surface, which stays whole."""

from __future__ import annotations

import numpy as np
import pytest

from intermask.export.body import MATERIALS, material_shares
from intermask.export.clothing import Dressed, dress
from intermask.export.mannequin import Mannequin, build_mannequin
from intermask.skeleton import MEAN_ADULT_OFFSETS


@pytest.fixture(scope="module")
def body() -> Mannequin:
    return build_mannequin(np.array(MEAN_ADULT_OFFSETS))


@pytest.fixture(scope="module")
def dressed(body: Mannequin) -> Dressed:
    return dress(body)


def area(mannequin: Mannequin) -> float:
    corners = mannequin.points[mannequin.triangles].astype(np.float64)
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(faces, axis=1).sum() / 2)


def test_cutting_moves_nothing(body: Mannequin, dressed: Dressed) -> None:
    np.testing.assert_array_equal(dressed.mannequin.points[: len(body.points)], body.points)
    assert area(dressed.mannequin) == pytest.approx(area(body), rel=1e-4)
    np.testing.assert_allclose(dressed.mannequin.weights.sum(1), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(dressed.mannequin.normals, axis=1), 1.0, atol=1e-4)


def test_faces_still_look_outwards(dressed: Dressed) -> None:
    mannequin = dressed.mannequin
    corners = mannequin.points[mannequin.triangles].astype(np.float64)
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    agree = np.einsum("na,na->n", faces, mannequin.normals[mannequin.triangles].sum(1))
    assert (agree > 0).mean() > 0.99


def test_every_triangle_is_of_one_material(dressed: Dressed) -> None:
    """Away from the few places where three meet, no corner is more of another one."""
    shares = material_shares(dressed.mannequin)[dressed.mannequin.triangles]
    own = np.take_along_axis(shares, dressed.materials[:, None, None], 2)[..., 0]
    mixed = (own < shares.max(2) - 0.5).any(1)
    assert mixed.mean() < 0.005
    assert set(np.unique(dressed.materials)) == set(range(len(MATERIALS)))
