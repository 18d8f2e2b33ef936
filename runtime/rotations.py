"""Rotations as matrices, unit quaternions [w, x, y, z] and rotation vectors, many at once.

What scipy.spatial does likewise, whose import takes a service half as long as numba's: nothing of
it is loaded on the way of a frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def quaternions(turns: Array) -> Array:
    """(n, 4) of rotation matrices (n, 3, 3), w >= 0.

    Each row of 4 q q' is q times one of its own components: the largest one's loses no digits
    (Shepperd 1978, "Quaternion from rotation matrix").
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = np.moveaxis(turns, 0, -1)
    of_w = [1 + xx + yy + zz, zy - yz, xz - zx, yx - xy]
    of_x = [zy - yz, 1 + xx - yy - zz, xy + yx, xz + zx]
    of_y = [xz - zx, xy + yx, 1 - xx + yy - zz, yz + zy]
    of_z = [yx - xy, xz + zx, yz + zy, 1 - xx - yy + zz]
    products = np.moveaxis(np.array([of_w, of_x, of_y, of_z]), -1, 0)
    largest = np.einsum("nii->ni", products).argmax(axis=1)
    found = products[np.arange(len(products)), largest]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.where(found[:, :1] < 0, -found, found))


def matrices(wxyz: Array) -> Array:
    """(n, 3, 3) of unit quaternions (n, 4)."""
    w, x, y, z = wxyz.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def vectors(turns: Array) -> Array:
    """(n, 3) rotation vectors of matrices (n, 3, 3): along the axis, as long as the angle, rad."""
    wxyz = quaternions(turns)
    sine = np.linalg.norm(wxyz[:, 1:], axis=1)
    angle = 2 * np.arctan2(sine, wxyz[:, 0])
    scale = np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 0)
    return np.asarray(wxyz[:, 1:] * scale[:, None])


def turned_by(rotation_vectors: Array) -> Array:
    """(n, 3, 3) of rotation vectors (n, 3), rad."""
    half = np.linalg.norm(rotation_vectors, axis=1) / 2
    sines = rotation_vectors * (np.sinc(half / np.pi) / 2)[:, None]
    return matrices(np.column_stack([np.cos(half), sines]))


def interpolated(at: Array, times: Array, turns: Array) -> Array:
    """(n, 3, 3) at instants `at` (n,) within `times` (m,), which increase: between two of turns
    (m, 3, 3) about one axis, evenly (Shoemake 1985, slerp).
    """
    before = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    share = (at - times[before]) / np.diff(times)[before]
    start = turns[before]
    step = vectors(np.swapaxes(start, 1, 2) @ turns[before + 1])
    return np.asarray(start @ turned_by(share[:, None] * step))
