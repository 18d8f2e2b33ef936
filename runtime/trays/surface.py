"""An instance as signed distances on a grid: all its views averaged, + outside, - inside.

After Curless and Levoy (1996), with the distance to the plane through a pixel's surroundings in
place of the distance along the ray, which is too large wherever a surface is seen aslant. Where the
views of a voxel contradict each other, as within thin walls, the average is no surface, and nothing
is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.plane_kernels import fit_planes
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.scenes.scene import SceneView
from voxgate.runtime.transforms import Transform, invert
from voxgate.runtime.trays.ground import Ground, Heights
from voxgate.runtime.trays.kernels.surface import add_view, agree, find_steady

Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

VOXEL_PX = 1.25  # of what a pixel spans: finer than that the views repeat themselves
REACH_VOXELS = 3.0  # farther from a surface nothing is told but that it is free
LEAST_WEIGHT = 0.4  # of one view that looks at a surface squarely
FREE_WEIGHT = 0.5  # of a ray that passed by
CONTRADICTED_VOXELS = 0.45  # standard deviation of what the views say of a voxel
STEADY_SHARE = 0.13  # of the views that look squarely at a voxel whose surface is believed
SLOPE = (0.6, 1.4)  # a distance grows by a millimetre a millimetre, or it is none
SUMS = 6  # of a voxel: distance, its square, weight, rays that passed by, that passed, that ended
DOUBT_RAYS = 4  # half of them pass: so much weighs that nothing is known before a ray comes
NEAR_VOXELS = 5  # from any surface: what lies farther off, no comparison looks at
EDGE_SHARE = 0.012  # of the depth: a larger step from pixel to pixel is an edge
EDGE_MM = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Voxels of voxel_mm from corner origin_mm, in the frame of the instance compared with."""

    origin_mm: npt.NDArray[np.float64]
    shape: tuple[int, int, int]
    voxel_mm: float

    @property
    def reach_mm(self) -> float:
        """How far from a surface distances are told."""
        return REACH_VOXELS * self.voxel_mm

    def centres_mm(self, at: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """(..., 3) of voxels (..., 3)."""
        return np.asarray(self.origin_mm + self.voxel_mm * (at + 0.5))

    def cells(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n, 3) of points (n, 3), grid frame, in voxels from the centre of the first one."""
        return np.asarray((points_mm - self.origin_mm) / self.voxel_mm - 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A view with planes (h, w, 4) through what stands on the table, and its edges (h, w)."""

    view: SceneView
    depth_mm: DepthMap
    plane: Field
    edge: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Fields on the grid: distance_mm, NaN where nothing is said; average_mm: the same where views
    contradict each other too; steady: (k, m, n) bool, where the surface passes and is believed;
    weight: of one view that looks squarely at it, how many saw a voxel, or past it; open_share: of
    the rays that came that far how many went on behind it, nearer to a half the fewer they are, NaN
    where none came; asked: where the views were asked at all."""

    distance_mm: Field
    average_mm: Field
    steady: Mask
    weight: Field
    open_share: Field
    asked: Mask


def prepare(view: SceneView, up: Heights, rays: Rays, below: Ground) -> Prepared:
    """Fit planes to a view, of what stands above the table; up: its heights."""
    depth = np.require(view.depth_mm, np.float32, ["C"])
    plane = np.zeros((*depth.shape, 4), np.float32)
    fit_planes(depth, up > below.surely_mm, rays.x, rays.y, plane)
    around = np.ones((3, 3), np.uint8)
    known = np.nan_to_num(depth, nan=0.0)
    step = cv2.dilate(known, around) - cv2.erode(known, around)
    edge = step > np.maximum(EDGE_MM, EDGE_SHARE * known)
    return Prepared(view, depth, plane, edge.view(np.uint8))


def near(grid: Grid, clouds: Iterable[npt.NDArray[np.float64]]) -> Mask:
    """(k, m, n) voxels within NEAR_VOXELS of points (n, 3), grid frame, of several instances."""
    mark = np.zeros(grid.shape, np.uint8)
    for points in clouds:
        at = np.floor(grid.cells(points) + 0.5).astype(np.intp)
        at = at[((at >= 0) & (at < grid.shape)).all(axis=1)]
        mark[tuple(at.T)] = 1
    return np.asarray(ndimage.maximum_filter(mark, 2 * NEAR_VOXELS + 1).astype(np.bool_))


def fuse(
    views: Sequence[Prepared],
    rays: Rays,
    grid: Grid,
    world_from_grid: Transform,
    voxels: npt.NDArray[np.int32],
    crew: Crew,
) -> Surface:
    """What all views say of these voxels (v, 3) of a grid that stands at world_from_grid."""
    sums = np.zeros((SUMS, len(voxels)), np.float32)
    add_views(sums, views, rays, grid, world_from_grid, voxels, crew)
    return agreed(sums, voxels, grid, len(views))


def add_views(
    sums: npt.NDArray[np.float32],
    views: Sequence[Prepared],
    rays: Rays,
    grid: Grid,
    world_from_grid: Transform,
    voxels: npt.NDArray[np.int32],
    crew: Crew,
) -> None:
    """Add what these views say to sums (SUMS, v): of distances, their squares, weights, of how
    often a ray passed by, and how many passed and ended."""
    poses = [invert(each.view.world_from_camera) @ world_from_grid for each in views]

    def part(index: int) -> None:
        for each, camera_from_grid in zip(views, poses, strict=True):
            add_view(
                *crew.span(index, len(voxels)),
                voxels,
                grid.origin_mm,
                grid.voxel_mm,
                camera_from_grid,
                rays.lens,
                each.depth_mm,
                each.plane,
                each.edge,
                grid.reach_mm,
                *sums,
            )

    crew.run(part)


def agreed(
    sums: npt.NDArray[np.float32], voxels: npt.NDArray[np.int32], grid: Grid, views: int
) -> Surface:
    """The surface by the sums (SUMS, v) of so many views."""
    least_weight = STEADY_SHARE * views
    fields = np.full((2, *grid.shape), np.nan, np.float32)
    dense = np.zeros((2, *grid.shape), np.float32)
    steady, asked = (np.zeros(grid.shape, np.bool_) for _ in range(2))
    agree(
        voxels,
        sums[:4],
        grid.reach_mm,
        FREE_WEIGHT,
        LEAST_WEIGHT,
        CONTRADICTED_VOXELS * grid.voxel_mm,
        fields[0],
        fields[1],
        dense[0],
        dense[1],
        asked,
    )
    find_steady(voxels, fields[0], dense[0], grid.voxel_mm, *SLOPE, least_weight, steady)
    return Surface(fields[0], fields[1], steady, dense[1], _open_share(sums, voxels, grid), asked)


def _open_share(sums: npt.NDArray[np.float32], voxels: npt.NDArray[np.int32], grid: Grid) -> Field:
    share = np.full(grid.shape, np.nan, np.float32)
    passed, rays = sums[4], sums[4] + sums[5]
    share[tuple(voxels.T)] = np.where(
        rays > 0, (passed + DOUBT_RAYS / 2) / (rays + DOUBT_RAYS), np.nan
    )
    return share
