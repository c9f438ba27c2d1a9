"""The body surface is closed, follows its joints and has a person's size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from intermask.export.mannequin import Mannequin, build_mannequin
from intermask.export.solids import Solid
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, SMPLX55
from people55 import rest_joints


@pytest.fixture(scope="module")
def body() -> Mannequin:
    return build_mannequin(np.array(MEAN_ADULT_OFFSETS))


def assert_closed(body: Mannequin) -> None:
    """Every edge is passed as often one way as the other: nothing is open, nothing turned."""
    edges = body.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    there, counts = np.unique(edges, axis=0, return_counts=True)
    back, back_counts = np.unique(edges[:, ::-1], axis=0, return_counts=True)
    np.testing.assert_array_equal(there, back)
    np.testing.assert_array_equal(counts, back_counts)
    assert (counts == 1).mean() > 0.999  # but where two parts of the surface touch


def test_surface_is_closed_and_faces_outwards(body: Mannequin) -> None:
    assert_closed(body)
    corners = body.points[body.triangles]
    volume = np.einsum("na,na->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.04 < volume < 0.10  # cubic metres: a person is about 0.07
    outwards = np.einsum("na,na->n", body.points - body.points.mean(0), body.normals)
    assert (outwards > 0).mean() > 0.7


def test_bound_pose_comes_back(body: Mannequin) -> None:
    points, normals = body.posed(body.joint_positions, body.joint_rotations)
    np.testing.assert_allclose(points, body.points, atol=1e-5)
    np.testing.assert_allclose(normals, body.normals, atol=1e-4)


def test_surface_moves_rigidly_with_all_joints(body: Mannequin) -> None:
    turn = Rotation.from_rotvec((0.3, 2.0, -0.5)).as_matrix()
    shift = np.array((1.0, 0.2, -3.0))
    points, normals = body.posed(body.joint_positions @ turn.T + shift, turn @ body.joint_rotations)
    np.testing.assert_allclose(points, body.points @ turn.T + shift, atol=1e-4)
    np.testing.assert_allclose(normals, body.normals @ turn.T, atol=1e-4)


def test_every_joint_but_the_inner_ones_moves_something(body: Mannequin) -> None:
    np.testing.assert_allclose(body.weights.sum(1), 1.0, atol=1e-5)
    assert (body.weights.max(0) > 0.5).all(), [
        name
        for name, weight in zip(SMPL22.names, body.weights.max(0), strict=True)
        if weight <= 0.5
    ]


def test_small_and_tall_people() -> None:
    heights = []
    for scale in (0.7, 1.15):
        points = build_mannequin(np.array(MEAN_ADULT_OFFSETS) * scale).points
        heights.append(points[:, 1].max() - points[:, 1].min())
    assert heights[0] == pytest.approx(0.7 / 1.15 * heights[1], rel=0.03)
    assert 1.7 < heights[1] < 2.2


def test_hands_have_fingers_that_move_alone() -> None:
    rest = rest_joints()
    offsets = rest - rest[[max(parent, 0) for parent in SMPLX55.parents]]
    body = build_mannequin(offsets)
    np.testing.assert_allclose(body.weights.sum(1), 1.0, atol=1e-5)
    fingers = np.arange(25, 55)
    assert (body.weights[:, fingers].max(0) > 0.5).all()
    assert_closed(body)  # body and hands
    # Bend the last joint of one finger: only its tip moves, and it moves by that angle.
    joint = SMPLX55.index("left_index3")
    turns = body.joint_rotations.copy()
    bend = Rotation.from_rotvec((0.0, 0.0, -1.0)).as_matrix()
    turns[joint] = bend @ turns[joint]
    points, _ = body.posed(body.joint_positions, turns)
    moved = np.linalg.norm(points - body.points, axis=1) > 1e-4
    assert 20 < moved.sum() < 2000
    assert (body.weights[moved, joint] > 0).all()
    assert np.linalg.norm(points[moved] - body.joint_positions[joint], axis=1).max() < 0.05


def test_fingers_do_not_flow_together() -> None:
    rest = rest_joints()
    body = build_mannequin(rest - rest[[max(parent, 0) for parent in SMPLX55.parents]])
    first, second = (
        body.points[body.weights[:, SMPLX55.index(f"left_{finger}3")] > 0.9]
        for finger in ("index", "middle")
    )
    gaps = np.linalg.norm(first[:, None] - second[None], axis=-1)
    assert gaps.min() > 0.002


def test_solids_measure_distance() -> None:
    cone = Solid(0, np.zeros(3), np.array((0.0, 1.0, 0.0)), (0.2, 0.1))
    points = np.array(((0.5, 0.0, 0.0), (0.5, 1.0, 0.0), (0.0, 0.5, 0.0), (0.0, 2.0, 0.0)))
    np.testing.assert_allclose(cone.distance(points), (0.3, 0.4, -0.15, 0.9))
    ball = Solid(0, np.zeros(3), np.zeros(3), (0.2, 0.2, 0.2), np.eye(3))
    np.testing.assert_allclose(ball.distance(points[:1]), 0.3)
