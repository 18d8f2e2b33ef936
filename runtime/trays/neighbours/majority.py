"""What the majority of fields on one grid agrees on, and the largest patch that leaves it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxgate.runtime.trays.kernels.blur import blur
from voxgate.runtime.trays.kernels.majority import largest_common, majority_of, median_of
from voxgate.runtime.trays.surface import Field, Mask

PATCH_VOXELS = 8  # so many must deviate together: fewer are an edge's flicker
DEFECT_FROM = 1.0
LEAST_OTHERS = 2
TRUNCATE = 2.5  # sigmas
LIKELY_VOXELS = 2000  # among the largest so many nearly always some hang together


def majority(fields: Field, steady: Mask, index: int) -> Field:
    """What field `index` of (k, ...) is off the others: off the one of those that make half of them
    that is farthest, or off the median of all where that is nearer.

    NaN where too few others say anything (with one alone nobody knows which of the two is odd), and
    where neither this one nor the one it is held against is steady, (k, ...) bool.
    """
    others = len(fields) - 1
    found = np.empty(fields[0].size, np.float32)
    majority_of(_flat(fields), _flat(steady), index, max(LEAST_OTHERS, -(-others // 2)), found)
    return found.reshape(fields.shape[1:])


def median(fields: Field) -> Field:
    """Over the first axis, of those that are known; NaN where none is."""
    found = np.empty(fields[0].size, np.float32)
    median_of(_flat(fields), found)
    return found.reshape(fields.shape[1:])


def _flat(fields: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(fields).reshape(len(fields), -1)


def gaussian(values: Field, sigma: float) -> tuple[Field, Field]:
    """Weighted mean around every known value, NaN elsewhere, and the share of what is around it
    that is known, 0 elsewhere."""
    reach = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    share, mean = np.zeros(values.shape, np.float32), np.zeros(values.shape, np.float32)
    blur(values, (weights / weights.sum()).astype(np.float32), share, mean)
    return np.where(np.isfinite(values), mean / np.maximum(share, 1e-4), np.nan), share


def scatter(deviation: Field, share: float = 0.5) -> float:
    """What this share of what is said stays below."""
    said = np.abs(deviation[deviation != 0])
    return float(np.quantile(said, share)) if said.size else 0.0


def patch(size: Field, voxels: int = PATCH_VOXELS) -> float:
    """What so many voxels that hang together reach, the most."""
    flat = np.ascontiguousarray(size, np.float32).reshape(-1)
    some = np.flatnonzero(flat > 0)
    if len(some) > LIKELY_VOXELS:  # sorting all takes longer than all the rest
        largest = some[np.argpartition(flat[some], -LIKELY_VOXELS)[-LIKELY_VOXELS:]]
        found = _common(flat, largest, size.shape, voxels)
        if found > 0:
            return found
    return _common(flat, some, size.shape, voxels)


def _common(flat: Field, some: npt.NDArray[np.intp], shape: tuple[int, ...], voxels: int) -> float:
    order = some[np.argsort(-flat[some], kind="stable")]
    return float(largest_common(flat.reshape(shape), order, voxels))


def patches(
    deviation: Field, limit: float, least: int = PATCH_VOXELS
) -> list[tuple[npt.NDArray[np.intp], float]]:
    """Voxels (n, 3), at least so many, of every patch over the limit, with its score, the worst
    first."""
    over = np.abs(deviation) / limit
    if not (over > DEFECT_FROM).any():
        return []
    labels, count = ndimage.label(over > DEFECT_FROM, np.ones((3, 3, 3)))
    found = []
    for at in ndimage.value_indices(labels, ignore_value=0).values() if count else ():
        if len(at[0]) >= least:
            score = float(np.sort(over[at])[-least])
            found.append((np.stack(at, axis=-1), score))
    return sorted(found, key=lambda each: -each[1])
