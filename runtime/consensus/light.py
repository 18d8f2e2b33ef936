"""Light and gloss, as all that is asked of pictures together bears them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

LIGHT_MM = 10.0  # sigma: light changes over more than that, a piece or a mark is smaller
DARK_GREY, BRIGHT_GREY = 8.0, 245.0  # beyond them a grey level tells no factor
UNSTEADY = 0.2  # of what the golden part flickers by from view to view, as in the model
NOTHING = 1e-6  # of the weights: where all is unknown, nothing is brighter


def light_around(ratio: Plane, weight: Plane, sigma_px: float, cell_px: int) -> Plane:
    """(h, w) by how much brighter a picture is than the golden one all around a place: a weighted
    mean of `ratio`, a logarithm of grey, taken in cells of cell_px."""
    height, width = ratio.shape
    small = (-(-width // cell_px), -(-height // cell_px))
    total, known = (
        cv2.GaussianBlur(
            cv2.resize(each, small, interpolation=cv2.INTER_AREA), (0, 0), sigma_px / cell_px
        )
        for each in (ratio * weight, weight)
    )
    return np.asarray(cv2.resize(total / np.maximum(known, NOTHING), (width, height)), np.float32)
