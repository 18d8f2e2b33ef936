"""The real service, its cameras' processes and its recorder, fed with 12 Mpx and a sensor's 2 Mpx.

The virtual rig sends at least RATE_HZ views a second while earlier ones are inspected. What counts
is that nothing is lost and how much memory all processes of the box take; a busy machine is no
excuse for either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from voxgate.benchmarks.line.consumption import spent_s, together_mb
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.scans.job_reader import read_job
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.scan import FrameRecord
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import MOST_STALLS, wait_until_ready
from voxgate.sim.field.timeline import timeline_from_scan
from voxgate.sim.job_report import JobReport
from voxgate.sim.virtual_cell import VirtualCell

RATE_HZ = 4.0
SPEED = 6.0  # of the arm, whose written scan has a view a second: 4.2 of them then
SAMPLE_S = 0.1  # between two looks at the memory
READY_MS = 300_000  # a recipe of 36 such views is proven on a busy machine
WRITTEN_S = 120.0
QUEUE_MB = 1024  # 21 MB a view are held until a job ends
DEADLINE_MS = 120_000
MB = 1e6
HEADINGS = (
    "part", "views", "a second", "verdict", "lost", "CPU s a view", "memory MB: ready", "peak",
    "recording MB", "as it came", "ms to verdict", "load",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Served:
    """One job. lost: frames of both devices that its recording does not have. cpu_s: of the box,
    sensor's and camera's processes and the recording included. ready_mb, peak_mb: of
    service and cameras' processes together, pages that they share counted once."""

    report: JobReport
    views: int
    rate_hz: float
    lost: int
    cpu_s: float
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
            f"{self.cpu_s / self.views:.2f}",
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
    load, ready_mb = os.getloadavg()[0], together_mb(box)
    with _peak_mb(box) as peak:
        report, recording, cpu_s = _played(box, cell, scan, evidence)
    box.check_alive()
    views = len(open_scan(scan).frames)
    return Served(
        *(report, views, _rate_hz(scan), 2 * views - _frames_in(recording)),
        *(cpu_s, ready_mb, peak[0], recording.stat().st_size / MB, views * _view_mb(scan), load),
    )


def _played(
    box: Box, cell: VirtualCell, scan: Path, evidence: Path
) -> tuple[JobReport, Path, float]:
    """Again where only a stall of this machine spoke against it; its recording, and CPU seconds
    until that was written."""
    for _ in range(1 + MOST_STALLS):
        before_s = spent_s(box)
        report = cell.play(scan, speed=SPEED)
        recording = _recording(evidence, report.job_id)
        if not report.stalled:
            break
    return report, recording, spent_s(box) - before_s


def _rate_hz(scan: Path) -> float:
    exposed_ns = [each.t_ns for each in timeline_from_scan(open_scan(scan), SPEED).exposures]
    return 1e9 / float(np.diff(exposed_ns).max())


def _view_mb(scan: Path) -> float:
    known = open_scan(scan).calibration
    sensor = known.of_depth
    return (known.width_px * known.height_px + 2 * sensor.width_px * sensor.height_px) / MB


def _frames_in(recording: Path) -> int:
    return sum(isinstance(each, FrameRecord) for each in read_job(recording).recording.events)


def _recording(evidence: Path, job_id: str) -> Path:
    """Of a job, once it is there: it follows the verdict. Raises VoxGateError."""
    waited = threading.Event()
    for _ in range(int(WRITTEN_S / SAMPLE_S)):
        for file in evidence.glob(f"*{job_id}_*.mcap"):
            return file
        waited.wait(SAMPLE_S)
    raise VoxGateError(f"job {job_id} left no recording in {evidence}")


@contextmanager
def _peak_mb(box: Box) -> Iterator[list[float]]:
    """The most that was held meanwhile, in the list's only place."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_S):
            most[0] = max(most[0], together_mb(box))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()
