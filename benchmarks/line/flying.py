"""Flying capture: how far a view is off when the robot does not stop, by what is known of time.

Real exposures of the virtual GenICam camera through its producer and harvesters; the camera and
the robot know the truth. A view is refused beyond half a voxel of the bracket's grid.
"""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table

from voxgate.benchmarks.places import BRACKET, ROOT
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.sim.flying import PTP_ERROR_NS, Clocking, Flight, Shots, fly, shoot
from voxgate.sim.gentl.build import build

SPEED_MM_S = 250.0
FRAMES, PERIOD_NS = 240, 50_000_000
SETTLED = 120  # the promise about 100 messages must have been kept once
LIMIT_VOXELS = 0.5  # limits.uncertainty_max_voxels
NO_LIMIT_MM = 1e6


def main() -> None:
    """One row per clocking: half a minute."""
    measure(Console())


def measure(console: Console, frames: int = FRAMES, settled: int = SETTLED) -> None:
    """Print the table."""
    calibration = Calibration.load(BRACKET / "calibration.json")
    grid = open_scan(BRACKET / "golden").grid
    assert grid is not None
    limit_mm = LIMIT_VOXELS * grid.voxel_mm
    producer = build(ROOT / "out" / "gentl")
    free = shoot(producer, f"free-{os.getpid()}", frames, PERIOD_NS, ptp=False)
    following = shoot(producer, f"ptp-{os.getpid()}", frames, PERIOD_NS, ptp=True)
    table = Table(
        title=f"{SPEED_MM_S:g} mm/s, {frames - settled} frames, poses at 125 Hz; a view is "
        f"refused beyond {limit_mm:g} mm; PTP claimed within {PTP_ERROR_NS / 1000:g} us"
    )
    for column in ("time of an exposure", "error p50", "worst", "claimed", "inside", "must refuse"):
        table.add_column(column, justify="left" if column.startswith("time") else "right")
    for clocking in Clocking:
        shots = following if clocking is Clocking.PTP else free
        table.add_row(*_row(shots, calibration, clocking, limit_mm, settled))
    console.print(table)


def _row(
    shots: Shots, calibration: Calibration, clocking: Clocking, limit_mm: float, settled: int
) -> tuple[str, ...]:
    flight = fly(shots, calibration, clocking, SPEED_MM_S, NO_LIMIT_MM, settled)
    errors = sorted(flight.error_mm)
    return (
        clocking.value,
        f"{errors[len(errors) // 2]:.3f} mm",
        f"{errors[-1]:.3f} mm",
        f"{flight.claimed_mm.max():.3f} mm",
        "yes" if flight.honest else "NO",
        f"from {refused_from_mm_s(flight, limit_mm):.0f} mm/s",
    )


def refused_from_mm_s(flight: Flight, limit_mm: float) -> float:
    """The speed from which on views are refused; a claim grows with the speed."""
    return flight.speed_mm_s * limit_mm / float(flight.claimed_mm.max())


if __name__ == "__main__":
    main()
