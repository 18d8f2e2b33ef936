"""What is uncertain of a lens, in mm, where the board was held."""

from __future__ import annotations

import numpy as np

from voxgate.calib.lens.intrinsics import Intrinsics
from voxgate.calib.numerics.least_squares import Array

POINTS = 2000  # of the pictures' corners: more say the same


def lens_at_part_mm(found: Intrinsics) -> float:
    """Standard deviation, mm, of the place of a point that was seen where the board was seen.

    The camera's place follows from the same lens, so what another place of the camera makes up for
    does no harm: a principal point that is off, or a focal length for one distance.
    """
    linear = found.lens.linearise(_points(found))
    per_px = np.linalg.inv(linear.by_pose[:, :, 3:5])
    by_lens = (per_px @ linear.by_lens).reshape(-1, linear.by_lens.shape[2])
    by_place = (per_px @ linear.by_pose).reshape(-1, 6)
    left = by_lens - by_place @ np.linalg.lstsq(by_place, by_lens, rcond=None)[0]
    spread = np.einsum("ni,ij,nj->n", left, found.covariance, left)
    return float(np.sqrt(2 * spread.mean()))


def px_at_part_mm(found: Intrinsics, error_px: float) -> float:
    """So many pixels, in mm across the ray at the board's usual distance."""
    distance_mm = float(np.median(_points(found)[:, 2]))
    return error_px * distance_mm / float(found.lens.values[:2].mean())


def _points(found: Intrinsics) -> Array:
    """(n, 3) of the board, in the camera's frame."""
    seen = found.sightings
    every = max(1, len(seen.points_mm) // POINTS)
    own = found.poses[seen.view[::every]]
    points = np.einsum("nij,nj->ni", own[:, :3, :3], seen.points_mm[::every])
    return np.asarray(points + own[:, :3, 3])
