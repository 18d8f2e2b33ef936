"""A recorded scan through the same stages as on the line: replayed, inspected, decided."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.engines.choice import choose
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.inspection.several.inspector import AnyInspector
from voxgate.runtime.inspection.several.inspector import open_inspector as open_cell
from voxgate.runtime.nouns import JobIdentity, Note, Outcome, Verdict, View
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.cell_scan import CellScan
from voxgate.runtime.scans.open_scan import open_part_scan
from voxgate.runtime.scans.placed import lost_frames, placed
from voxgate.runtime.scans.scan import Scan
from voxgate.runtime.scenes.camera_alone import scene_calibration
from voxgate.runtime.scenes.open_scene import is_scene, open_scene
from voxgate.runtime.scenes.scene import Scene
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.trays.inspector import TrayInspector
from voxgate.runtime.trays.network.graphs import chosen_graphs
from voxgate.runtime.volume.smooth import smooth
from voxgate.runtime.volume.volume import Voxels
from voxgate.runtime.volume.volume_file import save_volume
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import Header, verdict_message

EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INDETERMINATE: 3}
OnProgress = Callable[[int, int], None]


Opened = AnyInspector | TrayInspector
"""Of single parts, or of the parts of a tray."""


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """One scan's verdict and the volume it rests on, smooth below the threshold; voxels: None of a
    tray, whose parts are compared with each other."""

    verdict: Verdict
    message: VerdictMessage
    voxels: Voxels | None
    recipe: Recipe

    def save_volume(self, path: Path) -> None:
        """Write the anomaly volume. Raises VoxGateError when the file cannot be written."""
        if self.voxels is None:
            raise RecipeError(f"recipe {self.recipe.label} inspects trays: they have no volume")
        save_volume(path, self.voxels, self.recipe.grid)


def open_any(
    recipe: Recipe, folder: Path, calibrations: Mapping[str, Calibration], settings: Settings
) -> Opened:
    """An inspector of parts or of trays, as the recipe is. Raises VoxGateError."""
    if not recipe.of_trays:
        return open_inspector(recipe, folder, calibrations, settings)
    if len(calibrations) != 1:
        raise RecipeError(f"recipe {recipe.label} is of trays, which one camera looks at")
    (calibration,) = calibrations.values()
    return _open_trays(recipe, folder, calibration, settings)


def _open_trays(
    recipe: Recipe, folder: Path, calibration: Calibration, settings: Settings
) -> TrayInspector:
    graphs = None
    if recipe.models:
        plans = PlanCache(settings.plans) if settings.plans else PlanCache.beside(folder)
        _, graphs = chosen_graphs(settings.backend, recipe, settings.threads, plans)
    return TrayInspector.open(recipe, calibration, settings.limits, settings.threads, graphs=graphs)


def open_inspector(
    recipe: Recipe, folder: Path, calibrations: Mapping[str, Calibration], settings: Settings
) -> AnyInspector:
    """An inspector of this recipe for scans of these cameras. Raises VoxGateError."""
    plans = PlanCache(settings.plans) if settings.plans else PlanCache.beside(folder)
    choice = choose(settings.backend, recipe, plans)
    return open_cell(
        recipe, calibrations, settings.limits, choice.backend, settings.threads, plans=plans
    )


def inspect_folder(
    folder: Path,
    recipe_folder: Path,
    *,
    calibration: Path | None = None,
    settings: Settings = DEFAULTS,
    on_progress: OnProgress = lambda done, of: None,
) -> Inspection:
    """Inspect one recorded scan, or a scene by a recipe of trays.

    Raises VoxGateError (one line) for input that cannot be used.
    """
    if is_scene(folder):
        return _inspect_scene(folder, recipe_folder, settings)
    scan = open_part_scan(folder, calibration)
    recipe = Recipe.load(recipe_folder)
    opened = open_any(recipe, recipe_folder, scan.calibrations, settings)
    recipe = opened.recipe  # its golden views as they were taken are asked for no more
    with closing(opened) as inspector:
        verdict = inspect_scan(scan, inspector, on_progress, settings.max_gap_ns)
        message = verdict_message(verdict, offline_header(folder, inspector, settings))
        if isinstance(inspector, TrayInspector):
            return Inspection(verdict, message, None, recipe)
        return Inspection(
            verdict, message, smooth(inspector.volume.occupied(), recipe.grid), recipe
        )


def _inspect_scene(folder: Path, recipe_folder: Path, settings: Settings) -> Inspection:
    scene = open_scene(folder)
    with closing(open_tray_inspector(recipe_folder, scene, settings)) as inspector:
        verdict = inspector.inspect_scene(scene)
        header = offline_header(folder, inspector, settings)
    return Inspection(verdict, verdict_message(verdict, header), None, inspector.recipe)


def open_tray_inspector(
    recipe_folder: Path, scene: Scene, settings: Settings = DEFAULTS
) -> TrayInspector:
    """Of scenes by this camera. Raises VoxGateError."""
    recipe = Recipe.load(recipe_folder)
    scene.check_measured()
    if not recipe.of_trays:
        raise RecipeError(
            f"{scene.folder}: a scene of several parts needs a recipe of trays (voxgate export "
            f"neighbours), and {recipe.label} is of single parts"
        )
    calibration = scene_calibration(scene, recipe.manifest.part)
    return _open_trays(recipe, recipe_folder, calibration, settings)


def inspect_scan(
    scan: Scan | CellScan,
    inspector: Opened,
    on_progress: OnProgress = lambda done, of: None,
    max_gap_ns: int = DEFAULTS.max_gap_ns,
) -> Verdict:
    """The verdict on one scan, with clocks that know nothing but this scan."""
    synchronizer = Synchronizer(scan.calibrations, max_gap_ns)
    begun_ns = time.monotonic_ns()
    verdict = inspector.inspect(_told(scan, synchronizer, on_progress))
    return verdict.timed(total=(time.monotonic_ns() - begun_ns) / 1e6)


def _told(
    scan: Scan | CellScan, synchronizer: Synchronizer, on_progress: OnProgress
) -> Iterator[View | Note]:
    yield from lost_frames(scan)
    for done, arrival in enumerate(placed(scan, synchronizer), start=1):
        yield arrival
        on_progress(done, scan.frame_count)


def offline_header(folder: Path, inspector: Opened, settings: Settings) -> Header:
    """An offline result is named after what it was made from, and never acts on a line."""
    configuration = f"{settings}{inspector.recipe.manifest.calibration_digest}"
    scan_id = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    job = JobIdentity(
        job_id=f"offline-{scan_id}",
        part_id=scan_id,
        recipe=inspector.recipe.label,
        configuration_id=hashlib.sha256(configuration.encode()).hexdigest()[:16],
        is_simulated=True,
    )
    return Header(
        job,
        result_id=job.job_id,
        created_utc=utc_now(),
        backend=inspector.backend,
    )
