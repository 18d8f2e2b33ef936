"""How long the exact V-AUPRO takes against a threshold at a time; memory of both.

    voxgate bench evaluation

The volume is as large as SiM3D's (330^3, 2 mm) with ten defects, once with a surface's voxels
filled and once, as the worst case, with every voxel.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from voxgate.export.evaluation.metrics.labelled_volume import from_dense
from voxgate.export.evaluation.metrics.voxels import FPR_LIMIT, voxel_aupro

SIDE = 330
DEFECTS = 10
DEFECT_RADIUS = 6
SURFACE_SHARE = 0.05  # two sides of a hollow part of 300 voxels, and its ribs
STEPS = 30  # thresholds of the straightforward way: far from exact, and its time grows with them
REPEATS = 3
MIB = 1 << 20
SEED = 4

Scores = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Timed:
    """One figure and what it cost."""

    value: float
    seconds: float
    peak_mib: float


def example(filled_share: float) -> tuple[Scores, Ids]:
    """Scores and ids (330, 330, 330): -1 empty, 0 sound, 1..10 defects of some 900 voxels."""
    rng = np.random.default_rng(SEED)
    scores = rng.gamma(2.0, 0.1, (SIDE,) * 3).astype(np.float32)
    ids = np.where(rng.random(scores.shape, np.float32) < filled_share, 0, -1).astype(np.int16)
    span = np.arange(-DEFECT_RADIUS, DEFECT_RADIUS + 1)
    ball = np.sum(np.square(np.meshgrid(span, span, span)), axis=0) <= DEFECT_RADIUS**2
    for number in range(1, DEFECTS + 1):
        at = tuple(slice(c, c + span.size) for c in rng.integers(0, SIDE - span.size, 3))
        ids[at][ball] = number
        scores[at][ball] += rng.gamma(2.0, 0.3, int(ball.sum())).astype(np.float32)
    return scores, ids


def exact(scores: Scores, ids: Ids) -> float:
    """As `voxgate evaluate` does."""
    return voxel_aupro([from_dense(scores, ids)])


def straightforward(scores: Scores, ids: Ids) -> float:
    """Equation 1 of SiM3D as it is printed: binarise, compare with every defect, next threshold."""
    rates = np.linspace(0, FPR_LIMIT, STEPS)
    overlaps = []
    for threshold in np.quantile(scores[ids == 0], 1 - rates):
        anomalous = scores >= threshold
        overlaps.append(
            np.mean([anomalous[ids == number].mean() for number in range(1, DEFECTS + 1)])
        )
    return float(np.trapezoid(overlaps, dx=1 / (STEPS - 1)))


def main() -> None:
    """Print both for both fillings, on one core, in CPU seconds: others may use it too."""
    table = Table("330^3 voxels, 10 defects", "V-AUPRO@1 %", "CPU s", "MiB beyond the volume")
    ratios = []
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        exact(*example(SURFACE_SHARE))  # compiles or loads the kernel
        for name, share in (("a surface's", SURFACE_SHARE), ("every voxel", 1.0)):
            volume = example(share)
            ours, plain = _timed(exact, volume, REPEATS), _timed(straightforward, volume, 1)
            ratios.append(f"{name}: {plain.seconds / ours.seconds:.0f} x")
            table.add_row(f"exact, {name}", *_cells(ours))
            table.add_row(f"{STEPS} thresholds, {name}", *_cells(plain))
    finally:
        os.sched_setaffinity(0, cores)
    console = Console()
    console.print(table)
    console.print("one core; exact against a threshold at a time: " + ", ".join(ratios))


def _timed(way: Callable[[Scores, Ids], float], volume: tuple[Scores, Ids], repeats: int) -> Timed:
    seconds = []
    for _ in range(repeats):
        begun = time.process_time()
        value = way(*volume)
        seconds.append(time.process_time() - begun)
    if repeats == 1:
        return Timed(value, min(seconds), float("nan"))
    tracemalloc.start()
    way(*volume)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Timed(value, min(seconds), peak / MIB)


def _cells(timed: Timed) -> tuple[str, str, str]:
    return f"{timed.value:.4f}", f"{timed.seconds:.2f}", f"{timed.peak_mib:.0f}".replace("nan", "")


if __name__ == "__main__":
    main()
