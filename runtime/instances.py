"""Several parts on one tray, as a verdict tells them: each by its place, and whether it is odd."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float, float]
Box = tuple[Point, Point]
"""Lowest and highest corner."""
ODD_FROM = 1.0  # of the score: the threshold


@dataclass(frozen=True, slots=True)
class Proven:
    """What on a tray would have been found for certain: a piece that lacks or is too much, of
    smallest_mm every way; and, on half of the surface of every part at least, a mark as wide as
    that which changes the grey value by contrast (0.3: three tenths), and a hollow twice as wide
    that is depth_mm deep, None: of hollows nothing is proven."""

    smallest_mm: float
    contrast: float
    depth_mm: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What on a tray must be found; None: nobody said."""

    smallest_mm: float | None = None
    contrast: float | None = None
    depth_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Oddity:
    """Where an instance differs from its neighbours, mm. By shape deviation_mm is the most, + where
    there is more material than they have; by look brighter is, 0.1 a tenth brighter than they are,
    - where it is darker. None: not by this; by neither, its hue is another."""

    centre_part_mm: Point
    centre_base_mm: Point
    box_part_mm: Box
    score: float
    deviation_mm: float | None = None
    brighter: float | None = None


@dataclass(frozen=True, slots=True)
class InstanceReport:
    """One part of a tray, mm; boxes along the axes of the part's frame and of the robot's base.

    number: from 1. score: 1.0 = threshold; None: it was not compared. seen_by: numbers of the
    planned views that measured anything of it. oddities: the worst first.
    """

    number: int
    box_part_mm: Box
    box_base_mm: Box
    centre_part_mm: Point
    centre_base_mm: Point
    score: float | None
    seen_by: tuple[int, ...]
    oddities: tuple[Oddity, ...] = ()

    @property
    def odd(self) -> bool | None:
        """None: it was not compared."""
        return None if self.score is None else self.score >= ODD_FROM
