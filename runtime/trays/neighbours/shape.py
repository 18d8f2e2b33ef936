"""How far each instance lies off what its neighbours agree on, in mm, and as a score.

All instances stand on one grid. At every voxel an instance is compared with as many of the others
as make half of them: the difference to the one of those that is farthest counts. So one odd
instance does not mark the regular ones, and two that are odd alike do not excuse each other.

What the regular ones scatter by is measured on the instance itself: nearly all of its surface is
regular even where it is odd. Waves longer than a few voxels are what good castings differ by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.trays.neighbours.majority import (
    LEAST_OTHERS,
    gaussian,
    majority,
    median,
    patch,
    scatter,
)
from voxgate.runtime.trays.neighbours.settling import Common
from voxgate.runtime.trays.surface import Field, Grid, Mask, Surface

SMOOTH_VOXELS = 1.0
WAVE_VOXELS = 5.0
WAVE_LIMIT_VOXELS = 0.036  # 0.05 mm of the scenes that it was tuned on, a pixel 1.1 mm
WAVE_BELIEVED_VOXELS = 0.22
# Of 27 regular and 9 odd parts of three types the regular ones reach 10.6 times their scatter, the
# odd ones 13.3 and more, but one that shows less.
LIMIT_SCATTERS = 11.0
LEAST_SCATTER_VOXELS = 0.0044
# Faces that are placed a little otherwise from part to part are no noise around a middle: what but
# a fiftieth of all stays below is often reached by regular parts, nearly twice that hardly ever.
TAIL_SHARE = 0.98
LIMIT_TAILS = 1.85
MOST_SCATTER = 2.0  # times what is usual among the instances: who is bent all over has no excuse
ROUGH_VOXELS = 1.0
ROUGH_BELIEVED = 0.3  # voxels
SURE_WEIGHT = 2.5  # views that look squarely at a surface, to believe all of what they say
SHEET = 0.4  # share of a Gaussian that lies within a voxel of a plane


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """One instance against its neighbours.

    deviation_mm: (k, m, n), + where it is larger, 0 where nothing is said. limit_mm: of a score of
    1. score: 1.0 = odd. compared: share of the neighbours' surface that this one was seen at.
    unseen_voxels: the largest piece of it where nothing was seen of this one, on the surface and a
        voxel to either side. believed: (n,) of every voxel that the surface passes how much of a
        deviation is, 0 where nothing is said.
    """

    deviation_mm: Field
    limit_mm: float
    score: float
    compared: float
    unseen_voxels: int
    believed: Field


def differences(
    surfaces: Sequence[Surface], grid: Grid, slack: float = 1.0
) -> tuple[Difference, ...]:
    """Every instance, at least three, against the others. slack: times the usual limits."""
    common = median(np.stack([each.distance_mm for each in surfaces]))
    agreed = Common.of(common, grid)
    surfaces = [agreed.settled(each) for each in surfaces]
    belief = smoothness(common, grid)
    fields = np.stack([each.distance_mm for each in surfaces])
    believed = np.stack([each.steady for each in surfaces])
    weights = np.stack([each.weight for each in surfaces])
    off = [majority(fields, believed, index) for index in range(len(surfaces))]
    sure = [belief * _sureness(weights, index, np.isfinite(raw)) for index, raw in enumerate(off)]
    deviations = [one * _deviation(raw, grid) for one, raw in zip(sure, off, strict=True)]
    limits = [slack * each for each in _limits_mm(deviations, grid)]
    steady = believed.sum(axis=0)
    on: Mask = np.abs(common) < 0.5 * grid.voxel_mm
    return tuple(
        Difference(
            deviation,
            limit,
            patch(np.abs(deviation)) / limit,
            *_seen(surfaces[index], steady - surfaces[index].steady, len(surfaces)),
            sure[index][on],
        )
        for index, (deviation, limit) in enumerate(zip(deviations, limits, strict=True))
    )


def smoothness(common: Field, grid: Grid) -> Field:
    """0 to 1: how much of a deviation is believed. Along an edge a pixel sees two surfaces, and a
    little misplacement is a deviation: how far the common surface leaves its own smooth copy."""
    smooth, _ = gaussian(common, ROUGH_VOXELS)
    leaves = np.nan_to_num(np.abs(smooth - common), nan=0.0)
    rough = ndimage.maximum_filter(leaves, 3) / grid.voxel_mm
    return np.asarray(1 / np.hypot(1, rough / ROUGH_BELIEVED), np.float32)


def _limits_mm(deviations: Sequence[Field], grid: Grid) -> list[float]:
    """Of each instance, by what it scatters by itself, and by the tail of what all do."""
    scatters = [scatter(each) for each in deviations]
    usual = float(np.median(scatters))
    tail = LIMIT_TAILS * float(np.median([scatter(each, TAIL_SHARE) for each in deviations]))
    floor = LEAST_SCATTER_VOXELS * grid.voxel_mm
    return [
        max(tail, LIMIT_SCATTERS * float(np.hypot(min(each, MOST_SCATTER * usual), floor)))
        for each in scatters
    ]


def _deviation(raw: Field, grid: Grid) -> Field:
    limit = WAVE_LIMIT_VOXELS * grid.voxel_mm
    believed = WAVE_BELIEVED_VOXELS * grid.voxel_mm
    wave, _ = gaussian(np.clip(raw, -believed, believed), WAVE_VOXELS)
    smooth, share = gaussian(raw - np.clip(wave, -limit, limit), SMOOTH_VOXELS)
    # the mean of few neighbours is as noisy as they are few
    lonely = np.sqrt(np.minimum(share / (SHEET / SMOOTH_VOXELS), 1))
    return np.asarray(-np.nan_to_num(smooth * lonely), np.float32)


def _sureness(weights: Field, index: int, known: Mask) -> Field:
    """0 to 1: by the root of how well this one was seen there, and the others, noise shrinks; where
    nothing is known it is 0."""
    seen_by = weights[:, known]
    own, theirs = seen_by[index], median(np.delete(seen_by, index, axis=0))
    seen = np.minimum(own, theirs) / SURE_WEIGHT
    as_well = own / np.maximum(theirs, 1e-3)
    sure = np.zeros(known.shape, np.float32)
    sure[known] = np.sqrt(np.minimum(seen, 1) * np.minimum(as_well, 1))
    return sure


def _seen(own: Surface, others: npt.NDArray[np.int64], count: int) -> tuple[float, int]:
    """Share of the neighbours' surface that was seen, and the largest piece that was not."""
    expected: Mask = others >= max(LEAST_OTHERS, -(-(count - 1) // 2))
    seen = np.isfinite(own.distance_mm)
    pieces, _ = ndimage.label(expected & ~seen, np.ones((3, 3, 3)))
    largest = int(np.bincount(pieces.reshape(-1))[1:].max(initial=0))
    return float((seen & expected).sum() / max(1, expected.sum())), largest
