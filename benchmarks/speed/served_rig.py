"""The real service, its cameras' processes and its recorder, fed with 12 Mpx and a sensor's 2 Mpx.

The virtual rig sends at least RATE_HZ views a second while earlier ones are inspected. What counts
is that nothing is lost and how much memory all processes of the box take; a busy machine is no
excuse for either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from rich.table import Table

from voxgate.benchmarks.line.own_metrics import own_metrics
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.field.timeline import timeline_from_scan
from voxgate.sim.job_report import JobReport
from voxgate.sim.virtual_cell import VirtualCell

RATE_HZ = 4.0
SPEED = 6.0  # of the arm, whose written scan has a view a second: 4.2 of them then
SAMPLE_S = 0.1  # between two looks at the memory
READY_MS = 300_000  # a recipe of 36 such views is proven on a busy machine
CLOSE_S = 60.0
QUEUE_MB = 1024  # 21 MB a view are held until a job ends
DEADLINE_MS = 120_000
MB = 1e6
HEADINGS = (
    "part", "views", "a second", "verdict", "lost", "memory MB: ready", "peak", "recording MB",
    "as it came", "ms to verdict", "load",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Served:
    """One job. lost: views, and frames as cell and box count them. ready_mb, peak_mb: of service
    and cameras' processes together, pages that they share counted once."""

    report: JobReport
    views: int
    rate_hz: float
    lost: int
    ready_mb: float
    peak_mb: float
    recording_mb: float
    raw_mb: float
    load: float

    def row(self) -> tuple[str, ...]:
        """Of the table."""
        latency = self.report.latency_ms
        return (
            Path(self.report.scan).name,
            str(self.views),
            f"{self.rate_hz:.1f}",
            f"{self.report.outcome} {', '.join(self.report.reasons)}".strip(),
            str(self.lost),
            f"{self.ready_mb:.0f}",
            f"{self.peak_mb:.0f}",
            f"{self.recording_mb:.0f}",
            f"{self.raw_mb:.0f}",
            "-" if latency is None else f"{latency:.0f}",
            f"{self.load:.0f}",
        )


def table_of(jobs: list[Served]) -> Table:
    """To print."""
    table = Table(*HEADINGS, title=f"served, at least {RATE_HZ:g} views/s", title_justify="left")
    for job in jobs:
        table.add_row(*job.row())
    return table


def served(work: Path, recipe: str, scans: list[Path]) -> list[Served]:
    """Each scan as a job of one service with `recipe` of work/recipes, recorder on."""
    evidence = work / "evidence"
    settings: dict[str, dict[str, object]] = {
        "evidence": {"folder": str(evidence), "min_free_gb": 0.0, "queue_mb": QUEUE_MB},
        "job": {"deadline_ms": DEADLINE_MS},
    }
    calibration = scans[0] / "calibration.json"
    with (
        Box.start(work / "box", calibration, work / "recipes", recipe, settings) as box,
        VirtualCell(wires_from_config(box.config)) as cell,
    ):
        wait_until_ready(box, cell, READY_MS)
        return [_job(box, cell, scan, evidence) for scan in scans]


def _job(box: Box, cell: VirtualCell, scan: Path, evidence: Path) -> Served:
    cell.load(scan, SPEED)
    before, dropped = set(evidence.glob("*.mcap")), _dropped(box)
    load, ready_mb = os.getloadavg()[0], _together_mb(box)
    with _peak_mb(box) as peak:
        report = cell.play(scan, speed=SPEED)
        written = _written(evidence, before)
    box.check_alive()
    views = len(open_scan(scan).frames)
    came = 0 if report.verdict is None else len(report.verdict.views)
    lost = max(views - came, report.frames_lost, _dropped(box) - dropped)
    size_mb = sum(file.stat().st_size for file in written) / MB
    return Served(
        *(report, views, _rate_hz(scan), lost, ready_mb, peak[0], size_mb),
        *(views * _view_mb(scan), load),
    )


def _rate_hz(scan: Path) -> float:
    exposed_ns = [each.t_ns for each in timeline_from_scan(open_scan(scan), SPEED).exposures]
    return 1e9 / float(np.diff(exposed_ns).max())


def _view_mb(scan: Path) -> float:
    known = open_scan(scan).calibration
    sensor = known.of_depth
    return (known.width_px * known.height_px + 2 * sensor.width_px * sensor.height_px) / MB


def _dropped(box: Box) -> int:
    """Frames that found no free slot of a ring, and views no free place before the inspector."""
    events, drops = own_metrics(box, "voxgate_camera_events"), own_metrics(box, "voxgate_queue")
    rings = sum(count for name, count in events.items() if 'event="dropped"' in name)
    return int(rings + drops.get("voxgate_queue_drops_total", 0.0))


def _written(evidence: Path, before: set[Path]) -> set[Path]:
    """The job's recording, once it is there; it follows the verdict."""
    waited = threading.Event()
    for _ in range(int(CLOSE_S / SAMPLE_S)):
        if new := set(evidence.glob("*.mcap")) - before:
            return new
        waited.wait(SAMPLE_S)
    return set()


@contextmanager
def _peak_mb(box: Box) -> Iterator[list[float]]:
    """The most that was held meanwhile, in the list's only place."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_S):
            most[0] = max(most[0], _together_mb(box))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def _together_mb(box: Box) -> float:
    held = 0
    service = psutil.Process(box.process.pid)
    for process in (service, *service.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            held += process.memory_full_info().pss
    return held / MB
