"""Parts that a virtual cell plays to a box, until the box comes to what is expected of them."""

from __future__ import annotations

from pathlib import Path

from tests.kits import virtual
from voxgate.sim.demo.demo import play_in_time
from voxgate.sim.job_report import JobReport
from voxgate.sim.virtual_cell import VirtualCell

PATIENCE_S = 180.0


def comes_to(cell: VirtualCell, scan: Path, expected: str, speed: float) -> JobReport:
    """Played again where a machine that stalled kept a part from its verdict."""
    reports: list[JobReport] = []

    def decided() -> bool:
        reports.append(play_in_time(cell, scan, speed=speed))
        assert reports[-1].outcome == expected or reports[-1].stalled, reports[-1].reasons
        return reports[-1].outcome == expected

    virtual.wait_until(decided, PATIENCE_S)
    return reports[-1]
