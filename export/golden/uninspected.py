"""What of the golden part is not inspected, or by its look alone: an area and a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.golden import Golden
from voxgate.runtime.nouns import GreyImage, View
from voxgate.runtime.transforms import apply

COLUMNS = 4
WIDTH_PX = 400  # of a view on the picture
LOOK_HERE = (0, 180, 255)  # BGR: amber, for one view
LOOK_ONLY = (0, 0, 230)  # red, for all views
TINT = 0.6
LEGEND = (
    ("red: no view measures the shape here, only the look is compared", LOOK_ONLY),
    ("amber: other views measure the shape here, this one compares the look", LOOK_HERE),
)
LINE_PX = 24

Picture = npt.NDArray[np.uint8]


def unmeasured_mm2(golden: Golden) -> float:
    """Surface of the part that no view had a return from, as the views face it.

    Each voxel counts what the view that shows most of it shows.
    """
    lens = golden.rays.lens
    most: dict[int, float] = {}
    for view, depth, bridged in _shown(golden):
        points = apply(view.part_from_camera, golden.rays.points(depth)[bridged].astype(np.float64))
        each_mm2 = depth[bridged].astype(np.float64) ** 2 / (lens[0] * lens[1])
        ijk = golden.grid.voxels_of(points)
        inside = ((ijk >= 0) & (ijk < golden.grid.shape)).all(axis=1)
        numbers, at = np.unique(
            np.ravel_multi_index(tuple(ijk[inside].T), golden.grid.shape), return_inverse=True
        )
        for number, area in zip(numbers, np.bincount(at, each_mm2[inside]), strict=True):
            most[int(number)] = max(most.get(int(number), 0.0), float(area))
    return sum(most.values())


def picture(golden: Golden) -> bytes:
    """A PNG: every view, with what is judged by its look alone in colour."""
    views = [
        _tinted(view.image, np.isfinite(depth), bridged) for view, depth, bridged in _shown(golden)
    ]
    blank = np.zeros_like(views[0])
    views += [blank] * (-len(views) % COLUMNS)
    rows = [np.hstack(views[first : first + COLUMNS]) for first in range(0, len(views), COLUMNS)]
    legend = np.zeros((LINE_PX * len(LEGEND) + LINE_PX // 2, rows[0].shape[1], 3), np.uint8)
    for line, (words, colour) in enumerate(LEGEND, start=1):
        at = (LINE_PX // 2, LINE_PX * line)
        cv2.putText(legend, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", np.vstack([legend, *rows]))[1])


def _shown(golden: Golden) -> Sequence[tuple[View, npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
    found = golden.unreturned
    return list(zip(golden.views, found.depth_mm, found.bridged, strict=True))


def _tinted(
    image: GreyImage, shown: npt.NDArray[np.bool_], bridged: npt.NDArray[np.bool_]
) -> Picture:
    tinted = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    for where, colour in ((shown, LOOK_HERE), (bridged, LOOK_ONLY)):
        tinted[where] = (1 - TINT) * image[where][:, None] + TINT * np.array(colour)
    height, width = image.shape
    size = (WIDTH_PX, round(height * WIDTH_PX / width))
    return np.asarray(cv2.resize(tinted, size, interpolation=cv2.INTER_AREA), np.uint8)
