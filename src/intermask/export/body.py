"""The drawn surface of one person, in clothes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermask.export.mannequin import Mannequin, Single
from intermask.skeleton import SMPL22

Array = NDArray[np.float64]

PEOPLE = ((0.90, 0.42, 0.30), (0.16, 0.50, 0.66))
"""Colours of person 1 (coral) and person 2 (blue), RGB in 0..1."""

MATERIALS = ("top", "trousers", "shoes", "skin", "hair")
"""What the drawn people are made of."""


class Body:
    """The drawn surface of one person."""

    def __init__(self, vtk: Any, mannequin: Mannequin, person: int) -> None:
        self.mannequin = mannequin
        self._vtk = vtk
        mesh = vtk.vtkPolyData()
        self._points = np.array(mannequin.points, dtype=np.float32)
        self._normals = np.array(mannequin.normals, dtype=np.float32)
        points = vtk.vtkPoints()
        points.SetData(vtk.numpy_to_vtk(self._points))
        mesh.SetPoints(points)
        mesh.GetPointData().SetNormals(vtk.numpy_to_vtk(self._normals))
        cells = vtk.vtkCellArray()
        connectivity = mannequin.triangles.ravel()
        starts = np.arange(0, len(connectivity) + 1, 3)
        cells.SetData(
            vtk.numpy_to_vtk(starts, deep=True), vtk.numpy_to_vtk(connectivity, deep=True)
        )
        mesh.SetPolys(cells)
        colours = (clothes(mannequin, PEOPLE[person]) * 255).astype(np.uint8)
        mesh.GetPointData().SetScalars(vtk.numpy_to_vtk(colours, deep=True))
        mapper = vtk.vtkPolyDataMapper()
        mapper.SetInputData(mesh)
        self.actor = vtk.vtkActor()
        self.actor.SetMapper(mapper)
        material = self.actor.GetProperty()
        material.SetInterpolationToPhong()
        material.SetAmbient(0.34)
        material.SetDiffuse(0.72)
        material.SetSpecular(0.10)
        material.SetSpecularPower(18)
        self._mesh = mesh

    def pose(self, positions: Array, rotations: Array) -> Single:
        """Move the surface to joints (j, 3) and world rotations (j, 3, 3); its points (n, 3)."""
        points, normals = self.mannequin.posed(positions, rotations)
        self._points[:] = points
        self._normals[:] = normals
        self._mesh.GetPoints().GetData().Modified()
        self._mesh.GetPoints().Modified()
        self._mesh.GetPointData().GetNormals().Modified()
        self._mesh.Modified()
        return points


def clothes(mannequin: Mannequin, colour: tuple[float, float, float]) -> Array:
    """Colour (n, 3) of every point: a top in the person's colour, darker trousers, dark shoes.

    It is an affine function of the person's colour, RGB in 0..1.
    """
    return np.asarray(material_shares(mannequin) @ material_colours(colour))


def material_colours(colour: tuple[float, float, float]) -> Array:
    """(5, 3) RGB in 0..1 of `MATERIALS` for a person's colour."""
    main = np.array(colour)
    return np.stack(
        (
            main,
            0.52 * main + 0.06,
            0.22 * main + 0.07,
            0.12 * main + 0.88 * np.array((0.95, 0.84, 0.75)),
            0.30 * main + 0.05,
        )
    )


def material_shares(mannequin: Mannequin) -> Array:
    """How much (n, 5) every point is made of each of `MATERIALS`; rows sum to 1."""
    top, trousers, shoes, skin, hair = np.eye(len(MATERIALS))
    palette = np.tile(top, (mannequin.weights.shape[1], 1))
    for name, paint in (
        ("hip", trousers), ("knee", trousers), ("ankle", shoes), ("foot", shoes), ("wrist", skin),
    ):  # fmt: skip
        palette[list(SMPL22.indices(f"left_{name}", f"right_{name}"))] = paint
    palette[list(SMPL22.indices("head", "neck"))] = skin
    palette[SMPL22.joint_count :] = skin  # jaw, eyes and fingers
    palette[SMPL22.index("pelvis")] = trousers
    # sharper than the skin weights, or the seams would be smears
    weights = mannequin.weights.astype(np.float64) ** 4
    shares = weights / weights.sum(1, keepdims=True) @ palette
    # hair on top and behind tells at a glance where somebody looks
    head = SMPL22.index("head")
    local = (mannequin.points - mannequin.joint_positions[head]) @ mannequin.joint_rotations[head]
    hairline = np.maximum(local[:, 1] - 0.135 - 0.35 * local[:, 2], -0.005 - local[:, 2])
    hairline = np.minimum(hairline, local[:, 1] - 0.02)
    covered = np.clip(hairline / 0.012, 0.0, 1.0) * (mannequin.weights[:, head] > 0.5)
    return np.asarray(shares + covered[:, None] * (hair - shares))
