"""What a classifier sees of a part: statistics of the scores in every zone.

SegAD describes a part by statistics of each detector's anomaly map over each segment; its
supplement, which is what we had, does not print the list. Ours: the largest score, high quantiles,
the four moments and the share of voxels at half the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.transforms import Transform, apply
from voxgate.runtime.volume.volume import Volume

STATISTICS = ("max", "q99.5", "q95", "mean", "std", "skew", "kurtosis", "half")
HALF = 0.5

Row = npt.NDArray[np.float32]


def feature_names(channels: tuple[str, ...], zones: Zones) -> tuple[str, ...]:
    """One per column: channel, zone, statistic."""
    return tuple(
        f"{channel}/{zone}/{name}"
        for channel in channels
        for zone in zones.names
        for name in STATISTICS
    )


def features(volumes: Mapping[str, Volume], zones: Zones, reference_from_part: Transform) -> Row:
    """The row of one part: every channel's volume, zone by zone; a zone without a voxel is NaN."""
    columns: list[float] = []
    for volume in volumes.values():
        voxels = volume.occupied()
        zone = zones.zone_of(apply(reference_from_part, volume.grid.centres_mm(voxels.ijk)))
        for number in range(len(zones.names)):
            columns += _statistics(voxels.score[zone == number])
    return np.array(columns, np.float32)


def _statistics(score: npt.NDArray[np.float32]) -> list[float]:
    if not score.size:
        return [float("nan")] * len(STATISTICS)
    values = score.astype(np.float64)
    mean, std = float(values.mean()), float(values.std())
    centred = (values - mean) / std if std > 0 else np.zeros_like(values)
    high, higher = np.quantile(values, [0.95, 0.995])
    return [
        float(values.max()),
        float(higher),
        float(high),
        mean,
        std,
        float((centred**3).mean()),
        float((centred**4).mean()),
        float((values >= HALF).mean()),
    ]
