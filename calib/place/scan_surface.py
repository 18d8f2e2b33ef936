"""The surface that a recorded scan measured, in the robot's base; also without a part's place."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxgate.calib.calibration_file import CalibrationFile
from voxgate.calib.place.surface import Eye, Surface
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.drift import DriftGauge
from voxgate.runtime.geometry.plane_kernels import fit_planes
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.transforms import apply

MAX_UNCERTAINTY_MM = 1.0
STEP_PX = 6


@dataclass(frozen=True, slots=True, eq=False)
class PlacedScan:
    """views: of whatever measured depth, the camera or a sensor beside it, placed in the part's
    frame, or in the base where no part was known, by `calibration`; lost: why not."""

    calibration: Calibration
    rays: Rays
    views: tuple[View, ...]
    lost: tuple[str, ...]


def open_placed(folder: Path, calibration: Path | None) -> PlacedScan:
    """A scan's views. Raises ScanError, CalibrationError."""
    scan = open_scan(folder, calibration)
    found = views_of(scan, DEFAULTS.max_gap_ns, MAX_UNCERTAINTY_MM)
    views = tuple(each.shape for each in found if isinstance(each, View))
    views = tuple(view for view in views if view.depth_mm is not None)
    lost = tuple(each.note.detail for each in found if not isinstance(each, View))
    if len(views) < 2:
        raise CalibrationError(
            f"{folder}: {len(views)} views with depth and pose, at least 2 are needed"
            + (f"; the first that was lost: {lost[0]}" if lost else "")
        )
    known = scan.calibration
    return PlacedScan(known, Rays.from_calibration(known.of_depth), views, lost)


def scan_in_base(folder: Path, file: CalibrationFile) -> Surface:
    """Points and normals in the base, mm, by a calibration whose part is not placed yet."""
    data = dict(file.data) | {"T_base_part": np.eye(4).tolist(), "part": "unplaced"}
    for key in ("digest", "views"):
        data.pop(key, None)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "calibration.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        try:
            scan = open_placed(folder, path)
        except CalibrationError as error:
            raise CalibrationError(str(error).replace(str(path), str(file.path))) from error
    return together([surface_of(view, scan.rays) for view in scan.views])


def together(parts: Sequence[Surface]) -> Surface:
    """What several views measured."""
    return Surface(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.normals for part in parts]),
        tuple(eye for part in parts for eye in part.eyes),
    )


def gauge_of(scan: PlacedScan) -> DriftGauge:
    """With all views taken in."""
    gauge = DriftGauge(scan.rays)
    for view in scan.views:
        gauge.add(view)
    return gauge


def _eye(view: View, rays: Rays) -> Eye:
    ray = np.stack([rays.x, rays.y], axis=-1).reshape(-1, 2).astype(np.float64)
    return Eye(view.part_from_camera, ray.min(axis=0), ray.max(axis=0))


def surface_of(view: View, rays: Rays) -> Surface:
    """What one view measured, in the frame it is placed in, with its own eye."""
    assert view.depth_mm is not None  # `open_placed` has left the others out
    depth = np.require(view.depth_mm, np.float32, ["C", "W"])
    grid = np.zeros(depth.shape, np.bool_)
    grid[STEP_PX // 2 :: STEP_PX, STEP_PX // 2 :: STEP_PX] = True
    grid &= depth > 0
    plane = np.zeros((*depth.shape, 4), np.float32)
    fit_planes(depth, grid, rays.x, rays.y, plane)
    grid &= plane[..., 2] != 0
    pose = view.part_from_camera
    points = apply(pose, rays.points(depth)[grid].astype(np.float64))
    normals = plane[grid][:, :3].astype(np.float64) @ pose[:3, :3].T
    return Surface(points, normals, (_eye(view, rays),))
