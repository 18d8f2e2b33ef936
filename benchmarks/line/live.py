"""Live figures: the real service and the virtual cell on this machine, over real sockets.

Latency is what the robot sees: the camera's last exposure ends -> the published verdict is in its
hands. 18 ms of it are the camera's readout, 0.2 to 2 ms the network's replayed delay.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from voxgate.benchmarks.line.consumption import idle_share, resident_mib
from voxgate.benchmarks.line.own_metrics import own_metrics
from voxgate.benchmarks.places import BRACKET, RECIPES
from voxgate.runtime.config.sections import Sockets
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.job_report import JobReport
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

JOBS, JOB_SPEED = 100, 2.0
"""Latency: the arm at twice the recorded speed, 6 s per job."""
GROWTH_JOBS, GROWTH_SPEED = 500, 20.0
"""Memory: as many views as the box can take; the queue may fill, the verdict must still come."""
GROWTH_SAMPLES = 10
HISTOGRAM = "voxgate_last_exposure_to_verdict_seconds"
EXPECTED = {"good": "PASS", "bad": "FAIL"}


def main() -> None:
    """All live figures: about 30 minutes."""
    measure(Console())


def measure(
    console: Console,
    jobs: int = JOBS,
    job_speed: float = JOB_SPEED,
    growth_jobs: int = GROWTH_JOBS,
    growth_speed: float = GROWTH_SPEED,
) -> None:
    """Start to READY, idle load, latency over `jobs`, memory over `growth_jobs`."""
    recipe = export_once(BRACKET / "golden", RECIPES)
    start_to_ready_s(recipe)  # fills the caches
    ready_s = start_to_ready_s(recipe)
    console.print(f"start to READY, warm caches: {ready_s:.2f} s (promised <= 5 s)")
    with (
        tempfile.TemporaryDirectory() as folder,
        _box(Path(folder), recipe) as box,
        VirtualCell(wires_from_config(box.config)) as cell,
    ):
        wait_until_ready(box, cell)
        load = idle_share(box)
        console.print(f"service idle, 125 poses/s coming in: {load:.1%} of a core (promised < 3 %)")
        _latency(console, box, cell, jobs, job_speed)
        _growth(console, box, cell, growth_jobs, growth_speed)


def start_to_ready_s(recipe: Path) -> float:
    """Seconds from starting the process to a service that takes jobs."""
    with tempfile.TemporaryDirectory() as folder:
        begun_ns = time.monotonic_ns()
        with _box(Path(folder), recipe) as box, VirtualCell(wires_from_config(box.config)) as cell:
            wait_until_ready(box, cell)
            return (time.monotonic_ns() - begun_ns) / 1e9


def _box(folder: Path, recipe: Path) -> Box:
    """With the heartbeat of a cell whose configuration says nothing of it."""
    name = f"{recipe.parent.name}/{recipe.name}"
    sockets: dict[str, object] = {"heartbeat_ms": Sockets.model_fields["heartbeat_ms"].default}
    calibration = BRACKET / "calibration.json"
    return Box.start(folder, calibration, recipe.parents[1], name, {"sockets": sockets})


def _latency(console: Console, box: Box, cell: VirtualCell, jobs: int, speed: float) -> None:
    reports = []
    for number in track(range(jobs), f"{jobs} live jobs", console=console):
        scan = ("good", "bad")[number % 2]
        report = cell.play(BRACKET / scan, speed=speed)
        box.check_alive()
        reports.append(report)
        if report.outcome != EXPECTED[scan]:
            console.print(unexpected_line(number, scan, report))
    table = Table(title=f"{jobs} live jobs, arm at {speed:g} x, ms", title_justify="left")
    for heading in ("", "p50", "p90", "p99", "max"):
        table.add_column(heading, justify="right")
    table.add_row("last exposure -> verdict at the robot", *_row(reports, "latency_ms"))
    table.add_row("last frame sent -> verdict at the robot", *_row(reports, "frame_latency_ms"))
    for name in _timings(reports):
        table.add_row(f"service: {name}", *_quantiles([_timing(r, name) for r in reports]))
    table.add_row("virtual cell late by", *_row(reports, "late_ms"))
    console.print(table)
    console.print("promised: p50 <= 90 ms, p99 <= 150 ms from the last exposure")
    console.print(own_histogram(box))


def unexpected_line(number: int, scan: str, report: JobReport) -> str:
    """What went wrong with a job; a machine that stalls for 50 ms costs the job its clocks."""
    said = report.verdict.reasons[0].detail if report.verdict is not None else report.refused
    return (
        f"job {number} ({scan}) is {report.outcome}, the virtual cell was {report.late_ms:.0f} ms "
        f"late, the box said: {said}"
    )


def own_histogram(box: Box) -> str:
    """What the service itself tells Prometheus about the same jobs."""
    values = own_metrics(box, HISTOGRAM)
    count = values[f"{HISTOGRAM}_count"]
    mean_ms = 1e3 * values[f"{HISTOGRAM}_sum"] / max(count, 1.0)
    within = [values[f'{HISTOGRAM}_bucket{{le="{edge}"}}'] for edge in ("0.09", "0.15")]
    return (
        f"the service's own histogram: mean {mean_ms:.1f} ms over {count:.0f} verdicts, "
        f"{within[0] / count:.0%} within 90 ms, {within[1] / count:.0%} within 150 ms"
    )


def _timings(reports: list[JobReport]) -> list[str]:
    verdict = reports[0].verdict
    return sorted(verdict.timing_ms) if verdict is not None else []


def _timing(report: JobReport, name: str) -> float:
    verdict = report.verdict
    return float("nan") if verdict is None else verdict.timing_ms.get(name, float("nan"))


def _row(reports: list[JobReport], field: str) -> list[str]:
    return _quantiles([getattr(report, field) for report in reports])


def _quantiles(values: list[float | None]) -> list[str]:
    known = [value for value in values if value is not None]
    marks = np.nanquantile(known, (0.5, 0.9, 0.99, 1.0)) if known else [float("nan")] * 4
    return [f"{mark:.1f}" for mark in marks]


def _growth(console: Console, box: Box, cell: VirtualCell, jobs: int, speed: float) -> None:
    resident = []
    for number in track(range(jobs), f"{jobs} short jobs", console=console):
        cell.play(BRACKET / ("good", "bad")[number % 2], speed=speed)
        box.check_alive()
        if number % max(1, jobs // GROWTH_SAMPLES) == 0 or number == jobs - 1:
            resident.append(resident_mib(box))
    series = " ".join(f"{size:.0f}" for size in resident)
    settled = resident[1:] or resident
    console.print(
        f"memory of service and workers over {jobs} jobs (arm at {speed:g} x), MB: {series}; "
        f"after the first tenth it changed by {settled[-1] - settled[0]:+.1f} MB"
    )


if __name__ == "__main__":
    main()
