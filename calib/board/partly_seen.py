"""A chequerboard that the picture cuts off: its corners, where their numbers can be told.

A row of corners says nothing of which one it is; the board's own end does. Along each side of the
board all of its corners must be seen, or one of its two ends, with the rest beyond the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

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
    refined_corners,
    usual_crossing,
)
from voxgate.calib.numerics.least_squares import Array

SEED = (3, 3)  # corners that the finder begins with
LARGEST_PX = 1400  # of the longer side, for the finder
UNEVEN = 2.0  # longest over shortest side of neighbouring squares
FEWEST = 12  # corners that are worth a view
WHOLE = 0.99  # of a side's points one step beyond, that are in the picture
HALF, EDGE = 0.5, 1.5  # steps beyond the last corners: the outer squares, and what is past them


class Side(Enum):
    """How the board goes on beyond the last corners of one side."""

    ENDS = "ends"
    OUT = "out of the picture"
    ON = "goes on"


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Corners (d, a, 2), and the board's row and column of the first."""

    pixels: Array
    row: int
    column: int


def find_part(image: Grey, grid: tuple[int, int]) -> tuple[npt.NDArray[np.intp], Array] | None:
    """Numbers (n,) and pixels (n, 2) of the corners of a board with `grid` (across, down) of them;
    None where there are none, or where another numbering would do as well."""
    seen = _grown(image, _seed(image))
    if seen is None or seen[..., 0].size < FEWEST:
        return None
    places = [place for way in _ways(seen) for place in _places(image, way, grid)]
    if not _one_answer(places, grid):
        return None
    place = places[0]
    down, across = place.pixels.shape[:2]
    rows, columns = place.row + np.arange(down), place.column + np.arange(across)
    numbers = rows[:, None] * grid[0] + columns
    return numbers.ravel().astype(np.intp), place.pixels.reshape(-1, 2)


def _seed(image: Grey) -> Array | None:
    """(3, 3, 2) corners in the midst of what the finder makes out; it fills up what it lacks."""
    scale = min(1.0, LARGEST_PX / max(image.shape))
    small = image
    if scale < 1:
        small = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    flags = cv2.CALIB_CB_LARGER | cv2.CALIB_CB_ACCURACY
    found, corners, meta = cv2.findChessboardCornersSBWithMeta(small, SEED, flags)
    if not found:
        return None
    rough = (np.asarray(corners, np.float64).reshape(*np.asarray(meta).shape, 2) + 0.5) / scale
    blocks = [
        rough[row : row + 3, column : column + 3] - 0.5
        for row in range(rough.shape[0] - 2)
        for column in range(rough.shape[1] - 2)
    ]
    middle = np.array(image.shape[::-1]) / 2
    blocks.sort(key=lambda block: float(np.linalg.norm(block[1, 1] - middle)))
    return next((good for block in blocks if (good := _checked(image, block)) is not None), None)


def _checked(image: Grey, block: Array) -> Array | None:
    """Refined, if squares of about one size cross at all of it."""
    if not ((block > 0) & (block < np.array(image.shape[::-1]) - 1)).all():
        return None
    refined, side_px = refined_corners(image, block.reshape(-1, 2), SEED)
    seen = refined.reshape(block.shape)
    longest = max(np.linalg.norm(np.diff(seen, axis=axis), axis=2).max() for axis in (0, 1))
    down, across = np.gradient(seen, axis=0), np.gradient(seen, axis=1)
    crossing = crossing_at(image, seen, down, across)
    even = longest < UNEVEN * side_px and np.abs(seen - block).max() < WANDERED * side_px
    return seen if even and (crossing > CROSSED * crossing.max()).all() else None


def _grown(image: Grey, seen: Array | None) -> Array | None:
    """With every further row or column that is wholly in the picture."""
    grew = seen is not None
    while grew and seen is not None:
        grew = False
        for turns in range(4):
            more = _one_more(image, np.rot90(seen, turns))
            if more is not None:
                seen, grew = np.rot90(more, -turns), True
    return seen


def _one_more(image: Grey, seen: Array) -> Array | None:
    beyond, crossing = _beyond(image, seen)
    if not (crossing > CROSSED * usual_crossing(image, seen)).all():
        return None
    grown = np.concatenate([beyond[None], seen])
    found, side_px = refined_corners(image, grown.reshape(-1, 2), (seen.shape[1], len(grown)))
    row = found.reshape(grown.shape)[:1]
    wandered = np.linalg.norm(row[0] - beyond, axis=1).max() > WANDERED * side_px
    return None if wandered else np.concatenate([row, seen])


def _beyond(image: Grey, seen: Array) -> tuple[Array, Array]:
    """(a, 2) where the next corners above the first row would be, and how squares cross there."""
    beyond = 2 * seen[0] - seen[1]
    if len(seen) > 2:  # what perspective and lens do to the step goes on
        beyond = beyond + (seen[0] - 2 * seen[1] + seen[2])
    crossing = crossing_at(image, beyond, np.gradient(beyond, axis=0), seen[0] - seen[1])
    return beyond, np.asarray(crossing)


def _side(image: Grey, seen: Array) -> Side:
    """Above the first row."""
    _, crossing = _beyond(image, seen)
    inside = np.isfinite(crossing)
    if (
        inside.any()
        and (crossing[inside] > CROSSED * usual_crossing(image, seen)).mean() > CONTINUES
    ):
        return Side.ON
    return Side.ENDS if inside.mean() > WHOLE and _edge_seen(image, seen) else Side.OUT


def _edge_seen(image: Grey, seen: Array) -> bool:
    """Whether the outer squares are there, and nothing like them past the board's edge: something
    that lies on the board ends elsewhere."""
    step = seen[0] - seen[1]
    middle = (seen[0, :-1] + seen[0, 1:]) / 2
    along = (step[:-1] + step[1:]) / 2
    outer = _alternating(grey_at(image, middle + HALF * along))
    past = _alternating(grey_at(image, middle + EDGE * along))
    inner = _alternating(grey_at(image, middle - HALF * along))
    return bool(outer > CROSSED * inner and abs(past) < (1 - CROSSED) * inner)


def _alternating(grey: Array) -> float:
    """Mean step between neighbours that are bright and dark in turn."""
    sign = np.where(np.arange(len(grey) - 1) % 2 == 0, 1.0, -1.0)
    return float(np.abs(np.mean(np.diff(grey) * sign)))


def _ways(seen: Array) -> Iterator[Array]:
    """The four turns that a print can be seen in; never mirrored."""
    across, down = seen[0, -1] - seen[0, 0], seen[-1, 0] - seen[0, 0]
    right = seen if across[0] * down[1] - across[1] * down[0] > 0 else seen[:, ::-1]
    for turns in range(4):
        yield np.rot90(right, turns)


def _places(image: Grey, seen: Array, grid: tuple[int, int]) -> Iterator[_Place]:
    """Where on the board these corners can be, in this turn."""
    across, down = grid
    above, below = _side(image, seen), _side(image, seen[::-1])
    turned = seen.swapaxes(0, 1)
    left, right = _side(image, turned), _side(image, turned[::-1])
    row = _first(above, below, seen.shape[0], down)
    column = _first(left, right, seen.shape[1], across)
    if row is not None and column is not None and _colour_fits(image, seen, row + column):
        yield _Place(seen, row, column)


def _first(before: Side, after: Side, count: int, all_of_them: int) -> int | None:
    """The number of the first of `count` corners in a row; None where it cannot be told."""
    if count == all_of_them:
        return None if Side.ON in (before, after) else 0
    if count > all_of_them or (before is Side.ENDS) == (after is Side.ENDS):
        return None
    return 0 if before is Side.ENDS else all_of_them - count


def _colour_fits(image: Grey, seen: Array, number: int) -> bool:
    """On the print the square after the first corner of the first row is black."""
    own, beside = grey_at(
        image, np.array([seen[:2, at : at + 2].mean(axis=(0, 1)) for at in (0, 1)])
    )
    return bool((own < beside) == (number % 2 == 0))


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
        and np.array_equal(one.pixels, other.pixels[::-1, ::-1])
    )
