"""The golden view as this camera would have seen it: what a model compares the picture with.

It is there before anything is said about the shape (register.judge), so that a model can look
while the shape is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.align import RefinedView, refine_view
from voxgate.runtime.comparison.compare import Found, Mask, compare, opened
from voxgate.runtime.comparison.expected import LEAST_PX, STEADY_MM, ExpectedView
from voxgate.runtime.comparison.register_kernels import GONE
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import GreyImage, Picture, View
from voxgate.runtime.pixels.windows import odd_px
from voxgate.runtime.transforms import Transform, invert

GONE_RIM_MM = 2.5  # next to vanished surface the picture is of what lies behind it
# Off edges, where nothing flickers and a narrow hole is one: the bottom of a drilled hole of 2 mm.
HOLE_OPENING_MM, HOLE_OPENING_PX = 1.0, 2


@dataclass(frozen=True, slots=True, eq=False)
class Rerendered:
    """A view beside golden view `planned`, pixel by pixel.

    refined: how the view's device of depth stood against its golden view; golden_from_camera: the
        camera that took the picture. found: what lies where; its planes live in the crew's scratch
        memory until the next view. gone: where expected surface has vanished, in found's box.
    """

    view: View
    planned: int
    refined: RefinedView
    golden_from_camera: Transform
    found: Found
    gone: Mask

    @property
    def reference(self) -> GreyImage:
        """(h, w) the golden picture, complete: the view's own where there is nothing to compare."""
        return self.found.reference

    @property
    def gloss(self) -> GreyImage:
        """(h, w) the golden view's, moved along; 0 where it is not known."""
        return self.found.gloss

    @property
    def reference_picture(self) -> Picture:
        """As view.picture: in colour where both views are."""
        return self.reference if self.found.colour is None else self.found.colour


def rerender(
    view: View,
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    crew: Crew,
) -> Rerendered:
    """Golden view `planned` at this view's true place.

    Raises ValueError when the view has no depth or is not of the rays' size.
    """
    if view.depth_mm is None or view.image.shape != rays.x.shape:
        raise ValueError(f"frame {view.frame_id}: need depth and an image of {rays.x.shape}")
    expected = golden[planned]
    refined = refine_view(view.shape, expected.shape, rays.shape, reference_from_part)
    golden_from_camera = refined.golden_from_camera
    if view.sensed is not None:
        golden_from_camera = _of_camera(view, expected, refined)
    found = compare(view, expected, rays, golden_from_camera, reference_from_part, crew)
    return Rerendered(
        view, planned, refined, golden_from_camera, found, gone(found.cut(), view, expected)
    )


def _of_camera(view: View, golden: ExpectedView, refined: RefinedView) -> Transform:
    """golden_from_camera of a camera whose sensor was refined: they hang on one flange."""
    sensor_from_camera = invert(view.shape.part_from_camera) @ view.part_from_camera
    golden_camera_from_sensor = invert(golden.part_from_camera) @ golden.shape.part_from_camera
    return golden_camera_from_sensor @ refined.golden_from_camera @ sensor_from_camera


def gone(cut: Found, view: View, expected: ExpectedView) -> Mask:
    """Where expected surface has vanished, and more than an edge's flicker; around it the picture
    is of what lies behind, and is compared with itself."""
    vanished, pixel_mm = cut.kind == GONE, expected.pixel_mm
    wide = opened(vanished, pixel_mm)
    holes = off_edges(vanished, cut, expected) & ~wide
    behind = beside(vanished & ~holes, pixel_mm)
    np.copyto(cut.reference, view.image[cut.box], where=behind)
    if cut.colour is not None and view.colour is not None:
        np.copyto(cut.colour, view.colour[cut.box], where=behind[..., None])
    return wide | opened(holes, pixel_mm, HOLE_OPENING_MM, HOLE_OPENING_PX)


def off_edges(where: Mask, found: Found, expected: ExpectedView) -> Mask:
    """Of the pixels of a kind those on surface without an edge, where nothing flickers."""
    smooth: Mask = np.zeros_like(where)
    rough_mm = expected.rough_mm.reshape(-1)[found.pixel[where]]
    smooth[where] = (rough_mm > 0) & (rough_mm <= STEADY_MM)
    return smooth


def beside(where: Mask, pixel_mm: float) -> Mask:
    """With GONE_RIM_MM around it."""
    rim_px = odd_px(GONE_RIM_MM, pixel_mm, LEAST_PX)
    rim = np.ones((rim_px, rim_px), np.uint8)
    return np.asarray(cv2.dilate(where.view(np.uint8), rim) > 0)
