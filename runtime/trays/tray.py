"""What stands on the table, and where: separate things above it that several views see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.trays.ground import Above, Ground, Points

CELL_PX = 1.5  # of the map of the table: every pixel of a surface from above has its cell
VIEWS_PER_CELL = 2  # a glint of one view is no part
# of the largest, and of the tallest: what is lower is a bend of the table
LEAST_VOLUME, LEAST_HEIGHT = 0.2, 0.3
OUTLINE_PERCENT = 0.2  # of an instance's points on either side: flicker of its edges


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One thing on the table.

    box_mm: (2, 3) lowest and highest corner, world frame. points: (n, 3) what was measured of it.
    view_of: (n,) which view measured each. footprint_mm2: of the table that it covers. seen_by:
    numbers of the views that measured anything of it.
    """

    label: int
    box_mm: npt.NDArray[np.float64]
    points: Points
    view_of: npt.NDArray[np.int32]
    footprint_mm2: float
    seen_by: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tray:
    """What stands on the table.

    small: what stands as tall but covers little of the table. owner: (m, n) whose cell of the table
    it is, label of the nearest instance, cells of cell_mm from corner_mm; distance_mm: (m, n) to
    that instance.
    """

    instances: tuple[Instance, ...]
    small: tuple[Instance, ...]
    table_z_mm: float
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


def look(seen: Sequence[Above], views: int, below: Ground) -> Tray:
    """What stands on the table. views: more than the largest of their numbers."""
    points, view_of = _points(seen, below)
    if not len(points):
        nothing = np.zeros((1, 1), np.int32)
        nowhere = np.full((1, 1), np.inf, np.float32)
        return Tray((), (), below.table_z_mm, np.zeros(2), 1.0, nothing, nowhere)
    cell_mm = CELL_PX * below.pixel_mm
    corner_mm = points[:, :2].min(axis=0).astype(np.float64) - cell_mm
    labels, of_point = _separate(points, view_of, corner_mm, cell_mm, views)
    found = []
    for label in range(1, labels.max() + 1):
        own = of_point == label
        area = float(np.count_nonzero(labels == label)) * cell_mm**2
        found.append(_instance(label, points[own], view_of[own], area, below.table_z_mm))
    kept, small = _large(found, below.table_z_mm)
    labels[~np.isin(labels, [each.label for each in kept])] = 0
    owner, distance = _nearest(labels)
    return Tray(
        tuple(sorted(kept, key=lambda each: tuple(each.box_mm.mean(axis=0).tolist()))),
        tuple(small),
        below.table_z_mm,
        corner_mm,
        cell_mm,
        owner,
        (distance * cell_mm).astype(np.float32),
    )


def _points(seen: Sequence[Above], below: Ground) -> tuple[Points, npt.NDArray[np.int32]]:
    own = [each.points[each.points_up > below.table_z_mm + below.least_mm] for each in seen]
    numbers = np.array([each.view.number for each in seen], np.int32)
    nothing = np.zeros((0, 3), np.float32)
    return np.concatenate([nothing, *own]), np.repeat(numbers, [len(each) for each in own])


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
    counts = np.zeros(int(np.prod(shape)), np.int32)
    for own in np.split(flat, np.flatnonzero(np.diff(view_of)) + 1):  # each view's are together
        seen = np.zeros(len(counts), np.bool_)
        seen[own] = True
        counts += seen
    counts = counts.reshape(shape)
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
    seen_by = tuple(np.flatnonzero(np.bincount(view_of)).tolist())
    return Instance(label, np.stack([low, high]), points, view_of, footprint_mm2, seen_by)


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
