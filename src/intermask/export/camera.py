"""Where cameras stand so that two moving people are seen well: geometry only, nothing is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VIEW_ANGLE = 26.0
"""Degrees, vertical: long lenses keep people in proportion."""
BODY_MARGIN = 0.13
"""Metres of body around a joint."""

_FRAME_MARGIN = 1.06  # the picture is this much larger than the people


@dataclass(frozen=True)
class View:
    """A camera that follows the pair.

    ``azimuth``: degrees about y, measured from the direction that looks across the line between the
    two people; ``elevation``: degrees above the floor.
    """

    azimuth: float
    elevation: float


VIEWS = (View(28.0, 11.0), View(-58.0, 24.0))
"""From the front, so that neither hides the other, and from the side, a little from above."""


@dataclass(frozen=True)
class Placement:
    """``distance`` of a camera from the point it looks at, which is ``rise`` above the centre."""

    distance: float
    rise: float


def camera_direction(joints: Array, view: View) -> Array:
    """Unit vector from the pair to the camera.

    The line between the people is taken over the whole clip as an axis without a sign, so a couple
    that turns about itself does not cancel out.
    """
    apart = (joints[1, :, 0] - joints[0, :, 0])[:, [0, 2]]
    _, vectors = np.linalg.eigh(apart.T @ apart + 1e-6 * np.eye(2))
    line = vectors[:, 1]
    across = np.array((-line[1], line[0]))
    if across[1] < 0 or (across[1] == 0 and across[0] < 0):
        across = -across  # prefer the side of +z: there a model's person 1 is seen from the front
    azimuth, elevation = np.radians((view.azimuth, view.elevation))
    cosine, sine = np.cos(azimuth), np.sin(azimuth)
    flat = np.array((across[0] * cosine + across[1] * sine, across[1] * cosine - across[0] * sine))
    return np.array((flat[0] * np.cos(elevation), np.sin(elevation), flat[1] * np.cos(elevation)))


def followed_centres(joints: Array, fps: float) -> Array:
    """(t, 3) horizontal middle of the pair, slow enough for a camera to follow calmly."""
    from scipy.ndimage import gaussian_filter1d

    low, high = joints.min((0, 2)), joints.max((0, 2))
    centre = 0.5 * (low + high)
    centre[:, 1] = 0.0
    return np.asarray(gaussian_filter1d(centre, 0.6 * fps, axis=0, mode="nearest"))


def fit_camera(joints: Array, centres: Array, direction: Array, aspect: float) -> Placement:
    """The nearest placement that shows all joints (2, t, 22, 3) of all frames, centred.

    Args:
        joints: (2, t, 22, 3) metres.
        centres: (t, 3) points that the camera follows.
        direction: unit vector towards the camera.
        aspect: width over height of the picture.
    """
    right = np.cross((0.0, 1.0, 0.0), direction)
    right = right / np.linalg.norm(right)
    up = np.cross(direction, right)
    local = (joints - centres[:, None]).reshape(-1, 3)
    x, y, depth = local @ right, local @ up, local @ direction
    tangent = np.tan(np.radians(VIEW_ANGLE / 2)) / _FRAME_MARGIN

    def fit_at(rise: float) -> tuple[float, float]:
        """Distance for a focal height, and how far the picture is from vertical balance."""
        shifted = y - rise * up[1]
        nearer = depth - rise * direction[1]
        width = (np.abs(x) + BODY_MARGIN) / (tangent * aspect) + nearer
        height = (np.abs(shifted) + BODY_MARGIN) / tangent + nearer
        distance = float(max(width.max(), height.max(), 2.0))
        seen = shifted / (distance - nearer)
        return distance, abs(float(seen.max() + seen.min()))

    rises = np.linspace(0.0, max(1.0, float(joints[..., 1].max())), 61)
    best = min(rises, key=lambda rise: fit_at(rise)[1])
    return Placement(fit_at(best)[0], float(best))
