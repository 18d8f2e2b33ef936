"""The verdict of a part whose clocks no stall of this machine has spoilt."""

from __future__ import annotations

from pathlib import Path

from tests.kits.cell_kit import CLOCK_REASONS
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import play_in_time, wait_until_ready
from voxgate.sim.virtual_cell import VirtualCell

TRIES = 20  # a machine that stalls costs a part its clocks


def verdict_in_time(box: Box, scan: Path, speed: float) -> VerdictMessage:
    """Of `scan`, played until its clocks are believed."""
    late = {each.value for each in CLOCK_REASONS}
    with VirtualCell(wires_from_config(box.config)) as cell:
        wait_until_ready(box, cell)
        for _ in range(TRIES):
            played = play_in_time(cell, scan, speed=speed)
            if played.verdict is not None and not late & set(played.reasons):
                return played.verdict
    raise AssertionError(f"{scan.name} was never judged in time")
