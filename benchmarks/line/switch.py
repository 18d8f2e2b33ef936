"""Another recipe while parts are inspected: what it costs the running job, how long a change takes.

The real service and the virtual cell, over real sockets. Jobs alternate in one run: nothing beside
them, a preparation that is under way when the last view is exposed, one that is proven long before
the job ends. The change is what the robot sees: the published verdict -> `done`.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from rich.console import Console
from rich.progress import track
from rich.table import Table

from voxgate.benchmarks.line.own_metrics import own_metrics
from voxgate.benchmarks.places import BRACKET, RECIPES
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.wire.commands import PrepareRecipe
from voxgate.runtime.wire.replies import Done, parse_reply
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.job_report import JobReport
from voxgate.sim.recipes import copy_as, export_once
from voxgate.sim.virtual_cell import VirtualCell

LABELS = ("bracket/1", "bracket/2")
ROUNDS, SPEED = 30, 2.0
"""The arm at twice the recorded speed, 6 s per job: long enough to load a recipe beside it."""
LEAD_S = 0.4  # before the last exposure; loading takes longer
PATIENCE_MS = 120_000
STAGE = "voxgate_stage_seconds"
EARLY, LATE = "proven before the end", "loading at the end"


def main() -> None:
    """About ten minutes."""
    measure(Console())


def measure(console: Console, rounds: int = ROUNDS) -> None:
    """`rounds` jobs of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        recipes = _two_versions(Path(folder))
        calibration = BRACKET / "calibration.json"
        with (
            Box.start(Path(folder), calibration, recipes, LABELS[0]) as box,
            VirtualCell(wires_from_config(box.config)) as cell,
        ):
            wait_until_ready(box, cell)
            _jobs(console, box, cell, rounds)


def _two_versions(folder: Path) -> Path:
    """The reference recipe of the golden scan, twice."""
    made = export_once(BRACKET / "golden", RECIPES)
    for label in LABELS:
        copy_as(made, folder / "recipes", label)
    return folder / "recipes"


class Engineer:
    """Asks for recipes over a socket of his own, in a thread of his own."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.done_ns = 0
        self.took_s = 0.0
        self._thread: threading.Thread | None = None

    def ask(self, recipe: str, after_s: float) -> None:
        """Have a recipe prepared in a while."""
        self._thread = threading.Thread(target=self._prepare, args=(recipe, after_s))
        self._thread.start()

    def wait(self) -> None:
        """Until it serves."""
        assert self._thread is not None
        self._thread.join()

    def _prepare(self, recipe: str, after_s: float) -> None:
        time.sleep(after_s)
        begun_ns = time.monotonic_ns()
        with zmq.Context() as context, context.socket(zmq.REQ) as socket:
            socket.linger = 0
            socket.rcvtimeo = PATIENCE_MS
            socket.connect(self._endpoint)
            socket.send(PrepareRecipe(request_id="engineer", recipe=recipe).to_json())
            reply = parse_reply(socket.recv())
        self.done_ns = time.monotonic_ns()
        self.took_s = (self.done_ns - begun_ns) / 1e9
        if not isinstance(reply, Done):
            raise ServiceError(f"{recipe} was not prepared: {reply}")


def _jobs(console: Console, box: Box, cell: VirtualCell, rounds: int) -> None:
    engineer = Engineer(box.config.sockets.commands)
    alone, loading, change_ms, load_s = [], [], [], []
    for label in reversed(LABELS):  # what is loaded for the first time takes longer
        engineer.ask(label, 0.0)
        engineer.wait()
    for _ in track(range(rounds), f"{rounds} rounds of live jobs", console=console):
        begun_s = time.monotonic()
        alone.append(_play(box, cell, None))
        job_s = time.monotonic() - begun_s
        for kind in (EARLY, LATE):
            served, other = _serving(cell)
            engineer.ask(other, 0.0 if kind == EARLY else max(0.0, job_s - LEAD_S))
            report = _play(box, cell, served)
            engineer.wait()
            if kind == EARLY and report.decided_ns is not None:
                change_ms.append(max(0.0, (engineer.done_ns - report.decided_ns) / 1e6))
            elif kind == LATE:
                loading.append(report)
                load_s.append(engineer.took_s)
    table = Table(title=f"{rounds} jobs of each kind, arm at {SPEED:g} x, ms", title_justify="left")
    for heading in ("", "p50", "p99", "max"):
        table.add_column(heading, justify="right")
    table.add_row("last exposure -> verdict, nothing beside it", *_quantiles(_latencies(alone)))
    table.add_row("the same while a recipe is loading", *_quantiles(_latencies(loading)))
    table.add_row("verdict at the robot -> done, the new recipe serves", *_quantiles(change_ms))
    console.print(table)
    console.print(own_switch(box))
    console.print(f"loading beside a job took {np.median(load_s):.1f} s (median); promised: change")
    console.print(
        f"<= 200 ms; undecided jobs: {_undecided(alone)} alone, {_undecided(loading)} beside"
    )


def own_switch(box: Box) -> str:
    """What the service itself tells Prometheus of the changes, without the sockets."""
    values = own_metrics(box, STAGE)
    took_s, count = (values[f'{STAGE}_{end}{{stage="switch"}}'] for end in ("sum", "count"))
    return (
        f"the service's own histogram: mean {1e3 * took_s / count:.2f} ms over {count:.0f} changes"
    )


def _serving(cell: VirtualCell) -> tuple[str, str]:
    """The recipe that serves, and the other one."""
    served = cell.state().recipe
    first, second = LABELS
    return (first, second) if served == first else (second, first)


def _play(box: Box, cell: VirtualCell, recipe: str | None) -> JobReport:
    report = cell.play(BRACKET / "good", speed=SPEED, recipe=recipe)
    box.check_alive()
    if report.refused is not None:
        raise ServiceError(report.refused)
    return report


def _latencies(reports: list[JobReport]) -> list[float]:
    return [report.latency_ms for report in reports if report.latency_ms is not None]


def _undecided(reports: list[JobReport]) -> int:
    return sum(report.outcome == "INDETERMINATE" for report in reports)


def _quantiles(values: list[float]) -> list[str]:
    marks: Any = np.quantile(values, (0.5, 0.99, 1.0)) if values else [float("nan")] * 3
    return [f"{mark:.1f}" for mark in marks]


if __name__ == "__main__":
    main()
