"""What the majority of fields on one grid agrees on, and the largest patch that leaves it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.trays.surface import Field

PATCH_VOXELS = 8  # so many must deviate together: fewer are an edge's flicker
DEFECT_FROM = 1.0
LEAST_OTHERS = 2
TRUNCATE = 2.5  # sigmas


def majority(apart: Field) -> tuple[Field, npt.NDArray[np.intp]]:
    """Of differences (k, ...) to others, own less theirs: to the one of those that make half of
    them that is farthest, or to the median of all where that is nearer; and whose (1, ...) it is.

    NaN where too few others say anything: with one alone nobody knows which of the two is odd.
    """
    known = np.isfinite(apart).sum(axis=0)
    size = np.where(np.isfinite(apart), np.abs(apart), np.inf)
    rank = np.maximum(-(-known // 2) - 1, 0)
    whose = np.take_along_axis(np.argsort(size, axis=0), rank[None], axis=0)
    found = np.take_along_axis(apart, whose, axis=0)[0]
    middle = median(apart, known)
    found = np.where(np.abs(middle) < np.abs(found), middle, found)
    unsaid = known < max(LEAST_OTHERS, -(-len(apart) // 2))
    return np.where(unsaid, np.nan, found).astype(np.float32), whose


def median(apart: Field, known: npt.NDArray[np.int64]) -> Field:
    """Over the first axis, of those that are known (a number of them at every voxel)."""
    ordered = np.sort(apart, axis=0)  # NaN last
    low, high = np.maximum(known - 1, 0) // 2, known // 2
    high = np.minimum(high, np.maximum(known - 1, 0))
    pair = [np.take_along_axis(ordered, each[None], axis=0)[0] for each in (low, high)]
    return np.asarray((pair[0] + pair[1]) / 2)


def gaussian(values: Field, sigma: float) -> tuple[Field, Field]:
    """Weighted mean around every known value, NaN elsewhere, and the share that is known."""
    known = np.isfinite(values)
    share = ndimage.gaussian_filter(known.astype(np.float32), sigma, truncate=TRUNCATE)
    mean = ndimage.gaussian_filter(
        np.where(known, values, 0).astype(np.float32), sigma, truncate=TRUNCATE
    )
    return np.where(known, mean / np.maximum(share, 1e-4), np.nan), share


def scatter(deviation: Field) -> float:
    """What half of what is said stays below."""
    said = np.abs(deviation[deviation != 0])
    return float(np.median(said)) if said.size else 0.0


def patch(size: Field) -> float:
    """What PATCH_VOXELS that hang together exceed, the most."""
    values = size[size > 0]
    if values.size < PATCH_VOXELS:
        return 0.0
    least, most = 0.0, float(np.partition(values, -PATCH_VOXELS)[-PATCH_VOXELS])
    for _ in range(12):  # a four-thousandth of the largest
        middle = (least + most) / 2
        labels, _ = ndimage.label(_cropped(size > middle), np.ones((3, 3, 3)))
        if np.bincount(labels.reshape(-1))[1:].max(initial=0) >= PATCH_VOXELS:
            least = middle
        else:
            most = middle
    return least


def _cropped(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """To what is set of it."""
    own = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        at = np.flatnonzero(mask.any(axis=others))
        own.append(slice(at[0], at[-1] + 1) if at.size else slice(0, 0))
    return mask[tuple(own)]


def patches(deviation: Field, limit: float) -> list[tuple[npt.NDArray[np.intp], float]]:
    """Voxels (n, 3) of every patch over the limit, with its score, the worst first."""
    over = np.abs(deviation) / limit
    labels, count = ndimage.label(over > DEFECT_FROM, np.ones((3, 3, 3)))
    found = []
    for at in ndimage.value_indices(labels, ignore_value=0).values() if count else ():
        if len(at[0]) >= PATCH_VOXELS:
            score = float(np.sort(over[at])[-PATCH_VOXELS])
            found.append((np.stack(at, axis=-1), score))
    return sorted(found, key=lambda each: -each[1])
