"""A smooth body around the 22 joints: one closed surface that follows a person's rotations.

The surface is a blend of simple solids (cones with round ends, ellipsoids) around each person's own
bones, cut out of a distance field once, and then bound to the joints (linear blend skinning). No
licensed body model is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.errors import MissingExtra
from intermask.geometry import axis_angle_to_matrix
from intermask.kinematics import forward_kinematics, global_rotations
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22

Array = NDArray[np.float64]
Single = NDArray[np.float32]

_GRID = 0.016  # metres between samples of the distance field
_BLEND = 0.030  # metres over which neighbouring solids flow into each other
_SKIN = 0.022  # metres over which the surface passes from one joint to the next
_MARGIN = 0.06


@dataclass(frozen=True)
class Solid:
    """A part of the body that moves with one joint.

    Round cone from ``start`` to ``stop`` with radii ``radii`` (2), or, where ``turn`` and three
    ``radii`` are given, an ellipsoid around ``start`` with axes along the columns of ``turn``.
    Metres, in the pose in which the body is bound. ``sole``: cut off below this height.
    """

    joint: int
    start: Array
    stop: Array
    radii: tuple[float, ...]
    turn: Array | None = None
    sole: float | None = None

    def distance(self, points: Array) -> Array:
        """Signed distance (n) of points (n, 3), negative inside, near the surface."""
        if self.turn is None:
            along = self.stop - self.start
            share = (points - self.start) @ along / max(float(along @ along), 1e-12)
            share = np.clip(share, 0.0, 1.0)
            radius = self.radii[0] + share * (self.radii[1] - self.radii[0])
            axis = self.start + share[:, None] * along
            distance = np.linalg.norm(points - axis, axis=1) - radius
        else:
            local = (points - self.start) @ self.turn
            radii = np.array(self.radii)
            scaled = np.linalg.norm(local / radii, axis=1)
            steep = np.linalg.norm(local / radii**2, axis=1)
            distance = scaled * (scaled - 1.0) / np.maximum(steep, 1e-9)
        if self.sole is not None:
            distance = np.maximum(distance, self.sole - points[:, 1])
        return np.asarray(distance)


@dataclass(frozen=True)
class Mannequin:
    """A body surface of n points and m triangles, bound to 22 joints."""

    points: Single
    """(n, 3) metres in the bound pose."""
    normals: Single
    """(n, 3) unit vectors in the bound pose."""
    triangles: NDArray[np.int64]
    """(m, 3) point indices."""
    weights: Single
    """(n, 22) how much each joint moves a point; rows sum to 1."""
    joint_positions: Array
    """(22, 3) of the bound pose."""
    joint_rotations: Array
    """(22, 3, 3) of the bound pose, in the world."""

    def posed(self, positions: Array, rotations: Array) -> tuple[Single, Single]:
        """Points and normals (n, 3) of the body in another pose.

        Args:
            positions: (22, 3) joints, metres.
            rotations: (22, 3, 3) of the joints in the world.
        """
        turns = rotations @ np.swapaxes(self.joint_rotations, -1, -2)
        shifts = positions - np.einsum("jab,jb->ja", turns, self.joint_positions)
        motion = np.concatenate((turns.reshape(-1, 9), shifts), 1).astype(np.float32)
        blended = self.weights @ motion
        matrices = blended[:, :9].reshape(-1, 3, 3)
        points = np.einsum("nab,nb->na", matrices, self.points) + blended[:, 9:]
        normals = np.einsum("nab,nb->na", matrices, self.normals)
        lengths = np.sqrt(np.einsum("na,na->n", normals, normals))[:, None]
        return points, normals / np.maximum(lengths, 1e-9)


def build_mannequin(offsets: Array) -> Mannequin:
    """A body for the rest offsets (22, 3), metres, of one person."""
    joints, turns = _bound_pose(offsets)
    solids = _solids(joints, turns, _size(offsets))
    points, normals, triangles = _surface(solids)
    weights = _skin_weights(points, solids)
    return Mannequin(
        points.astype(np.float32),
        normals.astype(np.float32),
        triangles,
        weights.astype(np.float32),
        joints,
        turns,
    )


def _size(offsets: Array) -> float:
    """Girth relative to the mean adult: follows the length of legs and spine, within reason."""
    chosen = list(SMPL22.indices("left_knee", "left_ankle", "spine2", "neck", "left_elbow"))
    length = np.linalg.norm(offsets[chosen], axis=1).sum()
    adult = np.linalg.norm(MEAN_ADULT_OFFSETS[chosen], axis=1).sum()
    return float(np.clip(length / adult, 0.6, 1.3))


def _bound_pose(offsets: Array) -> tuple[Array, Array]:
    """Joint positions and world rotations with arms halfway down and legs a little apart."""
    vectors = torch.zeros(22, 3, dtype=torch.float64)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        vectors[SMPL22.index(f"{side}_shoulder"), 2] = -0.75 * sign
        vectors[SMPL22.index(f"{side}_hip"), 2] = 0.10 * sign
    rotations = axis_angle_to_matrix(vectors)
    root = torch.zeros(3, dtype=torch.float64)
    rest = torch.tensor(offsets, dtype=torch.float64)
    positions = forward_kinematics(rest, root, rotations[0], rotations[1:])
    return positions.numpy(), global_rotations(rotations[0], rotations[1:]).numpy()


class _Builder:
    """Collects the solids of one body in its bound pose; lengths are a mean adult's."""

    def __init__(self, joints: Array, turns: Array, size: float) -> None:
        self.at = {name: joints[SMPL22.index(name)] for name in SMPL22.names}
        self.size = size
        self.solids: list[Solid] = []
        self._turns = turns

    def place(self, name: str, x: float, y: float, z: float) -> Array:
        """A point beside a joint, in the joint's own axes."""
        return np.asarray(self.at[name] + self._turns[SMPL22.index(name)] @ (x, y, z) * self.size)

    def cone(
        self, owner: str, start: Array, stop: Array, first: float, last: float,
        sole: float | None = None,
    ) -> None:  # fmt: skip
        radii = (first * self.size, last * self.size)
        self.solids.append(Solid(SMPL22.index(owner), start, stop, radii, sole=sole))

    def ellipsoid(self, owner: str, centre: Array, *radii: float) -> None:
        joint = SMPL22.index(owner)
        scaled = tuple(radius * self.size for radius in radii)
        self.solids.append(Solid(joint, centre, centre, scaled, self._turns[joint]))


def _solids(joints: Array, turns: Array, size: float) -> list[Solid]:
    """The parts of the body in the bound pose; radii for a mean adult times ``size``."""
    body = _Builder(joints, turns, size)
    _add_trunk(body)
    _add_head(body)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _add_arm(body, side, sign)
        _add_leg(body, side)
    return body.solids


def _add_trunk(body: _Builder) -> None:
    body.ellipsoid("pelvis", body.place("pelvis", 0.0, -0.030, -0.014), 0.148, 0.125, 0.106)
    body.ellipsoid("spine1", body.place("spine1", 0.0, 0.025, 0.004), 0.138, 0.140, 0.098)
    body.ellipsoid("spine2", body.place("spine2", 0.0, 0.030, 0.002), 0.142, 0.150, 0.100)
    collars = 0.5 * (body.at["left_collar"] + body.at["right_collar"])
    chest = 0.60 * body.at["spine3"] + 0.40 * collars
    chest = chest + body.place("spine3", 0.0, 0.0, 0.010) - body.at["spine3"]
    body.ellipsoid("spine3", chest, 0.160, 0.165, 0.106)


def _add_head(body: _Builder) -> None:
    head, place = "head", body.place
    body.cone("neck", place("neck", 0.0, -0.04, 0.0), place(head, 0.0, 0.03, 0.0), 0.060, 0.050)
    body.ellipsoid(head, place(head, 0.0, 0.105, 0.014), 0.078, 0.108, 0.094)
    jaw = place(head, 0.0, 0.035, 0.035), place(head, 0.0, 0.050, 0.055)
    nose = place(head, 0.0, 0.100, 0.100), place(head, 0.0, 0.072, 0.117)
    body.cone(head, *jaw, 0.050, 0.050)
    body.cone(head, *nose, 0.008, 0.013)


def _add_arm(body: _Builder, side: str, sign: float) -> None:
    collar, shoulder, elbow, wrist = (
        f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist")
    )
    at, place = body.at, body.place
    muscle = 0.7 * at[elbow] + 0.3 * at[wrist]
    body.cone(collar, at[collar], at[shoulder], 0.062, 0.060)
    body.cone(shoulder, at[shoulder], at[elbow], 0.055, 0.037)
    body.cone(elbow, at[elbow], muscle, 0.034, 0.037)
    body.cone(elbow, muscle, at[wrist], 0.036, 0.025)
    body.ellipsoid(wrist, place(wrist, sign * 0.055, -0.004, 0.002), 0.062, 0.021, 0.042)
    body.ellipsoid(wrist, place(wrist, sign * 0.120, -0.012, -0.002), 0.066, 0.017, 0.037)
    thumb = place(wrist, sign * 0.030, -0.008, 0.030), place(wrist, sign * 0.085, -0.020, 0.058)
    body.cone(wrist, *thumb, 0.017, 0.013)


def _add_leg(body: _Builder, side: str) -> None:
    hip, knee, ankle, foot = (f"{side}_{part}" for part in ("hip", "knee", "ankle", "foot"))
    at, size = body.at, body.size
    calf = 0.7 * at[knee] + 0.3 * at[ankle]
    body.cone(hip, at[hip], at[knee], 0.086, 0.050)
    body.cone(knee, at[knee], calf, 0.046, 0.052)
    body.cone(knee, calf, at[ankle], 0.050, 0.034)
    # the joint of the foot is the ball of the toes, about 2 cm above the ground
    ball, ground = at[foot], float(at[foot][1] - 0.020 * size)
    heel = at[ankle] - np.array((0.0, 0.0, 0.045 * size))
    heel[1] = ground + 0.030 * size
    tip = ball + np.array((0.0, 0.0, 0.060 * size))
    tip[1] = ground + 0.018 * size
    instep = 0.5 * (at[ankle] + ball) + np.array((0.0, 0.004, 0.0))
    body.cone(ankle, heel, ball, 0.038, 0.042, ground)
    body.cone(ankle, at[ankle], instep, 0.038, 0.040, ground)
    body.cone(ankle, instep, ball, 0.040, 0.034, ground)
    body.cone(ankle, at[ankle], heel, 0.037, 0.036, ground)
    body.cone(foot, ball, tip, 0.042, 0.030, ground)


def _surface(solids: list[Solid]) -> tuple[Array, Array, NDArray[np.int64]]:
    """Points, normals and triangles of the smooth union of all solids."""
    corners = np.concatenate([np.stack((solid.start, solid.stop)) for solid in solids])
    reach = max(max(solid.radii) for solid in solids) + _MARGIN
    low, high = corners.min(0) - reach, corners.max(0) + reach
    counts = np.ceil((high - low) / _GRID).astype(int) + 1
    axes = [low[axis] + _GRID * np.arange(counts[axis]) for axis in range(3)]
    field = np.ones(counts)
    for solid in solids:
        _join(field, axes, solid)
    return _contour(field, low)


def _join(field: Array, axes: list[Array], solid: Solid) -> None:
    """Add a solid to the sampled field (x, y, z), in place; only samples near it are touched."""
    reach = max(solid.radii) + _MARGIN
    low = np.minimum(solid.start, solid.stop) - reach
    high = np.maximum(solid.start, solid.stop) + reach
    box = tuple(slice(*np.searchsorted(axes[i], (low[i], high[i]))) for i in range(3))
    grid = np.stack(np.meshgrid(*(axes[i][box[i]] for i in range(3)), indexing="ij"), -1)
    before = field[box]
    distance = solid.distance(grid.reshape(-1, 3)).reshape(before.shape)
    overlap = np.maximum(_BLEND - np.abs(before - distance), 0.0) / _BLEND
    field[box] = np.minimum(before, distance) - overlap**2 * _BLEND / 4.0


def _contour(field: Array, origin: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Zero surface of a sampled field (x, y, z) as points, outward normals and triangles."""
    try:
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkWindowedSincPolyDataFilter
    except ImportError as error:
        raise MissingExtra("video", "vtk") from error
    image = vtkImageData()
    image.SetDimensions(*field.shape)
    image.SetSpacing(_GRID, _GRID, _GRID)
    image.SetOrigin(*origin)
    image.GetPointData().SetScalars(numpy_to_vtk(field.ravel(order="F"), deep=True))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    contour.ComputeNormalsOff()
    smooth = vtkWindowedSincPolyDataFilter()  # takes out the steps of the grid, keeps the volume
    smooth.SetInputConnection(contour.GetOutputPort())
    smooth.SetNumberOfIterations(20)
    smooth.SetPassBand(0.06)
    smooth.NormalizeCoordinatesOn()
    smooth.Update()
    mesh = smooth.GetOutput()
    points = vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64)
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    triangles = triangles.astype(np.int64)
    corners = points[triangles] - points.mean(0)
    volume = np.einsum("na,na->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    if volume < 0:
        triangles = triangles[:, ::-1].copy()  # counter-clockwise from outside
    return points, _normals(points, triangles), triangles


def _normals(points: Array, triangles: NDArray[np.int64]) -> Array:
    """Outward unit normals (n, 3): area-weighted means over the triangles of a point."""
    corners = points[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    lengths = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return np.asarray(normals / lengths)


def _skin_weights(points: Array, solids: list[Solid]) -> Array:
    """(n, 22): joints whose solids are nearest move a point, blended over `_SKIN`."""
    distance = np.full((len(points), SMPL22.joint_count), np.inf)
    for solid in solids:
        column = distance[:, solid.joint]
        np.minimum(column, np.abs(solid.distance(points)), out=column)
    nearest = distance.min(1, keepdims=True)
    weights = np.exp(-((distance - nearest) / _SKIN))
    weights[weights < 0.02] = 0.0
    return np.asarray(weights / weights.sum(1, keepdims=True))
