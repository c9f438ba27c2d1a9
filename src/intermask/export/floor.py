"""The floor of a scene and the shadows on it, both textures on flat squares.

Shadows are not traced but painted: the bodies' points are laid flat along the light, blurred the
more the higher they are, and put on the floor. That costs milliseconds without a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BACKGROUND = (0.925, 0.935, 0.945)
"""Colour into which the floor fades, RGB in 0..1."""
LIGHT = np.array((-0.30, -1.0, -0.22))
"""Direction in which the light falls."""
FLOOR_SIZE = 14.0
"""Metres along each side."""

_FLOOR = (0.86, 0.875, 0.89)
_GRID_LINE = (0.77, 0.79, 0.81)
_SHADOW = (0.16, 0.18, 0.24)
_SHADOW_CELL = 0.025  # metres

# heights above the floor from, to; blur in cells; darkness where the layer is solid
_LAYERS = ((0.0, 0.12, 1.2, 0.42), (0.12, 0.6, 2.0, 0.26), (0.6, np.inf, 4.0, 0.22))


def frames_to_stand_on(frames: int) -> NDArray[np.int64]:
    """Which of a motion's frames tell where the drawn floor is."""
    return np.linspace(0, frames - 1, min(24, frames)).astype(np.int64)


def floor_height(lowest: Sequence[float], may_be_below: bool) -> float:
    """Height of the floor to draw: under the soles, which lie below the joints.

    Only where the soles are within a few centimetres of y = 0; people in the air stay there.

    Args:
        lowest: height of the pair's lowest point in some frames, metres.
        may_be_below: people with hands stand where their data has them, which may be below.
    """
    deepest = -np.inf if may_be_below else -0.06
    return float(np.clip(np.quantile(lowest, 0.2), deepest, 0.03))


class Shadow:
    """A square of floor, centred under the pair, whose texture is the painted shadow."""

    def __init__(self, vtk: Any, height: float, span: float) -> None:
        self._height = height
        self._cells = max(32, round(min(span, FLOOR_SIZE) / _SHADOW_CELL))
        self._image = vtk.vtkImageData()
        self._image.SetDimensions(self._cells, self._cells, 1)
        self._pixels = np.zeros((self._cells, self._cells, 4), dtype=np.uint8)
        self._pixels[..., :3] = (np.array(_SHADOW) * 255).astype(np.uint8)
        self._image.GetPointData().SetScalars(vtk.numpy_to_vtk(self._pixels.reshape(-1, 4)))
        self.actor = textured_square(vtk, self._image, self._cells * _SHADOW_CELL, height + 0.003)
        self.actor.ForceTranslucentOn()

    def paint(self, points: NDArray[np.floating], centre: Array) -> None:
        """Lay points (n, 3) on the floor around ``centre`` (3)."""
        from scipy.ndimage import gaussian_filter

        height = np.maximum(points[:, 1] - self._height, 0.0)
        flat = points[:, (0, 2)] - (height / LIGHT[1])[:, None] * LIGHT[[0, 2]]
        cells = ((flat - centre[[0, 2]]) / _SHADOW_CELL + self._cells / 2).astype(int)
        inside = ((cells >= 0) & (cells < self._cells)).all(1)
        light = np.ones((self._cells, self._cells), np.float32)
        for low, high, blur, dark in _LAYERS:
            chosen = inside & (height >= low) & (height < high)
            layer = np.zeros_like(light)
            layer[cells[chosen, 1], cells[chosen, 0]] = 1.0
            layer = gaussian_filter(layer, blur, truncate=3.0)
            light *= 1.0 - dark * np.clip(1.6 * layer, 0.0, 1.0)
        self._pixels[..., 3] = np.round(255 * (1.0 - light))
        self._image.GetPointData().GetScalars().Modified()
        self._image.Modified()
        self.actor.SetPosition(centre[0], 0.0, centre[2])


def floor_actor(vtk: Any, height: float) -> Any:
    """A floor with a grid of metres that fades into the background."""
    cells = 1120
    axis = (np.arange(cells) + 0.5) / cells * FLOOR_SIZE - FLOOR_SIZE / 2
    line = np.abs(axis - np.round(axis)) < 0.0125
    half = np.abs(axis - np.round(axis * 2) / 2) < 0.0063
    strength = np.maximum(
        np.maximum(line[:, None], line), 0.45 * np.maximum(half[:, None], half)
    ).astype(float)
    colour = np.array(_FLOOR) + strength[..., None] * (np.array(_GRID_LINE) - np.array(_FLOOR))
    radius = np.hypot(axis[:, None], axis) / (FLOOR_SIZE / 2)
    fade = np.clip((radius - 0.35) / 0.6, 0.0, 1.0)[..., None]
    fade = fade * fade * (3 - 2 * fade)
    pixels = (255 * (colour + fade * (np.array(BACKGROUND) - colour))).astype(np.uint8)
    image = vtk.vtkImageData()
    image.SetDimensions(cells, cells, 1)
    image.GetPointData().SetScalars(vtk.numpy_to_vtk(pixels.reshape(-1, 3), deep=True))
    return textured_square(vtk, image, FLOOR_SIZE, height, mipmap=True)


def textured_square(vtk: Any, image: Any, span: float, height: float, mipmap: bool = False) -> Any:
    """A flat square with side ``span`` metres at a height; texture rows run along +z."""
    plane = vtk.vtkPlaneSource()
    plane.SetOrigin(-span / 2, height, -span / 2)
    plane.SetPoint1(span / 2, height, -span / 2)
    plane.SetPoint2(-span / 2, height, span / 2)
    mapper = vtk.vtkPolyDataMapper()
    mapper.SetInputConnection(plane.GetOutputPort())
    texture = vtk.vtkTexture()
    texture.SetInputData(image)
    texture.InterpolateOn()
    texture.SetMipmap(mipmap)
    actor = vtk.vtkActor()
    actor.SetMapper(mapper)
    actor.SetTexture(texture)
    actor.GetProperty().LightingOff()
    return actor
