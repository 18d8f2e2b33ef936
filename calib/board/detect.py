"""Find a board's points in a picture, to a fraction of a pixel."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.calib.board.board import DICTIONARIES, Board, Kind
from voxgate.calib.board.chequerboard import find_chequerboard
from voxgate.calib.board.partly_seen import find_part
from voxgate.calib.board.sightings import Sighting
from voxgate.calib.numerics.least_squares import Array

Grey = npt.NDArray[np.uint8]

MIN_POINTS = 8
SUBPIX_STEPS = 60
SUBPIX_PX = 1e-4
TAG_BORDERS = (2, 1)  # bits: Kalibr's, and OpenCV's own
LEAST_TAGS = 3
TAG_GAP = 0.1  # of a tag's side, off the board's plane: a lens bends less
JOINT = 0.45  # of the distance between tags: the window about a corner, which ends before the next
WINDOW = 0.2  # of a square's side in the picture: half the refinement window
SMALLEST_WINDOW, LARGEST_WINDOW = 2, 9
SMALLEST_DOT_PX2 = 12.0
LARGEST_DOT = 0.03  # of the picture's area
ROUND = 0.6  # 4 pi area / perimeter^2 of a tilted dot
DOT_REACH = 1.35  # radii around a dot's centre that its weight is taken from


def find_board(image: Grey, board: Board, name: str) -> Sighting | None:
    """The board's points in a grey picture (h, w) uint8; None when it is not in it.

    Dots must be seen completely, of a chequerboard as much as tells which corners they are, of a
    board with markers some points.
    """
    found = _FINDERS[board.kind](image, board)
    if found is None or len(found[0]) < MIN_POINTS:
        return None
    numbers, pixels = found
    return Sighting(name, board.points_mm[numbers], pixels)


def _charuco(image: Grey, board: Board) -> tuple[npt.NDArray[np.intp], Array] | None:
    detector = cv2.aruco.CharucoDetector(board.charuco())
    corners, numbers, _, _ = detector.detectBoard(image)
    if numbers is None or len(numbers) == 0:
        return None
    pixels = np.asarray(corners, np.float32).reshape(-1, 2)
    order = np.asarray(numbers).ravel().astype(np.intp)
    white = (board.pitch_mm - board.feature_mm) / 2 / board.pitch_mm
    refined = _refined(image, pixels, min(WINDOW, white) * _least_distance(pixels))
    # a corner that wandered away from where the markers put it lies on something else
    near = np.linalg.norm(refined - pixels, axis=1) < LARGEST_WINDOW / 3
    near &= _inside(refined, image.shape)
    return order[near], refined[near]


def _aprilgrid(image: Grey, board: Board) -> tuple[npt.NDArray[np.intp], Array] | None:
    """Tags by their numbers; which corner comes first the plane that they lie on tells, as printers
    and dictionaries differ in it."""
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[board.dictionary])
    for border in TAG_BORDERS:
        settings = cv2.aruco.DetectorParameters()
        settings.markerBorderBits = border
        corners, numbers, _ = cv2.aruco.ArucoDetector(dictionary, settings).detectMarkers(image)
        tags = [] if numbers is None else np.asarray(numbers).ravel().tolist()
        known = [at for at, tag in enumerate(tags) if tag < board.columns * board.rows]
        if len(known) >= LEAST_TAGS:
            pixels = np.array([np.asarray(corners[at]).reshape(4, 2) for at in known], np.float32)
            return _tags_in_order(image, board, pixels, np.array([tags[at] for at in known]))
    return None


def _tags_in_order(
    image: Grey, board: Board, pixels: npt.NDArray[np.float32], tags: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], Array] | None:
    numbers = (4 * tags[:, None] + np.arange(4)).ravel().astype(np.intp)
    flat = board.points_mm[numbers, :2]
    ways = [np.roll(pixels[:, ::-1], turn, axis=1).reshape(-1, 2) for turn in range(4)]
    gaps = [_off_plane_px(flat, way) for way in ways]
    best = int(np.argmin(gaps))
    side_px = float(np.median(np.linalg.norm(np.diff(pixels, axis=1), axis=2)))
    if not gaps[best] < TAG_GAP * side_px:
        return None
    between_px = side_px * (board.pitch_mm - board.feature_mm) / board.feature_mm
    refined = _refined(image, ways[best], JOINT * between_px)
    near = np.linalg.norm(refined - ways[best], axis=1) < max(2.0, JOINT * between_px)
    near &= _inside(refined, image.shape)
    return numbers[near], refined[near]


def _off_plane_px(flat: Array, pixels: npt.NDArray[np.float32]) -> float:
    """Median distance of the points from where one homography puts them."""
    homography, _ = cv2.findHomography(flat, pixels, cv2.LMEDS)
    if homography is None:
        return float("inf")
    put = cv2.perspectiveTransform(flat.reshape(-1, 1, 2), homography).reshape(-1, 2)
    return float(np.median(np.linalg.norm(put - pixels, axis=1)))


def _chequerboard(image: Grey, board: Board) -> tuple[npt.NDArray[np.intp], Array] | None:
    found = find_chequerboard(image, board.grid)
    if found is None:
        part = find_part(image, board.grid)
        found = find_chequerboard(image, board.grid, exhaustively=True) if part is None else None
        if found is None:
            return part
    across, down = board.grid
    pixels = _right_handed(found)
    if pixels.shape[:2] != (down, across):
        return None
    if not _first_square_black(image, pixels):
        # of a square board it is a quarter turn that exchanges the colours
        pixels = np.rot90(pixels) if across == down else pixels[::-1, ::-1]
    return np.arange(across * down), pixels.reshape(-1, 2)


def _dots(image: Grey, board: Board) -> tuple[npt.NDArray[np.intp], Array] | None:
    flags = cv2.CALIB_CB_CLUSTERING
    flags |= (
        cv2.CALIB_CB_ASYMMETRIC_GRID if board.kind is Kind.DOTS else cv2.CALIB_CB_SYMMETRIC_GRID
    )
    finder = _blob_finder(image)
    found, centres = cv2.findCirclesGrid(image, board.grid, flags=flags, blobDetector=finder)
    if not found:
        return None
    pixels = np.asarray(centres, np.float64).reshape(-1, 2)
    if board.kind is Kind.CIRCLES and pixels[0].sum() > pixels[-1].sum():
        pixels = pixels[::-1]  # either half turn is right: begin at the picture's top left
    radius = 0.5 * _least_distance(pixels) * _dot_share(board)
    refined = np.array([_weighed_centre(image, pixel, radius) for pixel in pixels])
    return np.arange(len(refined)), refined


def _dot_share(board: Board) -> float:
    nearest = board.pitch_mm * (np.sqrt(2) if board.kind is Kind.DOTS else 1)
    return float(board.feature_mm / nearest)


_FINDERS: dict[Kind, Callable[[Grey, Board], tuple[npt.NDArray[np.intp], Array] | None]] = {
    Kind.CHARUCO: _charuco,
    Kind.CHEQUERBOARD: _chequerboard,
    Kind.CIRCLES: _dots,
    Kind.DOTS: _dots,
    Kind.APRILGRID: _aprilgrid,
}


def _refined(image: Grey, pixels: npt.NDArray[np.float32], window_px: float) -> Array:
    """Corners where all grey gradients within the window meet; no marker's edge may be in it."""
    half = int(np.clip(int(window_px), SMALLEST_WINDOW, LARGEST_WINDOW))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, SUBPIX_STEPS, SUBPIX_PX)
    start = np.ascontiguousarray(pixels).reshape(-1, 1, 2).copy()
    refined = cv2.cornerSubPix(image, start, (half, half), (-1, -1), criteria)
    return np.asarray(refined, np.float64).reshape(-1, 2)


def _inside(pixels: Array, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Far enough from the picture's edge that the refinement saw all of the corner."""
    low, high = LARGEST_WINDOW + 1, np.array(shape[::-1]) - LARGEST_WINDOW - 2
    return np.asarray(((pixels >= low) & (pixels <= high)).all(axis=1))


def _least_distance(pixels: npt.NDArray[np.floating]) -> float:
    """Typical distance of a point to its nearest neighbour, px."""
    if len(pixels) < 2:
        return 0.0
    apart = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(np.median(apart.min(axis=1)))


def _right_handed(pixels: Array) -> Array:
    """Rows and columns so that x cross y points into the picture: a print is never mirrored."""
    across = pixels[0, -1] - pixels[0, 0]
    down = pixels[-1, 0] - pixels[0, 0]
    return pixels if across[0] * down[1] - across[1] * down[0] > 0 else pixels[:, ::-1]


def _first_square_black(image: Grey, pixels: Array) -> bool:
    """Whether the square between the first four corners, which is black on the print, is dark.

    The square at (1, 1) has the colour of the one at (0, 0).
    """
    first = pixels[:2, :2].reshape(-1, 2).mean(axis=0)
    second = pixels[:2, 1:3].reshape(-1, 2).mean(axis=0)
    return _grey(image, first) < _grey(image, second)


def _grey(image: Grey, pixel: Array) -> float:
    column, row = np.rint(pixel).astype(int)
    patch = image[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return float(patch.mean())


def _blob_finder(image: Grey) -> cv2.SimpleBlobDetector:
    settings = cv2.SimpleBlobDetector.Params()
    settings.filterByArea = True
    settings.minArea = SMALLEST_DOT_PX2
    settings.maxArea = LARGEST_DOT * image.size
    settings.filterByCircularity = True
    settings.minCircularity = ROUND
    settings.filterByInertia = False
    settings.minDistBetweenBlobs = 4
    return cv2.SimpleBlobDetector.create(settings)


def _weighed_centre(image: Grey, pixel: Array, radius: float) -> Array:
    """Centre of the darkness around a dot, by grey levels."""
    reach = max(2.0, DOT_REACH * radius)
    left, top = (int(np.floor(value - reach)) for value in pixel)
    right, bottom = (int(np.ceil(value + reach)) + 1 for value in pixel)
    if left < 0 or top < 0 or right > image.shape[1] or bottom > image.shape[0]:
        return pixel
    patch = image[top:bottom, left:right].astype(np.float64)
    paper = np.percentile(patch, 90)
    y, x = np.mgrid[top:bottom, left:right]
    near = np.hypot(x - pixel[0], y - pixel[1]) <= reach
    ink = np.where(near, np.clip(paper - patch, 0, None), 0)
    ink[ink < 0.1 * ink.max()] = 0
    if ink.sum() <= 0:
        return pixel
    return np.array([(ink * x).sum() / ink.sum(), (ink * y).sum() / ink.sum()])
