"""What a classifier sees of a part: statistics of the scores in every zone, and the largest of all.

SegAD's published code describes each segment of each detector's anomaly map by its 99.5 % quantile,
skewness, kurtosis and mean, and adds the detector's own score. Here the map is the volume, a
segment a zone, and a zone without a voxel is missing where theirs is 0: nothing was seen there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.volume.volume import Volume

STATISTICS = ("q99.5", "skew", "kurtosis", "mean")
LARGEST = "max"
NORMAL_KURTOSIS = 3.0  # of a normal distribution: what kurtosis is counted from

Row = npt.NDArray[np.float32]


def feature_names(channels: tuple[str, ...], zones: Zones) -> tuple[str, ...]:
    """One per column: channel, zone, statistic; then the channel's largest score."""
    return tuple(
        name
        for channel in channels
        for name in (
            *(f"{channel}/{zone}/{name}" for zone in zones.names for name in STATISTICS),
            f"{channel}/{LARGEST}",
        )
    )


def features(volumes: Mapping[str, Volume], zones: Zones, reference_from_part: Transform) -> Row:
    """The row of one part: every channel's volume, zone by zone; a zone without a voxel is NaN."""
    columns: list[float] = []
    for volume in volumes.values():
        voxels = volume.occupied()
        zone = zones.zone_of(apply(reference_from_part, volume.grid.centres_mm(voxels.ijk)))
        for number in range(len(zones.names)):
            columns += _statistics(voxels.score[zone == number])
        columns.append(float(voxels.score.max()) if voxels.score.size else float("nan"))
    return np.array(columns, np.float32)


def _statistics(score: npt.NDArray[np.float32]) -> list[float]:
    if not score.size:
        return [float("nan")] * len(STATISTICS)
    values = score.astype(np.float64)
    mean, std = float(values.mean()), float(values.std())
    centred = (values - mean) / std if std > 0 else np.zeros_like(values)
    return [
        float(np.quantile(values, 0.995)),
        float((centred**3).mean()),
        float((centred**4).mean()) - NORMAL_KURTOSIS,
        mean,
    ]
