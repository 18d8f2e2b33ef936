"""An instance as signed distances on a grid: all its views averaged, + outside, - inside.

After Curless and Levoy (1996), with the distance to the plane through a pixel's surroundings in
place of the distance along the ray, which is too large wherever a surface is seen aslant. Where the
views of a voxel contradict each other, as within thin walls, the average is no surface, and nothing
is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.geometry.plane_kernels import fit_planes
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import DepthMap
from voxgate.runtime.scenes.scene import Scene, SceneView
from voxgate.runtime.transforms import Transform, invert
from voxgate.runtime.trays.surface_kernels import add_view
from voxgate.runtime.trays.tray import Tray

Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

VOXEL_PX = 1.25  # of what a pixel spans: finer than that the views repeat themselves
REACH_VOXELS = 3.0  # farther from a surface nothing is told but that it is free
LEAST_WEIGHT = 0.4  # of one view that looks at a surface squarely
FREE_WEIGHT = 0.5  # of a ray that passed by
CONTRADICTED_VOXELS = 0.45  # standard deviation of what the views say of a voxel
STEADY_SHARE = 0.13  # of the views that look squarely at a voxel whose surface is believed
SLOPE = (0.6, 1.4)  # a distance grows by a millimetre a millimetre, or it is none
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
    weight: of one view that looks squarely at it, how many saw a voxel, or past it."""

    distance_mm: Field
    average_mm: Field
    steady: Mask
    weight: Field


def prepare(scene: Scene, rays: Rays, tray: Tray) -> tuple[Prepared, ...]:
    """Fit planes to every view, of what stands above the table."""
    return tuple(_prepared(view, rays, tray) for view in scene.views)


def _prepared(view: SceneView, rays: Rays, tray: Tray) -> Prepared:
    depth = np.require(view.depth_mm, np.float32, ["C"])
    up = height_mm(depth, rays, view.world_from_camera)
    plane = np.zeros((*depth.shape, 4), np.float32)
    fit_planes(depth, up > tray.table_z_mm + tray.least_mm / 2, rays.x, rays.y, plane)
    around = np.ones((3, 3), np.uint8)
    known = np.nan_to_num(depth, nan=0.0)
    step = cv2.dilate(known, around) - cv2.erode(known, around)
    edge = step > np.maximum(EDGE_MM, EDGE_SHARE * known)
    return Prepared(view, depth, plane, edge.view(np.uint8))


def fuse(
    views: tuple[Prepared, ...], rays: Rays, grid: Grid, world_from_grid: Transform, crew: Crew
) -> Surface:
    """All views into the grid that stands at world_from_grid."""
    total, square, weight, free = (np.zeros(grid.shape, np.float32) for _ in range(4))
    poses = [invert(each.view.world_from_camera) @ world_from_grid for each in views]

    def part(index: int) -> None:
        slabs = np.array(crew.span(index, grid.shape[0]))
        for each, camera_from_grid in zip(views, poses, strict=True):
            add_view(
                slabs,
                grid.origin_mm,
                grid.voxel_mm,
                camera_from_grid,
                rays.lens,
                each.depth_mm,
                each.plane,
                each.edge,
                grid.reach_mm,
                total,
                square,
                weight,
                free,
            )

    crew.run(part)
    distance, average = _mean(total, square, weight, free, grid)
    steady = _steady(distance, weight, grid.voxel_mm, STEADY_SHARE * len(views))
    return Surface(
        distance,
        average,
        steady,
        weight + FREE_WEIGHT * free,
    )


def _mean(
    total: Field, square: Field, weight: Field, free: Field, grid: Grid
) -> tuple[Field, Field]:
    """Mean distance where views agree, and whether they do or not.

    What passed by counts where it has the majority: a surface is not smeared into free space.
    """
    passed = FREE_WEIGHT * free
    passed[passed <= weight] = 0
    every = weight + passed
    told = every > LEAST_WEIGHT
    every = np.where(told, every, 1)
    mean = (total + grid.reach_mm * passed) / every
    spread = np.sqrt(np.maximum((square + grid.reach_mm**2 * passed) / every - mean**2, 0))
    agreed = told & (spread <= CONTRADICTED_VOXELS * grid.voxel_mm)
    return (
        np.where(agreed, mean, np.nan).astype(np.float32),
        np.where(told, mean, np.nan).astype(np.float32),
    )


def _steady(distance_mm: Field, weight: Field, voxel_mm: float, least_weight: float) -> Mask:
    slope = np.sqrt(sum(np.square(each) for each in np.gradient(distance_mm, voxel_mm)))
    low, high = SLOPE
    near = np.abs(distance_mm) < voxel_mm
    return np.asarray(near & (slope > low) & (slope < high) & (weight > least_weight))
