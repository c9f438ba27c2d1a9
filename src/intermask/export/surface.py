"""The smooth surface where a sampled field changes its sign: NumPy and SciPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Triangles = NDArray[np.int64]

_SMOOTHING_ROUNDS = 3
# Taubin, "A signal processing approach to fair surface design" (1995): a step that smooths and a
# slightly larger one back, so that the volume stays.
_SMOOTHING_STEPS = (0.5, -0.53)


def contour(field: Array, origin: Array, grid: float) -> tuple[Array, Array, Triangles]:
    """Zero surface of a field (x, y, z), negative inside: points, outward normals and triangles.

    Surface nets (Gibson 1998): one point in every cell that the surface passes, at the mean of
    where it crosses the cell's edges, and one quadrilateral around every crossed edge.

    Args:
        field: samples; the outermost are outside.
        origin: (3) place of the first sample, metres.
        grid: metres between samples.

    Returns:
        Points (n, 3) in metres, unit normals (n, 3), point indices (m, 3), counter-clockwise from
        outside.
    """
    cells = np.array(field.shape) - 1
    total, count = np.zeros((*cells, 3)), np.zeros(cells)
    crossed = [_crossings(field, axis) for axis in range(3)]
    for axis, (samples, places, _) in enumerate(crossed):
        for cell in _cells_around(samples, axis):
            np.add.at(total, tuple(cell.T), places)
            np.add.at(count, tuple(cell.T), 1.0)
    number = np.cumsum(count.ravel() > 0).reshape(cells) - 1
    quads = [
        _quads(number, samples, axis, falls) for axis, (samples, _, falls) in enumerate(crossed)
    ]
    triangles = _halved(np.concatenate(quads))
    used = count > 0
    points = origin + grid * total[used] / count[used][:, None]
    points = _smoothed(points, triangles)
    return points, point_normals(points, triangles), triangles


def point_normals(points: Array, triangles: Triangles) -> Array:
    """Outward unit normals (n, 3): area-weighted means over the triangles of a point."""
    corners = points[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    lengths = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return np.asarray(normals / lengths)


def _crossings(field: Array, axis: int) -> tuple[Triangles, Array, NDArray[np.bool_]]:
    """Edges along an axis that the surface crosses.

    Returns:
        The samples (k, 3) where they begin, where they are crossed (k, 3) in cells, and whether
        the inside is at their end.
    """
    first = np.take(field, range(field.shape[axis] - 1), axis)
    last = np.take(field, range(1, field.shape[axis]), axis)
    samples = np.argwhere((first < 0) != (last < 0))
    chosen = tuple(samples.T)
    share = first[chosen] / (first[chosen] - last[chosen])
    places = samples.astype(np.float64)
    places[:, axis] += share
    return samples, places, last[chosen] < 0


def _cells_around(samples: Triangles, axis: int) -> list[Triangles]:
    """The four cells around edges that begin at samples, counter-clockwise about the axis."""
    second, third = (axis + 1) % 3, (axis + 2) % 3
    corners = []
    for back_second, back_third in ((1, 1), (0, 1), (0, 0), (1, 0)):
        cell = samples.copy()
        cell[:, second] -= back_second
        cell[:, third] -= back_third
        corners.append(cell)
    return corners


def _quads(number: Triangles, samples: Triangles, axis: int, falls: NDArray[np.bool_]) -> Triangles:
    """Point indices (k, 4) around crossed edges, counter-clockwise from outside."""
    quads = np.stack([number[tuple(cell.T)] for cell in _cells_around(samples, axis)], 1)
    quads[falls] = quads[falls, ::-1]
    return quads


def _halved(quads: Triangles) -> Triangles:
    return np.concatenate((quads[:, (0, 1, 2)], quads[:, (0, 2, 3)]))


def _smoothed(points: Array, triangles: Triangles) -> Array:
    """Points moved to and fro along the mean of their neighbours: the grid's steps go."""
    from scipy.sparse import coo_matrix, diags

    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    ones = np.ones(len(edges))
    near = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(len(points),) * 2).tocsr()
    near = diags(1.0 / np.asarray(near.sum(1)).ravel()) @ near
    for _ in range(_SMOOTHING_ROUNDS):
        for step in _SMOOTHING_STEPS:
            points = points + step * (near @ points - points)
    return points
