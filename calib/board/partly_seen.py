"""A chequerboard that the picture cuts off: its corners, where their numbers can be told.

A row of corners says nothing of which one it is; the board's own end does. Along each side of the
board all of its corners must be seen, or a piece of one of its two ends; the picture may cut it at
any angle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.calib.board.chequerboard import (
    CONTINUES,
    CROSSED,
    WANDERED,
    Grey,
    crossing_at,
    grey_at,
    leaves_out,
    refined_corners,
)
from voxgate.calib.board.lattice import alike, grown, mean, seen, steps
from voxgate.calib.board.saddles import seeds
from voxgate.calib.numerics.least_squares import Array

SEED = (3, 3)
SCALES = (1.0, 0.5, 0.25)  # of the picture: a blurred corner is a saddle when it is seen smaller
MOST_SEEDS = 60
UNEVEN = 2.5  # longest over shortest side of squares that lie together
FEWEST = 12  # corners that are worth a view
INSIDE = (0.2, 0.5, 0.8)  # of a square's sides
SHORTEST_EDGE = 4  # corners beside which the board's end is seen
HALF, EDGE = 0.5, 1.5  # steps beyond the last corners: the outer squares, and what is past them


class Side(Enum):
    """How the board goes on beyond the last corners of one side."""

    ENDS = "ends"
    OUT = "out of the picture"
    ON = "goes on"


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Corners (d, a, 2), NaN where none is seen, and the board's row and column of the first."""

    pixels: Array
    row: int
    column: int


def find_part(image: Grey, grid: tuple[int, int]) -> tuple[npt.NDArray[np.intp], Array] | None:
    """Numbers (n,) and pixels (n, 2) of the corners of a board with `grid` (across, down) of them;
    None where there are none, or where another numbering would do as well."""
    seed = _seed(image)
    if seed is None:
        return None
    lattice = grown(image, seed)
    if seen(lattice).sum() < FEWEST:
        return None
    places = [place for way in _ways(lattice) for place in _places(image, way, grid)]
    if not _one_answer(places, grid):
        return None
    place = places[0]
    down, across = place.pixels.shape[:2]
    rows, columns = place.row + np.arange(down), place.column + np.arange(across)
    numbers = rows[:, None] * grid[0] + columns
    there = seen(place.pixels)
    return numbers[there].astype(np.intp), place.pixels[there]


def _seed(image: Grey) -> Array | None:
    """(3, 3, 2) corners to begin with."""
    for scale in SCALES:
        small = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
        for block in islice(seeds(small), MOST_SEEDS):
            good = _checked(image, (block + 0.5) / scale - 0.5)
            if good is not None:
                return good
    return None


def _checked(image: Grey, block: Array) -> Array | None:
    """Refined, if squares of about one size cross at all of it."""
    if not ((block > 0) & (block < np.array(image.shape[::-1]) - 1)).all():
        return None
    refined, side_px = refined_corners(image, block.reshape(-1, 2), SEED)
    corners = refined.reshape(block.shape)
    sides = [np.linalg.norm(np.diff(corners, axis=axis), axis=2) for axis in (0, 1)]
    down, across = np.gradient(corners, axis=0), np.gradient(corners, axis=1)
    crossing = crossing_at(image, corners, down, across)
    even = all(alike(side[:1], side[1:]).all() for side in (sides[0], sides[1].T))
    even = even and max(side.max() for side in sides) < UNEVEN * side_px
    even = even and np.abs(corners - block).max() < WANDERED * side_px
    if not (even and (crossing > CROSSED * crossing.max()).all()):
        return None
    for axis in (0, 1):
        if leaves_out(image, corners, axis, crossing.max(), (2,)):
            return _checked(image, _between(corners, axis))
    return corners if _are_squares(image, corners, crossing.max()) else None


def _are_squares(image: Grey, corners: Array, usual: float) -> bool:
    """Whether what lies between four corners each is of one colour."""
    first, second = corners[:-1, :-1], corners[:-1, 1:]
    third, fourth = corners[1:, :-1], corners[1:, 1:]
    grey = [
        grey_at(
            image, (1 - v) * ((1 - u) * first + u * second) + v * ((1 - u) * third + u * fourth)
        )
        for u in INSIDE
        for v in INSIDE
    ]
    return bool((np.ptp(grey, axis=0) < (1 - CROSSED) * usual).all())


def _between(corners: Array, axis: int) -> Array:
    """The first two rows (axis 0) or columns, and what lies between them."""
    first, second = np.moveaxis(corners, axis, 0)[:2]
    return np.moveaxis(np.array([first, (first + second) / 2, second]), 0, axis)


def _side(image: Grey, lattice: Array) -> Side:
    """Above the first row."""
    down, across = (each[0] for each in steps(lattice))
    beyond = lattice[0] - down
    whole = np.isfinite(lattice[:2, :, 0]).all(axis=0)
    crossing = np.where(whole, crossing_at(image, beyond, down, across), np.nan)
    inside = np.isfinite(crossing)
    if inside.any() and (crossing[inside] > CROSSED * _usual(image, lattice)).mean() > CONTINUES:
        return Side.ON
    run = _longest_run(inside)
    ends = run.stop - run.start >= SHORTEST_EDGE and _edge_seen(image, lattice[:2, run])
    return Side.ENDS if ends else Side.OUT


def _usual(image: Grey, lattice: Array) -> float:
    """By how much squares cross at its corners."""
    return float(np.nanmedian(crossing_at(image, lattice, *steps(lattice))))


def _longest_run(flags: npt.NDArray[np.bool_]) -> slice:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    runs = [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
    return max(runs, key=lambda run: run.stop - run.start, default=slice(0, 0))


def _edge_seen(image: Grey, rows: Array) -> bool:
    """Whether the outer squares are there, and nothing like them past the board's edge: something
    that lies on the board ends elsewhere. rows (2, n, 2): the first, and the one behind it."""
    step = rows[0] - rows[1]
    middle = (rows[0, :-1] + rows[0, 1:]) / 2
    along = (step[:-1] + step[1:]) / 2
    outer = _alternating(grey_at(image, middle + HALF * along))
    past = _alternating(grey_at(image, middle + EDGE * along))
    inner = _alternating(grey_at(image, middle - HALF * along))
    return bool(outer > CROSSED * inner and abs(past) < (1 - CROSSED) * inner)


def _alternating(grey: Array) -> float:
    """Mean step between neighbours that are bright and dark in turn."""
    sign = np.where(np.arange(len(grey) - 1) % 2 == 0, 1.0, -1.0)
    return float(np.abs(np.mean(np.diff(grey) * sign)))


def _ways(lattice: Array) -> Iterator[Array]:
    """The four turns that a print can be seen in; never mirrored."""
    down, across = (mean(each.reshape(-1, 2)) for each in steps(lattice))
    right = lattice if across[0] * down[1] - across[1] * down[0] > 0 else lattice[:, ::-1]
    for turns in range(4):
        yield np.rot90(right, turns)


def _places(image: Grey, lattice: Array, grid: tuple[int, int]) -> Iterator[_Place]:
    """Where on the board these corners can be, in this turn."""
    across, down = grid
    above, below = _side(image, lattice), _side(image, lattice[::-1])
    turned = lattice.swapaxes(0, 1)
    left, right = _side(image, turned), _side(image, turned[::-1])
    row = _first(above, below, lattice.shape[0], down)
    column = _first(left, right, lattice.shape[1], across)
    if row is not None and column is not None and _colour_fits(image, lattice, row + column):
        yield _Place(lattice, row, column)


def _first(before: Side, after: Side, count: int, all_of_them: int) -> int | None:
    """The number of the first of `count` corners in a row; None where it cannot be told."""
    if count == all_of_them:
        return None if Side.ON in (before, after) else 0
    if count > all_of_them or (before is Side.ENDS) == (after is Side.ENDS):
        return None
    return 0 if before is Side.ENDS else all_of_them - count


def _colour_fits(image: Grey, lattice: Array, number: int) -> bool:
    """On the print the square after the first corner of the first row is black."""
    squares = (lattice[:-1, :-1] + lattice[:-1, 1:] + lattice[1:, :-1] + lattice[1:, 1:]) / 4
    grey = grey_at(image, squares)
    odd = np.indices(grey.shape).sum(axis=0) % 2 == 1
    first, second = np.nanmean(grey[~odd]), np.nanmean(grey[odd])
    return bool((first < second) == (number % 2 == 0))


def _one_answer(places: list[_Place], grid: tuple[int, int]) -> bool:
    """One, or both halves of a turn in which the board looks the same."""
    if len(places) != 2:
        return len(places) == 1
    one, other = places
    same_shape = one.pixels.shape == other.pixels.shape
    across, down = grid
    return bool(
        same_shape
        and (across + down) % 2 == 0
        and np.array_equal(one.pixels, other.pixels[::-1, ::-1], equal_nan=True)
    )
