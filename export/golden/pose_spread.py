"""How far a pose found from matched points may be off, by the fit itself.

What is left of the fit says how well a point is seen; how the points lie says which motions of the
part they hardly show. Both together are the covariance of the least squares: one standard deviation
of where the part's points come to lie. False matches that lie well are not told by it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNKNOWNS = 6  # of a pose

Floats = npt.NDArray[np.float64]


def spread_mm(fitted_mm: Floats, apart_px: Floats, part_mm: Floats, focal_px: float) -> float:
    """Root mean square over part_mm (m, 3) of the standard deviation of a point's place.

    fitted_mm (n, 3): points of the fit; apart_px (n, 2): what is left of it. Points in the camera's
    frame. Infinite where the points leave a motion open.
    """
    middle = fitted_mm.mean(axis=0)
    moved = np.einsum("nij,njk->nik", _seen(fitted_mm, focal_px), _motions(fitted_mm - middle))
    system = moved.reshape(-1, UNKNOWNS)
    if len(system) <= UNKNOWNS or np.linalg.matrix_rank(system) < UNKNOWNS:
        return float("inf")
    left = float((apart_px**2).sum()) / (len(system) - UNKNOWNS)
    covariance = left * np.linalg.inv(system.T @ system)
    motions = _motions(part_mm - middle)
    variance = np.einsum("nij,jk,nik->n", motions, covariance, motions)
    return float(np.sqrt(variance.mean()))


def _seen(points_mm: Floats, focal_px: float) -> Floats:
    """(n, 2, 3) px by which a picture's point moves per mm of the point."""
    x, y, z = points_mm.T
    none = np.zeros_like(z)
    rows = np.array([[1 / z, none, -x / z**2], [none, 1 / z, -y / z**2]])
    return np.asarray(focal_px * rows.transpose(2, 0, 1))


def _motions(points_mm: Floats) -> Floats:
    """(n, 3, 6) mm by which a point moves per rad around the axes, and per mm along them."""
    x, y, z = points_mm.T
    none, one = np.zeros_like(z), np.ones_like(z)
    rows = [
        [none, z, -y, one, none, none],
        [-z, none, x, none, one, none],
        [y, -x, none, none, none, one],
    ]
    return np.asarray(np.array(rows).transpose(2, 0, 1))
