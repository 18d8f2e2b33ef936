"""What recordings cost: verdict latency with evidence on and off, in turns, MB and seconds per job.

Two services stand side by side on the same machine and get the same parts in turn, so that whatever
else the machine does meets both. Jobs follow each other without a pause: the worst case, since a
recording is then written while the next part is inspected.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

from rich.console import Console
from rich.progress import track

from voxgate.benchmarks.line.latencies import show_latencies
from voxgate.benchmarks.places import BRACKET, RECIPES
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.recipes import export_once
from voxgate.sim.virtual_cell import VirtualCell

PAIRS, SPEED = 120, 8.0
SETTINGS = {"evidence": {"folder": "evidence", "min_free_gb": 0.0}}


def main() -> None:
    """About nine minutes."""
    measure(Console())


def measure(console: Console, pairs: int = PAIRS, speed: float = SPEED) -> None:
    """Latency with and without, and what was written."""
    recipe = export_once(BRACKET / "golden", RECIPES)
    name = f"{recipe.parent.name}/{recipe.name}"
    with ExitStack() as stack:
        cells = {}
        for label, settings in (("off", {}), ("on", SETTINGS)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            started = Box.start(
                folder, BRACKET / "calibration.json", recipe.parents[1], name, settings
            )
            box = stack.enter_context(started)
            cell = stack.enter_context(VirtualCell(wires_from_config(box.config)))
            wait_until_ready(box, cell)
            cells[label] = (box, cell)
        latency = _latency(console, cells, pairs, speed)
        _show(console, latency, _series(cells["on"][0]))


def _latency(
    console: Console, cells: dict[str, tuple[Box, VirtualCell]], pairs: int, speed: float
) -> dict[str, list[float]]:
    latency: dict[str, list[float]] = {label: [] for label in cells}
    for number in track(range(pairs), f"{pairs} pairs of jobs", console=console):
        order = list(cells)[:: 1 if number % 2 else -1]
        for label in order:
            box, cell = cells[label]
            report = cell.play(BRACKET / ("good", "bad")[number % 2], speed=speed)
            box.check_alive()
            if report.latency_ms is not None and report.outcome in ("PASS", "FAIL"):
                latency[label].append(report.latency_ms)
    return latency


def _show(console: Console, latency: dict[str, list[float]], series: dict[str, float]) -> None:
    marks = show_latencies(console, "evidence", latency)
    ratio = marks["on"] / marks["off"]
    console.print(f"on / off: p50 {ratio[0]:.2f}, p90 {ratio[1]:.2f}")
    written = max(1.0, series["voxgate_evidence_written_total"])
    files = max(1.0, series["voxgate_evidence_files"])
    console.print(
        f"{written:.0f} recordings, {series['voxgate_evidence_bytes'] / files / 1e6:.1f} MB and "
        f"{series['voxgate_evidence_write_seconds_total'] / written:.2f} s each, volume, fsync and "
        "waiting for processors included"
    )


def _series(box: Box) -> dict[str, float]:
    config = box.config.metrics
    with urlopen(f"http://{config.host}:{config.port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    found = (line.rsplit(" ", 1) for line in lines if line.startswith("voxgate_evidence"))
    return {name: float(value) for name, value in found}


if __name__ == "__main__":
    main()
