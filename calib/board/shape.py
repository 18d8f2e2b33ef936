"""How a board that is not flat stands out of its plane: a bow along each side, and a twist.

A board with a bow of a tenth of a millimetre moves the corners by more than they are wrong; a lens
that is fitted to a flat one takes the bow for focal length (Strobl and Hirzinger 2011).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WAYS = 3
LEAST_BOW_MM = 0.02  # glass is no flatter
USUAL_MM = 0.5  # prior standard deviation of each: paper on card, not a rolled sheet


def out_of_plane(points_mm: Array) -> Array:
    """(n, 3) how far points (n, 3) of the board stand out for a bow along x, one along y and a
    twist of 1 mm at the edge."""
    low, high = points_mm[:, :2].min(axis=0), points_mm[:, :2].max(axis=0)
    half = np.maximum((high - low) / 2, 1e-9)
    x, y = ((points_mm[:, :2] - (low + high) / 2) / half).T
    return np.asarray(np.stack([x**2, y**2, x * y], axis=1))


def bent(points_mm: Array, ways: Array, bow_mm: Array) -> Array:
    """The points (n, 3) of a board with bow_mm (3,); ways (n, 3): `out_of_plane` of them."""
    found: Array = points_mm.copy()
    found[:, 2] += ways @ bow_mm
    return found


def bow_size_mm(ways: Array, bow_mm: Array) -> float:
    """From the board's lowest point to its highest."""
    return float(np.ptp(ways @ bow_mm))
