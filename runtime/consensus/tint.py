"""A piece of another metal: brighter or darker than the golden one, and alike from everywhere.

One view explains such a piece by its gloss, for a highlight moves by more when the part stands a
little otherwise. But gloss moves from view to view, and a tint stays: what all but a quarter of the
views say of a region, all the same way, is held much tighter than what one of them says.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus.pieces import Box, Pieces
from voxgate.runtime.consensus.region_kernels import agree, gather
from voxgate.runtime.consensus.regions import Regions
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import GreyImage, View
from voxgate.runtime.pixels.windows import odd_px, window_px
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# A tolerance, as a logarithm of grey: what good parts differ by in shade and strength of gloss,
# half of what a pixel may differ by, and what two parts of one grain do, which lies elsewhere.
USUAL = 0.1
PER_SIGMA = 0.5
PER_GRAIN = 1.41
LEAST_VIEWS = 4  # fewer have three that agree by chance, and gloss of one side
LEAST_PIECES = 3  # of a region, in a view that has a say
SAID_SCORE = 0.75  # below it nothing is written down
# What a pixel may differ by, as in the model: grey levels of noise, slope times misplacement, and
# so much of what the golden part flickers by from view to view.
NOISE_GREY = 1.5
UNSTEADY = 0.2
ALIKE = 0.02  # of the grey level: no pixel is surer
SMOOTH_PX = 3
DARK_GREY, BRIGHT_GREY = 8.0, 245.0  # beyond them a grey level tells no factor
LIGHT_MM = 10.0  # sigma: light changes over more than that, a piece is smaller
LIGHT_CELL_PX = 4


class Tints:
    """Takes the views of one part one by one."""

    def __init__(
        self, surface: Surface, grid: GridSpec, rays: Rays, views: int, usual: float = USUAL
    ) -> None:
        """usual: by how much good parts differ, as a logarithm of grey."""
        self._pieces = Pieces(surface, rays, grid.voxel_mm)
        self._usual = usual
        self._regions = Regions.of(grid, surface.ijk)
        self._voxel_mm = grid.voxel_mm
        self._means = np.full((views, self._regions.count), np.nan, np.float32)
        self._variances = np.zeros_like(self._means)
        self._sums = np.zeros((len(surface.ijk), 4), np.float32)

    def forget(self) -> None:
        """What was said of the last part."""
        self._means[:] = np.nan

    def add(
        self, planned: int, view: View, registered: Registered, reference_from_part: Transform
    ) -> None:
        """One more view of it."""
        assert view.depth_mm is not None  # the inspector has refused it
        box = _compared(view.image, registered.reference)
        if box is None:
            return
        window = (odd_px(self._voxel_mm, registered.pixel_mm),) * 2
        maps = np.asarray(cv2.blur(_apart(view.image[box], registered, box), window), np.float32)
        self._pieces.ask(view, reference_from_part, box, maps, self._sums)
        said = self._means[planned], self._variances[planned]
        gather(
            self._regions.starts,
            self._regions.members,
            self._sums,
            LEAST_PIECES,
            PER_SIGMA,
            PER_GRAIN,
            *said,
        )

    def agreed(self) -> tuple[Plane, Plane]:
        """(m,) of every region the tint that the views agree on, a logarithm of grey, and its
        score, 1 = threshold."""
        said, score = (np.empty(self._regions.count, np.float32) for _ in range(2))
        agree(self._means, self._variances, LEAST_VIEWS, self._usual, said, score)
        return said, score

    def usual_for(self, score: float) -> float:
        """By how much good parts differ, if this part is one, and no region of it is to score more
        than `score`."""
        said, scores = self.agreed()
        loud = scores > score
        more = np.square(said[loud]) * (score**-2 - np.square(scores[loud], dtype=np.float64) ** -1)
        return float(np.sqrt(self._usual**2 + more.max(initial=0.0)))

    def fuse(self, volume: Volume, reference_from_part: Transform, crew: Crew) -> None:
        """Put what the views agree on into the volume, as the word of those that say so; after the
        last view."""
        said, score = self.agreed()
        if not (score >= SAID_SCORE).any():
            return
        places = self._pieces.places(reference_from_part)
        for planned, own in self._loud(said, score):
            pieces = own[self._regions.cell]
            lift_points(volume, places[pieces], score[self._regions.cell[pieces]], planned, crew)

    def _loud(self, said: Plane, score: Plane) -> Iterator[tuple[int, Mask]]:
        """Each view that says something, and of which regions (m,)."""
        for planned, mean in enumerate(self._means):
            own: Mask = (score >= SAID_SCORE) & (mean * np.sign(said) >= np.abs(said))
            if own.any():
                yield planned, own


def _compared(image: GreyImage, reference: GreyImage) -> Box | None:
    """Rows and columns in which the two differ: elsewhere there is nothing to compare with."""
    differs = image != reference
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _apart(image: GreyImage, registered: Registered, box: Box) -> Plane:
    """(h, w, 4) of the box: a weight; the same times how far picture and golden picture are apart,
    as a logarithm, under one light; times its square; and times what a pixel may vary by, squared.

    Noise and slope alone weigh: what good parts taught of gloss must not move a mean."""
    reference, gloss = registered.reference[box], registered.gloss[box]
    compared = cv2.dilate((image != reference).view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    own, golden = (_smooth(each) for each in (image, reference))
    noise = _noise(golden) / np.square(golden) + np.float32(ALIKE**2)
    weight = np.asarray(1 / noise, np.float32)
    told = compared & (golden >= DARK_GREY) & (golden <= BRIGHT_GREY)
    weight[~told] = 0
    ratio = np.log(own / golden)
    light = _light(ratio, np.where(own <= BRIGHT_GREY, weight, np.float32(0)), registered.pixel_mm)
    weight[golden * np.exp(light) > BRIGHT_GREY] = 0
    apart = ratio - light
    flickers = np.square(np.float32(UNSTEADY) * gloss / golden)
    return np.dstack([weight, weight * apart, weight * apart * apart, weight * (noise + flickers)])


def _smooth(picture: GreyImage) -> Plane:
    blurred = cv2.blur(picture.astype(np.float32), (SMOOTH_PX, SMOOTH_PX))
    return np.asarray(np.maximum(blurred, 1), np.float32)


def _noise(golden: Plane) -> Plane:
    """(h, w) the variance of a pixel's grey level, by the sensor and by where the part stands."""
    across, down = (cv2.Sobel(golden, cv2.CV_32F, *each, scale=1 / 8) for each in ((1, 0), (0, 1)))
    steep = cv2.dilate(across * across + down * down, np.ones((3, 3), np.uint8))
    return np.asarray(steep + np.float32(NOISE_GREY**2))


def _light(ratio: Plane, weight: Plane, pixel_mm: float) -> Plane:
    """(h, w) by how much brighter all is around a place, as a logarithm."""
    height, width = ratio.shape
    small = (-(-width // LIGHT_CELL_PX), -(-height // LIGHT_CELL_PX))
    sigma = window_px(LIGHT_MM, pixel_mm) / LIGHT_CELL_PX
    total, known = (
        cv2.GaussianBlur(cv2.resize(each, small, interpolation=cv2.INTER_AREA), (0, 0), sigma)
        for each in (ratio * weight, weight)
    )
    return np.asarray(cv2.resize(total / np.maximum(known, 1e-6), (width, height)), np.float32)


def warm_up() -> None:
    """Compile (or load) the kernels of this file on a surface of one piece."""
    grid, one = GridSpec((0.0, 0.0, 0.0), (2, 2, 2), 1.0), np.ones((1, 3), np.int32)
    plane = np.ones((4, 4), np.float32)
    tints = Tints(Surface.of_voxels(grid, one), grid, Rays(plane, plane, np.ones(9)), 2)
    view = View(0, plane.astype(np.uint8), np.eye(4), 0.0, plane)
    maps = np.ones((4, 4, 4), np.float32)
    tints._pieces.ask(view, np.eye(4), (slice(0, 4), slice(0, 4)), maps, tints._sums)
    said, regions = (tints._means[0], tints._variances[0]), tints._regions
    gather(regions.starts, regions.members, tints._sums, 1, PER_SIGMA, PER_GRAIN, *said)
    tints.agreed()
