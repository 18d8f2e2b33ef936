"""At which resolution is the part inspected? From the smallest defect, and what a pixel spans.

A defect's width of four pixels is enough to find it, and more only costs: time and memory of every
view. One block of pixels serves all views; what varies within and between them is the distance, and
the farthest view decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.runtime.comparison.expected import height_mm
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.manifest import MAX_BLOCK_PX, SMALLEST_VOXELS, WorkingSection

PIXELS_ACROSS = 4.0  # of the smallest defect, at the resolution that is chosen
LEAST_PIXELS_ACROSS = 2.0  # of a defect that may be promised
LEAST_PX = 100_000  # of a picture: a smaller one shows no part of any size
FIRST_LOOK_PX = 800  # across: how much of a picture tells where the part is


@dataclass(frozen=True, slots=True)
class Working:
    """What is inspected of the camera's pictures, camera_px and worked_px (width, height).

    pixel_mm: what a worked pixel spans on the part, in the farthest view.
    smallest_mm: the smallest defect, across, that can be promised: as asked, or what the optics
    allow.
    """

    camera_px: tuple[int, int]
    worked_px: tuple[int, int]
    block_px: int
    pixel_mm: float
    smallest_mm: float
    asked_mm: float

    @property
    def words(self) -> str:
        """For people: what is inspected, and what is not promised."""
        camera, worked = (
            f"{width} x {height}" for width, height in (self.camera_px, self.worked_px)
        )
        at = "as they are" if self.block_px == 1 else f"at {worked}"
        said = f"pictures of {camera} px are inspected {at}, {self.pixel_mm:.2f} mm a pixel"
        if self.smallest_mm > self.asked_mm:
            return (
                f"{said}: no defect below {self.smallest_mm:.1f} mm across can be promised, "
                f"{self.asked_mm:g} was asked for; go nearer or take a finer camera"
            )
        return f"{said}; smallest defect {self.smallest_mm:g} mm"

    @property
    def section(self) -> WorkingSection | None:
        """As the manifest says it; None where the pictures are inspected as they come."""
        if self.block_px == 1:
            return None
        width_px, height_px = self.worked_px
        return WorkingSection(
            block_px=self.block_px,
            width_px=width_px,
            height_px=height_px,
            pixel_mm=round(self.pixel_mm, 4),
        )


def first_block_px(calibration: Calibration) -> int:
    """Of a first look at the part; where it is the final one, the scan is read once."""
    return max(1, min(calibration.width_px // FIRST_LOOK_PX, _coarsest_px(calibration)))


def pixel_mm(views: Sequence[View], rays: Rays, table_z_mm: float) -> float:
    """What a pixel spans on the part, square to the view: the median of the farthest view."""
    return max(_median_depth_mm(view, rays, table_z_mm) for view in views) / float(rays.lens[0])


def block_px(
    camera_pixel_mm: float, calibration: Calibration, smallest_mm: float | None, voxel_mm: float
) -> int:
    """The block that spans what is nearest, as a ratio, to a quarter of the smallest defect; where
    nobody names one, of a voxel."""
    wanted_px = (smallest_mm or voxel_mm) / PIXELS_ACROSS / camera_pixel_mm
    # n is nearer than n + 1 as a ratio up to their geometric mean
    blocks = range(1, MAX_BLOCK_PX)
    nearest = next((n for n in blocks if wanted_px < (n * (n + 1)) ** 0.5), MAX_BLOCK_PX)
    return min(nearest, _coarsest_px(calibration))


def working(
    block: int,
    worked_pixel_mm: float,
    calibration: Calibration,
    smallest_mm: float | None,
    voxel_mm: float,
) -> Working:
    """What is inspected, and the smallest defect that this can promise."""
    worked = calibration.reduced(block)
    asked_mm = smallest_mm or SMALLEST_VOXELS * voxel_mm
    return Working(
        camera_px=(calibration.width_px, calibration.height_px),
        worked_px=(worked.width_px, worked.height_px),
        block_px=block,
        pixel_mm=worked_pixel_mm,
        smallest_mm=max(asked_mm, LEAST_PIXELS_ACROSS * worked_pixel_mm),
        asked_mm=asked_mm,
    )


def _coarsest_px(calibration: Calibration) -> int:
    pixels = calibration.width_px * calibration.height_px
    return max(1, min(MAX_BLOCK_PX, int((pixels / LEAST_PX) ** 0.5)))


def _median_depth_mm(view: View, rays: Rays, table_z_mm: float) -> float:
    assert view.depth_mm is not None  # load_golden refuses a scan without
    on_part = height_mm(view.depth_mm, rays, view.part_from_camera) >= table_z_mm
    return float(np.median(view.depth_mm[on_part])) if on_part.any() else 0.0
