"""Absolute orientation: the rigid transform between two lists of the same points.

Kabsch (1976), Umeyama (1991). Points that do not fit are weighed down (Huber), so that one
mistaken pair does not turn the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxgate.calib.numerics.least_squares import Array
from voxgate.calib.numerics.twist import nearest_rotation, skew
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.transforms import Transform, apply

MIN_POINTS = 3
ROUNDS = 20
HUBER = 2.5
FLAT = 1e-3  # second over first extent: below it the points lie on a line


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """a_from_b; distances_mm (n,) of the pairs; scale of a over b, for information only.

    covariance (6, 6) of a small motion of b in its own frame, rad and mm.
    """

    a_from_b: Transform
    distances_mm: Array
    scale: float
    covariance: Array

    @property
    def rms_mm(self) -> float:
        """Of the distances."""
        return float(np.sqrt((self.distances_mm**2).mean()))


def absolute_orientation(a_mm: Array, b_mm: Array) -> Fit:
    """Points (n, 3) of frame a and the same in frame b. Raises CalibrationError."""
    if len(a_mm) < MIN_POINTS:
        raise CalibrationError(f"at least {MIN_POINTS} points are needed, got {len(a_mm)}")
    extent = np.linalg.svd(b_mm - b_mm.mean(axis=0), compute_uv=False)
    if extent[1] < FLAT * extent[0]:
        raise CalibrationError("the points lie on one line: take one beside it")
    weights = np.ones(len(a_mm))
    for _ in range(ROUNDS):
        a_from_b = _weighted(a_mm, b_mm, weights)
        distances = np.linalg.norm(apply(a_from_b, b_mm) - a_mm, axis=1)
        spread = max(1e-9, float(np.median(distances)) / 1.538)  # median of a 3-D normal's length
        weights = np.minimum(1.0, HUBER * spread / np.maximum(distances, 1e-12))
    return Fit(a_from_b, distances, _scale(a_mm, b_mm), _covariance(b_mm, distances))


def _weighted(a_mm: Array, b_mm: Array, weights: Array) -> Transform:
    share = weights / weights.sum()
    a_centre, b_centre = share @ a_mm, share @ b_mm
    found = np.eye(4)
    product = (a_mm - a_centre).T @ ((b_mm - b_centre) * share[:, None])
    found[:3, :3] = nearest_rotation(product)
    found[:3, 3] = a_centre - found[:3, :3] @ b_centre
    return found


def _scale(a_mm: Array, b_mm: Array) -> float:
    """Ratio of the extents; 1 for points measured in one unit by instruments that agree."""
    a, b = a_mm - a_mm.mean(axis=0), b_mm - b_mm.mean(axis=0)
    return float(np.sqrt((a**2).sum() / (b**2).sum()))


def _covariance(b_mm: Array, distances: Array) -> Array:
    free = max(1, 3 * len(distances) - 6)
    variance = (distances**2).sum() / free
    by_motion = np.concatenate(
        [-skew(b_mm), np.broadcast_to(np.eye(3), (len(b_mm), 3, 3))], axis=2
    ).reshape(-1, 6)
    return np.asarray(variance * np.linalg.inv(by_motion.T @ by_motion))
