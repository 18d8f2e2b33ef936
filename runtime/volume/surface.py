"""The surface that every part must show, in pieces of one voxel: where, which way, how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.transforms import apply
from voxgate.runtime.volume.grid import GridSpec

GRAZING = 0.2  # cosine: flatter, a pixel shows more noise than surface
SAMPLES = 500_000  # pixels of a view that are looked at: some twenty in each voxel of 2 mm

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """One piece for each expected voxel ijk (n, 3), in the frame of the golden part.

    points_mm: (n, 3) float64, on the surface; normals: (n, 3) float64 of length 1, or 0 where the
    surface was not kept; area_mm2: (n,) float64.
    """

    ijk: npt.NDArray[np.int32]
    points_mm: Points
    normals: Points
    area_mm2: npt.NDArray[np.float64]

    @classmethod
    def of_voxels(cls, grid: GridSpec, ijk: npt.NDArray[np.int32]) -> Surface:
        """Where nothing is known but the voxels: their middles, a face of each."""
        area_mm2 = np.full(len(ijk), grid.voxel_mm**2)
        return cls(ijk, grid.centres_mm(ijk), np.zeros((len(ijk), 3)), area_mm2)

    @classmethod
    def of_views(
        cls,
        grid: GridSpec,
        ijk: npt.NDArray[np.int32],
        views: Sequence[ExpectedView],
        rays: Rays,
    ) -> Surface:
        """As golden views measured it: mean point and normal of what they saw in each voxel."""
        numbers = np.ravel_multi_index(tuple(ijk.T), grid.shape)
        order = np.argsort(numbers)
        sums = np.zeros((7, len(ijk)))  # number, points, normals
        area_mm2, views_of = np.zeros(len(ijk)), np.zeros(len(ijk))
        for view in views:
            points, normals, each_mm2 = _seen(view, rays)
            at = _find(grid.voxels_of(points), numbers[order], grid)
            known = at >= 0
            voxel = order[at[known]]
            columns = (np.ones(len(points)), *points.T, *normals.T)
            for row, column in zip(sums, columns, strict=True):
                row += np.bincount(voxel, column[known], minlength=len(ijk))
            seen_mm2 = np.bincount(voxel, each_mm2[known], minlength=len(ijk))
            area_mm2 += seen_mm2
            views_of += seen_mm2 > 0
        return _meaned(cls.of_voxels(grid, ijk), sums, area_mm2 / np.maximum(views_of, 1))


def _seen(view: ExpectedView, rays: Rays) -> tuple[Points, Points, npt.NDArray[np.float64]]:
    """Points and normals (n, 3) of the part in one golden view, part frame, and the area (n,) that
    each pixel shows, mm2."""
    step = max(1, round((rays.x.size / SAMPLES) ** 0.5))
    sparse = (slice(step // 2, None, step),) * 2
    part = view.measured[sparse]
    depth = view.depth_mm[sparse][part]
    camera = np.column_stack([rays.x[sparse][part] * depth, rays.y[sparse][part] * depth, depth])
    normals = view.plane[sparse][part][:, :3].astype(np.float64)
    away = np.linalg.norm(camera, axis=1)
    facing = np.abs((normals * camera).sum(axis=1)) / away
    across_mm2 = step**2 * depth.astype(np.float64) ** 2 / (rays.lens[0] * rays.lens[1])
    area_mm2 = across_mm2 / np.maximum(facing, GRAZING)
    part_from_camera = view.part_from_camera
    points = apply(part_from_camera, camera.astype(np.float64))
    return points, normals @ part_from_camera[:3, :3].T, area_mm2


def _find(
    ijk: npt.NDArray[np.int32], sorted_numbers: npt.NDArray[np.intp], grid: GridSpec
) -> npt.NDArray[np.intp]:
    """(n,) where each voxel (n, 3) stands among the sorted numbers; -1 where it does not."""
    inside = np.asarray(((ijk >= 0) & (ijk < grid.shape)).all(axis=1), np.bool_)
    numbers = np.ravel_multi_index(tuple(np.where(inside[:, None], ijk, 0).T), grid.shape)
    found = np.searchsorted(sorted_numbers, numbers)
    at: npt.NDArray[np.intp] = np.minimum(found, len(sorted_numbers) - 1)
    there: npt.NDArray[np.intp] = sorted_numbers[at]
    at[~inside] = at[there != numbers] = -1
    return at


def _meaned(plain: Surface, sums: Points, area_mm2: npt.NDArray[np.float64]) -> Surface:
    count = sums[0][:, None]
    length = np.linalg.norm(sums[4:], axis=0)[:, None]
    normals = np.divide(sums[4:].T, length, out=plain.normals.copy(), where=length > 0)
    return Surface(
        ijk=plain.ijk,
        points_mm=np.divide(sums[1:4].T, count, out=plain.points_mm.copy(), where=count > 0),
        normals=normals,
        area_mm2=np.where(area_mm2 > 0, area_mm2, plain.area_mm2),
    )
