"""Small rigid motions: six numbers, rotation vector (rad) before translation (mm)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from voxgate.runtime.transforms import Transform

Array = npt.NDArray[np.float64]


def motion(twist: Array) -> Transform:
    """The transform that turns by twist[:3] about the origin, then shifts by twist[3:]."""
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec(twist[:3]).as_matrix()
    moved[:3, 3] = twist[3:]
    return moved


def twist_of(transform: Transform) -> Array:
    """The inverse of `motion`."""
    turn = Rotation.from_matrix(transform[:3, :3]).as_rotvec()
    return np.concatenate([turn, transform[:3, 3]])


def motions(twists: Array) -> Array:
    """`motion` of every row (n, 6): (n, 4, 4)."""
    moved = np.tile(np.eye(4), (len(twists), 1, 1))
    moved[:, :3, :3] = Rotation.from_rotvec(twists[:, :3]).as_matrix()
    moved[:, :3, 3] = twists[:, 3:]
    return moved


def twists_of(transforms: Array) -> Array:
    """`twist_of` of every transform (n, 4, 4): (n, 6)."""
    turns = Rotation.from_matrix(transforms[:, :3, :3]).as_rotvec()
    return np.concatenate([turns, transforms[:, :3, 3]], axis=1)


def skew(vectors: Array) -> Array:
    """(..., 3, 3) matrices that take the cross product with vectors (..., 3) from the left."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def adjoint(transforms: Array) -> Array:
    """(..., 6, 6): a_from_b (..., 4, 4) takes a small motion in b to the same motion in a."""
    turn, shift = transforms[..., :3, :3], transforms[..., :3, 3]
    found = np.zeros((*transforms.shape[:-2], 6, 6))
    found[..., :3, :3] = turn
    found[..., 3:, 3:] = turn
    found[..., 3:, :3] = skew(shift) @ turn
    return found


def inverse(transforms: Array) -> Array:
    """Inverses of rigid transforms (..., 4, 4)."""
    turned = np.swapaxes(transforms[..., :3, :3], -1, -2)
    found = np.zeros_like(transforms)
    found[..., :3, :3] = turned
    found[..., :3, 3] = -np.einsum("...ij,...j->...i", turned, transforms[..., :3, 3])
    found[..., 3, 3] = 1.0
    return found


def mean_transform(transforms: Array | Sequence[Transform]) -> Transform:
    """Chordal mean of the rotations and mean of the positions of transforms (n, 4, 4)."""
    stacked = np.asarray(transforms)
    found = np.eye(4)
    found[:3, :3] = nearest_rotation(stacked[:, :3, :3].sum(axis=0))
    found[:3, 3] = stacked[:, :3, 3].mean(axis=0)
    return found


def nearest_rotation(matrix: Array) -> Array:
    """The rotations nearest to matrices (..., 3, 3) in the Frobenius norm, by their SVD."""
    u, _, vt = np.linalg.svd(matrix)
    u[..., :, 2] *= np.linalg.det(u @ vt)[..., None]
    turn: Array = u @ vt
    return turn


def rotation_deg(transforms: Array) -> Array:
    """Angles of the rotations of transforms (..., 4, 4)."""
    flat = transforms.reshape(-1, 4, 4)
    angles = np.degrees(Rotation.from_matrix(flat[:, :3, :3]).magnitude())
    return np.asarray(angles).reshape(transforms.shape[:-2])
