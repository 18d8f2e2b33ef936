"""By how much brighter a picture is than the golden one all around a place."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

LIGHT_MM = 10.0  # sigma: light changes over more than that, a piece or a mark is smaller
NOTHING = 1e-6  # of the weights: where all is unknown, nothing is brighter


def light_around(ratio: Plane, weight: Plane, sigma_px: float, cell_px: int) -> Plane:
    """(h, w) a weighted mean of `ratio`, a logarithm of grey, taken in cells of cell_px."""
    height, width = ratio.shape
    small = (-(-width // cell_px), -(-height // cell_px))
    total, known = (
        cv2.GaussianBlur(
            cv2.resize(each, small, interpolation=cv2.INTER_AREA), (0, 0), sigma_px / cell_px
        )
        for each in (ratio * weight, weight)
    )
    return np.asarray(cv2.resize(total / np.maximum(known, NOTHING), (width, height)), np.float32)
