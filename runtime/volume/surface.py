"""The surface that every part must show, in pieces of one voxel: where, which way, how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.surface_kernels import add_view

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
        sums = np.zeros((len(ijk), 7))  # number, points, normals
        area_mm2, views_of = np.zeros(len(ijk)), np.zeros(len(ijk))
        for view in views:
            seen_mm2 = _add(view, rays, grid, numbers[order], sums)
            area_mm2 += seen_mm2
            views_of += seen_mm2 > 0
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        mean_mm2 = area_mm2 / np.maximum(views_of, 1)
        return _meaned(cls.of_voxels(grid, ijk), sums[back].T, mean_mm2[back])


def _add(
    view: ExpectedView,
    rays: Rays,
    grid: GridSpec,
    numbers: npt.NDArray[np.intp],
    sums: Points,
) -> npt.NDArray[np.float64]:
    """One golden view into the sums (n, 7) of voxels by ascending number (n,); returns the area
    (n,) that it shows of each, mm2."""
    step = max(1, round((rays.x.size / SAMPLES) ** 0.5))
    area_mm2 = np.zeros(len(numbers))
    add_view(
        *(view.measured, view.depth_mm, rays.x, rays.y, view.plane, view.part_from_camera),
        *(step, 1.0 / float(rays.lens[0] * rays.lens[1]), GRAZING),
        *(np.asarray(grid.origin_mm), grid.voxel_mm, np.asarray(grid.shape)),
        *(numbers, sums, area_mm2),
    )
    return area_mm2


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


def warm_up() -> None:
    """Compile (or load) the kernel of this file."""
    plane = np.zeros((1, 1), np.float32)
    add_view(
        *(np.zeros((1, 1), np.bool_), plane, plane, plane, np.zeros((1, 1, 4), np.float32)),
        *(np.eye(4), 1, 1.0, GRAZING, np.zeros(3), 1.0, np.ones(3, np.int64)),
        *(np.zeros(1, np.intp), np.zeros((1, 7)), np.zeros(1)),
    )
