"""A smooth body around the joints: a closed surface that follows a person's rotations.

With SMPL-X's 55 joints the hands are surfaces of their own, with fingers. A surface is a blend of
simple solids (cones with round ends, ellipsoids) around each person's own bones, cut out of a
distance field once, and then bound to the joints (linear blend skinning). No licensed body model is
needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from intermask.export.hands import HAND_DETAIL, add_hand
from intermask.export.solids import BODY_DETAIL, Builder, Detail, Solid
from intermask.export.surface import contour
from intermask.geometry import axis_angle_to_matrix
from intermask.kinematics import forward_kinematics, global_rotations
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, SMPLX55, Skeleton

MOVERS = 4
"""Joints that move a point of the surface in files, at most: what glTF and graphics cards take."""

Array = NDArray[np.float64]
Single = NDArray[np.float32]


@dataclass(frozen=True)
class Mannequin:
    """A body surface of n points and m triangles, bound to j joints: 22, or 55 with hands."""

    points: Single
    """(n, 3) metres in the bound pose."""
    normals: Single
    """(n, 3) unit vectors in the bound pose."""
    triangles: NDArray[np.int64]
    """(m, 3) point indices."""
    weights: Single
    """(n, j) how much each joint moves a point; rows sum to 1."""
    joint_positions: Array
    """(j, 3) of the bound pose."""
    joint_rotations: Array
    """(j, 3, 3) of the bound pose, in the world."""

    def posed(self, positions: Array, rotations: Array) -> tuple[Single, Single]:
        """Points and normals (n, 3) of the body in another pose.

        Args:
            positions: (j, 3) joints, metres.
            rotations: (j, 3, 3) of the joints in the world.
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
    """A body for the rest offsets (j, 3), metres, of one person; j is 22, or 55 with hands."""
    skeleton = SMPLX55 if len(offsets) == SMPLX55.joint_count else SMPL22
    joints, turns = _bound_pose(offsets, skeleton)
    size = girth(offsets)
    parts = [(_solids(Builder(skeleton, joints, turns, size)), BODY_DETAIL)]
    if skeleton is SMPLX55:
        for side in ("left", "right"):
            hand = Builder(skeleton, joints, turns, size)
            add_hand(hand, side)
            parts.append((hand.solids, HAND_DETAIL))
    surfaces = [_surface(solids, detail) for solids, detail in parts]
    weights = [
        _skin_weights(surface[0], solids, len(offsets), detail)
        for surface, (solids, detail) in zip(surfaces, parts, strict=True)
    ]
    counts = np.cumsum([0, *(len(surface[0]) for surface in surfaces)])
    return Mannequin(
        np.concatenate([points for points, _, _ in surfaces]).astype(np.float32),
        np.concatenate([normals for _, normals, _ in surfaces]).astype(np.float32),
        np.concatenate(
            [triangles + count for (_, _, triangles), count in zip(surfaces, counts, strict=False)]
        ),
        np.concatenate(weights).astype(np.float32),
        joints,
        turns,
    )


def strongest_weights(weights: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The joints (n, 4) that move each point most, and how much: 8-bit, rows sum to 255.

    Args:
        weights: (n, j), rows sum to 1.
    """
    movers = np.argsort(-weights, axis=1, kind="stable")[:, :MOVERS]
    chosen = np.take_along_axis(weights, movers, 1).astype(np.float64)
    chosen /= chosen.sum(1, keepdims=True)
    whole = np.rint(255 * chosen).astype(np.int64)
    whole[:, 0] += 255 - whole.sum(1)
    return np.where(whole > 0, movers, 0), whole.astype(np.uint8)


def girth(offsets: Array) -> float:
    """Size relative to the mean adult: follows the length of legs and spine, within reason."""
    chosen = list(SMPL22.indices("left_knee", "left_ankle", "spine2", "neck", "left_elbow"))
    length = np.linalg.norm(offsets[chosen], axis=1).sum()
    adult = np.linalg.norm(MEAN_ADULT_OFFSETS[chosen], axis=1).sum()
    return float(np.clip(length / adult, 0.6, 1.3))


def _bound_pose(offsets: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """Joint positions and world rotations with arms halfway down and legs a little apart."""
    vectors = torch.zeros(skeleton.joint_count, 3, dtype=torch.float64)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        vectors[skeleton.index(f"{side}_shoulder"), 2] = -0.75 * sign
        vectors[skeleton.index(f"{side}_hip"), 2] = 0.10 * sign
    rotations = axis_angle_to_matrix(vectors)
    root = torch.zeros(3, dtype=torch.float64)
    rest = torch.tensor(offsets, dtype=torch.float64)
    pose = rotations[0], rotations[1:]
    positions = forward_kinematics(rest, root, *pose, skeleton.parents)
    return positions.numpy(), global_rotations(*pose, skeleton.parents).numpy()


def _solids(body: Builder) -> list[Solid]:
    """The parts of the body in the bound pose; without hands, where they have joints."""
    _add_trunk(body)
    _add_head(body)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _add_arm(body, side, sign)
        _add_leg(body, side)
    return body.solids


def _add_trunk(body: Builder) -> None:
    body.ellipsoid("pelvis", body.place("pelvis", 0.0, -0.030, -0.014), 0.148, 0.125, 0.106)
    body.ellipsoid("spine1", body.place("spine1", 0.0, 0.025, 0.004), 0.138, 0.140, 0.098)
    body.ellipsoid("spine2", body.place("spine2", 0.0, 0.030, 0.002), 0.142, 0.150, 0.100)
    collars = 0.5 * (body.at["left_collar"] + body.at["right_collar"])
    chest = 0.60 * body.at["spine3"] + 0.40 * collars
    chest = chest + body.place("spine3", 0.0, 0.0, 0.010) - body.at["spine3"]
    body.ellipsoid("spine3", chest, 0.160, 0.165, 0.106)


def _add_head(body: Builder) -> None:
    head, place = "head", body.place
    body.cone("neck", place("neck", 0.0, -0.04, 0.0), place(head, 0.0, 0.03, 0.0), 0.060, 0.050)
    body.ellipsoid(head, place(head, 0.0, 0.105, 0.014), 0.078, 0.108, 0.094)
    jaw = place(head, 0.0, 0.035, 0.035), place(head, 0.0, 0.050, 0.055)
    nose = place(head, 0.0, 0.100, 0.100), place(head, 0.0, 0.072, 0.117)
    body.cone(head, *jaw, 0.050, 0.050)
    body.cone(head, *nose, 0.008, 0.013)


def _add_arm(body: Builder, side: str, sign: float) -> None:
    collar, shoulder, elbow, wrist = (
        f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist")
    )
    at, place = body.at, body.place
    muscle = 0.7 * at[elbow] + 0.3 * at[wrist]
    body.cone(collar, at[collar], at[shoulder], 0.062, 0.060)
    body.cone(shoulder, at[shoulder], at[elbow], 0.055, 0.037)
    body.cone(elbow, at[elbow], muscle, 0.034, 0.037)
    body.cone(elbow, muscle, at[wrist], 0.036, 0.025)
    if body.has_fingers:
        return
    body.ellipsoid(wrist, place(wrist, sign * 0.055, -0.004, 0.002), 0.062, 0.021, 0.042)
    body.ellipsoid(wrist, place(wrist, sign * 0.120, -0.012, -0.002), 0.066, 0.017, 0.037)
    thumb = place(wrist, sign * 0.030, -0.008, 0.030), place(wrist, sign * 0.085, -0.020, 0.058)
    body.cone(wrist, *thumb, 0.017, 0.013)


def _add_leg(body: Builder, side: str) -> None:
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


def _surface(solids: list[Solid], detail: Detail) -> tuple[Array, Array, NDArray[np.int64]]:
    """Points, normals and triangles of the smooth union of all solids."""
    corners = np.concatenate([np.stack((solid.start, solid.stop)) for solid in solids])
    reach = max(max(solid.radii) for solid in solids) + detail.margin
    low, high = corners.min(0) - reach, corners.max(0) + reach
    counts = np.ceil((high - low) / detail.grid).astype(int) + 1
    axes = [low[axis] + detail.grid * np.arange(counts[axis]) for axis in range(3)]
    field = np.ones(counts)
    for solid in solids:
        _join(field, axes, solid, detail)
    return contour(field, low, detail.grid)


def _join(field: Array, axes: list[Array], solid: Solid, detail: Detail) -> None:
    """Add a solid to the sampled field (x, y, z), in place; only samples near it are touched."""
    reach = max(solid.radii) + detail.margin
    low = np.minimum(solid.start, solid.stop) - reach
    high = np.maximum(solid.start, solid.stop) + reach
    box = tuple(slice(*np.searchsorted(axes[i], (low[i], high[i]))) for i in range(3))
    grid = np.stack(np.meshgrid(*(axes[i][box[i]] for i in range(3)), indexing="ij"), -1)
    before = field[box]
    distance = solid.distance(grid.reshape(-1, 3)).reshape(before.shape)
    blend = detail.blend
    overlap = np.maximum(blend - np.abs(before - distance), 0.0) / blend
    field[box] = np.minimum(before, distance) - overlap**2 * blend / 4.0


def _skin_weights(points: Array, solids: list[Solid], joints: int, detail: Detail) -> Array:
    """(n, joints): joints whose solids are nearest move a point, blended over `Detail.skin`."""
    distance = np.full((len(points), joints), np.inf)
    for solid in solids:
        column = distance[:, solid.joint]
        np.minimum(column, np.abs(solid.distance(points)), out=column)
    nearest = distance.min(1, keepdims=True)
    weights = np.exp(-((distance - nearest) / detail.skin))
    weights[weights < 0.02] = 0.0
    return np.asarray(weights / weights.sum(1, keepdims=True))
