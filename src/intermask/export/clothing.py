"""A mannequin's surface cut where one material ends and the next begins: clean hems."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intermask.export.body import material_shares
from intermask.export.mannequin import Mannequin

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Dressed:
    """A surface whose triangles have one material each."""

    mannequin: Mannequin
    """With more points than before, along the hems."""
    materials: Indices
    """(m) of every triangle: an index of `body.MATERIALS`."""


def dress(mannequin: Mannequin) -> Dressed:
    """Cut every triangle in which two materials meet along the line where they are equal.

    The few in which three meet go to the one that has most of them.
    """
    shares = material_shares(mannequin)
    owners = shares.argmax(1)
    triangles = mannequin.triangles
    of_corners = owners[triangles]
    differ = of_corners != np.roll(of_corners, -1, axis=1)  # a corner from the next
    two = differ.sum(1) == 2
    # the corner that differs from the next and from the one before comes first
    first = np.argmax(differ[two] & np.roll(differ[two], 1, axis=1), axis=1)
    lone = np.take_along_axis(triangles[two], (first[:, None] + np.arange(3)) % 3, 1)
    edges = np.sort(np.concatenate((lone[:, (0, 1)], lone[:, (0, 2)])), axis=1)
    cut, number = np.unique(edges, axis=0, return_inverse=True)
    after_b, after_c = np.split(len(mannequin.points) + number.ravel(), 2)
    a, b, c = lone.T
    pieces = [
        (np.stack((a, after_b, after_c), 1), owners[a]),
        (np.stack((after_b, b, c), 1), owners[b]),
        (np.stack((after_b, c, after_c), 1), owners[b]),
        (triangles[~two], shares[triangles[~two]].sum(1).argmax(1)),
    ]
    larger = _with_points(mannequin, cut, _where_equal(shares, owners, cut))
    return Dressed(
        replace(larger, triangles=np.concatenate([piece for piece, _ in pieces])),
        np.concatenate([owner for _, owner in pieces]),
    )


def _where_equal(shares: Array, owners: Indices, edges: Indices) -> Array:
    """How far (k) along edges (k, 2) the materials of their two ends are equal."""
    pair = owners[edges]
    ends = shares[edges[..., None], pair[:, None, :]]  # edge, end, material of first or last end
    lead = ends[..., 0] - ends[..., 1]
    return np.asarray(lead[:, 0] / np.maximum(lead[:, 0] - lead[:, 1], 1e-12))


def _with_points(mannequin: Mannequin, edges: Indices, along: Array) -> Mannequin:
    """The mannequin with a point more on each of these edges (k, 2)."""

    def between(values: NDArray[np.float32]) -> NDArray[np.float32]:
        first, last = values[edges[:, 0]], values[edges[:, 1]]
        return np.asarray(first + along[:, None].astype(np.float32) * (last - first))

    normals = between(mannequin.normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return replace(
        mannequin,
        points=np.concatenate((mannequin.points, between(mannequin.points))),
        normals=np.concatenate((mannequin.normals, normals)),
        weights=np.concatenate((mannequin.weights, between(mannequin.weights))),
    )
