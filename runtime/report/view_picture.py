"""What one view saw, with the volume's scores over it and the defects numbered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.errors import ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import Picture as Seen
from voxgate.runtime.report.recorded_volume import ScoredPoints
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.wire.verdict import DefectMessage

Picture = npt.NDArray[np.uint8]  # (h, w, 3) BGR
LARGEST_PX = 1000  # of a picture on the page
JPEG_QUALITY = 85
WARM = 0.5  # of the threshold: below it nothing is drawn
HIDDEN_VOXELS = 2.0  # behind what stands in front of it
OPACITY = 0.55
YELLOW, RED, MARK = (0, 215, 255), (0, 0, 230), (255, 80, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Seeing:
    """One view of the part: through which lens, from where, and how large a voxel is."""

    rays: Rays
    part_from_camera: Transform
    voxel_mm: float

    def pixels(
        self, points_part_mm: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(n, 2) pixels and (n,) depths in mm of points (n, 3); behind the camera: nan."""
        points = apply(invert(self.part_from_camera), points_part_mm)
        depth_mm = np.where(points[:, 2] > self.voxel_mm, points[:, 2], np.nan)
        points[:, 2] = depth_mm
        return self.rays.project(points), depth_mm


def draw(
    image: Seen, seeing: Seeing, scored: ScoredPoints | None, defects: Sequence[DefectMessage]
) -> Picture:
    """The view, no side longer than LARGEST_PX."""
    picture = in_bgr(image)
    if scored is not None and len(scored.score):
        _heat(picture, seeing, scored)
    for number, defect in enumerate(defects, start=1):
        _number(picture, seeing, defect, number)
    scale = LARGEST_PX / max(picture.shape[:2])
    if scale < 1:
        size = tuple(round(side * scale) for side in picture.shape[1::-1])
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return picture


def in_bgr(image: Seen) -> Picture:
    """(h, w, 3) of a grey or an RGB image, to be written or drawn upon."""
    if image.ndim == 2:
        return np.repeat(image[:, :, None], 3, axis=2)
    return np.ascontiguousarray(image[:, :, ::-1])


def jpeg(picture: Picture) -> bytes:
    """As a file, for a page."""
    done, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ScanError("a picture cannot be written")
    return content.tobytes()


def _heat(picture: Picture, seeing: Seeing, scored: ScoredPoints) -> None:
    pixels, depth_mm = seeing.pixels(scored.points_mm)
    half_px = np.maximum(seeing.rays.lens[0] * seeing.voxel_mm / depth_mm / 2, 0.5)
    inside = np.isfinite(depth_mm) & (np.abs(pixels) < 1e5).all(axis=1)
    seen = inside & _in_front(pixels, depth_mm, half_px, inside, picture.shape, seeing.voxel_mm)
    over = picture.copy()
    drawn = np.flatnonzero(seen & (scored.score >= WARM))
    for at in drawn[np.argsort(scored.score[drawn])]:  # the worst on top
        colour = RED if scored.score[at] >= 1 else YELLOW
        corner = np.floor(pixels[at] - half_px[at]).astype(int), np.ceil(pixels[at] + half_px[at])
        cv2.rectangle(over, corner[0].tolist(), corner[1].astype(int).tolist(), colour, cv2.FILLED)
    cv2.addWeighted(over, OPACITY, picture, 1 - OPACITY, 0, dst=picture)


def _in_front(
    pixels: npt.NDArray[np.float64],
    depth_mm: npt.NDArray[np.float64],
    half_px: npt.NDArray[np.float64],
    inside: npt.NDArray[np.bool_],
    shape: tuple[int, ...],
    voxel_mm: float,
) -> npt.NDArray[np.bool_]:
    """Whether no other voxel stands before it: the nearest of each cell a voxel wide."""
    cell_px = max(1.0, 2 * float(np.nanmedian(half_px[inside]))) if inside.any() else 1.0
    size = np.array(shape[1::-1]) / cell_px
    cells = np.floor(np.where(inside[:, None], pixels, -1) / cell_px).astype(int)
    shown = inside & (cells >= 0).all(axis=1) & (cells < np.ceil(size)).all(axis=1)
    width, height = np.ceil(size).astype(int)
    nearest = np.full((height, width), np.inf)
    np.minimum.at(nearest, (cells[shown, 1], cells[shown, 0]), depth_mm[shown])
    front = np.zeros(len(pixels), bool)
    reach_mm = nearest[cells[shown, 1], cells[shown, 0]] + HIDDEN_VOXELS * voxel_mm
    front[shown] = depth_mm[shown] <= reach_mm
    return front


def _number(picture: Picture, seeing: Seeing, defect: DefectMessage, number: int) -> None:
    centre = np.array([defect.centroid_part_mm])
    (pixel,), (depth_mm,) = seeing.pixels(centre)
    height, width = picture.shape[:2]
    if not (np.isfinite(depth_mm) and 0 <= pixel[0] < width and 0 <= pixel[1] < height):
        return
    radius = seeing.rays.lens[0] * (max(defect.size_mm) / 2 + 2 * seeing.voxel_mm) / depth_mm
    at = (round(pixel[0]), round(pixel[1]))
    scale = max(picture.shape) / LARGEST_PX
    thick = max(1, round(2 * scale))
    cv2.circle(picture, at, round(radius), MARK, thick, cv2.LINE_AA)
    beside = (at[0] + round(radius), at[1] - round(radius))
    cv2.putText(
        picture,
        str(number),
        beside,
        cv2.FONT_HERSHEY_SIMPLEX,
        0.9 * scale,
        MARK,
        thick,
        cv2.LINE_AA,
    )
