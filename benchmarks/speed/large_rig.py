"""36 views of a 12 Mpx camera and a 2 Mpx sensor beside it: memory, CPU time, a recording's size.

    python -m voxgate.benchmarks.speed.large_rig

The rig's bracket (VOXGATE_RIG), three in a row and enlarged. Export and inspection are processes of
their own, whose peaks are the figures; then the real service gets four such pictures a second.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.quality.rig import rig_folder
from voxgate.benchmarks.speed.rows_of_parts import write_row
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.convert import convert_scan
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.virtual_cell import VirtualCell

CAMERA_PX, SENSOR_PX = (4096, 3072), (1640, 1230)
PARTS = 3  # of 12 views each
SCANS = {"golden": "golden", "good": "test/t00", "bad": "test/t01"}
RATE_HZ = 4.0  # a written scan has a view a second
MODULE = "voxgate.benchmarks.speed.large_rig"
MB, RAW_MB = 2**20, (4096 * 3072 + 2 * 1640 * 1230) / 1e6


def main() -> None:
    """Print what the job takes."""
    console = Console()
    try:
        part = rig_folder() / "bracket"
    except FileNotFoundError as error:
        console.print(f"large_rig: skipped, {error}", soft_wrap=True)
        return
    table = Table("what", "CPU s", "peak MB", "said")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
        for seed, (name, source) in enumerate(SCANS.items()):
            write_row(part / source, Path(work) / name, CAMERA_PX, SENSOR_PX, PARTS, seed)
        for what in ("export", "inspect", "record"):
            found = _in_a_process(what, Path(work))
            table.add_row(what, f"{found['cpu_s']:.0f}", f"{found['peak_mb']:.0f}", found["said"])
        console.print(table)
        console.print("promised: inspected in <= 4096 MB")
        _live(console, Path(work))


def _in_a_process(what: str, work: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", MODULE, what, str(work)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(what: str, work: Path) -> dict[str, Any]:
    said = {"export": _export, "inspect": _inspect, "record": _record}[what](work)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s, peak_mb = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return {"said": said, "cpu_s": cpu_s, "peak_mb": peak_mb}


def _export(work: Path) -> str:
    summary = export_reference_recipe(work / "golden", work / "recipes" / "row" / "1")
    width_px, height_px = summary["inspected"]["worked_px"]
    return f"inspected at {width_px} x {height_px}"


def _inspect(work: Path) -> str:
    recipe, scan = Recipe.load(work / "recipes" / "row" / "1"), open_scan(work / "good")
    inspector = Inspector.open(recipe, scan.calibration, Limits(), now_ns=time.monotonic_ns)
    with closing(inspector):
        said = []
        for name in ("good", "bad"):
            verdict = inspect_scan(open_scan(work / name), inspector)
            said.append(f"{name}: {verdict.outcome.value} {verdict.score or float('nan'):.2f}")
    return f"{len(scan.frames)} views; " + ", ".join(said)


def _record(work: Path) -> str:
    """As evidence of a job is written: every picture and depth without loss, compressed."""
    convert_scan(work / "good", work / "good.mcap")
    views = len(open_scan(work / "good").frames)
    size_mb = (work / "good.mcap").stat().st_size / 1e6
    return f"{size_mb:.0f} MB for {views} views, {views * RAW_MB:.0f} MB as they came"


def _live(console: Console, work: Path) -> None:
    calibration, evidence = work / "good" / "calibration.json", work / "evidence"
    settings = {"evidence": {"folder": str(evidence), "min_free_gb": 0.0}}
    with (
        Box.start(work / "box", calibration, work / "recipes", "row/1", settings) as box,
        VirtualCell(wires_from_config(box.config)) as cell,
    ):
        wait_until_ready(box, cell)
        report = cell.play(work / "good", speed=RATE_HZ)
        process = psutil.Process(box.process.pid)
        held = [each.memory_info().rss for each in (process, *process.children())]
    console.print(
        f"the same as a service, {RATE_HZ:g} views a second: {report.outcome}, "
        f"reasons {', '.join(report.reasons) or 'none'}; it holds {sum(held) / MB:.0f} MB"
    )
    written = sum(file.stat().st_size for file in evidence.glob("*.mcap"))
    console.print(f"its recording: {written / 1e6:.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(_measured(sys.argv[1], Path(sys.argv[2]))) + "\n")
    else:
        main()
