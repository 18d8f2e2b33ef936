"""A recorded scan through the same stages as on the line: replayed, inspected, decided."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.decide import Limits
from runtime.engine import DEFAULT_BACKEND, open_engine
from runtime.inspector import Inspector
from runtime.messages import VerdictMessage
from runtime.nouns import Outcome, Verdict, View
from runtime.recipe import Recipe
from runtime.replay import replay
from runtime.result import Header, verdict_message
from runtime.scan import Scan
from runtime.sync import Synchronizer
from runtime.volume import Voxels
from runtime.volume_file import save_volume
from runtime.wall_clock import utc_now

EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INDETERMINATE: 3}
MAX_GAP_NS = 20_000_000  # as the cell's default: two and a half periods of a 125 Hz stream

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """One scan's verdict and the volume it rests on."""

    verdict: Verdict
    message: VerdictMessage
    voxels: Voxels
    recipe: Recipe

    def save_volume(self, path: Path) -> None:
        """Write the anomaly volume. Raises VoxGateError when the file cannot be written."""
        save_volume(path, self.voxels, self.recipe.grid)


def inspect_folder(
    folder: Path,
    recipe_folder: Path,
    *,
    calibration: Path | None = None,
    backend: str = DEFAULT_BACKEND,
    limits: Limits | None = None,
    on_progress: OnProgress = lambda done, of: None,
) -> Inspection:
    """Inspect one recorded scan. Raises VoxGateError (one line) for input that cannot be used."""
    scan = Scan.open(folder, calibration)
    recipe = Recipe.load(recipe_folder)
    recipe.check_calibration(scan.calibration)
    inspector = Inspector(
        recipe, scan.calibration, open_engine(recipe, backend), limits or Limits()
    )
    try:
        verdict = inspect_scan(scan, inspector, on_progress)
        return Inspection(
            verdict,
            verdict_message(verdict, _header(folder, inspector)),
            inspector.volume.occupied(),
            recipe,
        )
    finally:
        inspector.close()


def inspect_scan(
    scan: Scan, inspector: Inspector, on_progress: OnProgress = lambda done, of: None
) -> Verdict:
    """The verdict on one scan, with clocks that know nothing but this scan."""
    synchronizer = Synchronizer(scan.calibration, MAX_GAP_NS)
    begun_ns = time.monotonic_ns()
    inspector.start()
    for done, found in enumerate(replay(scan, synchronizer), start=1):
        if isinstance(found, View):
            inspector.add(found)
        else:
            inspector.reject(found.note)
        on_progress(done, len(scan.frames))
    verdict = inspector.finish()
    return verdict.timed(total=(time.monotonic_ns() - begun_ns) / 1e6)


def _header(folder: Path, inspector: Inspector) -> Header:
    """An offline result is named after what it was made from, and never acts on a line."""
    configuration = f"{inspector.limits}{inspector.recipe.manifest.calibration_digest}"
    scan_id = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return Header(
        result_id=f"offline-{scan_id}",
        job_id=f"offline-{scan_id}",
        part_id=scan_id,
        recipe=inspector.recipe.label,
        configuration_id=hashlib.sha256(configuration.encode()).hexdigest()[:16],
        is_simulated=True,
        created_utc=utc_now(),
        backend=inspector.engine.backend,
    )
