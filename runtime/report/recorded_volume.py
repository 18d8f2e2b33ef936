"""The anomaly volume out of a recorded job: where the part was measured, and how it scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import ScanError
from voxgate.runtime.scans import job_topics
from voxgate.runtime.scans.mcap import read_mcap
from voxgate.runtime.scans.viewers.protobuf import length_delimited
from voxgate.runtime.scans.viewers.shown import CLOUD_TYPE, M_PER_MM

DATA = 6  # the field of foxglove.PointCloud that has the points


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPoints:
    """Occupied voxels. points_mm: (n, 3) float64, centres in the part's frame; score: (n,)."""

    points_mm: npt.NDArray[np.float64]
    score: npt.NDArray[np.float32]


def read_volume(file: Path) -> ScoredPoints | None:
    """None: none was recorded, as of a job without a view. Raises ScanError for a damaged one."""
    found = read_mcap(file, job_topics.VOLUME.name.__eq__).messages
    if not found:
        return None
    try:
        data = length_delimited(found[-1][1].data, DATA) or b""
        points = np.frombuffer(data, CLOUD_TYPE)
    except ValueError as error:
        raise ScanError(f"{file}: its volume is unreadable: {error}") from error
    stacked = np.stack([points[axis].astype(np.float64) for axis in "xyz"], axis=-1)
    return ScoredPoints(stacked / M_PER_MM, points["score"].astype(np.float32))
