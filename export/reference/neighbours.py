"""A recipe that compares the parts of a tray with each other: from one tray, nothing is taught.

The tray gives the view plan, the place of the table and the proof at load: it is judged again
there, and the scores must be the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.export.packing.package import (
    as_json,
    as_npz,
    check_free,
    digests,
    name_of,
    plan_fields,
    write_files,
)
from voxgate.export.packing.recipe_parts import counts_of, tools
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.instances import Wanted
from voxgate.runtime.nouns import Note, Outcome, View
from voxgate.runtime.recipe.contents import MAX_VIEWS, TrayProbe
from voxgate.runtime.recipe.manifest import GridSection, Manifest, TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.sections.trays import FaintestSection
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import placed
from voxgate.runtime.scenes.camera_alone import PART, scene_calibration, views_of
from voxgate.runtime.scenes.open_scene import is_scene, open_scene
from voxgate.runtime.scenes.scene import SceneView
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.transforms import distance_mm
from voxgate.runtime.trays.doubts import too_coarse
from voxgate.runtime.trays.judge import TrayJudge
from voxgate.runtime.trays.probe import told
from voxgate.runtime.trays.scene_verdict import SceneVerdict

METHOD = "neighbours"
MAX_GAP_NS = 25_000_000  # three lost samples of a robot that reports at 125 Hz
# Whatever the place, what is measured there is compared: the plan says that views come from all
# around. So a view may lie off as far as it is still no other one.
PLAN_DISTANCE_MM = 50.0
PLAN_ANGLE_DEG = 15.0
PROBE_WIDTH_PX = 480  # of the pictures that are judged again at load, at the most
THREADS = 2
NO_PIXELS = TensorSpec(name="score", dtype="float32", shape=(1, 1, 1, 1))
"""In place of a graph's output: a score per instance."""
ANYTHING = Wanted()


@dataclass(frozen=True, slots=True, eq=False)
class ExampleTray:
    """A tray that was looked at from every planned view, world and part frame are one.

    table_z_mm: None: nobody told it.
    """

    calibration: Calibration
    views: tuple[View, ...]
    table_z_mm: float | None

    @classmethod
    def open(cls, folder: Path, part: str | None, calibration: Path | None) -> ExampleTray:
        """A recorded scan, or a scene. Raises VoxGateError."""
        if is_scene(folder):
            scene = open_scene(folder)
            scene.check_measured()
            known = scene_calibration(scene, part or PART)
            return cls(known, tuple(views_of(scene)), scene.table_z_mm)
        scan = open_scan(folder, calibration)
        arrivals = list(placed(scan, Synchronizer(scan.calibrations, MAX_GAP_NS)))
        lost = next((each for each in arrivals if isinstance(each, Note)), None)
        if lost is not None:
            raise ScanError(f"{folder}: {lost.detail}: a recipe needs every view of its tray")
        return cls(scan.calibration, tuple(e for e in arrivals if isinstance(e, View)), None)

    @property
    def in_grey(self) -> ExampleTray:
        """As a camera without colour would have seen it."""
        return replace(self, views=tuple(replace(view, colour=None) for view in self.views))


def export_neighbours(
    folder: Path,
    out: Path,
    *,
    name: str | None = None,
    version: str = "1",
    part: str | None = None,
    wanted: Wanted = ANYTHING,
    calibration: Path | None = None,
    grey: bool = False,
) -> dict[str, Any]:
    """Write the recipe; a summary for people. Raises VoxGateError: then nothing is written.

    wanted: what must be found. grey: compare no hues, whatever the pictures are in.
    """
    check_free(out)
    tray = ExampleTray.open(folder, part, calibration)
    tray = tray.in_grey if grey else tray
    if not 1 <= len(tray.views) <= MAX_VIEWS:
        raise ScanError(f"{folder}: {len(tray.views)} views, a recipe plans 1 to {MAX_VIEWS}")
    with Crew(THREADS) as crew:
        grid, scores = _judged(tray, crew, wanted)
        probe = _probe(tray, grid.table_z_mm, crew)
    manifest = Manifest(
        schema_version=1,
        name=name or name_of(tray.calibration.part),
        version=version,
        part=tray.calibration.part,
        method=METHOD,
        detector="scene",
        geometry=False,
        created_utc=utc_now(),
        tools=tools(),
        provenance={"tray": folder.name, "views": len(tray.views), "scores": scores},
        calibration_digest=tray.calibration.digest,
        inputs=(),
        output=NO_PIXELS,
        grid=grid,
        tolerance_mm=grid.voxel_mm,
        smallest_mm=wanted.smallest_mm,
        faintest=_faintest(wanted),
        files={},
    )
    files = _files(tray, probe, scores)
    write_files(out, manifest.model_copy(update={"files": digests(files)}), files)
    Recipe.load(out)
    return {"recipe": str(out), "views": len(tray.views), "instances": len(scores)}


def judged_example(tray: ExampleTray, crew: Crew) -> tuple[SceneVerdict, TrayJudge]:
    """By depth, and by whom. Raises RecipeError for a tray that proves nothing."""
    rays = Rays.from_calibration(tray.calibration)
    judge = TrayJudge(rays, len(tray.views), tray.table_z_mm, crew)
    for view in scene_views(tray.views):
        judge.add(view)
    found = judge.finish()
    if found.outcome is Outcome.INDETERMINATE:
        words = "; ".join(each.detail for each in found.doubts)
        raise RecipeError(f"this tray cannot be judged, so it proves no recipe: {words}")
    return found, judge


def _judged(
    tray: ExampleTray, crew: Crew, wanted: Wanted
) -> tuple[GridSection, list[float | None]]:
    """Where things stand, and their scores. Raises as `judged_example` does, and RecipeError where
    the tray's pictures do not prove what is asked for."""
    found, judge = judged_example(tray, crew)
    for doubt in too_coarse(found.proven, wanted):
        raise RecipeError(doubt.detail)
    assert judge.grid is not None  # they were compared
    scores = [None if each.score is None else round(each.score, 3) for each in found.judged]
    boxes = np.stack([each.instance.box_mm for each in found.judged])
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    voxel_mm = judge.grid.voxel_mm
    shape = np.ceil((high - low) / voxel_mm).astype(int).tolist()
    x, y, z = low.tolist()
    origin = (x, y, z)
    return GridSection(
        origin_mm=origin,
        shape=(shape[0], shape[1], shape[2]),
        voxel_mm=voxel_mm,
        table_z_mm=judge.table_z_mm,
    ), scores


def _faintest(wanted: Wanted) -> FaintestSection | None:
    if wanted.contrast is None and wanted.depth_mm is None:
        return None
    return FaintestSection(contrast=wanted.contrast, depth_mm=wanted.depth_mm)


def scene_views(views: Sequence[View]) -> list[SceneView]:
    """As they are judged, numbered as they come. Raises ScanError for one without depth."""
    found = []
    for number, view in enumerate(views):
        if view.depth_mm is None:
            raise ScanError(f"view {number} has no depth on the camera's own pixels")
        pose = view.part_from_camera
        found.append(SceneView(number, view.image, view.depth_mm, pose, view.colour))
    return found


def _probe(tray: ExampleTray, table_z_mm: float, crew: Crew) -> TrayProbe:
    """The tray as it is judged again at load; where pictures are large, by some of their pixels."""
    stride = -(-tray.calibration.width_px // PROBE_WIDTH_PX)
    views, unit_mm = scene_views(tray.views), tray.calibration.depth_unit_mm
    depth = np.stack([view.depth_mm[::stride, ::stride] for view in views])
    stored = counts_of(depth, unit_mm)
    probe = TrayProbe(
        np.stack([view.picture[::stride, ::stride] for view in views]),
        np.where(stored == 0, np.nan, stored * unit_mm).astype(np.float32),
        np.stack([view.world_from_camera for view in views]),
        stride,
        np.empty(0),
    )
    score = told(probe, Rays.from_calibration(tray.calibration), table_z_mm, crew)
    return TrayProbe(probe.image, probe.depth_mm, probe.part_from_camera, stride, score)


def _files(tray: ExampleTray, probe: TrayProbe, scores: Sequence[float | None]) -> dict[str, bytes]:
    threshold = {
        "how": "what the regular parts of a tray scatter by, measured on each tray",
        "scores": scores,
    }
    unit_mm = tray.calibration.depth_unit_mm
    return {
        "viewplan.json": as_json(plan_fields(view_plan(tray.views))),
        "threshold.json": as_json(threshold),
        "probe.npz": as_npz(
            image=probe.image,
            depth_counts=counts_of(probe.depth_mm, unit_mm),
            depth_unit_mm=np.float64(unit_mm),
            part_from_camera=probe.part_from_camera,
            stride_px=np.int64(probe.stride_px),
            score=probe.score,
        ),
    }


def view_plan(views: Sequence[View]) -> ViewPlan:
    """Wherever they were taken from, as wide as it tells them apart."""
    poses = tuple(view.part_from_camera for view in views)
    apart = [distance_mm(a, b) / 2 for n, a in enumerate(poses) for b in poses[:n]]
    return ViewPlan(poses, min([PLAN_DISTANCE_MM, *apart]), PLAN_ANGLE_DEG)
