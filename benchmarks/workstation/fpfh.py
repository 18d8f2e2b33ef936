"""Shape descriptors of one 800 x 600 depth map."""

from __future__ import annotations

import statistics
import time

from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.speed.fusion import load
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.descriptors.fpfh import fpfh, warm_up
from voxgate.runtime.recipe.sections.shapes import FpfhSection

RUNS = 5
STEPS_PX = (8, 4, 2, 1)
THREADS = 2


def main() -> None:
    """Measure and print."""
    bench = load()
    view = bench.views[0]
    assert view.depth_mm is not None  # the example has depth
    table = Table(title=f"FPFH, 10 mm and 100 neighbours, {THREADS} threads, median of {RUNS}")
    for column in ("every so many px", "points", "ms"):
        table.add_column(column)
    with Crew(THREADS) as crew:
        warm_up(crew)
        for step_px in STEPS_PX:
            section = FpfhSection(step_px=step_px)
            points = int((view.depth_mm[::step_px, ::step_px] > 0).sum())
            times = []
            for _ in range(RUNS):
                begun = time.perf_counter()
                fpfh(view.depth_mm, bench.rays, section, crew)
                times.append((time.perf_counter() - begun) * 1e3)
            table.add_row(str(step_px), str(points), f"{statistics.median(times):.0f}")
    Console().print(table)
