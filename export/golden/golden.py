"""The golden scan as the exporter needs it: proven views, rays, the grid, the surface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.export.golden.gloss import part_points
from voxgate.export.golden.table import table_z_mm
from voxgate.export.golden.unreturned import Unreturned, find_unreturned
from voxgate.export.golden.working import (
    Working,
    block_px,
    first_block_px,
    pixel_mm,
    working,
)
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.brought import with_depth
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.seen_through import SEEN_THROUGH_MAX, seen_through
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import COLOURS
from voxgate.runtime.pixels.reduce import reduced_view
from voxgate.runtime.recipe.contents import MAX_VIEWS
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import replay
from voxgate.runtime.scans.scan import Scan
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.transforms import Transform, angle_deg, distance_mm
from voxgate.runtime.volume.grid import GridSpec

MAX_POSE_GAP_MS = 25.0  # three lost samples of a robot that reports at 125 Hz
# a quarter of a 2 mm voxel; a golden scan that is less sure of its poses teaches the wrong place
MAX_UNCERTAINTY_MM = 0.5
# How far from the golden pose a view may be taken: the golden picture is re-rendered into it, but
# what it did not see cannot be.
PLAN_DISTANCE_MM = 5.0
PLAN_ANGLE_DEG = 1.0
LEAST_APART_MM = 2.0  # two views closer than this, and alike, cannot be told apart on a line
DEFAULT_VOXEL_MM = 2.0  # as SiM3D labels its volumes
GRID_MARGIN_MM = 10.0  # room for what does not belong there
THREADS = 2
SURE_HITS = 3  # measured points in a voxel before it counts as surface: one may be a depth edge


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """One good part: every planned view with depth and pose, in the plan's order.

    table_z_mm: what lies lower, part frame, cannot be told from the table, and is not inspected.
    views and rays are at the resolution that is inspected: working.
    unreturned: surface that a view shows and had no return from.
    """

    scan: Scan
    views: tuple[View, ...]
    rays: Rays
    grid: GridSpec
    table_z_mm: float
    working: Working
    unreturned: Unreturned

    @property
    def channels(self) -> int:
        """Of its pictures: 1, or 3 in colour."""
        return 1 if self.views[0].colour is None else COLOURS

    def in_grey(self) -> Golden:
        """The luma of its pictures, for what sees no colour."""
        return replace(self, views=tuple(replace(view, colour=None) for view in self.views))

    @property
    def plan(self) -> ViewPlan:
        """The golden poses, with the tolerance that still tells neighbours apart."""
        poses = tuple(view.part_from_camera for view in self.views)
        return ViewPlan(poses, _plan_distance_mm(poses), PLAN_ANGLE_DEG)

    @property
    def shapes(self) -> tuple[View, ...]:
        """The views of whatever measured depth; their rays are rays.shape."""
        return tuple(view.shape for view in self.views)

    def expected_ijk(self) -> npt.NDArray[np.int32]:
        """(n, 3) int32: voxels of the grid through which the golden surface was measured."""
        found = [part_points(view, self.rays.shape, self.table_z_mm)[1] for view in self.shapes]
        ijk = self.grid.voxels_of(np.concatenate(found))
        inside = (ijk >= 0).all(axis=1) & (ijk < self.grid.shape).all(axis=1)
        voxels, hits = np.unique(ijk[inside], axis=0, return_counts=True)
        return voxels[hits >= SURE_HITS].astype(np.int32)


def load_golden(
    folder: Path,
    calibration: Path | None = None,
    smallest_mm: float | None = None,
    whole: bool = False,
    voxel_mm: float | None = None,
) -> Golden:
    """Read a golden scan, at the resolution for defects of smallest_mm across, or of a voxel.

    whole: as the camera gives its pictures. voxel_mm: None: as the scan's grid.json has them.
    Raises ScanError when a view is not proven, or teaches nothing.
    """
    scan = open_scan(folder, calibration)
    if voxel_mm is None:
        voxel_mm = DEFAULT_VOXEL_MM if scan.grid is None else scan.grid.voxel_mm
    block = 1 if whole else first_block_px(scan.calibration)
    looked = _looked_at(scan, block)
    wanted = block_px(looked.pixel_mm / block, scan.calibration, smallest_mm, voxel_mm)
    if wanted != block and not whole:
        block, looked = wanted, _looked_at(scan, wanted)
    views, rays, table_mm = looked.views, looked.rays, looked.table_z_mm
    shapes = tuple(view.shape for view in views)
    _check_agreement(scan.folder, shapes, rays.shape)
    _check_colours(scan.folder, views)
    grid = _grid_of(scan, voxel_mm) or _grid_around(shapes, rays.shape, table_mm, voxel_mm)
    worked = working(block, looked.pixel_mm, scan.calibration, smallest_mm, voxel_mm)
    unreturned = find_unreturned(views, rays, table_mm)
    return Golden(scan, views, rays, grid, table_mm, worked, unreturned)


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """The scan at one resolution."""

    views: tuple[View, ...]
    rays: Rays
    table_z_mm: float
    pixel_mm: float


def _looked_at(scan: Scan, block: int) -> _Looked:
    rays = Rays.from_calibration(scan.calibration.reduced(block))
    views = tuple(_proven(scan, block, rays))
    table_mm = table_z_mm([view.shape for view in views], rays.shape)
    _check_useful(scan.folder, views, rays, table_mm)
    return _Looked(views, rays, table_mm, pixel_mm(views, rays, table_mm))


def _proven(scan: Scan, block: int, rays: Rays) -> Iterator[View]:
    """Each view in blocks as soon as it is placed: of the camera's pictures few are kept."""
    for note in scan.notes:
        raise ScanError(
            f"{scan.folder}: {note.reason.value} while it was recorded: {note.detail}; take the "
            "golden scan again"
        )
    if len(scan.frames) > MAX_VIEWS:
        raise ScanError(
            f"{scan.folder}: {len(scan.frames)} views, a recipe holds at most {MAX_VIEWS}"
        )
    focal_px = float(scan.calibration.camera_matrix[0, 0])
    synchronizer = Synchronizer(scan.calibration, int(MAX_POSE_GAP_MS * 1e6), MAX_UNCERTAINTY_MM)
    with Crew(THREADS) as crew:
        for placed in replay(scan, synchronizer):
            if not isinstance(placed, View):
                raise ScanError(
                    f"{scan.folder}: {placed.note.detail}; take the golden scan again: "
                    "every view of it must be proven"
                )
            if placed.shape.depth_mm is None:
                raise ScanError(
                    f"{scan.folder}: frame {placed.frame_id} has no depth; record it too"
                )
            yield with_depth(reduced_view(placed, block, focal_px, crew), rays, crew)


def _check_useful(where: Path, views: tuple[View, ...], rays: Rays, table_mm: float) -> None:
    """Raises ScanError for views without the part, and for two from one place."""
    for index, view in enumerate(views):
        if not part_points(view, rays, table_mm)[0].any():
            raise ScanError(f"{where}: frame {view.frame_id} has no depth on the part: retake it")
        for other in views[:index]:
            if _same_place(view.part_from_camera, other.part_from_camera):
                raise ScanError(
                    f"{where}: frames {other.frame_id} and {view.frame_id} are from one viewpoint: "
                    "keep one of them"
                )


def _check_agreement(where: Path, views: tuple[View, ...], rays: Rays) -> None:
    """Raises ScanError for views that stand elsewhere than the others say."""
    past = seen_through(views, rays)
    wrong = [
        view.frame_id for view, share in zip(views, past, strict=True) if share > SEEN_THROUGH_MAX
    ]
    if len(wrong) == len(views):
        raise ScanError(
            f"{where}: no frame puts surface where the others see it: is the calibration of this "
            "camera, sensor and robot? `voxgate calib verify` says what would bring them together"
        )
    if wrong:
        raise ScanError(
            f"{where}: frames {', '.join(map(str, wrong))} put surface where the other views look "
            "through: pictures or poses were exchanged, or the part was moved; take the golden "
            "scan again"
        )


def _check_colours(where: Path, views: tuple[View, ...]) -> None:
    """Raises ScanError for a scan that is partly in colour."""
    grey = [view.frame_id for view in views if view.colour is None]
    if 0 < len(grey) < len(views):
        raise ScanError(
            f"{where}: frames {', '.join(map(str, grey))} are grey, the others in colour: take the "
            "golden scan again, all of it alike"
        )


def _same_place(a: Transform, b: Transform) -> bool:
    return distance_mm(a, b) < LEAST_APART_MM and angle_deg(a, b) < 2 * PLAN_ANGLE_DEG


def _grid_of(scan: Scan, voxel_mm: float) -> GridSpec | None:
    """The scan's own, in these voxels; None: it has none."""
    if scan.grid is None or scan.grid.voxel_mm == voxel_mm:
        return scan.grid
    try:
        return scan.grid.with_voxels(voxel_mm)
    except ValueError as error:
        raise ScanError(f"{scan.folder}: {error}") from error


def _grid_around(views: tuple[View, ...], rays: Rays, table_mm: float, voxel_mm: float) -> GridSpec:
    points = np.concatenate([part_points(view, rays, table_mm)[1] for view in views])
    low, high = (np.percentile(points, q, axis=0) for q in (0.1, 99.9))
    origin = low - GRID_MARGIN_MM
    shape = np.ceil((high + GRID_MARGIN_MM - origin) / voxel_mm).astype(int)
    return GridSpec(tuple(origin.tolist()), tuple(shape.tolist()), voxel_mm)


def _plan_distance_mm(poses: tuple[Transform, ...]) -> float:
    """PLAN_DISTANCE_MM, or less where two views look alike and only their place tells them."""
    alike = [
        distance_mm(a, b) / 2
        for index, a in enumerate(poses)
        for b in poses[:index]
        if angle_deg(a, b) < 2 * PLAN_ANGLE_DEG
    ]
    return min([PLAN_DISTANCE_MM, *alike])
