"""Hand-eye in closed form: AX = XB (Park and Martin 1994) and AX = ZB (Shah 2013), and how well
the robot's motions can settle it.

Camera on the robot: mount = base_from_flange, X = flange_from_camera, Z = base_from_board.
Camera beside the robot: mount = flange_from_base, X = base_from_camera, Z = flange_from_board.
Either way  mount_i @ X @ camera_from_board_i = Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import inverse, mean_transform, nearest_rotation
from voxgate.runtime.transforms import Transform

MIN_POSES = 3
LEAST_TURN_DEG = 5.0  # rms turn about the second axis; below it noise decides


def solve_ax_xb(mounts: Array, camera_from_board: Array) -> Transform:
    """X from relative motions of all pairs of poses; mounts, camera_from_board (v, 4, 4).

    Rotation: Park and Martin equation 19, as the rotation that takes the camera's rotation vectors
    to the mount's. Translation: linear least squares of their equation 22.
    """
    a, b = relative(mounts, camera_from_board)
    x = np.eye(4)
    x[:3, :3] = turn_of_x(a, b)
    left = (a[:, :3, :3] - np.eye(3)).reshape(-1, 3)
    right = (b[:, :3, 3] @ x[:3, :3].T - a[:, :3, 3]).reshape(-1)
    x[:3, 3] = np.linalg.lstsq(left, right, rcond=None)[0]
    return x


def turn_of_x(a: Array, b: Array) -> Array:
    """(3, 3) rotation of X from relative motions (p, 4, 4) of mount and camera."""
    return nearest_rotation(_turns(a).T @ _turns(b))


def solve_ax_zb(mounts: Array, camera_from_board: Array) -> tuple[Array, Array]:
    """X and Z at once, from the poses themselves: Kronecker products, then least squares.

    mounts, camera_from_board: (..., v, 4, 4), sets of v poses; X and Z: (..., 4, 4), one of a set.
    """
    turn_m, turn_t = mounts[..., :3, :3], camera_from_board[..., :3, :3]
    # R_m R_x R_t = R_z, stacked by columns: vec(R_z) = (R_t' x R_m) vec(R_x)
    product = np.einsum("...vji,...vkl->...ikjl", turn_t, turn_m)
    u, _, vt = np.linalg.svd(product.reshape(*mounts.shape[:-3], 9, 9))
    vector_x, vector_z = _stacked_by_columns(vt[..., 0, :]), _stacked_by_columns(u[..., :, 0])
    sign = np.sign(np.linalg.det(vector_x))[..., None, None]
    x, z = np.broadcast_to(np.eye(4), (2, *vector_x.shape[:-2], 4, 4)).copy()
    x[..., :3, :3] = nearest_rotation(vector_x * sign)
    z[..., :3, :3] = nearest_rotation(vector_z * sign)
    eyes = np.broadcast_to(-np.eye(3), turn_m.shape)
    left = np.concatenate([turn_m, eyes], axis=-1).reshape(*mounts.shape[:-3], -1, 6)
    seen = np.einsum("...ij,...vj->...vi", x[..., :3, :3], camera_from_board[..., :3, 3])
    right = -(mounts[..., :3, 3] + np.einsum("...vij,...vj->...vi", turn_m, seen))
    inverted = np.linalg.pinv(left, rcond=np.finfo(float).eps * left.shape[-2])
    solution = np.einsum("...ij,...j->...i", inverted, right.reshape(left.shape[:-1]))
    x[..., :3, 3], z[..., :3, 3] = solution[..., :3], solution[..., 3:]
    return x, z


def _stacked_by_columns(vector: Array) -> Array:
    """(..., 9) as (..., 3, 3)."""
    return np.swapaxes(vector.reshape(*vector.shape[:-1], 3, 3), -1, -2)


def board_place(mounts: Array, x: Transform, camera_from_board: Array) -> Transform:
    """Z, the mean of what each pose says."""
    return mean_transform(mounts @ x @ camera_from_board)


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """About which axes the mount was turned.

    spread_deg: (3,) rms turn between two poses about each axis, largest first; axes: (3, 3), the
    axes as rows, in the mount's frame.
    """

    spread_deg: Array
    axes: Array

    @property
    def enough(self) -> bool:
        """Whether turns about at least two axes settle X."""
        return bool(self.spread_deg[1] >= LEAST_TURN_DEG)


def turns(mounts: Array) -> Turns:
    """What the poses (v, 4, 4) turn about; one axis alone leaves X undetermined (Tsai 1989)."""
    vectors = np.degrees(_turns(_pairs(mounts)))
    _, size, axes = np.linalg.svd(vectors, full_matrices=True)
    spread = np.zeros(3)
    spread[: len(size)] = size[:3] / np.sqrt(max(1, len(vectors)))
    return Turns(spread, axes[:3])


def relative(mounts: Array, camera_from_board: Array) -> tuple[Array, Array]:
    """a (p, 4, 4) of the mount and b of the camera, a X = X b."""
    first, second = np.triu_indices(len(mounts), 1)
    a = inverse(mounts[first]) @ mounts[second]
    b = camera_from_board[first] @ inverse(camera_from_board[second])
    return a, b


def _pairs(mounts: Array) -> Array:
    first, second = np.triu_indices(len(mounts), 1)
    pairs: Array = inverse(mounts[first]) @ mounts[second]
    return pairs


def _turns(transforms: Array) -> Array:
    return np.asarray(Rotation.from_matrix(transforms[:, :3, :3]).as_rotvec())
