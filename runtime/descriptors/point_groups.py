"""A depth map as Point-MAE takes it: farthest points, their neighbours, who is near each pixel.

As CFM (Costanzino et al., CVPR 2024) and M3DM prepare MVTec 3D-AD: the organised cloud in metres,
padded to a square without points, every nearest of side_px x side_px pixels; farthest point
sampling (from the first point on, row by row), the nearest points of each centre, and of each pixel
its three nearest centres, weighted by the inverse of their squared distances. It is done here and
not in the graph: one rounding in another order and the sampling goes another way, so that no two
engines would see the same groups; and a loop of a thousand rounds is none of a GPU's strengths.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voxgate.runtime.descriptors.point_group_kernels import NEAR, group_points
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.recipe.sections.shapes import PointsSection

MM_PER_M = 1000.0
NOT_ZERO_M2 = 1e-8  # added to a squared distance before it is inverted, as published

Floats = npt.NDArray[np.float64]


def point_groups(depth_mm: DepthMap, rays: Rays, section: PointsSection) -> npt.NDArray[np.float32]:
    """(rows, 3) float32 of depth (h, w) mm; NaN or 0 = no return.

    Rows, one block after the other: the centres (camera frame, m); the members of each group less
    their centre; for each pixel, row by row, the numbers of its three nearest centres; their
    shares, 0 where there is no point. Of equally far or near points the first counts; with fewer
    points than asked for some stand twice.
    """
    cloud, measured = sampled_cloud(depth_mm, rays, section)
    found = np.zeros((section.rows, 3), np.float32)
    points = cloud[measured]
    if len(points):
        _fill(found, points, np.flatnonzero(measured), section)
    return found


def sampled_cloud(
    depth_mm: DepthMap, rays: Rays, section: PointsSection
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(side * side, 3) points, m, camera frame, and which pixels have one. Raises ValueError."""
    if depth_mm.shape != rays.x.shape:
        raise ValueError(f"depth {depth_mm.shape} and rays {rays.x.shape} must have one shape")
    rows, columns = (
        _nearest_px(n, max(depth_mm.shape) if section.fit == "pad" else n, section.side_px)
        for n in depth_mm.shape
    )
    inside = (rows >= 0)[:, None] & (columns >= 0)[None, :]
    at = np.ix_(np.maximum(rows, 0), np.maximum(columns, 0))
    z = np.where(inside, np.nan_to_num(depth_mm[at], nan=0.0), 0.0).astype(np.float64) / MM_PER_M
    points = np.stack([rays.x[at] * z, rays.y[at] * z, z], axis=-1)
    return points.reshape(-1, 3), z.reshape(-1) > 0


def warm_up() -> None:
    """Compile (or load) the kernel of this file."""
    _fill(np.zeros((4 * 2 + 2 * 64, 3), np.float32), np.eye(3), np.arange(3), _SMALL)


_SMALL = PointsSection(groups=4, group_size=1, side_px=8)


def _nearest_px(n: int, padded: int, side: int) -> npt.NDArray[np.intp]:
    """(side,) the pixel of n that each of side stands for; -1 in the padding on both sides."""
    at = np.arange(side) * padded // side - (padded - n) // 2
    return np.where((at >= 0) & (at < n), at, -1)


def _fill(
    found: npt.NDArray[np.float32],
    points: Floats,
    pixel: npt.NDArray[np.intp],
    asked: PointsSection,
) -> None:
    centre = np.zeros(asked.groups, np.int64)
    member = np.zeros((asked.groups, asked.group_size), np.int64)
    near = np.zeros((len(points), NEAR), np.int64)
    distance2 = np.full((len(points), NEAR), np.inf)
    group_points(points, centre, member, near, distance2)
    share = 1.0 / (distance2 + NOT_ZERO_M2)
    share /= share.sum(axis=1, keepdims=True)
    members, pixels = asked.groups * asked.group_size, asked.side_px**2
    blocks = np.split(found, np.cumsum([asked.groups, members, pixels]))
    blocks[0][:] = points[centre]
    blocks[1][:] = (points[member] - points[centre][:, None]).reshape(-1, 3)
    blocks[2][pixel], blocks[3][pixel] = near, share
