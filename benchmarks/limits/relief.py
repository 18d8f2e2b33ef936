"""What a defect does to a surface: its height above the plane it lies in, and its paint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Height = Callable[[Array, Array], Array]
"""(s, t) mm in the plane -> height above it, mm; 0 beside the defect."""

SCRATCH_LENGTH_MM = 12.0
DARK_GREY, BRIGHT_GREY = (
    15.0,
    235.0,
)  # a mark is dark; on what is darker than DARK_BASE it is bright
DARK_BASE = 60.0
COVERS = 0.7  # of the surface's own grey, paint takes away


@dataclass(frozen=True, slots=True)
class Paint:
    """Grey that is mixed in (covers, 0 to 1) or added (adds, levels; its sign by the base)."""

    covers: float = 0.0
    adds: float = 0.0

    def on(self, grey: Array, base_grey: float) -> Array:
        """(n,) grey levels under the paint, on a surface that has base_grey around."""
        if self.covers:
            colour = DARK_GREY if base_grey >= DARK_BASE else BRIGHT_GREY
            return (1 - self.covers) * grey + self.covers * colour
        return grey + (self.adds if base_grey < 128 else -self.adds)


@dataclass(frozen=True, slots=True)
class Defect:
    """One kind and size. reach_mm: beside it nothing is changed; low, high: bounds of the height.

    open_mm: radius of a hole's mouth; what lies in it sees that little of the sky.
    """

    height: Height
    footprint: Callable[[Array, Array], npt.NDArray[np.bool_]]
    reach_mm: float
    low_mm: float = 0.0
    high_mm: float = 0.0
    paint: Paint = Paint()
    open_mm: float | None = None


def dent(width_mm: float, depth_mm: float) -> Defect:
    """Round, its rim smooth: a cosine squared."""

    def height(s: Array, t: Array) -> Array:
        r = np.minimum(np.hypot(s, t) / width_mm, 0.5)
        return -depth_mm * np.cos(np.pi * r) ** 2

    return Defect(height, _disc(width_mm), width_mm / 2, low_mm=-depth_mm)


def bump(width_mm: float, height_mm: float, paint: Paint = Paint()) -> Defect:
    """A round lump, its profile a parabola."""

    def height(s: Array, t: Array) -> Array:
        return height_mm * np.maximum(0.0, 1 - (s * s + t * t) / (width_mm / 2) ** 2)

    return Defect(height, _disc(width_mm), width_mm / 2, high_mm=height_mm, paint=paint)


def hole(width_mm: float, depth_mm: float) -> Defect:
    """A drilled hole with walls and a bottom."""
    inside = _disc(width_mm)

    def height(s: Array, t: Array) -> Array:
        return np.where(inside(s, t), -depth_mm, 0.0)

    radius_mm = width_mm / 2
    return Defect(height, inside, radius_mm, low_mm=-depth_mm, open_mm=radius_mm)


def spot(width_mm: float) -> Defect:
    """A round mark without height."""
    return Defect(_flat, _disc(width_mm), width_mm / 2, paint=Paint(covers=COVERS))


def scratch(width_mm: float, grey: float) -> Defect:
    """A straight line without depth, brighter on what is dark and darker on what is bright."""

    def inside(s: Array, t: Array) -> npt.NDArray[np.bool_]:
        return (np.abs(s) <= SCRATCH_LENGTH_MM / 2) & (np.abs(t) <= width_mm / 2)

    return Defect(_flat, inside, SCRATCH_LENGTH_MM / 2, paint=Paint(adds=grey))


def _flat(s: Array, t: Array) -> Array:
    return np.zeros_like(s)


def _disc(width_mm: float) -> Callable[[Array, Array], npt.NDArray[np.bool_]]:
    return lambda s, t: np.hypot(s, t) <= width_mm / 2
