"""How much of the parts is too thin to be compared: no pixel sees nothing but it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from voxgate.runtime.trays.ground import Above
from voxgate.runtime.trays.surface import EDGE_MM, EDGE_SHARE

THIN_PX = 2  # as wide or less: a square of one pixel more does not fit into it
FARTHEST_MM = 1e5


def thin_share(seen: Sequence[Above], surely_mm: float) -> float:
    """Of the pixels that show parts, higher than surely_mm, how many lie on what is no wider than
    THIN_PX."""
    thin, shown = np.sum([_pixels(each, surely_mm) for each in seen], axis=0)
    return float(thin / max(1, shown))


def _pixels(seen: Above, surely_mm: float) -> tuple[int, int]:
    """How many are on thin things, and on parts."""
    square = np.ones((THIN_PX + 1, THIN_PX + 1), np.uint8)
    depth_mm = np.nan_to_num(seen.view.depth_mm, nan=0.0).astype(np.float32)
    nearness = np.where(depth_mm > 0, FARTHEST_MM - depth_mm, 0).astype(np.float32)
    # a lost pixel of a wide surface is a hole in it
    nearness = np.where(depth_mm > 0, nearness, cv2.morphologyEx(nearness, cv2.MORPH_CLOSE, square))
    stands_out_mm = nearness - cv2.morphologyEx(nearness, cv2.MORPH_OPEN, square)
    shown = seen.up > surely_mm
    thin = shown & (stands_out_mm > np.maximum(EDGE_MM, EDGE_SHARE * depth_mm))
    return int(thin.sum()), int(shown.sum())
