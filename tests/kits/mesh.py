"""A part's mesh where nobody has its drawing: triangles between measured points of a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.calib.place.scan_surface import open_placed
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import apply

Triangles = npt.NDArray[np.float64]
"""(n, 3, 3) corners, mm, part frame."""
STEP_PX = 3
LONGEST_MM = 4.0  # a longer side spans an edge of the part
TABLE_MM = 2.0


def measured_triangles(scan: Path) -> Triangles:
    """What all views measured above the table."""
    placed = open_placed(scan, None)
    return np.concatenate([_of_view(view, placed.rays) for view in placed.views])


def write_stl(path: Path, triangles: Triangles) -> None:
    """Binary STL."""
    kind = [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")]
    rows = np.zeros(len(triangles), kind)
    rows["corners"] = triangles
    path.write_bytes(bytes(80) + np.uint32(len(rows)).tobytes() + rows.tobytes())


def _of_view(view: View, rays: Rays) -> Triangles:
    assert view.depth_mm is not None
    seen = rays.points(view.depth_mm).reshape(*view.depth_mm.shape, 3)[::STEP_PX, ::STEP_PX]
    points = apply(view.part_from_camera, seen.reshape(-1, 3).astype(np.float64))
    points = points.reshape(seen.shape)
    here, right, below, across = points[:-1, :-1], points[:-1, 1:], points[1:, :-1], points[1:, 1:]
    both = np.stack([(here, below, right), (right, below, across)])
    corners = np.moveaxis(both, 1, -2).reshape(-1, 3, 3)
    corners = corners[np.isfinite(corners).all((1, 2))]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    kept = (sides.max(axis=1) < LONGEST_MM) & (corners[:, :, 2].min(axis=1) > TABLE_MM)
    return np.asarray(corners[kept])
