"""Convex polygons in the plane, cut by half-planes: what a set of bounds leaves possible.

A polygon is its corners in order (counter-clockwise), at least one; an empty tuple is the empty
set. Every operation that is not exact errs outwards, so a bound read from it stays a bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

Point = tuple[float, float]
Polygon = tuple[Point, ...]


def box(x: Point, y: Point) -> Polygon:
    """The rectangle x[0]..x[1] by y[0]..y[1]."""
    return ((x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1]))


def extent(polygon: Polygon, nx: float, ny: float) -> Point:
    """Least and greatest nx * x + ny * y over a polygon that is not empty."""
    values = [nx * x + ny * y for x, y in polygon]
    return min(values), max(values)


def clipped(polygon: Polygon, nx: float, ny: float, limit: float) -> Polygon:
    """The part of `polygon` where nx * x + ny * y <= limit (Sutherland and Hodgman 1974)."""
    over = [nx * x + ny * y - limit for x, y in polygon]
    if not over or max(over) <= 0:
        return polygon
    kept: list[Point] = []
    for index, corner in enumerate(polygon):
        here, before = over[index], over[index - 1]
        if (here <= 0) != (before <= 0):
            kept.append(_between(polygon[index - 1], corner, before / (before - here)))
        if here <= 0:
            kept.append(corner)
    return tuple(kept)


def widened(polygon: Polygon, dx: float, dy: float) -> Polygon:
    """Every point that is at most dx and dy away from a point of `polygon` (Minkowski sum)."""
    return hull((x + sx, y + sy) for x, y in polygon for sx in (-dx, dx) for sy in (-dy, dy))


def sheared(polygon: Polygon, factor: float) -> Polygon:
    """Each point (x, y) at (x + factor * y, y)."""
    return tuple((x + factor * y, y) for x, y in polygon)


def hull(points: Iterable[Point]) -> Polygon:
    """The convex hull, counter-clockwise (monotone chain, Andrew 1979)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return tuple(ordered)
    return tuple(_chain(ordered) + _chain(ordered[::-1]))


def simplified(polygon: Polygon, directions: int) -> Polygon:
    """A polygon around `polygon` with at most `directions` + 4 edges."""
    x_low, x_high = extent(polygon, 1, 0)
    y_low, y_high = extent(polygon, 0, 1)
    around = box((x_low, x_high), (y_low, y_high))
    for step in range(directions):
        angle = 2 * math.pi * (step + 0.5) / directions
        # the axes have very different units, so that directions count from the box, not the plane
        nx = math.cos(angle) / max(x_high - x_low, 1e-9)
        ny = math.sin(angle) / max(y_high - y_low, 1e-9)
        around = clipped(around, nx, ny, extent(polygon, nx, ny)[1])
    return around


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _chain(ordered: list[Point]) -> list[Point]:
    chain: list[Point] = []
    for point in ordered:
        while len(chain) >= 2 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain[:-1]


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
