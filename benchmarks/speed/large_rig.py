"""36 views of a 12 Mpx camera and a 2 Mpx sensor beside it: memory, CPU time, a recording's size.

    python -m voxgate.benchmarks.speed.large_rig

The rig's bracket (VOXGATE_RIG) enlarged, and three of it in a row. Export and inspection are
processes of their own, whose peaks are the figures; then the real service gets four such views a
second, of one bracket and of the row. VOXGATE_LARGE_RIG names a folder to keep the scans in.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.quality.rig import rig_folder
from voxgate.benchmarks.speed.rows_of_parts import write_row
from voxgate.benchmarks.speed.served_rig import served, table_of
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.convert import convert_scan
from voxgate.runtime.scans.open_scan import open_scan

CAMERA_PX, SENSOR_PX = (4096, 3072), (1640, 1230)
ROWS = {"one": 1, "row": 3}  # brackets of 12 views each
SCANS = {"golden": "golden", "good": "golden", "bad": "test/t01"}  # good: the same part again
PLAYED = ("good", "bad")
RECIPE = "bracket/1"
KEEP_VARIABLE = "VOXGATE_LARGE_RIG"
MODULE = "voxgate.benchmarks.speed.large_rig"
RAW_MB = (4096 * 3072 + 2 * 1640 * 1230) / 1e6


def main() -> None:
    """Print what the job takes."""
    console = Console()
    try:
        part = rig_folder() / "bracket"
    except FileNotFoundError as error:
        console.print(f"large_rig: skipped, {error}", soft_wrap=True)
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
        folder = Path(os.environ.get(KEEP_VARIABLE) or work)
        for name, parts in ROWS.items():
            _write(part, folder / name, parts)
            _measure(console, folder / name)


def _write(part: Path, work: Path, parts: int) -> None:
    for seed, (name, source) in enumerate(SCANS.items()):
        if not (work / name).exists():
            write_row(part / source, work / name, CAMERA_PX, SENSOR_PX, parts, seed)


def _measure(console: Console, work: Path) -> None:
    table = Table("what", "CPU s", "peak MB", "said", title=work.name)
    for what in ("export", "inspect", "record"):
        found = _in_a_process(what, work)
        table.add_row(what, f"{found['cpu_s']:.0f}", f"{found['peak_mb']:.0f}", found["said"])
    console.print(table)
    console.print(table_of(served(work, RECIPE, [work / name for name in PLAYED])))
    console.print("promised: inspected in <= 4096 MB, 0 lost")


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


def _recipe(work: Path) -> Path:
    return work / "recipes" / RECIPE


def _export(work: Path) -> str:
    shutil.rmtree(_recipe(work), ignore_errors=True)
    summary = export_reference_recipe(work / "golden", _recipe(work))
    width_px, height_px = summary["inspected"]["worked_px"]
    return f"inspected at {width_px} x {height_px}"


def _inspect(work: Path) -> str:
    recipe, scan = Recipe.load(_recipe(work)), open_scan(work / "good")
    inspector = Inspector.open(recipe, scan.calibration, Limits(), now_ns=time.monotonic_ns)
    with closing(inspector):
        said = []
        for name in PLAYED:
            verdict = inspect_scan(open_scan(work / name), inspector)
            said.append(f"{name}: {verdict.outcome.value} {verdict.score or float('nan'):.2f}")
    return f"{len(scan.frames)} views; " + ", ".join(said)


def _record(work: Path) -> str:
    """As evidence of a job is written: every picture and depth without loss, compressed."""
    convert_scan(work / "good", work / "good.mcap")
    views = len(open_scan(work / "good").frames)
    size_mb = (work / "good.mcap").stat().st_size / 1e6
    return f"{size_mb:.0f} MB for {views} views, {views * RAW_MB:.0f} MB as they came"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(_measured(sys.argv[1], Path(sys.argv[2]))) + "\n")
    else:
        main()
