"""A 3D sensor beside the camera against depth aligned with the picture: the same parts by both.

    python -m voxgate.benchmarks.quality.rig

The rig's scans (VOXGATE_RIG) are public scans (VOXGATE_SCANS) with other depth. Then a good part by
a sensor that moved half a millimetre since its place was calibrated, every way; and CPU ms of
bringing a view's surface into the camera.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.quality.detection import SetupResult, measure, scans_folder
from voxgate.export.evaluation.run.figures import TypeFigures, figures_of
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.geometry.brought import with_depth
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of

RIG_VARIABLE = "VOXGATE_RIG"
APART_MOST = 0.02  # of V-AUPRO@1%
MOVED_MM = 0.5
REPEATS = 60  # a busy machine leaves some of them alone
AUPRO = "V-AUPRO@1%"


def rig_folder() -> Path:
    """Raises FileNotFoundError that says how to name it."""
    if not os.environ.get(RIG_VARIABLE):
        raise FileNotFoundError(f"name the folder of the rig's scans in {RIG_VARIABLE}")
    return scans_folder(os.environ[RIG_VARIABLE])


def main() -> None:
    """Print three tables."""
    console = Console()
    try:
        rig, aligned = rig_folder(), scans_folder()
    except FileNotFoundError as error:
        console.print(f"rig: skipped, {error}", soft_wrap=True)
        return
    with tempfile.TemporaryDirectory() as work:
        by_rig = measure(rig, Path(work) / "rig", "real2real")
        by_aligned = measure(aligned, Path(work) / "aligned", "real2real")
        console.print(_compared(by_rig, by_aligned))
        console.print(f"promised: {AUPRO} of the sensor at most {APART_MOST} below")
        table = Table("sensor moved, mm", "part", "outcome", "reasons", "drift, mm")
        for part in sorted(by_rig.export_s):
            recipe = Recipe.load(Path(work) / "rig" / "real2real" / part)
            for row in _moved(recipe, rig / part):
                table.add_row(*row)
        console.print(table)
    for part in sorted(by_rig.export_s):
        console.print(f"{part}: {_brought_ms(rig / part / 'golden'):.1f} CPU ms to bring a view")


def _compared(rig: SetupResult, aligned: SetupResult) -> Table:
    """Of the cases that both have."""
    table = Table("part", "cases", f"{AUPRO}, sensor", "aligned", "verdicts, sensor", "aligned")
    for part in sorted(rig.export_s):
        both = [_figures(one, part, other) for one, other in ((rig, aligned), (aligned, rig))]
        table.add_row(
            part,
            str(both[0].good + both[0].bad),
            *(f"{each.figures[AUPRO]:.3f}" for each in both),
            *(_said(each) for each in both),
        )
    return table


def _figures(of: SetupResult, part: str, other: SetupResult) -> TypeFigures:
    shared = {record.name for record in other.evaluation.records}
    own = [r for r in of.evaluation.records if r.part == part and r.name in shared]
    return figures_of(own, of.evaluation.store)


def _said(figures: TypeFigures) -> str:
    return "; ".join(
        f"{label} {count} {outcome}"
        for label, outcomes in figures.outcomes.items()
        for outcome, count in outcomes.items()
    )


def _moved(recipe: Recipe, part: Path) -> Iterator[tuple[str, ...]]:
    """A good part, looked at from where the sensor is not said to be."""
    scan = next(each for each in sorted(part.glob("test/*")) if not (each / "gt.npz").exists())
    views, calibration = _views(scan), open_scan(scan).calibration
    with closing(Inspector.open(recipe, calibration, Limits())) as inspector:
        for axis, sign in ((axis, sign) for axis in range(3) for sign in (1, -1)):
            said_from_true = np.eye(4)
            said_from_true[axis, 3] = -sign * MOVED_MM
            verdict = inspector.inspect([_from(view, said_from_true) for view in views])
            reasons = ", ".join(dict.fromkeys(note.reason.value for note in verdict.notes))
            drift = "" if verdict.drift is None else f"{verdict.drift.drift_mm:.2f}"
            mark = "" if verdict.outcome is not Outcome.PASS else "  <- wrong"
            where = f"{'xyz'[axis]} {sign * MOVED_MM:+g}"
            yield where, part.name, verdict.outcome.value + mark, reasons, drift


def _from(view: View, said_from_true: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> View:
    assert view.sensed is not None
    there = view.sensed.part_from_camera @ said_from_true
    return replace(view, sensed=replace(view.sensed, part_from_camera=there))


def _brought_ms(scan: Path) -> float:
    """Median over the views, of each the least, on one core."""
    rays, least_ms = Rays.from_calibration(open_scan(scan).calibration), []
    with Crew(1) as crew:
        for view in _views(scan):
            took_ms = []
            for _ in range(REPEATS):
                begun_ns = time.thread_time_ns()
                with_depth(view, rays, crew)
                took_ms.append((time.thread_time_ns() - begun_ns) / 1e6)
            least_ms.append(min(took_ms))
    return float(np.median(least_ms))


def _views(scan: Path) -> list[View]:
    placed = views_of(open_scan(scan), DEFAULTS.max_gap_ns, 1.0)
    return [view for view in placed if isinstance(view, View)]


if __name__ == "__main__":
    main()
