"""The table: how high it lies, and what a view sees above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.scenes.scene import SceneView

Points = npt.NDArray[np.float32]
Heights = npt.NDArray[np.float32]

TABLE_BIN_MM = 1.0
TABLE_REACH_MM = 3.0  # from the most frequent height: noise, not parts
TABLE_SIGMAS = 5.0
LEAST_HEIGHT_PX = 1.5  # what stands lower than a pixel and a half is wide cannot be told from it


@dataclass(frozen=True, slots=True)
class Ground:
    """table_z_mm: its height, world frame. least_mm: height above it from which a point is of a
    part. pixel_mm: what a pixel spans on what stands on it, along the optical axis."""

    table_z_mm: float
    least_mm: float
    pixel_mm: float

    @property
    def surely_mm(self) -> float:
        """Height of the world below which nothing is of a part."""
        return self.table_z_mm + self.least_mm / 2


@dataclass(frozen=True, slots=True, eq=False)
class Above:
    """What a view sees above the table. up (h, w): height of every pixel, world frame, mm. points
    (n, 3), world frame, with points_up (n,), of what may be of a part."""

    view: SceneView
    up: Heights
    points: Points
    points_up: npt.NDArray[np.float32]

    @classmethod
    def of(cls, view: SceneView, rays: Rays, below: Ground) -> Above:
        """Where the table is known roughly."""
        up = _heights(view, rays)
        above = up > below.surely_mm
        depth = view.depth_mm[above]
        camera = np.stack([rays.x[above] * depth, rays.y[above] * depth, depth], axis=-1)
        pose = view.world_from_camera.astype(np.float32)
        return cls(view, up, camera @ pose[:3, :3].T + pose[:3, 3], up[above])


def first_ground(views: Sequence[SceneView], rays: Rays, told_mm: float | None) -> Ground:
    """Where the table is, by what these views see; told_mm: its height, where somebody knows."""
    return _ground(views, [_heights(view, rays) for view in views], rays, told_mm)


def ground(seen: Sequence[Above], rays: Rays, told_mm: float | None) -> Ground:
    """The same, of views whose heights are known."""
    return _ground([each.view for each in seen], [each.up for each in seen], rays, told_mm)


def _ground(
    views: Sequence[SceneView], heights: list[Heights], rays: Rays, told_mm: float | None
) -> Ground:
    table_z_mm, noise_mm = _table(heights, told_mm)
    depth = [view.depth_mm[up > table_z_mm] for view, up in zip(views, heights, strict=True)]
    known = any(map(len, depth))
    pixel_mm = float(np.median(np.concatenate(depth)) / rays.lens[0]) if known else 1.0
    least_mm = max(LEAST_HEIGHT_PX * pixel_mm, TABLE_SIGMAS * noise_mm)
    return Ground(table_z_mm, least_mm, pixel_mm)


def _heights(view: SceneView, rays: Rays) -> Heights:
    return height_mm(view.depth_mm, rays, view.world_from_camera)


def _table(heights: list[Heights], told_mm: float | None) -> tuple[float, float]:
    """Height and noise, mm: the most frequent height, where nobody told it."""
    sparse = np.concatenate([each[::3, ::3].ravel() for each in heights])
    sparse = sparse[np.isfinite(sparse)]
    if not sparse.size:
        return told_mm or 0.0, 0.0
    if told_mm is None:
        low, high = np.percentile(sparse, (0.5, 99.5))
        counts, edges = np.histogram(sparse, np.arange(low, high + 2 * TABLE_BIN_MM, TABLE_BIN_MM))
        told_mm = float(edges[counts.argmax()] + TABLE_BIN_MM / 2)
        near = sparse[np.abs(sparse - told_mm) < TABLE_REACH_MM]
        told_mm = float(np.median(near))
    near = sparse[np.abs(sparse - told_mm) < TABLE_REACH_MM]
    return told_mm, float(1.4826 * np.median(np.abs(near - told_mm))) if near.size else 0.0
