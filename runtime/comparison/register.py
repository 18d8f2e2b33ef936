"""The golden view as this camera would have seen it, and how far the surface lies from expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.align import RefinedView, refine_view
from voxgate.runtime.comparison.compare import (
    FloatMap,
    Found,
    Mask,
    compare,
    explain,
    opened,
    surface_points,
)
from voxgate.runtime.comparison.expected import (
    LEAST_PX,
    STEADY,
    STEADY_MM,
    ExpectedView,
    expect,
)
from voxgate.runtime.comparison.register_kernels import GONE, LOST, UNMEASURED
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.comparison.strangers import add_strangers
from voxgate.runtime.comparison.strangers import warm_up as warm_up_strangers
from voxgate.runtime.comparison.surface_score import SCORE_MAX, surface_score
from voxgate.runtime.geometry.brought import as_seen
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.pixels.windows import odd_px
from voxgate.runtime.transforms import Transform, apply, invert

# Deviation that counts as a score of 1: three times the shape scatter of good parts. A recipe
# whose sensor or part is coarser brings its own.
TOLERANCE_MM = 0.3
GONE_RIM_MM = 2.5  # next to vanished surface the picture is of what lies behind it
# Off edges, where nothing flickers and a narrow hole is one: the bottom of a drilled hole of 2 mm.
HOLE_OPENING_MM, HOLE_OPENING_PX = 1.0, 2
# A golden scan has no return either where such a part dazzles the sensor or swallows its light; a
# rendering knows no such place.
RENDERED_LOST_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a comparison is wanted, as `register` says."""

    tolerance_mm: float
    narrow: bool
    shown: bool
    blind_spots: Mask | None


def register(
    view: View,
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    crew: Crew,
    tolerance_mm: float = TOLERANCE_MM,
    narrow: bool = False,
    shown: bool = True,
    blind_spots: Mask | None = None,
) -> Registered:
    """Compare a view with golden view `planned`, and with the others where it deviates.

    narrow: whether lost surface counts however narrow it is; else what flickers at edges is left
        out (VANISHED_OPENING_MM), and a drilled hole of a millimetre is not. shown: whether what
        the picture alone shows is among the lost, as where the golden scan gave no return either,
        for a model that judges pictures.
    blind_spots: (h, w) golden pixels that the sensor need not see.
    Raises ValueError when the view has no depth or is not of the rays' size.
    """
    if view.depth_mm is None or view.image.shape != rays.x.shape:
        raise ValueError(f"frame {view.frame_id}: need depth and an image of {rays.x.shape}")
    shapes = [each.shape for each in golden]
    refined = refine_view(view.shape, shapes[planned], rays.shape, reference_from_part)
    asked = Asked(tolerance_mm, narrow, shown and view.sensed is None, blind_spots)
    shape = _shape(
        view.shape, planned, shapes, rays.shape, refined, reference_from_part, crew, asked
    )
    if view.sensed is None:
        return shape
    golden_from_camera = _as_refined(view, golden[planned], refined)
    asked = Asked(tolerance_mm, narrow, shown, None)
    return _look(
        view, golden[planned], rays, golden_from_camera, reference_from_part, crew, asked, shape
    )


def _as_refined(view: View, golden: ExpectedView, refined: RefinedView) -> Transform:
    """golden_from_camera of a camera whose sensor was refined: they hang on one flange."""
    sensor_from_camera = invert(view.shape.part_from_camera) @ view.part_from_camera
    golden_camera_from_sensor = invert(golden.part_from_camera) @ golden.shape.part_from_camera
    return golden_camera_from_sensor @ refined.golden_from_camera @ sensor_from_camera


def _shape(
    view: View,
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    refined: RefinedView,
    reference_from_part: Transform,
    crew: Crew,
    asked: Asked,
) -> Registered:
    """By whatever measured the depth; with the picture, where that is one and the same."""
    expected = golden[planned]
    golden_from_camera = refined.golden_from_camera
    found = compare(view, expected, rays, golden_from_camera, reference_from_part, crew)
    explain(planned, golden, rays, golden_from_camera, found, crew)
    pixel_mm = expected.pixel_mm
    cut = found.cut()
    gone, (silent, missed, lost) = crew.both(
        lambda: _gone(cut, view, expected),
        lambda: _missing(cut, expected, asked),
    )
    judged = _without_revealed(found, gone, pixel_mm)
    geometry = surface_score(judged, crew, asked.tolerance_mm, pixel_mm)
    unknown_mm2 = add_strangers(
        found, planned, golden, rays, golden_from_camera, geometry, asked.tolerance_mm
    )
    weight = 1.0 if asked.blind_spots is None else RENDERED_LOST_WEIGHT
    part_from_golden = view.part_from_camera @ invert(golden_from_camera)
    by_mm = -cut.same_view[gone]
    return Registered(
        reference=found.reference,
        gloss=found.gloss,
        deviation_mm=found.deviation,
        geometry=geometry,
        vanished_mm=surface_points(expected, rays, part_from_golden, cut.pixel[gone]),
        vanished_score=np.minimum(by_mm / np.float32(asked.tolerance_mm), np.float32(SCORE_MAX)),
        behind_mm=_measured_points(view.part_from_camera, cut, rays, gone),
        lost_mm=surface_points(expected, rays, part_from_golden, cut.pixel[lost]),
        lost=_whole(lost, found),
        lost_weight=np.where(missed[lost], weight, 0).astype(np.float32),
        moved_mm=refined.moved_mm,
        blind=_blind(silent, cut, expected),
        unknown_mm2=unknown_mm2,
        pixel_mm=pixel_mm,
        colour=found.colour,
    )


def _look(
    view: View,
    expected: ExpectedView,
    rays: Rays,
    golden_from_camera: Transform,
    reference_from_part: Transform,
    crew: Crew,
    asked: Asked,
    shape: Registered,
) -> Registered:
    """The picture of a camera beside which a sensor judged the shape already.

    A pixel to which the sensor's surface could not be brought says nothing against the part: only
    its picture speaks there.
    """
    found = compare(view, expected, rays, golden_from_camera, reference_from_part, crew)
    cut = found.cut()
    _gone(cut, view, expected)
    _, lost = _lost(cut.kind == LOST, cut, expected, asked)
    part_from_golden = view.part_from_camera @ invert(golden_from_camera)
    nothing = np.empty((0, 3), np.float32)
    return Registered(
        reference=found.reference,
        gloss=found.gloss,
        deviation_mm=found.deviation,
        geometry=as_seen(shape.geometry, view),
        vanished_mm=nothing,
        vanished_score=nothing[:, 0],
        behind_mm=nothing,
        lost_mm=surface_points(expected, rays, part_from_golden, cut.pixel[lost]),
        lost=_whole(lost, found),
        lost_weight=np.zeros(int(lost.sum()), np.float32),
        moved_mm=shape.moved_mm,
        blind=shape.blind,
        unknown_mm2=shape.unknown_mm2,
        pixel_mm=expected.pixel_mm,
        sensed=shape,
        colour=found.colour,
    )


def _missing(cut: Found, expected: ExpectedView, asked: Asked) -> tuple[Mask, Mask, Mask]:
    """In the box: what gave no return without a good reason, and what of it is `_lost`."""
    silent = _silent(cut, asked.blind_spots)
    return silent, *_lost(silent, cut, expected, asked)


def _lost(silent: Mask, cut: Found, expected: ExpectedView, asked: Asked) -> tuple[Mask, Mask]:
    """In the box: expected surface that gave no return, and that with what only pictures show."""
    missed = silent if asked.narrow else opened(silent, expected.pixel_mm)
    if not asked.shown:
        return missed, missed
    unseen = silent | (cut.kind == UNMEASURED)
    wide = unseen if asked.narrow else opened(unseen, expected.pixel_mm)
    return missed, wide | _off_edges(silent, cut, expected)


def _gone(cut: Found, view: View, expected: ExpectedView) -> Mask:
    """Where expected surface has vanished, and more than an edge's flicker; around it the picture
    is of what lies behind, and is compared with itself."""
    vanished, pixel_mm = cut.kind == GONE, expected.pixel_mm
    wide = opened(vanished, pixel_mm)
    holes = _off_edges(vanished, cut, expected) & ~wide
    rim_px = odd_px(GONE_RIM_MM, pixel_mm, LEAST_PX)
    rim = np.ones((rim_px, rim_px), np.uint8)
    behind = cv2.dilate((vanished & ~holes).view(np.uint8), rim) > 0
    np.copyto(cut.reference, view.image[cut.box], where=behind)
    if cut.colour is not None and view.colour is not None:
        np.copyto(cut.colour, view.colour[cut.box], where=behind[..., None])
    return wide | opened(holes, pixel_mm, HOLE_OPENING_MM, HOLE_OPENING_PX)


def _without_revealed(found: Found, gone: Mask, pixel_mm: float) -> Found:
    """Without a statement on what is seen instead of what has vanished: that may be as it should
    be. What is missing is the defect, and scored where it was."""
    if not gone.any():
        return found
    rim_px = odd_px(GONE_RIM_MM, pixel_mm, LEAST_PX)
    beside = cv2.dilate(gone.view(np.uint8), np.ones((rim_px, rim_px), np.uint8)) > 0
    deviation = found.deviation.copy()
    deviation[found.box][beside & (found.kind[found.box] == GONE)] = np.nan
    return replace(found, deviation=deviation)


def _silent(found: Found, blind_spots: Mask | None) -> Mask:
    """Where the golden view had a return and this one has none without a good reason."""
    silent: Mask = found.kind == LOST
    if blind_spots is not None:
        silent[silent] = ~blind_spots.reshape(-1)[found.pixel[silent]]
    return silent


def _blind(silent: Mask, found: Found, expected: ExpectedView) -> float:
    """Share of the surface; of that without an edge, where there is enough: many a sensor gives
    back every second pixel of an edge, another one each time, and is not covered."""
    if expected.mostly_edges:
        return float(silent.sum() / expected.measured_px)
    steady = expected.known.reshape(-1)[found.pixel[silent]] & STEADY
    return float(np.count_nonzero(steady) / expected.steady_px)


def _off_edges(where: Mask, found: Found, expected: ExpectedView) -> Mask:
    """Of the pixels of a kind those on surface without an edge, where nothing flickers."""
    smooth: Mask = np.zeros_like(where)
    rough_mm = expected.rough_mm.reshape(-1)[found.pixel[where]]
    smooth[where] = (rough_mm > 0) & (rough_mm <= STEADY_MM)
    return smooth


def _whole(mask: Mask, found: Found) -> Mask:
    """(h, w) a mask of the box."""
    whole: Mask = np.zeros(found.kind.shape, np.bool_)
    whole[found.box] = mask
    return whole


def _measured_points(part_from_camera: Transform, cut: Found, rays: Rays, where: Mask) -> FloatMap:
    """(n, 3) part frame, mm, of the pixels `where` of the box."""
    depth, x, y = cut.depth[where], rays.x[cut.box][where], rays.y[cut.box][where]
    points = np.stack([x * depth, y * depth, depth], axis=-1).astype(np.float64)
    return apply(part_from_camera, points).astype(np.float32)


def warm_up(crew: Crew) -> None:
    """Compile (or load) every kernel of this file on a picture of a few pixels."""
    depth = np.full((16, 16), 100.0, np.float32)
    x, y = np.meshgrid(*[np.linspace(-0.1, 0.1, 16, dtype=np.float32)] * 2)
    rays = Rays(x, y, np.array([80.0, 80.0, 8.0, 8.0, 0, 0, 0, 0, 0]))
    image = np.zeros((16, 16), np.uint8)
    golden = expect(image, depth, rays, np.eye(4), 0.0)
    view = View(0, image, np.eye(4), 0.0, depth + np.float32(1.0))
    register(view, 0, (golden, golden), rays, np.eye(4), crew)
    warm_up_strangers(golden, rays)
