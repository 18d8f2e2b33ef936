"""Rigid transforms: 4x4 float64 `a_from_b`, millimetres, quaternions in [w, x, y, z] order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Transform = npt.NDArray[np.float64]
"""(4, 4) float64 rigid transform `a_from_b`: maps points of frame b, mm, into frame a."""

# float32 quaternions on the wire are off by 1e-7; a forgotten normalisation is off by far more
UNIT_QUATERNION_TOLERANCE = 1e-3
RIGID_TOLERANCE = 1e-4


def rigid(matrix: npt.ArrayLike) -> Transform:
    """A checked copy of `matrix`: (4, 4), finite, rotation orthonormal and right-handed.

    Raises ValueError with what is wrong otherwise.
    """
    a_from_b = np.array(matrix, dtype=np.float64)
    if a_from_b.shape != (4, 4):
        raise ValueError(f"a transform is 4x4, got shape {a_from_b.shape}")
    if not np.isfinite(a_from_b).all():
        raise ValueError("a transform must be finite, got NaN or infinity")
    rotation = a_from_b[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > RIGID_TOLERANCE:
        raise ValueError("the rotation of a transform must be orthonormal")
    if np.linalg.det(rotation) < 0:
        raise ValueError("a transform must not mirror: its determinant is -1, expected +1")
    if np.abs(a_from_b[3] - (0.0, 0.0, 0.0, 1.0)).max() > 0:
        raise ValueError(f"the last row of a transform is 0 0 0 1, got {a_from_b[3].tolist()}")
    return a_from_b


def from_position_quaternion(p_mm: npt.ArrayLike, q_wxyz: npt.ArrayLike) -> Transform:
    """`a_from_b` from the position of b's origin in a, (3,) mm, and a unit quaternion, (4,).

    Raises ValueError when a number is not finite or the quaternion is not of unit length.
    """
    p = np.asarray(p_mm, dtype=np.float64)
    q = np.asarray(q_wxyz, dtype=np.float64)
    if p.shape != (3,) or q.shape != (4,):
        raise ValueError(f"expected 3 and 4 numbers, got shapes {p.shape} and {q.shape}")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise ValueError("position and quaternion must be finite, got NaN or infinity")
    length = float(np.linalg.norm(q))
    if abs(length - 1.0) > UNIT_QUATERNION_TOLERANCE:
        raise ValueError(f"the quaternion must have length 1, got {length:.4f}")
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = _rotation(q / length)
    a_from_b[:3, 3] = p
    return a_from_b


def _rotation(q_wxyz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    w, x, y, z = q_wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def invert(a_from_b: Transform) -> Transform:
    """`b_from_a`, exact for a rigid transform (transpose, no general inverse)."""
    b_from_a = np.eye(4)
    b_from_a[:3, :3] = a_from_b[:3, :3].T
    b_from_a[:3, 3] = -a_from_b[:3, :3].T @ a_from_b[:3, 3]
    return b_from_a


def apply(a_from_b: Transform, points_b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points (..., 3) of frame b in frame a, mm."""
    points_a: npt.NDArray[np.float64] = points_b @ a_from_b[:3, :3].T + a_from_b[:3, 3]
    return points_a


def distance_mm(a: Transform, b: Transform) -> float:
    """Distance between the origins of two poses in one frame."""
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3]))


def angle_deg(a: Transform, b: Transform) -> float:
    """Angle of the rotation that takes one pose's axes to the other's, 0..180.

    From the skew part and the trace together (atan2), so that it is exact near 0 and near 180,
    where the arc cosine of the trace alone loses half its digits.
    """
    delta = a[:3, :3].T @ b[:3, :3]
    skew = delta - delta.T
    sine = np.linalg.norm((skew[2, 1], skew[0, 2], skew[1, 0])) / 2
    return float(np.degrees(np.arctan2(sine, (np.trace(delta) - 1) / 2)))
