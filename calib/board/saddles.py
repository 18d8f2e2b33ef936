"""Three by three corners of a chequerboard to begin with: places where the grey is a saddle, and
whose neighbours are as far to either side."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from scipy.spatial import cKDTree

from voxgate.calib.board.chequerboard import Grey
from voxgate.calib.numerics.least_squares import Array

BLUR_PX = 1.5
LEAST = 0.1  # of the strongest saddle
MOST = 600  # saddles
NEIGHBOURS = 8
NEAR = 0.25  # of the shorter step, from where a neighbour must be
LEAST_SINE = 0.4  # between the two steps
UNEVEN = 2.5  # longer over shorter step
GRID = np.stack(np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], indexing="ij"), axis=-1)


def seeds(image: Grey) -> Iterator[Array]:
    """(3, 3, 2) px, the strongest saddle in the middle of the first."""
    points = _saddles(image)
    if len(points) < 9:
        return
    tree = cKDTree(points)
    _, nearest = tree.query(points, k=min(NEIGHBOURS + 1, len(points)))
    for own, others in zip(points, nearest, strict=True):
        steps = points[others[1:]] - own
        for one, other in _pairs(steps):
            block = own + GRID[..., :1] * one + GRID[..., 1:] * other
            gap, which = tree.query(block.reshape(-1, 2))
            if gap.max() < NEAR * min(np.linalg.norm(one), np.linalg.norm(other)):
                yield points[which].reshape(3, 3, 2)


def _saddles(image: Grey) -> Array:
    """(n, 2) px, the strongest first."""
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), BLUR_PX)
    xx, yy, xy = (cv2.Sobel(smooth, cv2.CV_32F, *by, ksize=3) for by in ((2, 0), (0, 2), (1, 1)))
    strength = xy * xy - xx * yy
    highest = cv2.dilate(strength, np.ones((5, 5), np.uint8))
    y, x = np.nonzero((strength == highest) & (strength > LEAST * strength.max()))
    order = np.argsort(-strength[y, x], kind="stable")[:MOST]
    return np.column_stack([x, y])[order].astype(np.float64)


def _pairs(steps: Array) -> Iterator[tuple[Array, Array]]:
    """Steps that may be the two sides of a square."""
    lengths = np.linalg.norm(steps, axis=1)
    for first in range(len(steps)):
        for second in range(first + 1, len(steps)):
            one, other = steps[first], steps[second]
            product = lengths[first] * lengths[second]
            sine = abs(one[0] * other[1] - one[1] * other[0]) / product
            if sine > LEAST_SINE and lengths[second] < UNEVEN * lengths[first]:
                yield one, other
