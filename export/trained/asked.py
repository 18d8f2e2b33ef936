"""What a person asks of an export, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.export.graph.real_tensorrt import GraphCheck
from voxgate.export.graph.tensorrt_rules import check
from voxgate.export.trained.budget import GPU_MB
from voxgate.export.trained.parity import ParityTable, Precision
from voxgate.export.trained.raw_threshold import Threshold
from voxgate.runtime.recipe.manifest import Manifest

THREADS = 2
MB = 1e6


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may choose for any method.

    threshold: raw score that becomes 1.0; None: from the golden part seen again and `good` scans.
    verify: scans whose verdicts must be the source model's, besides the golden and the good ones.
    smallest_mm: the smallest defect, across: pictures are reduced to what shows it; None: whole.
    most_ms: what one run of the graph may take on this machine's processor; None: anything.
    gpu_mb: what one run of it in FP32 may need of a GPU's memory, weights included.
    check: whether TensorRT builds a graph.
    """

    scan: Path
    out: Path
    name: str | None = None
    version: str = "1"
    precision: Precision = "fp32"
    threshold: float | None = None
    good: tuple[Path, ...] = ()
    verify: tuple[Path, ...] = ()
    geometry: bool = False
    smallest_mm: float | None = None
    most_ms: float | None = None
    gpu_mb: int = GPU_MB
    calibration: Path | None = None
    check: GraphCheck = check


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What was written and what it was proven by."""

    megabytes: float  # of the recipe's folder
    manifest: Manifest
    threshold: Threshold
    parity: ParityTable
    ms: float  # one run of the graph on this machine's processor
    memory_mb: int  # of one run in FP32, nothing fused

    def summary(self, of: str) -> str:
        """For people, one line. of: what was written, or of which camera."""
        return (
            f"{of} ({self.megabytes:.1f} MB, {self.ms:.0f} ms a run on {THREADS} threads here, "
            f"{self.memory_mb:,} MB of a GPU); raw score {self.threshold.raw:.4g} is the threshold "
            "1.0"
        )

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.manifest.name,
            "version": self.manifest.version,
            "method": self.manifest.method,
            "detector": self.manifest.detector,
            "precision": self.manifest.precision,
            "threshold_raw": self.threshold.raw,
            "parity": self.parity.to_json(),
            "megabytes": round(self.megabytes, 3),
            "ms": round(self.ms, 1),
            "memory_mb": self.memory_mb,
        }


def megabytes_of(folder: Path) -> float:
    """Of the files of a recipe of one camera."""
    return sum(file.stat().st_size for file in folder.iterdir()) / MB
