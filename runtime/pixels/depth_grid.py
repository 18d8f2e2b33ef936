"""A depth map of its own resolution or region -> a depth for each pixel of the image beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxgate.runtime.nouns import DepthMap


@dataclass(frozen=True, slots=True)
class Region:
    """Size of a picture, and where its first pixel lies on the sensor, in pixels of its own."""

    width_px: int
    height_px: int
    x_px: int = 0
    y_px: int = 0


def depth_on_image(depth_mm: DepthMap, depth: Region, image: Region) -> DepthMap:
    """(image.height_px, image.width_px) z in mm, NaN where the depth map does not reach.

    A depth map of a lower resolution is repeated, never interpolated: between the edge of a part
    and what lies behind it there is no surface.

    Raises ValueError where size and offset leave open which pixels belong together.
    """
    if depth == image:
        return depth_mm
    factor = _factor(depth, image)
    if factor is not None and factor > 1 and _begin_together(depth, image, factor):
        return _placed(np.repeat(np.repeat(depth_mm, factor, axis=0), factor, axis=1), image, 0, 0)
    right, down = depth.x_px - image.x_px, depth.y_px - image.y_px
    if factor == 1 or (factor is None and (right, down) != (0, 0) and _inside(depth, image)):
        return _placed(depth_mm, image, right, down)
    raise ValueError(
        f"a depth map of {_words(depth)} does not lie on an image of {_words(image)}: choose its "
        f"resolution, or a whole part of it, and the same offsets"
    )


def _factor(depth: Region, image: Region) -> int | None:
    """How many pixels of the image a pixel of the depth map is wide and high; odd ends allowed."""
    factor = max(1, round(image.width_px / depth.width_px))
    for mine, whole in ((depth.width_px, image.width_px), (depth.height_px, image.height_px)):
        if mine not in (whole // factor, -(-whole // factor)):
            return None
    return factor


def _begin_together(depth: Region, image: Region, factor: int) -> bool:
    """Offsets in pixels of the sensor, or each in its own: cameras do both."""
    mine, its = (depth.x_px, depth.y_px), (image.x_px, image.y_px)
    return mine == its or tuple(factor * offset for offset in mine) == its


def _inside(depth: Region, image: Region) -> bool:
    right, down = depth.x_px - image.x_px, depth.y_px - image.y_px
    return (
        0 <= right <= image.width_px - depth.width_px
        and 0 <= down <= image.height_px - depth.height_px
    )


def _placed(depth_mm: DepthMap, image: Region, right: int, down: int) -> DepthMap:
    """The depth map so many pixels to the right and down on the image; cut where it hangs over."""
    placed = np.full((image.height_px, image.width_px), np.nan, np.float32)
    rows, from_rows = _overlap(image.height_px, depth_mm.shape[0], down)
    columns, from_columns = _overlap(image.width_px, depth_mm.shape[1], right)
    placed[rows, columns] = depth_mm[from_rows, from_columns]
    return placed


def _overlap(size: int, given: int, shift: int) -> tuple[slice, slice]:
    first, end = max(shift, 0), min(shift + given, size)
    end = max(end, first)
    return slice(first, end), slice(first - shift, end - shift)


def _words(region: Region) -> str:
    place = f" at ({region.x_px}, {region.y_px})" if region.x_px or region.y_px else ""
    return f"{region.width_px} x {region.height_px} px{place}"
