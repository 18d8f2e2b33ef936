"""Thousands of jobs with random faults: every job accounted for, nothing that grows.

The real service with the real detector and the virtual cell, over real sockets. Every third job is
disturbed, every hundredth kills the camera's process. VOXGATE_SOAK_JOBS sets how many.
"""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from voxgate.benchmarks.line.consumption import processes_of, resident_mib
from voxgate.benchmarks.line.live import EXPECTED
from voxgate.benchmarks.places import BRACKET, RECIPES
from voxgate.runtime.errors import VoxGateError
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.job_report import JobReport
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

JOBS = int(os.environ.get("VOXGATE_SOAK_JOBS", "2000"))
SPEED = 20.0
SEED = 8
PATIENCE_S, RETRY_S = 60.0, 0.2  # a killed camera is back within a second
SAMPLES = 20
WARM_UP = 0.1  # of the jobs: caches, pools and SQLite's pages fill
EVIDENCE_GB = 0.1
FLAT = 0.02  # of the memory after the warm-up
FAULTS = (
    *("drop:view=3", "drop:view=11", "drop:frames=30%", "drop:poses=90%", "delay:frames=2s,view=5"),
    *("delay:poses=1s,view=5", "freeze:poses=300ms,view=4", "stale:poses=300ms,view=4"),
    *("stale:view=4", "duplicate:view=4", "reorder:view=4", "step:camera=0.5s", "step:robot=-0.5s"),
    *(
        "corrupt:image,view=2",
        "corrupt:depth,view=2",
        "nan:poses,view=7",
        "quaternion:poses,view=7",
    ),
    "stop:view=5",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the service and its workers hold."""

    job: int
    resident_mb: float
    descriptors: int
    threads: int
    processes: int
    shared: int  # names in /dev/shm


def main() -> None:
    """2,000 jobs: about 45 minutes."""
    measure(Console(), JOBS)


def measure(console: Console, jobs: int) -> bool:
    """Play `jobs` and print what became of them; whether every promise held."""
    recipe = export_once(BRACKET / "golden", RECIPES)
    with (
        tempfile.TemporaryDirectory() as folder,
        _box(Path(folder), recipe) as box,
        VirtualCell(wires_from_config(box.config)) as cell,
    ):
        wait_until_ready(box, cell)
        reports, samples = _play(console, box, cell, jobs)
        lost = _not_on_record(box, reports)
        kept_mb = sum(f.stat().st_size for f in (box.folder / "evidence").rglob("*.mcap")) / 1e6
    wrong = [report for report in reports if not _as_promised(report)]
    _show(console, reports, samples)
    grown = _growth(samples)
    console.print(
        f"{len(lost)} jobs without a verdict on record, {len(wrong)} with a verdict that was not "
        f"earned; memory {grown:+.1%} after the first tenth (promised: 0, 0, within {FLAT:.0%})"
    )
    console.print(
        f"recordings on disk at the end: {kept_mb:.0f} MB, allowed {1e3 * EVIDENCE_GB:.0f}"
    )
    for report in wrong:
        console.print(f"  {report.job_id} {report.scan} {report.faults}: {report.outcome}")
    return not lost and not wrong and abs(grown) <= FLAT


def _box(folder: Path, recipe: Path) -> Box:
    """A cell that keeps recordings too, and has to throw most of them away again."""
    evidence = {"folder": str(folder / "evidence"), "max_gb": EVIDENCE_GB, "pass_images_every": 1}
    return Box.start(
        folder,
        BRACKET / "calibration.json",
        recipe.parents[1],
        f"{recipe.parent.name}/{recipe.name}",
        {"evidence": evidence},
    )


def _play(
    console: Console, box: Box, cell: VirtualCell, jobs: int
) -> tuple[list[JobReport], list[Sample]]:
    dice = random.Random(SEED)
    reports, samples = [], []
    for number in track(range(jobs), f"{jobs} jobs", console=console):
        faults = (dice.choice(FAULTS),) if number % 3 == 2 else ()
        if number % 100 == 99:
            _kill_camera(box)
        reports.append(_job(box, cell, ("good", "bad")[dice.randrange(2)], faults))
        if number % max(1, jobs // SAMPLES) == 0 or number == jobs - 1:
            samples.append(_sample(box, number))
    return reports, samples


def _job(box: Box, cell: VirtualCell, scan: str, faults: tuple[str, ...]) -> JobReport:
    """One job, asked for again while the box is still busy with the trouble before."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        box.check_alive()
        report = cell.play(BRACKET / scan, faults=faults, speed=SPEED)
        if report.refused is None:
            return report
        time.sleep(RETRY_S)
    raise VoxGateError(f"no job is accepted any more: {report.refused}")


def _kill_camera(box: Box) -> None:
    for child in psutil.Process(box.process.pid).children():
        child.kill()


def _as_promised(report: JobReport) -> bool:
    """A PASS only for a good part that nothing happened to; a FAIL only for a bad one."""
    if report.outcome == "PASS":
        return report.scan.endswith("good") and not report.faults
    if report.outcome == "FAIL":
        return EXPECTED[Path(report.scan).name] == "FAIL"
    return report.outcome == "INDETERMINATE" and not report.may_pass


def _not_on_record(box: Box, reports: list[JobReport]) -> set[str]:
    """Jobs that the robot has a verdict of and the journal another, or none."""
    with sqlite3.connect(f"file:{box.config.journal.path}?mode=ro", uri=True) as journal:
        rows = dict(journal.execute("SELECT job_id, outcome FROM results").fetchall())
    return {report.job_id for report in reports if rows.get(report.job_id) != report.outcome}


def _sample(box: Box, number: int) -> Sample:
    processes = processes_of(box)
    return Sample(
        number,
        resident_mib(box),
        sum(process.num_fds() for process in processes),
        sum(process.num_threads() for process in processes),
        len(processes),
        sum(1 for _ in Path("/dev/shm").iterdir()),
    )


def _growth(samples: list[Sample]) -> float:
    """Change of the memory after the warm-up: the later half against what came before it."""
    settled = [s.resident_mb for s in samples if s.job >= WARM_UP * samples[-1].job]
    half = len(settled) // 2
    early, late = sorted(settled[:half] or settled), sorted(settled[half:])
    return late[len(late) // 2] / early[len(early) // 2] - 1


def _show(console: Console, reports: list[JobReport], samples: list[Sample]) -> None:
    outcomes = Counter((Path(r.scan).name, bool(r.faults), r.outcome) for r in reports)
    table = Table(title="jobs", title_justify="left")
    for heading in ("part", "disturbed", "verdict", "jobs"):
        table.add_column(heading)
    for (scan, disturbed, outcome), count in sorted(outcomes.items()):
        table.add_row(scan, "yes" if disturbed else "no", outcome, str(count))
    console.print(table)
    table = Table(title="what service and workers hold", title_justify="left")
    for heading in ("job", "MB", "descriptors", "threads", "processes", "/dev/shm"):
        table.add_column(heading, justify="right")
    for s in samples:
        counts = (s.job, f"{s.resident_mb:.1f}", s.descriptors, s.threads, s.processes, s.shared)
        table.add_row(*map(str, counts))
    console.print(table)


if __name__ == "__main__":
    main()
