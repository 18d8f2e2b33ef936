"""Defects put on a good part's views, so that a classifier has seen what bad looks like.

As SegAD does for one-class tasks (supplement, A.2): a blurred patch, a small rectangle, a thin
rectangle. Ours lie at one place on the part and show in every view that sees it; a bump or a dent
in the depth is added, for we have a sensor for it. They need not look real: they only have to raise
the detectors' scores where defects would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.export.golden.gloss import part_points
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.geometry.brought import with_depth
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.colour import with_picture
from voxgate.runtime.transforms import apply, invert

Kind = Literal["blur", "rectangle", "thin rectangle", "bump", "dent"]
KINDS: tuple[Kind, ...] = ("blur", "rectangle", "thin rectangle", "bump", "dent")
SHAPES: tuple[Kind, ...] = ("bump", "dent")
SIZE_MM = (3.0, 10.0)
THIN = 0.15  # width of a thin rectangle over its length
HEIGHT_MM = (0.6, 2.0)
CONTRAST_GREY = (25, 70)
SAME_SURFACE_MM = 1.5
BLUR_SIGMA_PX = 4.0
LEAST_PX = 3


@dataclass(frozen=True, slots=True)
class GeneratedDefect:
    """Where and what: a centre on the part's surface, part frame, mm."""

    kind: Kind
    centre_mm: tuple[float, float, float]
    size_mm: float
    height_mm: float
    contrast_grey: float
    turn_rad: float


def draw_defect(
    views: Sequence[View], rays: Rays, table_z_mm: float, rng: np.random.Generator
) -> GeneratedDefect:
    """A random defect on surface that some view measured. Raises ValueError without any."""
    view = views[int(rng.integers(len(views)))]
    _, points = part_points(view, rays, table_z_mm)
    if not len(points):
        raise ValueError(f"frame {view.frame_id}: no depth on the part")
    x, y, z = points[int(rng.integers(len(points)))].tolist()
    return GeneratedDefect(
        kind=KINDS[int(rng.integers(len(KINDS)))],
        centre_mm=(x, y, z),
        size_mm=float(rng.uniform(*SIZE_MM)),
        height_mm=float(rng.uniform(*HEIGHT_MM)),
        contrast_grey=float(rng.uniform(*CONTRAST_GREY) * rng.choice([-1, 1])),
        turn_rad=float(rng.uniform(0, np.pi)),
    )


def with_defect(view: View, defect: GeneratedDefect, rays: Rays) -> View:
    """The view with the defect on it; the view itself where the defect is out of sight.

    Shape that a sensor beside the camera measured changes there, and is brought into the camera.
    """
    if view.sensed is not None and defect.kind in SHAPES:
        with Crew(1) as crew:
            sensed = with_defect(view.sensed, defect, rays.shape)
            return with_depth(replace(view, sensed=sensed), rays, crew)
    at = seen_at(view, defect.centre_mm, rays)
    if at is None:
        return view
    (u, v), distance_mm = at
    half_px = max(LEAST_PX, 0.5 * defect.size_mm * float(rays.lens[0]) / distance_mm)
    mask = _shape(view.image.shape, (u, v), half_px, defect)
    if defect.kind in SHAPES:
        assert view.depth_mm is not None
        return replace(view, depth_mm=_moved(view.depth_mm, mask, defect))
    weight = mask if view.colour is None else mask[..., None]
    return with_picture(view, _marked(view.picture, weight, defect))


def seen_at(
    view: View, point_mm: tuple[float, float, float], rays: Rays
) -> tuple[tuple[int, int], float] | None:
    """(column, row) of a point of the part frame and its depth, mm; None where it is out of sight:
    outside the picture, behind other surface, or without return."""
    centre = apply(invert(view.part_from_camera), np.array([point_mm]))[0]
    if centre[2] <= 0 or view.depth_mm is None:
        return None
    u, v = np.rint(rays.project(centre[None])[0]).astype(int)
    height, width = view.image.shape
    if not (0 <= u < width and 0 <= v < height):
        return None
    if not abs(float(view.depth_mm[v, u]) - centre[2]) < SAME_SURFACE_MM:
        return None
    return (int(u), int(v)), float(centre[2])


def _shape(
    shape: tuple[int, ...], at: tuple[int, int], half_px: float, defect: GeneratedDefect
) -> npt.NDArray[np.float32]:
    """0..1, softened at the rim."""
    across = half_px * (THIN if defect.kind == "thin rectangle" else 1.0)
    turn = np.rad2deg(defect.turn_rad)
    corners = cv2.boxPoints((at, (2 * half_px, max(2.0, 2 * across)), turn))
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.float32)


def _marked(
    image: npt.NDArray[np.uint8], mask: npt.NDArray[np.float32], defect: GeneratedDefect
) -> npt.NDArray[np.uint8]:
    grey = image.astype(np.float32)
    if defect.kind == "blur":
        other = cv2.GaussianBlur(grey, (0, 0), BLUR_SIGMA_PX)
    else:
        other = grey + np.float32(defect.contrast_grey)
    mixed = grey + mask * (other - grey)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _moved(
    depth_mm: npt.NDArray[np.float32], mask: npt.NDArray[np.float32], defect: GeneratedDefect
) -> npt.NDArray[np.float32]:
    sign = -1.0 if defect.kind == "bump" else 1.0
    moved: npt.NDArray[np.float32] = depth_mm + np.float32(sign * defect.height_mm) * mask
    return moved
