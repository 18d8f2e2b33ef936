"""What the default detector finds from one golden scan: I-AUROC, V-AUPRO@1 %, margins, times.

    python -m benchmarks.detection [scans]

The scans are the public split (a folder per part type with golden/ and test/); truth is read here
and nowhere else, after the verdict.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.volume_metrics import LabelledVolume, instance_auroc, label_volume, voxel_aupro
from export.reference import export_reference_recipe
from runtime.decide import Limits
from runtime.inspector import Inspector
from runtime.nouns import Verdict, View
from runtime.offline import MAX_GAP_NS
from runtime.recipe import Recipe
from runtime.replay import views_of
from runtime.scan import Scan
from runtime.timings import Timing, Work
from runtime.volume import Volume

SCANS_VARIABLE = "VOXGATE_SCANS"
THREADS = 2
LEAST_SCORE = 1e-6  # every voxel with any score


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    """One test part: what the pipeline said, and what is true."""

    scan: str
    verdict: Verdict
    labelled: LabelledVolume
    missed: tuple[str, ...]  # defects without one voxel at the threshold
    view_ms: tuple[float, ...]  # inspector.add, alignment included in the third
    finish_ms: float
    timings: tuple[Timing, ...]

    @property
    def anomalous(self) -> bool:
        """Whether the part has a defect."""
        return bool((self.labelled.defect_ids > 0).any())

    @property
    def score(self) -> float:
        """The part's score; a part without one counts as good, so that it cannot help."""
        return self.verdict.score or 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TypeResult:
    """One part type."""

    part: str
    export_s: float
    parts: tuple[Inspected, ...]

    @property
    def stage_ms(self) -> dict[str, float]:
        """Median time of what is done once per view, as the inspector times it."""
        passages = [timing for part in self.parts for timing in part.timings]
        return {
            work.value: float(np.median([t.took_ns for t in passages if t.work is work])) / 1e6
            for work in (Work.REGISTER, Work.ENGINE, Work.FUSE)
        }

    @property
    def auroc(self) -> float:
        """Instance AUROC."""
        scores = np.array([part.score for part in self.parts])
        return instance_auroc(scores, np.array([part.anomalous for part in self.parts]))

    @property
    def aupro(self) -> float:
        """V-AUPRO@1 %."""
        return voxel_aupro([part.labelled for part in self.parts])

    def scores(self, anomalous: bool) -> list[float]:
        """Part scores of the good or the bad ones, ascending."""
        return sorted(part.score for part in self.parts if part.anomalous == anomalous)


def scans_folder(given: str | None = None) -> Path:
    """Where the scans are: argument, then environment.

    Raises FileNotFoundError that says how to name the folder.
    """
    folder = Path(given or os.environ.get(SCANS_VARIABLE) or ".")
    if not list(folder.glob("*/golden/frames.jsonl")):
        raise FileNotFoundError(
            f"{folder}: no <part>/golden/frames.jsonl here; name the folder of the public scans "
            f"as argument or in {SCANS_VARIABLE}"
        )
    return folder


def measure(part: Path, work: Path) -> TypeResult:
    """Export from the golden scan, inspect every test scan of one part type."""
    recipe_folder = work / part.name
    start = time.perf_counter()
    export_reference_recipe(part / "golden", recipe_folder)
    export_s = time.perf_counter() - start
    recipe = Recipe.load(recipe_folder)
    calibration = Scan.open(part / "golden").calibration
    inspector = Inspector.open(
        recipe, calibration, Limits(), threads=THREADS, now_ns=time.monotonic_ns
    )
    try:
        tests = sorted(path for path in (part / "test").iterdir() if path.is_dir())
        parts = tuple(_inspected(test, inspector) for test in tests)
        return TypeResult(part.name, export_s, parts)
    finally:
        inspector.close()


def main(scans: str | None = None) -> None:
    """Print one table per part type."""
    console = Console()
    try:
        folder = scans_folder(scans)
    except FileNotFoundError as error:
        console.print(f"detection: skipped, {error}", soft_wrap=True)
        return
    with tempfile.TemporaryDirectory() as work:
        for part in sorted(path.parent.parent for path in folder.glob("*/golden/frames.jsonl")):
            _show(measure(part, Path(work)), console)


def _inspected(scan: Path, inspector: Inspector) -> Inspected:
    placed = views_of(Scan.open(scan), MAX_GAP_NS, math.inf)
    inspector.start()
    view_ms = [_timed_add(inspector, view) for view in placed if isinstance(view, View)]
    for rejection in placed:
        if not isinstance(rejection, View):
            inspector.reject(rejection.note)
    start = time.perf_counter()
    verdict = inspector.finish()
    finish_ms = (time.perf_counter() - start) * 1e3
    labelled = _labelled(scan, inspector.volume)
    return Inspected(
        scan.name,
        verdict,
        labelled,
        _missed(scan, labelled),
        tuple(view_ms),
        finish_ms,
        inspector.take_timings(),
    )


def _timed_add(inspector: Inspector, view: View) -> float:
    start = time.perf_counter()
    inspector.add(view)
    return (time.perf_counter() - start) * 1e3


def _labelled(scan: Path, volume: Volume) -> LabelledVolume:
    scores = np.zeros(volume.grid.shape, np.float32)
    voxels = volume.above(LEAST_SCORE)
    scores[tuple(voxels.ijk.T)] = voxels.score
    surface = _array(scan / "surface.npz", "ijk")
    if not (scan / "gt.npz").exists():
        none = np.zeros(0, np.int16)
        return label_volume(scores, surface, np.zeros((0, 3), np.int32), none)
    truth = scan / "gt.npz"
    ids = _array(truth, "defect_id").astype(np.int16)
    return label_volume(scores, surface, _array(truth, "ijk"), ids)


def _array(path: Path, name: str) -> npt.NDArray[np.int32]:
    with np.load(path) as file:
        return np.asarray(file[name])


def _missed(scan: Path, labelled: LabelledVolume) -> tuple[str, ...]:
    defects = json.loads((scan / "truth.json").read_text())["defects"]
    found = {
        defect["id"]: float(labelled.scores[labelled.defect_ids == defect["id"]].max())
        for defect in defects
    }
    return tuple(
        f"{defect['type']} {found[defect['id']]:.2f}"
        for defect in defects
        if found[defect["id"]] < 1.0
    )


def _show(result: TypeResult, console: Console) -> None:
    table = Table("figure", "value", title=f"{result.part}: from one golden scan")
    good, bad = result.scores(anomalous=False), result.scores(anomalous=True)
    view_ms = [ms for part in result.parts for ms in part.view_ms[3:]]
    finish_ms = [part.finish_ms for part in result.parts]
    table.add_row("I-AUROC", f"{result.auroc:.3f}")
    table.add_row("V-AUPRO@1 %", f"{result.aupro:.3f}")
    table.add_row("highest good part (threshold 1)", f"{good[-1]:.2f} of {len(good)}")
    table.add_row("lowest bad part (threshold 1)", f"{bad[0]:.2f} of {len(bad)}")
    table.add_row("outcomes, good", _outcomes(result, anomalous=False))
    table.add_row("outcomes, bad", _outcomes(result, anomalous=True))
    table.add_row("defects below the threshold", _misses(result))
    table.add_row("export", f"{result.export_s:.1f} s")
    for stage, ms in result.stage_ms.items():
        table.add_row(f"{stage} per view, median", f"{ms:.1f} ms")
    table.add_row("view, median / worst", f"{np.median(view_ms):.0f} / {max(view_ms):.0f} ms")
    table.add_row("finish, median / worst", f"{np.median(finish_ms):.0f} / {max(finish_ms):.0f} ms")
    console.print(table)


def _outcomes(result: TypeResult, anomalous: bool) -> str:
    names = [part.verdict.outcome.value for part in result.parts if part.anomalous == anomalous]
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))


def _misses(result: TypeResult) -> str:
    missed = [f"{part.scan}: {name}" for part in result.parts for name in part.missed]
    return ", ".join(missed) or "none"


if __name__ == "__main__":
    main(*sys.argv[1:2])
