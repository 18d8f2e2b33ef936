"""A served cell takes one good part, on a processor that is slow because it is emulated:

    python .ci/served_job.py RECIPES NAME/VERSION PRODUCER

The service and the cell are those of a line; only what waits for a fixed time waits longer. Exits 0
if the part is PASS, else 1, and says why.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.job_report import JobReport
from voxgate.sim.virtual_cell import VirtualCell

PART = Path("examples/bracket")
SLOWEST = 0.25
READY_MS = 1_800_000
DEADLINE_MS = 600_000
STALLS = 4  # played again when time alone speaks against it: the emulator was too slow
PATIENT = {
    "sockets": {"heartbeat_ms": 5_000},
    "job": {"deadline_ms": DEADLINE_MS, "late_frame_ms": 5_000},
    "sync": {"max_gap_ms": 200.0},
    "cameras": {"start_ms": 120_000, "heartbeat_ms": 60_000},
}


def job(recipes: Path, recipe: str, producer: Path, folder: Path) -> JobReport:
    """Raises VoxGateError where it does not come to a verdict."""
    box = Box.start(folder, PART / "calibration.json", recipes, recipe, PATIENT, producer)
    wires = wires_from_config(box.config)
    with box, VirtualCell(wires, verdict_ms=DEADLINE_MS) as cell:
        wait_until_ready(box, cell, READY_MS)
        report = cell.play(PART / "good", speed=SLOWEST)
        while report.stalled and report.stalls < STALLS:
            again = cell.play(PART / "good", speed=SLOWEST)
            report = replace(again, stalls=report.stalls + 1)
        return report


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        report = job(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(folder))
    verdict = report.verdict
    numbers = "" if verdict is None else f"{verdict.score!r} {verdict.coverage!r}"
    why = report.refused or ", ".join(report.reasons)
    sys.stdout.write(
        f"served good {report.outcome} {numbers} {why}; stalls before: {report.stalls}\n"
    )
    sys.exit(0 if report.outcome == "PASS" else 1)
