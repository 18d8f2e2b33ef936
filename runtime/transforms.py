"""Rigid transforms: 4x4 float64 `a_from_b`, millimetres, quaternions in [w, x, y, z] order."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    x, y, z, last = a_from_b.tolist()  # a robot sends hundreds a second: plain floats are quicker
    if not all(map(math.isfinite, (*x, *y, *z, *last))):
        raise ValueError("a transform must be finite, got NaN or infinity")
    dots = (_dot(x, x) - 1, _dot(y, y) - 1, _dot(z, z) - 1, _dot(x, y), _dot(y, z), _dot(z, x))
    if max(map(abs, dots)) > RIGID_TOLERANCE:
        raise ValueError("the rotation of a transform must be orthonormal")
    if _dot(_cross(x, y), z) < 0:
        raise ValueError("a transform must not mirror: its determinant is -1, expected +1")
    if last != [0.0, 0.0, 0.0, 1.0]:
        raise ValueError(f"the last row of a transform is 0 0 0 1, got {last}")
    return a_from_b


def check_rigid(a_from_b: Transform) -> None:
    """Raises ValueError as `rigid`. What cannot be written to is looked at once, while it is the
    newest: a robot that stands still is at one place hundreds of times a second.
    """
    if a_from_b is _checked[0]:
        return
    rigid(a_from_b)
    if isinstance(a_from_b, np.ndarray) and not a_from_b.flags.writeable:
        _checked[0] = a_from_b


_checked: list[Transform | None] = [None]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def from_position_quaternion(p_mm: Sequence[float], q_wxyz: Sequence[float]) -> Transform:
    """`a_from_b` from the position of b's origin in a, 3 numbers, mm, and a unit quaternion, 4.

    Raises ValueError when a number is not finite or the quaternion is not of unit length.
    """
    if len(p_mm) != 3 or len(q_wxyz) != 4:
        raise ValueError(f"expected 3 and 4 numbers, got {len(p_mm)} and {len(q_wxyz)}")
    if not all(map(math.isfinite, (*p_mm, *q_wxyz))):
        raise ValueError("position and quaternion must be finite, got NaN or infinity")
    length = math.hypot(*q_wxyz)
    if abs(length - 1.0) > UNIT_QUATERNION_TOLERANCE:
        raise ValueError(f"the quaternion must have length 1, got {length:.4f}")
    w, x, y, z = (component / length for component in q_wxyz)
    px, py, pz = p_mm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), px],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), py],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y), pz],
            [0.0, 0.0, 0.0, 1.0],
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
