"""A mark that no view is sure of, but that is darker, or brighter, in all of them alike.

One view explains a faint line beside an edge by how the part stands, by gloss or by grain. How the
part stands and gloss say another thing in every view, and a mark stays: what all but a quarter of
the views say of a piece, and of its neighbours, is held tighter than what one of them says. Grain
is the part's own and stays as well, but is all around: a place is held against its surroundings.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.compare import Window
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.consensus.faint_kernels import (
    agree_faint,
    hold,
    keep_joined,
    usual_around,
    weigh,
    write_down,
)
from voxgate.runtime.consensus.light import BRIGHT_GREY, DARK_GREY, LIGHT_MM, UNSTEADY, light_around
from voxgate.runtime.consensus.pieces import Pieces, Pixels, window_of
from voxgate.runtime.consensus.regions import Regions, numbered
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import GreyImage, View
from voxgate.runtime.transforms import Transform
from voxgate.runtime.volume.grid import GridSpec
from voxgate.runtime.volume.lift import lift_points
from voxgate.runtime.volume.surface import Surface
from voxgate.runtime.volume.volume import Volume

Plane = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.intp]

# What all views of good parts say of a place, in tolerances: 0.62 at most of eleven types,
# 0.74 of one of strong grain and of one whose print lies 0.6 mm aside.
USUAL = 0.85
# A tolerance, as a logarithm of grey: what shade and light leave; what noise of one grey level does
# to a mean of nine; a pixel of what the picture is steep, two prints of one kind and flicker, as in
# the model.
SHADE = np.float32(0.1)
NOISE = np.float32(1.0), np.float32(0.02)  # grey levels; a logarithm: no pixel is surer
MISPLACED_PX = 1.0
DRAWN_GAIN = np.float32(1.41)
FLICKER_GAIN = np.float32(UNSTEADY)
LARGEST = np.float32(1.5)  # a logarithm: nothing is blacker than that
LEAST_VIEWS = 4
LEAST_JOINED = 3  # pieces: one alone is a corner, or a speck of grain
LEAST_SHARE = 0.5  # of what is around a piece, compared at all
LEAST_PX = 3  # across a piece: where it is less, an edge is all of it
SAID_SCORE = 0.75  # below it nothing is written down
# Of the surroundings what four fifths of the pieces say at most: a mark is less than the rest.
AROUND_MM = 8.0  # cell and rim: 24 mm across
AROUND_SHARE = 0.8
AROUND_GAIN = 4.0  # grain's largest over a face, against that
UNIT = 0.05  # of a tolerance: what is kept of each view
CELL_MM = 0.5  # finer pixels are taken together
SMOOTH_PX = 3
GREY_TOLD = np.float32(DARK_GREY), np.float32(BRIGHT_GREY)
LIGHT_CELL_MM = 2.0


class Faint:
    """Takes the views of one part one by one."""

    def __init__(self, pieces: Pieces, grid: GridSpec, views: int, usual: float = USUAL) -> None:
        """usual: what all views of a good part say of one place, in tolerances."""
        ijk = pieces.surface.ijk
        self._pieces, self._usual, self._shape = pieces, usual, np.array(grid.shape)
        self._around = Regions.of(grid, ijk, *(pieces.scale * AROUND_MM,) * 2)
        self._numbers, self._order = numbered(grid, ijk)
        self._said = np.full((views, len(ijk), 2), -1, np.int8)

    def forget(self) -> None:
        """What was said of the last part."""
        self._said[:] = -1

    def add(self, planned: int, view: View, registered: Registered, pixels: Pixels) -> None:
        """One more view of it; pixels: at which it sees the pieces."""
        size_px = self._pieces.across_px(registered.pixel_mm)
        box = window_of(view.image != registered.reference) if size_px >= LEAST_PX else None
        if box is None:
            return
        pixel_mm = registered.pixel_mm / self._pieces.scale
        step = max(1, round(CELL_MM / pixel_mm))
        apart, known = _apart(view.image, registered, box, step, step * pixel_mm)
        size = max(size_px // step, 1) // 2 * 2 + 1
        square = np.ones((size, size), np.uint8)
        darker, brighter = cv2.erode(apart, square), cv2.dilate(apart, square)
        share = cv2.blur(known, (size, size))
        at = box[0].start, box[1].start, step
        write_down(pixels, *at, darker, brighter, share, LEAST_SHARE, UNIT, self._said[planned])

    def agreed(self) -> tuple[Plane, Plane]:
        """(n, 2) of every piece by how many tolerances all views but a quarter call it darker, and
        brighter, at least; and its score (n,), 1 = threshold, 0 where that is less than
        SAID_SCORE."""
        said, score = self._told(SAID_SCORE * self._usual)
        return said, np.where(score >= SAID_SCORE, score, np.float32(0))

    def usual_for(self, score: float) -> float:
        """What good parts say, if this part is one, and no place of it is to score more than
        `score`."""
        _, scores = self._told(score * self._usual)
        return max(self._usual, float(scores.max(initial=0.0)) * self._usual / score)

    def fuse(self, volume: Volume, reference_from_part: Transform, crew: Crew) -> None:
        """Put what the views agree on into the volume, as the word of those that say so; after the
        last view."""
        said, score = self.agreed()
        loud = np.flatnonzero(score)
        if not loud.size:
            return
        places, score = self._pieces.places(reference_from_part, loud), score[loud]
        way = said[loud].argmax(axis=1)
        least = said[loud, way]
        for planned, views in enumerate(self._said):
            own = views[loud, way] * np.float32(UNIT) >= least
            if own.any():
                lift_points(volume, places[own], score[own], planned, crew)

    def _told(self, least: float) -> tuple[Plane, Plane]:
        """What all say, as `agreed`; and its score where they say `least` at least."""
        said = np.empty(self._said.shape[1:], np.float32)
        agree_faint(self._said, LEAST_VIEWS, np.float32(UNIT), said)
        score = np.zeros(len(said), np.float32)
        loud = np.flatnonzero(said.max(axis=1, initial=0.0) >= least)
        if loud.size:
            joined, usual = self._joined(said, loud), self._usual_around(said, loud)
            score[loud] = joined / (self._usual * np.hypot(1, AROUND_GAIN * usual))
        return said, score

    def _joined(self, said: Plane, loud: Numbers) -> Plane:
        joined = np.empty((loud.size, 2), np.float32)
        voxels = self._pieces.surface.ijk, self._shape, self._numbers, self._order
        keep_joined(said, loud, *voxels, LEAST_JOINED, joined)
        return np.asarray(joined.max(axis=1))

    def _usual_around(self, said: Plane, loud: Numbers) -> Plane:
        regions, own = np.unique(self._around.cell[loud], return_inverse=True)
        usual = np.empty(regions.size, np.float32)
        usual_around(said, regions, self._around.starts, self._around.members, AROUND_SHARE, usual)
        return usual[own.reshape(-1)]


def _apart(
    image: GreyImage, registered: Registered, box: Window, step: int, cell_mm: float
) -> tuple[Plane, Plane]:
    """(h, w) of the box, in cells of `step` px: by how many tolerances the picture is brighter than
    the golden one, under one light; and 1 where both are compared, or 0, and the former 0 too.
    cell_mm: what a cell would span, were the pieces of usual size."""
    own, golden = (_smooth(each[box], step) for each in (image, registered.reference))
    compared = cv2.dilate((own != golden).view(np.uint8), np.ones((3, 3), np.uint8))
    steep, fine = _steep(golden), _fine(golden)
    known, weight = (np.empty(own.shape, np.float32) for _ in range(2))
    weigh(own, golden, steep, compared, *GREY_TOLD, *NOISE, known, weight)
    cv2.log(cv2.divide(own, golden, dst=own), dst=own)
    cell_px = max(1, int(LIGHT_CELL_MM / cell_mm))
    light = light_around(own, weight, LIGHT_MM / cell_mm, cell_px)
    cv2.blur(steep, (3, 3), dst=steep)
    gloss = _cells(registered.gloss[box], step)
    per_grey = (NOISE[0], np.float32((MISPLACED_PX / step) ** 2), DRAWN_GAIN**2, FLICKER_GAIN)
    hold(own, light, golden, steep, fine, gloss, known, per_grey, (NOISE[1], SHADE), LARGEST)
    return own, known


def _steep(golden: Plane) -> Plane:
    """(h, w) the largest squared slope around each cell, grey levels a cell."""
    across, down = (
        np.asarray(cv2.Sobel(golden, cv2.CV_32F, *each, scale=1 / 8), np.float32)
        for each in ((1, 0), (0, 1))
    )
    np.multiply(across, across, out=across)
    np.multiply(down, down, out=down)
    across += down
    return np.asarray(cv2.dilate(across, np.ones((3, 3), np.uint8), dst=down), np.float32)


def _fine(golden: Plane) -> Plane:
    """(h, w) the mean square of what is finer than five cells."""
    fine = np.asarray(cv2.blur(golden, (5, 5)), np.float32)
    np.subtract(golden, fine, out=fine)
    np.multiply(fine, fine, out=fine)
    return np.asarray(cv2.blur(fine, (7, 7), dst=fine), np.float32)


def _cells(picture: GreyImage, step: int) -> Plane:
    """(h, w) the mean of each cell."""
    grey = picture.astype(np.float32)
    if step == 1:
        return grey
    size = -(-picture.shape[1] // step), -(-picture.shape[0] // step)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)


def _smooth(picture: GreyImage, step: int) -> Plane:
    """(h, w) the mean around each cell; 1 at least."""
    cells = picture if step == 1 else _cells(picture, step)
    around = np.asarray(cv2.boxFilter(cells, cv2.CV_32F, (SMOOTH_PX, SMOOTH_PX)), np.float32)
    np.maximum(around, np.float32(1), out=around)
    return around


def warm_up() -> None:
    """Compile (or load) the kernels of this file on a surface of one piece."""
    grid, one = GridSpec((0.0, 0.0, 0.0), (2, 2, 2), 1.0), np.ones((1, 3), np.int32)
    plane = np.ones((4, 4), np.float32)
    pieces = Pieces(Surface.of_voxels(grid, one), Rays(plane, plane, np.ones(9)), 1.0)
    faint = Faint(pieces, grid, LEAST_VIEWS)
    pixels = np.ones((1, 2), np.int32)
    for said in faint._said:
        write_down(pixels, 0, 0, 1, plane, plane, plane, LEAST_SHARE, UNIT, said)
    faint._told(0.0)
    weigh(plane, plane, plane, plane.astype(np.uint8), *GREY_TOLD, *NOISE, plane, plane)
    per_grey = (NOISE[0], np.float32(1), DRAWN_GAIN**2, FLICKER_GAIN)
    hold(*(plane,) * 7, per_grey, (NOISE[1], SHADE), LARGEST)
