"""What a file of points or of a mesh holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.calib.numerics.least_squares import Array

Triangles = npt.NDArray[np.int64]
GREY_NAMES = ("intensity", "scalar_intensity", "grey", "gray", "scalar", "i", "reflectivity")
COLOUR_NAMES = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green",
                                                            "diffuse_blue"))  # fmt: skip
# as Microsoft's libraries print what is not a number
NO_NUMBER = re.compile(r"[-+]?(?:nan\(\w+\)|1\.#(?:QNAN|IND|SNAN|INF)\d*)", re.I)
BRIGHTNESS = np.array([0.299, 0.587, 0.114])  # of red, green and blue


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """points (n, 3) in the file's unit; grey (n,) or None; triangles (m, 3) or None."""

    points: Array
    grey: Array | None = None
    triangles: Triangles | None = None


def from_columns(columns: Mapping[str, Array], triangles: Triangles | None = None) -> Cloud:
    """A cloud from columns (n,) by their names. Raises ValueError."""
    missing = [axis for axis in "xyz" if axis not in columns]
    if missing:
        raise ValueError(f"its points have no {' and no '.join(missing)}")
    points = np.stack([columns[axis] for axis in "xyz"], axis=1).astype(np.float64)
    if triangles is not None and len(triangles):
        if triangles.min() < 0 or triangles.max() >= len(points):
            raise ValueError("a face names a corner that is not there")
    else:
        triangles = None
    return Cloud(points, _grey(columns), triangles)


def _grey(columns: Mapping[str, Array]) -> Array | None:
    for names in COLOUR_NAMES:
        if set(names) <= set(columns):
            return brightness(np.stack([columns[name] for name in names], axis=1))
    return next((columns[name] for name in GREY_NAMES if name in columns), None)


def brightness(colours: Array) -> Array:
    """(n,) of red, green and blue (n, 3)."""
    return np.asarray(colours.astype(np.float64) @ BRIGHTNESS)


def number(word: str) -> float:
    """A number as any library prints it. Raises ValueError."""
    try:
        return float(word)
    except ValueError:
        if NO_NUMBER.fullmatch(word):
            return float("nan")
        raise


def strip(corners: npt.NDArray[np.integer]) -> Triangles:
    """Triangles of strips (k,) in which each corner makes one with the two before it; -1 begins
    anew."""
    three = np.lib.stride_tricks.sliding_window_view(corners, 3) if len(corners) > 2 else None
    if three is None:
        return np.empty((0, 3), np.int64)
    return np.asarray(three[(three >= 0).all(axis=1)], np.int64)


def fan(corners: npt.NDArray[np.integer]) -> Triangles:
    """Triangles (m * (k - 2), 3) of polygons (m, k) with k corners each."""
    first, rest = corners[:, :1], corners[:, 1:]
    pairs = [np.column_stack([first, rest[:, i : i + 2]]) for i in range(rest.shape[1] - 1)]
    return np.concatenate(pairs).astype(np.int64) if pairs else np.empty((0, 3), np.int64)
