"""How far the surface lies from the golden one, and what of it is gone or gave no return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.compare import (
    FloatMap,
    Found,
    Mask,
    compare,
    explain,
    opened,
    surface_points,
)
from voxgate.runtime.comparison.expected import STEADY, ExpectedView, expect
from voxgate.runtime.comparison.register_kernels import GONE, LOST, UNMEASURED
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.comparison.rerendered import Rerendered, beside, gone, off_edges, rerender
from voxgate.runtime.comparison.strangers import add_strangers
from voxgate.runtime.comparison.strangers import warm_up as warm_up_strangers
from voxgate.runtime.comparison.surface_score import SCORE_MAX, surface_score
from voxgate.runtime.geometry.brought import as_seen
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert

# Deviation that counts as a score of 1: three times the shape scatter of good parts. A recipe
# whose sensor or part is coarser brings its own.
TOLERANCE_MM = 0.3
# A golden scan has no return either where such a part dazzles the sensor or swallows its light; a
# rendering knows no such place.
RENDERED_LOST_WEIGHT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What of a comparison is wanted.

    tolerance_mm: the deviation that scores 1. narrow: whether lost surface counts however narrow it
        is; else what flickers at edges is left out (VANISHED_OPENING_MM), and a drilled hole of a
        millimetre is not. shown: whether what the picture alone shows is among the lost, as where
        the golden scan gave no return either, for a model that judges pictures.
    blind_spots: (h, w) golden pixels that the sensor need not see.
    """

    tolerance_mm: float = TOLERANCE_MM
    narrow: bool = False
    shown: bool = True
    blind_spots: Mask | None = None


USUALLY = Asked()


def register(
    view: View,
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    crew: Crew,
    asked: Asked = USUALLY,
) -> Registered:
    """Compare a view with golden view `planned`, and with the others where it deviates.

    Raises ValueError when the view has no depth or is not of the rays' size.
    """
    seen = rerender(view, planned, golden, rays, reference_from_part, crew)
    return judge(seen, golden, rays, reference_from_part, crew, asked)


def judge(
    seen: Rerendered,
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    crew: Crew,
    asked: Asked = USUALLY,
) -> Registered:
    """What a view beside its golden view says of the shape; and of the picture, where a sensor
    beside the camera judged the shape. The crew may be another one than re-rendered it."""
    shapes = [each.shape for each in golden]
    if seen.view.sensed is None:
        return _shape(seen, shapes, rays, crew, asked)
    by_sensor = _by_sensor(seen, shapes[seen.planned], rays.shape, reference_from_part, crew)
    shape = _shape(by_sensor, shapes, rays.shape, crew, replace(asked, shown=False))
    return _look(seen, golden[seen.planned], rays, asked, shape)


def _by_sensor(
    seen: Rerendered,
    expected: ExpectedView,
    rays: Rays,
    reference_from_part: Transform,
    crew: Crew,
) -> Rerendered:
    """The sensor's own view, beside what it saw of the golden part."""
    view, pose = seen.view.shape, seen.refined.golden_from_camera
    found = compare(view, expected, rays, pose, reference_from_part, crew)
    vanished = gone(found.cut(), view, expected)
    return Rerendered(view, seen.planned, seen.refined, pose, found, vanished)


def _shape(
    seen: Rerendered,
    golden: Sequence[ExpectedView],
    rays: Rays,
    crew: Crew,
    asked: Asked,
) -> Registered:
    """By whatever measured the depth; with the picture, where that is one and the same."""
    found, pose, expected = seen.found, seen.golden_from_camera, golden[seen.planned]
    explain(seen.planned, golden, rays, pose, found, crew)
    cut, pixel_mm = found.cut(), expected.pixel_mm
    silent, missed, lost = _missing(cut, expected, asked)
    judged = _without_revealed(found, seen.gone, pixel_mm)
    geometry = surface_score(judged, crew, asked.tolerance_mm, pixel_mm)
    unknown_mm2 = add_strangers(
        found, seen.planned, golden, rays, pose, geometry, asked.tolerance_mm
    )
    weight = 1.0 if asked.blind_spots is None else RENDERED_LOST_WEIGHT
    part_from_golden = seen.view.part_from_camera @ invert(pose)
    by_mm = -cut.same_view[seen.gone]
    return Registered(
        reference=found.reference,
        gloss=found.gloss,
        deviation_mm=found.deviation,
        geometry=geometry,
        vanished_mm=surface_points(expected, rays, part_from_golden, cut.pixel[seen.gone]),
        vanished_score=np.minimum(by_mm / np.float32(asked.tolerance_mm), np.float32(SCORE_MAX)),
        behind_mm=_measured_points(seen.view.part_from_camera, cut, rays, seen.gone),
        lost_mm=surface_points(expected, rays, part_from_golden, cut.pixel[lost]),
        lost=_whole(lost, found),
        lost_weight=np.where(missed[lost], weight, 0).astype(np.float32),
        moved_mm=seen.refined.moved_mm,
        blind=_blind(silent, cut, expected),
        unknown_mm2=unknown_mm2,
        pixel_mm=pixel_mm,
        colour=found.colour,
    )


def _look(
    seen: Rerendered,
    expected: ExpectedView,
    rays: Rays,
    asked: Asked,
    shape: Registered,
) -> Registered:
    """The picture of a camera beside which a sensor judged the shape already.

    A pixel to which the sensor's surface could not be brought says nothing against the part: only
    its picture speaks there.
    """
    found, cut = seen.found, seen.found.cut()
    _, lost = _lost(cut.kind == LOST, cut, expected, asked)
    part_from_golden = seen.view.part_from_camera @ invert(seen.golden_from_camera)
    nothing = np.empty((0, 3), np.float32)
    return Registered(
        reference=found.reference,
        gloss=found.gloss,
        deviation_mm=found.deviation,
        geometry=as_seen(shape.geometry, seen.view),
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
    return missed, wide | off_edges(silent, cut, expected)


def _without_revealed(found: Found, vanished: Mask, pixel_mm: float) -> Found:
    """Without a statement on what is seen instead of what has vanished: that may be as it should
    be. What is missing is the defect, and scored where it was."""
    if not vanished.any():
        return found
    revealed = beside(vanished, pixel_mm) & (found.kind[found.box] == GONE)
    deviation = found.deviation.copy()
    deviation[found.box][revealed] = np.nan
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
