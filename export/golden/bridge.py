"""Gaps in a depth map that one surface surrounds, bridged: two guesses of where it goes on."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.comparison.expected import nearest_known
from voxgate.runtime.nouns import DepthMap

ENCLOSED = 0.8  # of a gap's outline, known surface: the gap lies on it

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


def bridges(known_mm: DepthMap, gaps: Mask) -> tuple[DepthMap, DepthMap]:
    """(h, w) float32 twice, NaN but in gaps that are enclosed: the depth known nearest to each
    pixel, and the farthest at the gap's outline, for a gap beside an edge lies behind it.

    known_mm: (h, w) float32, NaN where nothing is known. What touches the picture's border is not
    enclosed.
    """
    labels = np.asarray(cv2.connectedComponents(gaps.view(np.uint8), connectivity=4)[1], np.int32)
    enclosed, farthest = _outlines(labels, known_mm)
    inside: Mask = enclosed[labels]
    near, far = nearest_known(known_mm), farthest[labels]
    return (
        np.where(inside, near, np.nan).astype(np.float32),
        np.where(inside, far, np.nan).astype(np.float32),
    )


def _outlines(labels: Labels, known_mm: DepthMap) -> tuple[Mask, npt.NDArray[np.float32]]:
    """Of each label: whether known surface encloses it, and the farthest of that."""
    count = int(labels.max()) + 1
    around, known = np.zeros(count), np.zeros(count)
    farthest = np.zeros(count, np.float32)
    for here, there in _neighbours():
        rim = (labels[here] > 0) & (labels[there] == 0)
        gap, depth = labels[here][rim], known_mm[there][rim]
        finite = np.isfinite(depth)
        around += np.bincount(gap, minlength=count)
        known += np.bincount(gap[finite], minlength=count)
        np.maximum.at(farthest, gap[finite], depth[finite])
    enclosed = known >= ENCLOSED * around
    enclosed[0] = False
    for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        enclosed[border] = False
    return enclosed, farthest


def _neighbours() -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Pairs of views into a plane: pixels, and what lies beside, above or below them."""
    low, high, every = slice(None, -1), slice(1, None), slice(None)
    yield (every, low), (every, high)
    yield (every, high), (every, low)
    yield (low, every), (high, every)
    yield (high, every), (low, every)
