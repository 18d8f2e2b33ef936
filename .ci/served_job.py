"""Runs a command that serves a cell on a slow processor, and is that cell's robot and camera here:

    python .ci/served_job.py COMMAND...

What the command says is said on. Once it says where it listens (.ci/served_box.py), a good part is
played to it, the verdict goes to stderr, and its stdin ends. Exits as the command does, or 1 if
the part is not PASS.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from voxgate.sim.field.wires import Wires
from voxgate.sim.job_report import JobReport
from voxgate.sim.virtual_cell import VirtualCell

PART = Path("examples/bracket")
WIRES = "wires "
SLOWEST = 0.25
READY_MS = 1_800_000
VERDICT_MS = 600_000
ONE_POSE_OF = 8  # 16 a second: of 125 all of the last hundred are late there while a view is
# computed, and a robot whose poses are all late for half a second is one whose clock was set
STALLS = 4  # played again when time alone speaks against it: the emulator was too slow


def played(wires: Wires) -> JobReport:
    """Raises VoxGateError where it does not come to a verdict."""
    with VirtualCell(wires, verdict_ms=VERDICT_MS) as cell:
        wait_until_served(cell)
        report = cell.play(PART / "good", speed=SLOWEST)
        while report.stalled and report.stalls < STALLS:
            tell(report)
            again = cell.play(PART / "good", speed=SLOWEST)
            report = replace(again, stalls=report.stalls + 1)
        return report


def wait_until_served(cell: VirtualCell) -> None:
    deadline_s = time.monotonic() + READY_MS / 1000
    while cell.robot.heartbeat is None and time.monotonic() < deadline_s:
        cell.robot.listen(100)
    cell.wait_until_ready(READY_MS)


def tell(report: JobReport) -> None:
    verdict = report.verdict
    numbers = "" if verdict is None else f"{verdict.score!r} {verdict.coverage!r}"
    why = report.refused or ", ".join(report.reasons)
    late = (
        "; time alone speaks against it: a quieter machine may serve it" if report.stalled else ""
    )
    sys.stderr.write(
        f"served good {report.outcome} {numbers} {why}; stalls before: {report.stalls}{late}\n"
    )


def main(command: list[str]) -> int:
    passed = False
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as there:
        assert there.stdin is not None
        assert there.stdout is not None
        for line in there.stdout:
            if not line.startswith(WIRES):
                sys.stdout.write(line)
                continue
            wires = Wires(**json.loads(line.removeprefix(WIRES)))
            calibration = str(PART / "calibration.json")
            report = played(replace(wires, calibration=calibration, one_pose_of=ONE_POSE_OF))
            tell(report)
            passed = report.outcome == "PASS"
            there.stdin.close()
    return there.returncode or int(not passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
