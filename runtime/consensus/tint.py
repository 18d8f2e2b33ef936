"""A piece of another metal: brighter or darker than the golden one, alike from everywhere, or dull.

One view explains such a piece by its gloss, for a highlight moves by more when the part stands a
little otherwise. But gloss moves from view to view, and a tint stays: what all but a quarter of the
views say of a region, all the same way, is held much tighter than what one of them says.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.compare import Window
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus.light import BRIGHT_GREY, DARK_GREY, LIGHT_MM, UNSTEADY, light_around
from voxgate.runtime.consensus.pieces import Pieces, Pixels, window_of
from voxgate.runtime.consensus.region_kernels import agree, gather, lost_gloss, remember, sample
from voxgate.runtime.consensus.regions import CELL_MM, RIM_MM, Regions
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import GreyImage, View
from voxgate.runtime.pixels.windows import window_px
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

Plane = npt.NDArray[np.float32]

# A tolerance, as a logarithm of grey: what good parts differ by in shade and strength of gloss,
# half of what a pixel may differ by, and what two parts of one grain do, which lies elsewhere.
USUAL = 0.11
PER_SIGMA = 0.5
PER_GRAIN = 1.41
LEAST_VIEWS = 4  # fewer have three that agree by chance, and gloss of one side
LEAST_PIECES = 3  # of a region, in a view that has a say
SAID_SCORE = 0.75  # below it nothing is written down
LEAST_SCORE = 0.4  # below it nothing is told
# A piece that is dull where the golden one shines changes less from view to view. What it must lose
# of that to score 1, of what good parts differ by; how many views tell, and beyond which change.
LOST_SHARE = 0.6
GLOSS_VIEWS = 8  # two thirds of a ring: from one side a highlight may be missed
GLOSS_NOISE = 0.05
# What a pixel may differ by, as in the model: grey levels of noise, slope times misplacement, and
# so much of its flicker (UNSTEADY).
NOISE_GREY = 1.5
ALIKE = 0.02  # of the grey level: no pixel is surer
LARGEST = 0.5  # a cell that is further apart is a mark, and must not stand for its region
SMOOTH_PX = 3
FINE_MM, FINE_STEP_PX = 0.75, 2  # finer pixels are taken four together: a region is large
LIGHT_CELL_PX = 2


class Tints:
    """Takes the views of one part one by one."""

    def __init__(self, pieces: Pieces, grid: GridSpec, views: int, usual: float = USUAL) -> None:
        """usual: by how much good parts differ, as a logarithm of grey."""
        self._pieces = pieces
        self._usual = usual
        self._regions = Regions.of(
            grid, pieces.surface.ijk, pieces.scale * CELL_MM, pieces.scale * RIM_MM
        )
        self._means = np.full((self._regions.count, views), np.nan, np.float32)
        self._variances = np.zeros_like(self._means)
        self._sums = np.zeros((len(pieces.surface.ijk), 5), np.float32)
        self._over_views = np.zeros((len(pieces.surface.ijk), 5))

    def forget(self) -> None:
        """What was said of the last part."""
        self._means[:] = np.nan
        self._over_views[:] = 0

    def add(self, planned: int, view: View, registered: Registered, pixels: Pixels) -> None:
        """One more view of it; pixels: at which it sees the pieces."""
        box = window_of(view.image != registered.reference)  # elsewhere there is nothing to compare
        if box is None:
            return
        pixel_mm = registered.pixel_mm / self._pieces.scale
        step = FINE_STEP_PX if pixel_mm <= FINE_MM else 1
        maps = _apart(view.image, registered, box, step, step * pixel_mm)
        if (size_px := self._pieces.across_px(step * registered.pixel_mm)) > 1:
            maps = np.asarray(cv2.blur(maps, (size_px, size_px)), np.float32)
        sample(pixels, box[0].start, box[1].start, step, maps, self._sums)
        remember(self._sums, self._over_views)
        said = self._means[:, planned], self._variances[:, planned]
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
        score, 1 = threshold; 0 below LEAST_SCORE. What lost its gloss scores, too."""
        said, score = self._tinted()
        return said, np.maximum(score, self._lost() / np.float32(LOST_SHARE * self._usual))

    def usual_for(self, score: float) -> float:
        """By how much good parts differ, if this part is one, and no region of it is to score more
        than `score`."""
        said, scores = self._tinted()
        loud = scores > score
        more = np.square(said[loud]) * (score**-2 - np.square(scores[loud], dtype=np.float64) ** -1)
        usual = float(np.sqrt(self._usual**2 + more.max(initial=0.0)))
        return max(usual, float(self._lost().max(initial=0.0)) / (LOST_SHARE * score))

    def _tinted(self) -> tuple[Plane, Plane]:
        said, score = (np.empty(self._regions.count, np.float32) for _ in range(2))
        least = LEAST_VIEWS, self._usual, LEAST_SCORE
        agree(self._means, self._variances, *least, said, score)
        return said, score

    def _lost(self) -> Plane:
        lost = np.empty(self._regions.count, np.float32)
        regions = self._regions.starts, self._regions.members
        lost_gloss(*regions, self._over_views, self._means, GLOSS_VIEWS, GLOSS_NOISE, lost)
        return lost

    def fuse(self, volume: Volume, reference_from_part: Transform, crew: Crew) -> None:
        """Put what the views agree on into the volume, as the word of those that say so; after the
        last view."""
        said, score = self.agreed()
        pieces = np.flatnonzero((score >= SAID_SCORE)[self._regions.cell])
        if not pieces.size:
            return
        places = self._pieces.places(reference_from_part, pieces)
        cell = self._regions.cell[pieces]
        score, said = score[cell], said[cell]
        for planned, mean in enumerate(self._means.T):
            own = mean[cell] * np.sign(said) >= np.abs(said)
            if own.any():
                lift_points(volume, places[own], score[own], planned, crew)


def _apart(
    image: GreyImage, registered: Registered, box: Window, step: int, cell_mm: float
) -> Plane:
    """(h, w, 5) of the box, in cells of `step` px: a weight; the same times how far picture and
    golden picture are apart, as a logarithm, under one light; times its square; times what a cell
    may vary by, squared; and times the golden picture's own logarithm. cell_mm: what a cell would
    span, were the pieces of usual size.

    Noise and slope alone weigh: what good parts taught of gloss must not move a mean."""
    own, golden = (_cells(each[box], step) for each in (image, registered.reference))
    gloss = _cells(registered.gloss[box], step)
    compared = cv2.dilate((own != golden).view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    noise = _noise(golden, step) / np.square(golden) + np.float32(ALIKE**2)
    weight = np.asarray(1 / noise, np.float32)
    told = compared & (golden >= DARK_GREY) & (golden <= BRIGHT_GREY)
    weight *= told
    ratio = np.asarray(cv2.log(own / golden), np.float32)
    sigma_px = window_px(LIGHT_MM, cell_mm)
    light = light_around(ratio, weight * (own <= BRIGHT_GREY), sigma_px, LIGHT_CELL_PX)
    weight *= golden * np.exp(light) <= BRIGHT_GREY
    apart = np.clip(ratio - light, np.float32(-LARGEST), np.float32(LARGEST))
    flickers = np.square(np.float32(UNSTEADY) * gloss / golden)
    weighted = weight * apart
    first = [weight, weighted, weighted * apart, weight * (noise + flickers)]
    maps = cv2.merge([*first, weight * np.log(golden)])
    return np.asarray(maps, np.float32)


def _cells(picture: GreyImage, step: int) -> Plane:
    """(h, w) the mean of each cell, or of what is around a pixel; 1 at least."""
    grey = picture.astype(np.float32)
    if step > 1:
        size = -(-picture.shape[1] // step), -(-picture.shape[0] // step)
        smooth = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    else:
        smooth = cv2.blur(grey, (SMOOTH_PX, SMOOTH_PX))
    return np.asarray(np.maximum(smooth, 1), np.float32)


def _noise(golden: Plane, step: int) -> Plane:
    """(h, w) the variance of a pixel's grey level, by the sensor and by where the part stands."""
    per_px = 1 / (8 * step)
    across, down = (cv2.Sobel(golden, cv2.CV_32F, *each, scale=per_px) for each in ((1, 0), (0, 1)))
    steep = cv2.dilate(across * across + down * down, np.ones((3, 3), np.uint8))
    return np.asarray(steep + np.float32(NOISE_GREY**2))


def warm_up() -> None:
    """Compile (or load) the kernels of this file on a surface of one piece."""
    grid, one = GridSpec((0.0, 0.0, 0.0), (2, 2, 2), 1.0), np.ones((1, 3), np.int32)
    plane = np.ones((4, 4), np.float32)
    pieces = Pieces(Surface.of_voxels(grid, one), Rays(plane, plane, np.ones(9)), 1.0)
    tints = Tints(pieces, grid, 2)
    pixels = pieces.pixels(View(0, plane.astype(np.uint8), np.eye(4), 0.0, plane), np.eye(4))
    sample(pixels, 0, 0, 1, np.ones((4, 4, 5), np.float32), tints._sums)
    remember(tints._sums, tints._over_views)
    said, regions = (tints._means[:, 0], tints._variances[:, 0]), tints._regions
    gather(regions.starts, regions.members, tints._sums, 1, PER_SIGMA, PER_GRAIN, *said)
    tints.agreed()
