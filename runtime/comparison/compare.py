"""A measured view held against the golden views: what differs where, and what is explained.

Every measured point goes test camera -> part -> reference -> golden camera of the same viewpoint.
The pixel it lands on gives the grey value to compare with; the plane there gives the deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.comparison.register_kernels import NOWHERE, compare_view, explain_elsewhere
from voxgate.runtime.geometry.projected import Box
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import ColourImage, DepthMap, GreyImage, View
from voxgate.runtime.pixels.windows import window_px
from voxgate.runtime.transforms import Transform, apply, invert

FloatMap = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Window = tuple[slice, slice]

STEADY_BELIEVED_MM = 1.0  # a deviation where no edge is near: it is not looked for elsewhere
# expected surface this far in front of the measured one is gone, not noisy
VANISHED_MM = 2.0
VANISHED_OPENING_MM = 2.0
LEAST_OPENING_PX = 3  # an edge flickers by a pixel at any resolution
RIM_MM = 5.0  # more than any window that looks around a pixel reaches
BOX_STEP_PX = 4


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What comparing with the same golden view gives; same_view and pixel where kind says so.

    roughness, spread: of the golden surface where the deviation was met, mm; infinite and
        0 elsewhere.
    box: rows and columns, with a rim of RIM_MM; outside of it there is nothing of the part.
    colour: reference in colour, where view and golden view have it.
    """

    depth: DepthMap
    reference: GreyImage
    gloss: GreyImage
    deviation: FloatMap
    same_view: FloatMap
    pixel: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    roughness: FloatMap
    spread: FloatMap
    doubtful: npt.NDArray[np.int32]
    box: Window
    colour: ColourImage | None = None

    def cut(self) -> Found:
        """What is in the box, as views; what is doubtful keeps its numbers of the whole."""
        return Found(
            depth=self.depth[self.box],
            reference=self.reference[self.box],
            gloss=self.gloss[self.box],
            deviation=self.deviation[self.box],
            same_view=self.same_view[self.box],
            pixel=self.pixel[self.box],
            kind=self.kind[self.box],
            roughness=self.roughness[self.box],
            spread=self.spread[self.box],
            doubtful=self.doubtful,
            box=self.box,
            colour=None if self.colour is None else self.colour[self.box],
        )


def compare(
    view: View,
    expected: ExpectedView,
    rays: Rays,
    golden_from_camera: Transform,
    reference_from_part: Transform,
    crew: Crew,
) -> Found:
    """With the golden view of the same viewpoint; planes live in the crew's scratch memory."""
    shape = view.image.shape
    image = np.require(view.image, np.uint8, ["C", "W"])
    depth = np.require(view.depth_mm, np.float32, ["C", "W"])
    reference, gloss = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    deviation = np.empty(shape, np.float32)
    same_view = crew.scratch("register.same_view", shape, np.float32)
    pixel = crew.scratch("register.pixel", shape, np.int32)
    kind = crew.scratch("register.kind", shape, np.uint8)
    roughness = crew.scratch("register.roughness", shape, np.float32)
    spread = crew.scratch("register.spread", shape, np.float32)
    doubtful = crew.scratch("register.doubtful", shape, np.int32)
    bounds = crew.scratch("register.bounds", (shape[0], 2), np.int32)
    in_colour = view.colour is not None and expected.colour is not None
    sampled = crew.scratch("register.sampled", (*shape, 2) if in_colour else (0, 0, 2), np.float32)
    pose = view.part_from_camera
    # the table did not move with the part: the part's own offset is taken out again
    table_t = golden_from_camera @ invert(pose) @ invert(reference_from_part) @ pose

    lens = tuple(rays.lens.tolist())

    def part(index: int) -> npt.NDArray[np.int32]:
        lo, hi = crew.span(index, shape[0])
        doubts = compare_view(
            np.array((lo, hi)),
            image,
            depth,
            rays.x,
            rays.y,
            lens,
            _rows(golden_from_camera),
            _rows(table_t),
            tuple(pose[2].tolist()),
            tuple(expected.part_from_camera[2].tolist()),
            expected.table_z_mm,
            expected.image,
            expected.gloss,
            expected.depth_mm,
            expected.plane,
            expected.known,
            expected.rough_mm,
            expected.spread,
            STEADY_BELIEVED_MM,
            VANISHED_MM,
            reference,
            gloss,
            deviation,
            same_view,
            pixel,
            kind,
            roughness,
            spread,
            bounds,
            doubtful.reshape(-1),
            sampled,
        )
        return doubtful.reshape(-1)[lo * shape[1] :][:doubts]

    doubts = np.concatenate(crew.run(part))
    return Found(
        depth=depth,
        reference=reference,
        gloss=gloss,
        deviation=deviation,
        same_view=same_view,
        pixel=pixel,
        kind=kind,
        roughness=roughness,
        spread=spread,
        doubtful=doubts,
        box=_box(bounds, shape, window_px(RIM_MM, expected.pixel_mm, LEAST_OPENING_PX)),
        colour=_sampled_colour(view.colour, expected.colour, sampled),
    )


def _sampled_colour(
    colour: ColourImage | None, golden: ColourImage | None, sampled: FloatMap
) -> ColourImage | None:
    """(h, w, 3) the golden picture as it was sampled, the view's own where it was not."""
    if colour is None or golden is None:
        return None
    found = cv2.remap(
        golden, sampled[..., 0], sampled[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    np.copyto(found, colour, where=(sampled[..., :1] == NOWHERE))
    return np.asarray(found, np.uint8)


def _box(bounds: npt.NDArray[np.int32], shape: tuple[int, ...], rim_px: int) -> Window:
    """Around the columns [first, end) of every row, with a rim, inside the picture; as a whole
    number of BOX_STEP_PX from its corner, so that what works on coarser pictures does alike."""
    rows = np.flatnonzero(bounds[:, 0] < bounds[:, 1])
    if not rows.size:
        return slice(0, shape[0]), slice(0, shape[1])
    low = np.array((rows[0], bounds[rows, 0].min())) - rim_px
    high = np.array((rows[-1] + 1, bounds[rows, 1].max())) + rim_px
    low = np.maximum(low, 0) // BOX_STEP_PX * BOX_STEP_PX
    top, left = low.tolist()
    bottom, right = np.minimum(high, shape[:2]).tolist()
    return slice(top, bottom), slice(left, right)


def explain(
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    golden_from_camera: Transform,
    found: Found,
    crew: Crew,
) -> None:
    """Take back deviations that another golden view explains, in place; views from about the
    same direction first."""
    own = golden[planned].part_from_camera
    reference_from_camera = own @ golden_from_camera
    if not found.doubtful.size:
        return
    doubtful_mm = measured_points(found.depth, rays, found.doubtful)
    box = Box.around(apply(reference_from_camera, doubtful_mm))
    others = [
        other
        for number, other in enumerate(golden)
        if number != planned and not other.frustum.misses(box)
    ]
    others.sort(key=lambda other: -float(own[:3, 2] @ other.part_from_camera[:3, 2]))
    lens = tuple(rays.lens.tolist())
    depth, rx, ry, deviation = (
        plane.reshape(-1) for plane in (found.depth, rays.x, rays.y, found.deviation)
    )

    def part(index: int) -> None:
        span = np.array(crew.span(index, found.doubtful.size))
        for other in others:
            t = _rows(invert(other.part_from_camera) @ reference_from_camera)
            explain_elsewhere(
                *(span, found.doubtful, depth, rx, ry, t, lens),
                *(other.plane, other.depth_mm, deviation),
            )

    crew.run(part)


def opened(
    mask: Mask,
    pixel_mm: float,
    least_mm: float = VANISHED_OPENING_MM,
    least_px: int = LEAST_OPENING_PX,
) -> Mask:
    """Only where a square of least_mm fits in: edges flicker, lost shape does not."""
    size_px = window_px(least_mm, pixel_mm, least_px)
    square = np.ones((size_px, size_px), np.uint8)
    # an even square has no middle pixel: growing it again needs the mirrored anchor
    anchor = size_px // 2
    mirrored = size_px - 1 - anchor
    core = cv2.erode(mask.view(np.uint8), square, anchor=(anchor, anchor))
    return np.asarray(cv2.dilate(core, square, anchor=(mirrored, mirrored)) > 0)


def surface_points(
    expected: ExpectedView,
    rays: Rays,
    part_from_golden: Transform,
    pixels: npt.NDArray[np.int32],
) -> FloatMap:
    """Golden surface points (n, 3) of golden pixel numbers (n,), where the part stands now, mm."""
    points = measured_points(expected.depth_mm, rays, pixels)
    return apply(part_from_golden, points).astype(np.float32)


def measured_points(
    depth_mm: DepthMap, rays: Rays, pixels: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Points (n, 3), camera frame, mm, of pixels by their numbers (n,)."""
    z = depth_mm.reshape(-1)[pixels]
    x, y = rays.x.reshape(-1)[pixels] * z, rays.y.reshape(-1)[pixels] * z
    return np.stack([x, y, z], axis=-1).astype(np.float64)


def _rows(a_from_b: Transform) -> tuple[float, ...]:
    """The upper three rows, one after the other."""
    return tuple(a_from_b[:3].reshape(-1).tolist())
