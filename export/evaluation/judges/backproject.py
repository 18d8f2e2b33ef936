"""Scores of voxels as scores of pixels, as MVTec 3D-AD compares voxel methods with pictures.

Each voxel's eight corners are projected; every pixel in their convex hull gets the voxel's score,
and a pixel of several hulls the highest. Source: MVTec 3D-AD, section 4.1.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.volume.grid import GridSpec

CORNERS = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), axis=-1).reshape(-1, 3)


def pixel_scores(
    grid: GridSpec,
    ijk: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    rays: Rays,
    camera_from_grid: Transform,
) -> npt.NDArray[np.float32]:
    """(h, w) scores of voxels (n, 3), (n,); 0 where none falls, as one behind the camera does not.

    camera_from_grid maps the grid's frame to the camera's, mm.
    """
    picture = np.zeros(rays.x.shape, np.float32)
    low = np.asarray(grid.origin_mm) + grid.voxel_mm * ijk
    corners = low[:, None, :] + grid.voxel_mm * CORNERS
    camera = apply(camera_from_grid, corners.reshape(-1, 3)).reshape(-1, 8, 3)
    for at in np.argsort(score, kind="stable"):  # the highest paints last
        if score[at] > 0 and (camera[at, :, 2] > 0).all():
            hull = cv2.convexHull(np.rint(rays.project(camera[at])).astype(np.int32))
            cv2.fillConvexPoly(picture, hull, float(score[at]))
    return picture


def pinhole_rays(camera_matrix: npt.NDArray[np.float64], shape: tuple[int, int]) -> Rays:
    """Rays of a camera without distortion; shape (h, w)."""
    (fx, _, cx), (_, fy, cy), _ = camera_matrix.tolist()
    v, u = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    lens = np.array([fx, fy, cx, cy, 0, 0, 0, 0, 0], np.float64)
    return Rays((u - np.float32(cx)) / np.float32(fx), (v - np.float32(cy)) / np.float32(fy), lens)
