"""Rotations and rigid motion on tensors with any batch dimensions ``(...)``.

Quaternions are w-first here, as in the motion field (roma's own are w-last). The 6D form is
InterHuman's: the first two *columns* of the matrix written row by row,
``r00 r01 r10 r11 r20 r21``. Inter-X keeps the first two *rows* instead; see `matrix_to_rows6d`.
"""

from __future__ import annotations

import roma
import torch
from torch import Tensor

from intermask.skeleton import SMPL22

_HIPS = SMPL22.indices("right_hip", "left_hip")

MIN_HIP_SPAN = 0.05
"""Metres of horizontal hip vector below which it does not tell where a person faces."""


def quaternion_multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product (..., 4) of w-first quaternions: rotate by ``b``, then by ``a``."""
    aw, av = a[..., :1], a[..., 1:]
    bw, bv = b[..., :1], b[..., 1:]
    w = aw * bw - (av * bv).sum(-1, keepdim=True)
    return torch.cat((w, aw * bv + bw * av + torch.linalg.cross(av, bv)), -1)


def quaternion_inverse(q: Tensor) -> Tensor:
    """Inverse (..., 4) of a unit quaternion, w first."""
    return q * q.new_tensor((1.0, -1.0, -1.0, -1.0))


def quaternion_rotate(q: Tensor, v: Tensor) -> Tensor:
    """Vectors (..., 3) turned by unit quaternions (..., 4), w first; shapes broadcast."""
    w, u = q[..., :1], q[..., 1:]
    u, v = torch.broadcast_tensors(u, v)
    uv = torch.linalg.cross(u, v)
    return v + 2 * (w * uv + torch.linalg.cross(u, uv))


def quaternion_between(v0: Tensor, v1: Tensor) -> Tensor:
    """Unit quaternion (..., 4), w first, that turns ``v0`` (..., 3) to ``v1`` the short way.

    Opposite vectors have no single short way: the half-turn about y is taken when they are
    horizontal (facing exactly backwards), about an orthogonal axis otherwise. A zero vector turns
    nothing.
    """
    normalize = torch.nn.functional.normalize
    v0, v1 = torch.broadcast_tensors(normalize(v0, dim=-1), normalize(v1, dim=-1))
    cross = torch.linalg.cross(v0, v1)
    sine, cosine = cross.norm(dim=-1, keepdim=True), (v0 * v1).sum(-1, keepdim=True)
    # From the half angle: the shorter form (|v0||v1| + v0.v1, v0 x v1) loses all digits in float32
    # where the vectors are nearly opposite, and people who face backwards are common.
    half = torch.atan2(sine, cosine) / 2
    up = v0.new_tensor((0.0, 1.0, 0.0)).expand_as(v0)
    side = v0.new_tensor((1.0, 0.0, 0.0)).expand_as(v0)
    orthogonal = torch.where(v0[..., 1:2].abs() < 1e-6, up, torch.linalg.cross(v0, side))
    opposite = (cosine < 0) & (sine < 1e-6)
    axis = normalize(torch.where(opposite, orthogonal, cross), dim=-1)
    return torch.cat((half.cos(), half.sin() * axis), -1)


def rotation_between(v0: Tensor, v1: Tensor) -> Tensor:
    """Matrix (..., 3, 3) of the shortest turn from ``v0`` to ``v1``."""
    return quaternion_to_matrix(quaternion_between(v0, v1))


def quaternion_to_matrix(q: Tensor) -> Tensor:
    """Matrix (..., 3, 3) of a unit quaternion (..., 4), w first."""
    return roma.unitquat_to_rotmat(roma.quat_wxyz_to_xyzw(q))


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Unit quaternion (..., 4), w first, of rotation matrices (..., 3, 3)."""
    return roma.quat_xyzw_to_wxyz(roma.rotmat_to_unitquat(matrix))


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Matrix (..., 3, 3) of rotation vectors (..., 3) in radians."""
    return roma.rotvec_to_rotmat(axis_angle)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Rotation vectors (..., 3) in radians of matrices (..., 3, 3)."""
    return roma.rotmat_to_rotvec(matrix)


def yaw_matrix(angle: Tensor) -> Tensor:
    """Matrix (..., 3, 3) of a turn by ``angle`` (...) radians about +y (from +z towards +x)."""
    axis = angle.new_tensor((0.0, 1.0, 0.0))
    return roma.rotvec_to_rotmat(angle[..., None] * axis)


def orthonormalise(first: Tensor, second: Tensor) -> Tensor:
    """Gram-Schmidt: a rotation matrix (..., 3, 3) with columns near the two vectors (..., 3)."""
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack((x, y, torch.linalg.cross(x, y)), -1)


def rot6d_to_matrix(rot6d: Tensor) -> Tensor:
    """Matrix (..., 3, 3) of InterHuman's interleaved 6D form (..., 6) by Gram-Schmidt."""
    columns = rot6d.unflatten(-1, (3, 2))
    return orthonormalise(columns[..., 0], columns[..., 1])


def matrix_to_rot6d(matrix: Tensor) -> Tensor:
    """InterHuman's interleaved 6D form (..., 6) of matrices (..., 3, 3)."""
    return matrix[..., :2].flatten(-2)


def columns6d_to_matrix(columns: Tensor) -> Tensor:
    """Matrix of 6D numbers (..., 6) read as two concatenated columns.

    The released geodesic loss reads InterHuman's interleaved numbers this way (method, 1 and 3).
    """
    return orthonormalise(columns[..., :3], columns[..., 3:])


def rows6d_to_matrix(rows: Tensor) -> Tensor:
    """Matrix (..., 3, 3) of Inter-X's 6D form (..., 6): its first two rows, concatenated."""
    return orthonormalise(rows[..., :3], rows[..., 3:]).transpose(-1, -2)


def matrix_to_rows6d(matrix: Tensor) -> Tensor:
    """Inter-X's 6D form (..., 6) of matrices (..., 3, 3)."""
    return matrix[..., :2, :].flatten(-2)


def geodesic_angle(a: Tensor, b: Tensor) -> Tensor:
    """Angle (...) in radians between rotation matrices (..., 3, 3), exact near zero."""
    return roma.rotmat_geodesic_distance(a, b)


def facing_direction(positions: Tensor) -> Tensor:
    """Horizontal unit vector (..., 3) a person faces: cross(y, right hip to left hip).

    Where the horizontal hip vector is shorter than `MIN_HIP_SPAN` (a person lying on a side), the
    hips say nothing. Then the spine does: whoever lies on a side faces along cross(hips, spine),
    which is horizontal; if that fails too (upside down on one hip), +z is taken.

    Args:
        positions: (..., 22, 3) metres, y up.
    """
    across = positions[..., _HIPS[1], :] - positions[..., _HIPS[0], :]
    facing = _horizontal_facing(across)
    upright = hips_are_upright(positions)
    if not bool(upright.all()):
        spine = positions[..., SMPL22.index("neck"), :] - positions[..., 0, :]
        forward = torch.linalg.cross(across, spine)
        horizontal = forward * forward.new_tensor((1.0, 0.0, 1.0))
        usable = horizontal.norm(dim=-1, keepdim=True) > 1e-4
        ahead = torch.zeros_like(facing)
        ahead[..., 2] = 1.0
        fallback = torch.where(usable, torch.nn.functional.normalize(horizontal, dim=-1), ahead)
        facing = torch.where(upright[..., None], facing, fallback)
    return facing


def hips_are_upright(positions: Tensor) -> Tensor:
    """Whether (...) the horizontal hip vector is long enough to tell the facing of (..., 22, 3)."""
    across = positions[..., _HIPS[1], :] - positions[..., _HIPS[0], :]
    return across[..., (0, 2)].norm(dim=-1) >= MIN_HIP_SPAN


def _horizontal_facing(across_to_left: Tensor) -> Tensor:
    """cross(left-to-right hip..., up) laid flat: with left along +x this is +z."""
    facing = torch.stack(
        (-across_to_left[..., 2], torch.zeros_like(across_to_left[..., 0]), across_to_left[..., 0]),
        -1,
    )
    return torch.nn.functional.normalize(facing, dim=-1)
