"""What stands on the table, and where: separate things above it that several views see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.scenes.scene import Scene

Points = npt.NDArray[np.float32]

TABLE_BIN_MM = 1.0
TABLE_REACH_MM = 3.0  # from the most frequent height: noise, not parts
TABLE_SIGMAS = 5.0
LEAST_HEIGHT_PX = 1.5  # what stands lower than a pixel and a half is wide cannot be told from it
CELL_PX = 1.5  # of the map of the table: every pixel of a surface from above has its cell
VIEWS_PER_CELL = 2  # a glint of one view is no part
# of the largest, and of the tallest: what is lower is a bend of the table
LEAST_VOLUME, LEAST_HEIGHT = 0.2, 0.3
OUTLINE_PERCENT = 0.2  # of an instance's points on either side: flicker of its edges


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One thing on the table.

    box_mm: (2, 3) lowest and highest corner, world frame. points: (n, 3) what was measured of it.
    view_of: (n,) which view measured each. footprint_mm2: of the table that it covers.
    """

    label: int
    box_mm: npt.NDArray[np.float64]
    points: Points
    view_of: npt.NDArray[np.int32]
    footprint_mm2: float

    @property
    def seen_by(self) -> tuple[int, ...]:
        """Numbers of the views that measured anything of it."""
        return tuple(np.unique(self.view_of).tolist())


@dataclass(frozen=True, slots=True, eq=False)
class Tray:
    """The table and what stands on it.

    small: what stands as tall but covers little of the table. least_mm: height above the table from
    which a point is of a part. pixel_mm: what a pixel spans on the parts. owner: (m, n) whose cell
    of the table it is, label of the nearest instance, cells of cell_mm from corner_mm; distance_mm:
    (m, n) to that instance.
    """

    instances: tuple[Instance, ...]
    small: tuple[Instance, ...]
    table_z_mm: float
    least_mm: float
    pixel_mm: float
    corner_mm: npt.NDArray[np.float64]
    cell_mm: float
    owner: npt.NDArray[np.int32]
    distance_mm: npt.NDArray[np.float32]

    def belongs(
        self, points_mm: npt.NDArray[np.float64], label: int, within_mm: float
    ) -> npt.NDArray[np.bool_]:
        """(...) whether points (..., 3), world frame, stand nearer to this instance than to any
        other, and no farther from it than within_mm."""
        at = np.floor((points_mm[..., :2] - self.corner_mm) / self.cell_mm).astype(np.intp)
        row, column = (np.clip(at[..., k], 0, self.owner.shape[k] - 1) for k in (0, 1))
        return np.asarray(
            (self.owner[row, column] == label) & (self.distance_mm[row, column] <= within_mm)
        )


def look(scene: Scene, rays: Rays) -> Tray:
    """Find the table and what stands on it."""
    heights = [height_mm(view.depth_mm, rays, view.world_from_camera) for view in scene.views]
    table_z_mm, noise_mm = _table(heights, scene.table_z_mm)
    depth = [view.depth_mm[up > table_z_mm] for view, up in zip(scene.views, heights, strict=True)]
    pixel_mm = float(np.median(np.concatenate(depth)) / rays.lens[0]) if any(map(len, depth)) else 1
    least_mm = max(LEAST_HEIGHT_PX * pixel_mm, TABLE_SIGMAS * noise_mm)
    points, view_of = _above(scene, rays, heights, table_z_mm + least_mm)
    if not len(points):
        nothing = np.zeros((1, 1), np.int32)
        nowhere = np.full((1, 1), np.inf, np.float32)
        return Tray((), (), table_z_mm, least_mm, pixel_mm, np.zeros(2), 1.0, nothing, nowhere)
    cell_mm = CELL_PX * pixel_mm
    corner_mm = points[:, :2].min(axis=0).astype(np.float64) - cell_mm
    labels, of_point = _separate(points, view_of, corner_mm, cell_mm, len(scene.views))
    found = []
    for label in range(1, labels.max() + 1):
        own = of_point == label
        area = float(np.count_nonzero(labels == label)) * cell_mm**2
        found.append(_instance(label, points[own], view_of[own], area, table_z_mm))
    kept, small = _large(found, table_z_mm)
    labels[~np.isin(labels, [each.label for each in kept])] = 0
    owner, distance = _nearest(labels)
    return Tray(
        tuple(sorted(kept, key=lambda each: tuple(each.box_mm.mean(axis=0).tolist()))),
        tuple(small),
        table_z_mm,
        least_mm,
        _pixel_mm(scene, kept, rays) if kept else pixel_mm,
        corner_mm,
        cell_mm,
        owner,
        (distance * cell_mm).astype(np.float32),
    )


def _table(heights: list[npt.NDArray[np.float32]], told_mm: float | None) -> tuple[float, float]:
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


def _above(
    scene: Scene, rays: Rays, heights: list[npt.NDArray[np.float32]], from_z_mm: float
) -> tuple[Points, npt.NDArray[np.int32]]:
    points, view_of = [], []
    for view, up in zip(scene.views, heights, strict=True):
        above = up > from_z_mm
        depth = view.depth_mm[above]
        camera = np.stack([rays.x[above] * depth, rays.y[above] * depth, depth], axis=-1)
        pose = view.world_from_camera.astype(np.float32)
        points.append(camera @ pose[:3, :3].T + pose[:3, 3])
        view_of.append(np.full(len(depth), view.number, np.int32))
    return np.concatenate(points), np.concatenate(view_of)


def _separate(
    points: Points,
    view_of: npt.NDArray[np.int32],
    corner_mm: npt.NDArray[np.float64],
    cell_mm: float,
    views: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(m, n) labels of the table's cells, 0 where nothing stands, and (k,) of every point."""
    at = ((points[:, :2] - corner_mm) / cell_mm).astype(np.intp)
    shape = tuple((at.max(axis=0) + 2).tolist())
    flat = np.ravel_multi_index((at[:, 0], at[:, 1]), shape)
    seen = np.unique(flat * views + view_of) // views  # once a view
    counts = np.bincount(seen, minlength=int(np.prod(shape))).reshape(shape)
    labels, _ = ndimage.label(counts >= min(VIEWS_PER_CELL, views), np.ones((3, 3)))
    labels = np.asarray(labels, np.int32)
    return labels, labels.reshape(-1)[flat]


def _instance(
    label: int,
    points: Points,
    view_of: npt.NDArray[np.int32],
    footprint_mm2: float,
    table_z_mm: float,
) -> Instance:
    low, high = np.percentile(points, (OUTLINE_PERCENT, 100 - OUTLINE_PERCENT), axis=0)
    low[2] = table_z_mm
    return Instance(label, np.stack([low, high]), points, view_of, footprint_mm2)


def _pixel_mm(scene: Scene, instances: list[Instance], rays: Rays) -> float:
    """What a pixel spans on what was found, the median."""
    eyes = np.array([view.world_from_camera[:3, 3] for view in scene.views])
    away = [np.linalg.norm(each.points - eyes[each.view_of], axis=1) for each in instances]
    return float(np.median(np.concatenate(away)) / rays.lens[0])


def _large(found: list[Instance], table_z_mm: float) -> tuple[list[Instance], list[Instance]]:
    """Parts, and what is as tall but small; without bends of the table."""
    height = [float(each.points[:, 2].mean()) - table_z_mm for each in found]
    tall = [
        (each, each.footprint_mm2 * up)
        for each, up in zip(found, height, strict=True)
        if up >= LEAST_HEIGHT * max(height)
    ]
    least = LEAST_VOLUME * max((mm3 for _, mm3 in tall), default=0.0)
    large = [each for each, mm3 in tall if mm3 >= least]
    return large, [each for each, mm3 in tall if mm3 < least]


def _nearest(
    labels: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    if not labels.any():
        return labels, np.full(labels.shape, np.inf)
    distance, at = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    return labels[tuple(at)], distance
