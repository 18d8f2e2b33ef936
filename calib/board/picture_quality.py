"""Is a picture sharp and lit well enough to measure in? By its grey levels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from voxgate.calib.board.sightings import Sighting
from voxgate.runtime.nouns import GreyImage

WHITE = 250  # a pixel this bright has lost what it was
MOST_WHITE = 0.2  # of the board's own pixels, or of the picture's: paper may be just white
LEAST_CONTRAST = 40.0  # grey levels between the dark and the bright of it
DARK = 60.0
SOFT_PX = 4.0  # an edge that takes longer from black to white moves with light and focus
LOW, HIGH = 5, 95


@dataclass(frozen=True, slots=True)
class Quality:
    """edge_px: how long an edge takes from dark to bright, NaN where there is no contrast."""

    edge_px: float
    contrast: float
    bright: float
    white: float

    def faults(self) -> list[str]:
        """In words; empty when nothing is wrong."""
        found = []
        if self.contrast < LEAST_CONTRAST:
            why = "too dark" if self.bright < DARK else "too little contrast"
            found.append(f"{why}: {self.contrast:.0f} grey levels between its dark and its bright")
        if self.white > MOST_WHITE:
            found.append(f"{self.white:.0%} of it is burnt out: less light, or a shorter exposure")
        if self.edge_px > SOFT_PX:
            found.append(
                f"blurred: its edges are {self.edge_px:.1f} px wide: focus, or stand still"
            )
        return found


def quality(image: GreyImage, sighting: Sighting | None) -> Quality:
    """Of a grey picture (h, w); of the board alone where it was found."""
    area = image if sighting is None else _around(image, sighting)
    low, high = (float(value) for value in np.percentile(area, (LOW, HIGH)))
    return Quality(_edge_px(area, high - low), high - low, high, float((area >= WHITE).mean()))


def _around(image: GreyImage, sighting: Sighting) -> GreyImage:
    left, top = np.floor(sighting.pixels.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(sighting.pixels.max(axis=0)).astype(int) + 1
    return image[top:bottom, left:right]


def _edge_px(area: GreyImage, contrast: float) -> float:
    """The contrast over the steepest slopes: what a step would need from dark to bright."""
    if contrast < 1 or min(area.shape) < 3:
        return float("nan")
    smooth = cv2.GaussianBlur(area.astype(np.float32), (0, 0), 0.7)  # noise has slopes of its own
    down, across = np.gradient(smooth)
    steepest = float(np.percentile(np.hypot(down, across), 99))
    return contrast / max(steepest, 1e-6)


def softer_than_the_rest(edges_px: Sequence[float], times: float = 2.0) -> list[int]:
    """Numbers of pictures whose edges are so many times wider than the median's."""
    usual = float(np.nanmedian(edges_px)) if len(edges_px) else float("nan")
    return [number for number, edge in enumerate(edges_px) if edge > times * usual]
