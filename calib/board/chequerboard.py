"""A chequerboard's corners: several finders in turn, and a check that it is not a larger board.

No finder finds every board: normalising the picture loses one on a dark surround, the newer finder
loses some that the older one (Zhang's, by quads) finds. What is found is held against the colours.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.calib.numerics.least_squares import Array

Grey = npt.NDArray[np.uint8]

BY_SECTORS = (
    cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_NORMALIZE_IMAGE,
    cv2.CALIB_CB_ACCURACY,
)
EXHAUSTIVE = cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_EXHAUSTIVE
BY_QUADS = (
    cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK,
    cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_FILTER_QUADS,
)
LARGEST_FOR_QUADS_PX = 1400  # of the longer side: the search takes long, and refines afterwards
HALF_WINDOW = 0.3  # of a square's side
SMALLEST_HALF_PX, LARGEST_HALF_PX = 2, 11
STEPS, SETTLED_PX = 60, 1e-4
WANDERED = 0.3  # of a square's side, by refinement: it lay on something else
BESIDE = 0.3  # of a square's diagonal, from a corner into the squares around it
CROSSED = 0.5  # of the usual contrast between squares
CONTINUES = 0.5  # of a side's points, that the board goes on there


def find_chequerboard(
    image: Grey, grid: tuple[int, int], exhaustively: bool = False
) -> Array | None:
    """(down, across, 2) inner corners, px; None where none of the finders finds all of them, or the
    board goes on beyond them. exhaustively: by the finder that takes seconds alone."""
    across, down = grid
    for corners in _by_sectors(image, grid, EXHAUSTIVE) if exhaustively else _found(image, grid):
        pixels = corners.reshape(down, across, 2)
        usual = usual_crossing(image, pixels)
        passed_over = any(leaves_out(image, pixels, axis, usual) for axis in (0, 1))
        if not passed_over and not _goes_on(image, pixels):
            return pixels
    return None


def _found(image: Grey, grid: tuple[int, int]) -> Iterator[Array]:
    for flags in BY_SECTORS:
        yield from _by_sectors(image, grid, flags)
    for flags in BY_QUADS:
        yield from _by_quads(image, grid, flags)


def _by_sectors(image: Grey, grid: tuple[int, int], flags: int) -> Iterator[Array]:
    found, corners = cv2.findChessboardCornersSB(image, grid, flags=flags)
    if found:
        yield np.asarray(corners, np.float64).reshape(-1, 2)


def _by_quads(image: Grey, grid: tuple[int, int], flags: int) -> Iterator[Array]:
    scale = min(1.0, LARGEST_FOR_QUADS_PX / max(image.shape))
    small = image
    if scale < 1:
        small = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    found, corners = cv2.findChessboardCorners(small, grid, flags=flags)
    if not found:
        return
    rough = (np.asarray(corners, np.float64).reshape(-1, 2) + 0.5) / scale - 0.5
    refined, side_px = refined_corners(image, rough, grid)
    if np.linalg.norm(refined - rough, axis=1).max() < max(2.0, WANDERED * side_px):
        yield refined


def refined_corners(image: Grey, rough: Array, grid: tuple[int, int]) -> tuple[Array, float]:
    """To a fraction of a pixel, and the shortest side of a square, px."""
    pixels = rough.reshape(grid[1], grid[0], 2)
    sides = [np.linalg.norm(np.diff(pixels, axis=axis), axis=2).min() for axis in (0, 1)]
    side_px = float(min(sides))
    return refined_near(image, rough, side_px), side_px


def refined_near(image: Grey, rough: Array, side_px: float) -> Array:
    """(n, 2) corners where the grey gradients around them meet; side_px: of a square."""
    half = int(np.clip(HALF_WINDOW * side_px, SMALLEST_HALF_PX, LARGEST_HALF_PX))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, STEPS, SETTLED_PX)
    start = np.ascontiguousarray(rough, np.float32).reshape(-1, 1, 2)
    found = cv2.cornerSubPix(image, start, (half, half), (-1, -1), criteria)
    return np.asarray(found, np.float64).reshape(-1, 2)


def _goes_on(image: Grey, pixels: Array) -> bool:
    """Whether squares cross also one step beyond any side: then these are a part of a larger board,
    and which part nobody knows."""
    usual = usual_crossing(image, pixels)
    for side in (pixels, pixels[::-1], pixels.swapaxes(0, 1), pixels[:, ::-1].swapaxes(0, 1)):
        beyond = side[0] + (side[0] - side[1])
        along = np.gradient(beyond, axis=0)
        out = side[0] - side[1]
        crossing = np.abs(crossing_at(image, beyond, along, out))
        seen = np.isfinite(crossing)
        if seen.sum() >= 2 and (crossing[seen] > CROSSED * usual).mean() > CONTINUES:
            return True
    return False


def leaves_out(
    image: Grey, corners: Array, axis: int, usual: float, parts: tuple[int, ...] = (2, 3)
) -> bool:
    """Whether squares cross also between the rows (axis 0) or columns of corners (r, c, 2), at the
    first of so many equal parts: then these are every second or third row of a larger board."""
    way = corners if axis == 0 else corners.swapaxes(0, 1)
    step, along = np.diff(way, axis=0), np.gradient(way, axis=1)
    beside = (along[1:] + along[:-1]) / 2
    return any(
        (crossing_at(image, way[:-1] + step / part, step / part, beside) > CROSSED * usual).mean()
        > CONTINUES
        for part in parts
    )


def usual_crossing(image: Grey, pixels: Array) -> float:
    """By how much squares cross at the corners (d, a, 2) that are not at the rim."""
    inner = (slice(1, -1), slice(1, -1))
    down, across = np.gradient(pixels, axis=0)[inner], np.gradient(pixels, axis=1)[inner]
    return float(np.median(np.abs(crossing_at(image, pixels[inner], down, across))))


def crossing_at(image: Grey, at: Array, one: Array, other: Array) -> Array:
    """(...) by how much the squares around points (..., 2) cross: the two on one diagonal against
    the two on the other; the nearer pair counts, so that an edge is none. NaN outside."""
    first = [grey_at(image, at + BESIDE * sign * (one + other)) for sign in (1, -1)]
    second = [grey_at(image, at + BESIDE * sign * (one - other)) for sign in (1, -1)]
    above = np.minimum(*first) - np.maximum(*second)
    below = np.minimum(*second) - np.maximum(*first)
    return np.asarray(np.maximum(np.maximum(above, below), 0.0))


def grey_at(image: Grey, at: Array) -> Array:
    """Grey at the nearest pixels, NaN outside the picture."""
    whole = np.nan_to_num(np.rint(at), nan=-1.0).astype(int)
    column, row = whole[..., 0], whole[..., 1]
    inside = (row >= 0) & (row < image.shape[0]) & (column >= 0) & (column < image.shape[1])
    values = image[np.where(inside, row, 0), np.where(inside, column, 0)].astype(np.float64)
    return np.asarray(np.where(inside, values, np.nan))
