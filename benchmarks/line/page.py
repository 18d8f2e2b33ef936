"""The page: how soon it is there, what it costs while nothing happens, whether verdicts feel it.

A real service, the virtual cell, `voxgate page` and a real browser (Chromium). Verdicts are
measured with and without viewers in turn, in one run: whatever else the machine does meets both.
"""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from voxgate.benchmarks.line.browser import Page, browser
from voxgate.benchmarks.line.latencies import show_latencies
from voxgate.benchmarks.line.viewers import viewers
from voxgate.benchmarks.places import BRACKET, RECIPES
from voxgate.runtime.common.endpoints import refuses
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Frame
from voxgate.runtime.remote.history import last_jobs
from voxgate.runtime.service.pictures import picture_message
from voxgate.sim.box import CONFIG_NAME, Box, free_ports, voxgate
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

JOURNAL_JOBS = 100_000
PAIRS, SPEED = 50, 4.0
"""Jobs with and without viewers, the arm at four times the recorded speed, 3 s per job."""
OPERATORS, KEEPERS = 9, 1
LOADS = 5
IDLE_S = 20.0
PICTURES = 50
SIZES = {"800 x 600": (600, 800), "12 Mpx": (3000, 4096), "12 Mpx in colour": (3000, 4096, 3)}
PATIENCE_S = 120.0
SETTINGS = {"evidence": {"folder": "evidence", "min_free_gb": 0.0}}
READY = "document.body.dataset.ready"
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
DRAWN = "document.querySelector('canvas')?.dataset.frames > 0"
COPY = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A page that answers at `port`."""

    port: int
    process: psutil.Process

    def url(self, path: str) -> str:
        """Of one of its pages."""
        return f"http://127.0.0.1:{self.port}{path}"


def main() -> None:
    """About eight minutes."""
    measure(Console())


def measure(console: Console, pairs: int = PAIRS, jobs: int = JOURNAL_JOBS) -> None:
    """Latency with and without viewers, what the page costs, then how soon it is there."""
    recipe = export_once(BRACKET / "golden", RECIPES)
    name = f"{recipe.parent.name}/{recipe.name}"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        calibration = BRACKET / "calibration.json"
        with (
            Box.start(folder, calibration, recipe.parents[1], name, SETTINGS) as box,
            VirtualCell(wires_from_config(box.config)) as cell,
            page_of(folder) as page,
        ):
            wait_until_ready(box, cell)
            latency = _latency(console, box, cell, page, pairs)
            _show_latency(console, latency)
            _show_costs(console, page)
            journal = box.config.journal.path
        fill(journal, jobs)
        with page_of(folder) as page, browser(folder / "profile") as tab:
            _show_loads(console, page, tab, journal, jobs)


@contextmanager
def page_of(folder: Path) -> Iterator[Served]:
    """`voxgate page` of the cell there, until the block ends."""
    (port,) = free_ports(1)
    command = voxgate("page", "-c", str(folder / CONFIG_NAME), "--port", str(port))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield Served(port, psutil.Process(process.pid))
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while refuses(f"tcp://127.0.0.1:{port}"):
        if time.monotonic() > until_s:
            raise ServiceError(f"voxgate page does not answer within {PATIENCE_S:g} s")
        time.sleep(0.1)


def fill(journal: Path, count: int) -> None:
    """Copies of its last decided job, a second apart, before all others; nobody may write it."""
    sql = COPY.format(count=count)
    with closing(sqlite3.connect(journal)) as db, db:
        (job_id,) = db.execute(
            "SELECT job_id FROM jobs JOIN results USING (job_id) ORDER BY opened_utc DESC LIMIT 1"
        ).fetchone()
        utc = "strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', '2026-01-01', n || ' seconds')"
        db.execute(
            f"{sql} INSERT INTO jobs SELECT 'copy-' || n, 'part-' || (n % 5000), recipe, "
            f"configuration_id, is_simulated, backend, {utc} FROM jobs, number WHERE job_id = ?",
            (job_id,),
        )
        db.execute(
            f"{sql} INSERT INTO results SELECT 'copy-' || n, 'copy-' || n, outcome, "
            f"json_set(message, '$.job_id', 'copy-' || n, '$.result_id', 'copy-' || n), {utc}, "
            "NULL FROM results, number WHERE job_id = ?",
            (job_id,),
        )


def _latency(
    console: Console, box: Box, cell: VirtualCell, page: Served, pairs: int
) -> dict[str, list[float]]:
    latency: dict[str, list[float]] = {"nobody": [], "ten viewers": []}
    for number in track(range(pairs), f"{pairs} pairs of jobs", console=console):
        scan = BRACKET / ("good", "bad")[number % 2]
        for label in list(latency)[:: 1 if number % 2 else -1]:
            looked_at = viewers(page.port, OPERATORS, KEEPERS)
            with nullcontext() if label == "nobody" else looked_at:
                report = cell.play(scan, speed=SPEED)
            box.check_alive()
            if report.latency_ms is not None and report.outcome in ("PASS", "FAIL"):
                latency[label].append(report.latency_ms)
    return latency


def _show_latency(console: Console, latency: dict[str, list[float]]) -> None:
    marks = show_latencies(console, "who looks", latency)
    ratio = marks["ten viewers"] / marks["nobody"]
    low, high = _between(latency["ten viewers"], latency["nobody"])
    console.print(
        f"with / without: p50 {ratio[0]:.3f} (95 % of resampled runs {low:.3f} to {high:.3f}), "
        f"p90 {ratio[1]:.3f} (promised: within 1.03)"
    )


def _between(some: list[float], others: list[float]) -> tuple[float, float]:
    """Of the ratio of medians."""
    rng = np.random.default_rng(1)
    ratios = [
        np.median(rng.choice(some, len(some))) / np.median(rng.choice(others, len(others)))
        for _ in range(2000)
    ]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)


def _show_costs(console: Console, page: Served) -> None:
    """CPU of the page's process beside a cell that is READY."""
    for what, operators, keepers in (
        ("nobody looks", 0, 0),
        ("one operator's screen", 1, 0),
        ("nine and one at the maintenance page", OPERATORS, KEEPERS),
    ):
        with viewers(page.port, operators, keepers):
            time.sleep(2.0)
            share = idle_share(page.process)
        console.print(f"page, {what}: {share:.2%} of a core (promised idle: <= 1 %)")
    costs = ", ".join(f"{name} {picture_ms(shape):.2f} ms" for name, shape in SIZES.items())
    console.print(
        f"CPU of the service for a picture that somebody sees: {costs}; at most two a second"
    )


def picture_ms(shape: tuple[int, ...]) -> float:
    """CPU that the service's loop spends on a picture for people, median."""
    frame = Frame("cam0", 1, 0, 0, 0, np.zeros(shape, np.uint8))
    took_ns = []
    for _ in range(PICTURES):
        begun_ns = time.thread_time_ns()
        picture_message(frame).to_json()
        took_ns.append(time.thread_time_ns() - begun_ns)
    return float(np.median(took_ns)) / 1e6


def idle_share(process: psutil.Process) -> float:
    """Share of one core that a process uses."""
    before_s, begun_ns = sum(process.cpu_times()[:2]), time.monotonic_ns()
    time.sleep(IDLE_S)
    return float(
        (sum(process.cpu_times()[:2]) - before_s) / ((time.monotonic_ns() - begun_ns) / 1e9)
    )


def _show_loads(console: Console, page: Served, tab: Page, journal: Path, jobs: int) -> None:
    recorded = next(j.job_id for j in last_jobs(journal, 1))
    table = Table(title=f"seconds in a browser, {jobs} jobs in the journal", title_justify="left")
    for heading in ("page", "first paint", "all of it", "promised"):
        table.add_column(heading, justify="right")
    rows = (
        ("/", "document.body.dataset.light", "first paint <= 1"),
        ("/quality", READY, "first paint <= 1"),
        ("/quality?outcome=FAIL&part=part-7", READY, ""),
        ("/maintenance", READY, ""),
        (f"/jobs/{recorded}", DRAWN, "3D view <= 2"),
    )
    for path, done, promised in rows:
        loads = np.array([_load(tab, page.url(path), done) for _ in range(LOADS)])
        painted, whole = np.median(loads, axis=0)
        name = "/jobs/JOB, to its 3D view" if path.startswith("/jobs") else path
        table.add_row(name, f"{painted:.2f}", f"{whole:.2f}", promised)
    console.print(table)


def _load(tab: Page, url: str, done: str) -> tuple[float, float]:
    """Seconds to the first paint, and until it is done; nothing of it is kept by the browser."""
    tab.open("about:blank")
    tab.wait_for("location.href == 'about:blank'")
    tab.open(url)
    tab.wait_for(f"location.href == {url!r} && {done}")
    whole_ms = tab.value("performance.now()")
    tab.wait_for(PAINTED)
    return tab.value(PAINTED) / 1e3, whole_ms / 1e3


if __name__ == "__main__":
    main()
