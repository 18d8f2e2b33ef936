"""One part at four resolutions: the same verdicts, and what the box and the export need for them.

    python -m voxgate.benchmarks.speed.resolution

The example bracket, enlarged; each size is exported and inspected in a process of its own, whose
CPU time and memory are the figures. At the largest the real service then plays it over sockets.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.places import BRACKET
from voxgate.benchmarks.speed.enlarged import write_part
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.common.timings import Work
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import View
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.virtual_cell import VirtualCell

SIZES_PX = ((400, 300), (800, 600), (1600, 1200), (4096, 3000))
SCANS = ("golden", "good", "bad")
REPEATS = 5  # parts, after two that warm up
JOBS, JOB_SPEED = 10, 1.0
MB = 2**20
MODULE = "voxgate.benchmarks.speed.resolution"
PROMISED = (
    "promised at 4096 x 3000: export <= 90 s and <= 3 GB, <= 60 MB a view, last exposure to "
    "verdict <= 250 ms (p50)"
)


def main() -> None:
    """Print a table of all sizes, then the service's latency at the largest."""
    console = Console()
    table = Table(title="the example bracket, 12 views", title_justify="left")
    for heading in ("camera", "inspected", "good, bad", "export, CPU s", "export, peak MB"):
        table.add_column(heading, justify="right")
    for heading in ("MB a view", "reduce, ms", "last view, ms"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for size_px in SIZES_PX:
            part = Path(folder) / f"{size_px[0]}" / "bracket"
            write_part(BRACKET, part, size_px, SCANS)
            table.add_row(*_row(size_px, _in_a_process("export", part), part))
        console.print(table)
        console.print(PROMISED)
        _live(console, part)


def _row(size_px: tuple[int, int], export: dict[str, Any], part: Path) -> tuple[str, ...]:
    found = _in_a_process("inspect", part)
    worked = export["worked_px"]
    return (
        f"{size_px[0]} x {size_px[1]}",
        f"{worked[0]} x {worked[1]}",
        ", ".join(f"{name} {score:.2f}" for name, score in found["verdicts"]),
        f"{export['cpu_s']:.0f}",
        f"{export['peak_mb']:.0f}",
        f"{found['view_mb']:.0f}",
        f"{found['reduce_ms']:.1f}",
        f"{found['last_ms']:.0f}",
    )


def _in_a_process(what: str, part: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", MODULE, what, str(part)], check=True, stdout=subprocess.PIPE
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _export(part: Path) -> dict[str, Any]:
    summary = export_reference_recipe(part / "golden", part / "recipes" / "bracket" / "1")
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "worked_px": summary["inspected"]["worked_px"],
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def _inspect(part: Path) -> dict[str, Any]:
    """Verdicts, memory that the recipe holds for a view, and times of the last view."""
    recipe = Recipe.load(part / "recipes" / "bracket" / "1")
    calibration = open_scan(part / "good").calibration
    before = psutil.Process().memory_info().rss
    inspector = Inspector.open(recipe, calibration, Limits(), now_ns=time.monotonic_ns)
    with closing(inspector):
        inspector.warm_up()
        view_mb = (psutil.Process().memory_info().rss - before) / MB / len(recipe.plan.views)
        verdicts = [inspect_scan(open_scan(part / name), inspector) for name in ("good", "bad")]
        views = _views(part / "good")
        last_ms = [_last_ms(inspector, views) for _ in range(REPEATS)]
        reduce_ms = [t.took_ns / 1e6 for t in inspector.take_timings() if t.work is Work.REDUCE]
    return {
        "verdicts": [(verdict.outcome.value, verdict.score) for verdict in verdicts],
        "view_mb": view_mb,
        "reduce_ms": statistics.median(reduce_ms),
        "last_ms": statistics.median(last_ms),
    }


def _views(scan: Path) -> list[View]:
    return [v for v in views_of(open_scan(scan), DEFAULTS.max_gap_ns, 1.0) if isinstance(v, View)]


def _last_ms(inspector: Inspector, views: list[View]) -> float:
    """From the last view to the verdict."""
    inspector.start()
    for view in views[:-1]:
        inspector.add(view)
    begun_ns = time.monotonic_ns()
    inspector.add(views[-1])
    inspector.finish()
    return (time.monotonic_ns() - begun_ns) / 1e6


def _live(console: Console, part: Path) -> None:
    folder = part.parent / "box"
    with (
        Box.start(folder, part / "calibration.json", part / "recipes", "bracket/1") as box,
        VirtualCell(wires_from_config(box.config)) as cell,
    ):
        wait_until_ready(box, cell)
        reports = [cell.play(part / "good", speed=JOB_SPEED) for _ in range(JOBS)]
        resident = sum(process.memory_info().rss for process in (psutil.Process(box.process.pid),))
    known = sorted(r.latency_ms for r in reports if r.latency_ms is not None)
    counts = Counter(" ".join((report.outcome, *report.reasons)) for report in reports)
    outcomes = ", ".join(f"{count} {said}" for said, count in counts.most_common())
    p50 = statistics.median(known) if known else float("nan")
    console.print(
        f"the same as a service, {JOBS} jobs ({outcomes}): last exposure to verdict "
        f"p50 {p50:.0f} ms, most {max(known, default=float('nan')):.0f} ms; "
        f"the service holds {resident / MB:.0f} MB"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        tell = {"export": _export, "inspect": _inspect}[sys.argv[1]]
        sys.stdout.write(json.dumps(tell(Path(sys.argv[2]))) + "\n")
    else:
        main()
