"""The golden view as this camera would have seen it, and how far the surface lies from expected.

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
from voxgate.runtime.geometry.align import refine_view
from voxgate.runtime.geometry.expected import ExpectedView, expect
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.register_kernels import (
    FAR,
    GONE,
    LOST,
    OTHER,
    compare_view,
    explain_elsewhere,
    frame_deviation,
    score_on_surface,
)
from voxgate.runtime.nouns import DepthMap, GreyImage, View
from voxgate.runtime.transforms import Transform, apply, invert

FloatMap = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Deviation that counts as a score of 1: three times the shape scatter of good parts. A recipe
# whose sensor or part is coarser brings its own.
TOLERANCE_MM = 0.3
AVERAGE_SIGMA_PX = 1.8  # over 7 x 7 px, some 3 mm: sensor noise shrinks about sixfold
AVERAGE_RADIUS_PX = 3
SAME_SURFACE_MM = 3.0
OPENING_PX = 3  # what is narrower is an edge's flicker, not a shape
# a slow change of shape up to this much is what good castings differ by, and forgiven
SLOW_LIMIT_MM = 0.1
SLOW_SIGMA_PX = 20.0
SLOW_BELIEVED_MM = 0.25
CELL_PX = 8  # the slow part is computed on a picture this much smaller
# another surface is seen where the deviation is larger: its grey value has no counterpart
OTHER_SURFACE_MM = 1.0
OTHER_SURFACE_RIM_PX = 5
# expected surface this far in front of the measured one is gone, not noisy
VANISHED_MM = 2.0
VANISHED_OPENING_PX = 4
SCORE_MAX = 20.0
STRANGER_MM = 2.0  # before everything the golden view met there: more than any noise or edge


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """One view against its golden view.

    reference: (h, w) uint8, complete: the golden view re-rendered; the image itself where there is
        nothing to compare (off the part, another surface).
    gloss: (h, w) uint8, the golden view's, moved along; 0 where it is not known.
    deviation_mm: (h, w) float32 along the golden normal, + in front (material added), - behind;
        NaN where there is no statement.
    geometry: (h, w) float32 >= 0, finite: deviation over tolerance; 1 = threshold, 0 no statement.
    vanished_mm, vanished_score: (n, 3), (n,) float32: expected surface that is gone, part frame.
    lost_mm: (m, 3) float32, part frame: expected surface with a golden return and none here, wide
        or, if asked for, of any width; to be fused as not seen. lost: (h, w) bool, its m pixels,
        row by row.
    moved_mm: how far this view takes the part from its alignment; some 0.1 mm are the robot's.
    blind: pixels that gave no return where the golden view had one, over the latter's number.
    unknown: measured pixels on the part that no golden view makes a statement about.
    """

    reference: GreyImage
    gloss: GreyImage
    deviation_mm: FloatMap
    geometry: FloatMap
    vanished_mm: FloatMap
    vanished_score: FloatMap
    lost_mm: FloatMap
    lost: Mask
    blind: float
    moved_mm: float
    unknown: int

    @property
    def lost_wide(self) -> Mask:
        """(m,) bool: which of the lost pixels are more than an edge's flicker."""
        return _opened(self.lost)[self.lost]


def register(
    view: View,
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    reference_from_part: Transform,
    crew: Crew,
    tolerance_mm: float = TOLERANCE_MM,
    narrow: bool = False,
) -> Registered:
    """Compare a view with golden view `planned`, and with the others where it deviates.

    narrow: whether lost surface counts however narrow it is; else what flickers at edges is left
    out (VANISHED_OPENING_PX).
    Raises ValueError when the view has no depth or is not of the rays' size.
    """
    if view.depth_mm is None or view.image.shape != rays.x.shape:
        raise ValueError(f"frame {view.frame_id}: need depth and an image of {rays.x.shape}")
    expected = golden[planned]
    refined = refine_view(view, expected, rays, reference_from_part)
    golden_from_camera = refined.golden_from_camera
    found = _compare(view, expected, rays, golden_from_camera, reference_from_part, crew)
    _explain(planned, golden, rays, golden_from_camera, found, crew)
    rim = np.ones((OTHER_SURFACE_RIM_PX, OTHER_SURFACE_RIM_PX), np.uint8)
    other = cv2.dilate((found.kind >= OTHER).view(np.uint8), rim)
    np.copyto(found.reference, view.image, where=other > 0)
    gone = _opened(found.kind == GONE)
    lost = found.kind == LOST
    lost = lost if narrow else _opened(lost)
    geometry = _geometry(found.deviation, found.depth, crew, tolerance_mm)
    _add_strangers(found, expected, rays, golden_from_camera, geometry, tolerance_mm)
    part_from_golden = view.part_from_camera @ invert(golden_from_camera)
    behind_mm = -found.same_view[gone]
    return Registered(
        reference=found.reference,
        gloss=found.gloss,
        deviation_mm=found.deviation,
        geometry=geometry,
        vanished_mm=_surface(expected, rays, part_from_golden, found.pixel[gone]),
        vanished_score=np.minimum(behind_mm / np.float32(tolerance_mm), np.float32(SCORE_MAX)),
        lost_mm=_surface(expected, rays, part_from_golden, found.pixel[lost]),
        lost=lost,
        moved_mm=refined.moved_mm,
        blind=float((found.kind == LOST).sum() / expected.measured.sum()),
        unknown=int(np.isnan(found.deviation.reshape(-1)[found.doubtful]).sum()),
    )


def warm_up(crew: Crew) -> None:
    """Compile (or load) every kernel of this file on a picture of a few pixels."""
    depth = np.full((16, 16), 100.0, np.float32)
    x, y = np.meshgrid(*[np.linspace(-0.1, 0.1, 16, dtype=np.float32)] * 2)
    rays = Rays(x, y, np.array([80.0, 80.0, 8.0, 8.0, 0, 0, 0, 0, 0]))
    image = np.zeros((16, 16), np.uint8)
    golden = expect(image, depth, rays, np.eye(4), 0.0)
    view = View(0, image, np.eye(4), 0.0, depth + np.float32(1.0))
    register(view, 0, (golden, golden), rays, np.eye(4), crew)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What comparing with the same golden view gives; same_view and pixel where kind says so."""

    depth: DepthMap
    reference: GreyImage
    gloss: GreyImage
    deviation: FloatMap
    same_view: FloatMap
    pixel: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    doubtful: npt.NDArray[np.int32]


def _compare(
    view: View,
    expected: ExpectedView,
    rays: Rays,
    golden_from_camera: Transform,
    reference_from_part: Transform,
    crew: Crew,
) -> _Found:
    shape = view.image.shape
    depth = np.require(view.depth_mm, np.float32, ["C", "W"])
    reference, gloss = view.image.copy(), np.zeros(shape, np.uint8)
    deviation = np.full(shape, np.nan, np.float32)
    same_view = crew.scratch("register.same_view", shape, np.float32)
    pixel = crew.scratch("register.pixel", shape, np.int32)
    kind = crew.scratch("register.kind", shape, np.uint8)
    kind[:] = 0
    doubtful = crew.scratch("register.doubtful", shape, np.int32)
    pose = view.part_from_camera
    # the table did not move with the part: the part's own offset is taken out again
    table_t = golden_from_camera @ invert(pose) @ invert(reference_from_part) @ pose

    lens = tuple(rays.lens.tolist())

    def part(index: int) -> npt.NDArray[np.int32]:
        lo, hi = crew.span(index, shape[0])
        doubts = compare_view(
            np.array((lo, hi)),
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
            expected.measured,
            expected.near_part,
            OTHER_SURFACE_MM,
            VANISHED_MM,
            reference,
            gloss,
            deviation,
            same_view,
            pixel,
            kind,
            doubtful.reshape(-1),
        )
        return doubtful.reshape(-1)[lo * shape[1] :][:doubts]

    return _Found(
        depth, reference, gloss, deviation, same_view, pixel, kind, np.concatenate(crew.run(part))
    )


def _explain(
    planned: int,
    golden: Sequence[ExpectedView],
    rays: Rays,
    golden_from_camera: Transform,
    found: _Found,
    crew: Crew,
) -> None:
    """Take back deviations that another golden view explains, in place; views from about the
    same direction first."""
    own = golden[planned].part_from_camera
    others = [other for number, other in enumerate(golden) if number != planned]
    others.sort(key=lambda other: -float(own[:3, 2] @ other.part_from_camera[:3, 2]))
    lens = tuple(rays.lens.tolist())
    reference_from_camera = own @ golden_from_camera
    depth, rx, ry, deviation = (
        plane.reshape(-1) for plane in (found.depth, rays.x, rays.y, found.deviation)
    )

    def part(index: int) -> None:
        span = np.array(crew.span(index, found.doubtful.size))
        for other in others:
            t = _rows(invert(other.part_from_camera) @ reference_from_camera)
            explain_elsewhere(span, found.doubtful, depth, rx, ry, t, lens, other.plane, deviation)

    crew.run(part)


def _add_strangers(
    found: _Found,
    expected: ExpectedView,
    rays: Rays,
    golden_from_camera: Transform,
    geometry: FloatMap,
    tolerance_mm: float,
) -> None:
    """Score, in place, what stands where the golden view looked through to the table.

    No expected surface is near it, so it has no deviation; but the space was free.
    """
    unknown = found.doubtful[np.isnan(found.deviation.reshape(-1)[found.doubtful])]
    if not unknown.size:
        return
    depth = found.depth.reshape(-1)[unknown]
    ray = np.stack([rays.x.reshape(-1)[unknown], rays.y.reshape(-1)[unknown]], axis=-1)
    camera = np.column_stack([ray * depth[:, None], depth]).astype(np.float64)
    golden = apply(golden_from_camera, camera)
    height, width = geometry.shape
    u, v = np.rint(rays.project(golden)).T.astype(np.intp)
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    before_mm = np.zeros(geometry.shape, np.float32)
    before_mm.reshape(-1)[unknown[inside]] = (
        expected.free_mm[v[inside], u[inside]] - golden[inside, 2]
    )
    stranger = _opened(before_mm > STRANGER_MM)
    score = np.minimum(before_mm[stranger] / np.float32(tolerance_mm), np.float32(SCORE_MAX))
    geometry[stranger] = np.maximum(geometry[stranger], score)


def _geometry(deviation: FloatMap, depth_mm: DepthMap, crew: Crew, tolerance_mm: float) -> FloatMap:
    """Score: averaged over the surface, freed of the slow part, narrow peaks opened away."""
    height, width = deviation.shape
    with_rim = (height + 2 * AVERAGE_RADIUS_PX, width + 2 * AVERAGE_RADIUS_PX)
    framed = crew.scratch("register.framed", with_rim, np.float32)
    framed_depth = crew.scratch("register.framed_depth", with_rim, np.float32)
    cells = (-(-height // CELL_PX), -(-width // CELL_PX))
    sums, counts = np.zeros(cells, np.float32), np.zeros(cells, np.float32)
    believed = np.float32(SLOW_BELIEVED_MM)
    for side in (slice(None, AVERAGE_RADIUS_PX), slice(-AVERAGE_RADIUS_PX, None)):
        framed_depth[side] = framed_depth[:, side] = FAR
        framed[side] = framed[:, side] = 0.0

    def frame(index: int) -> None:
        lo, hi = crew.span(index, cells[0])
        rows = np.array((lo * CELL_PX, min(hi * CELL_PX, height)))
        frame_deviation(
            rows, deviation, depth_mm, believed, CELL_PX, framed, framed_depth, sums, counts
        )

    crew.run(frame)
    slow = _slow_part(sums, counts, crew)
    score = crew.scratch("register.score", deviation.shape, np.float32)

    def part(index: int) -> None:
        score_on_surface(
            np.array(crew.span(index, height)),
            framed,
            framed_depth,
            slow,
            _GAUSS,
            np.float32(SAME_SURFACE_MM),
            np.float32(1 / tolerance_mm),
            score,
        )

    crew.run(part)
    square = np.ones((OPENING_PX, OPENING_PX), np.uint8)
    return np.asarray(cv2.morphologyEx(score, cv2.MORPH_OPEN, square), np.float32)


def _slow_part(sums: FloatMap, counts: FloatMap, crew: Crew) -> FloatMap:
    """What a good casting differs by over some 10 mm, within +-SLOW_LIMIT_MM; padded to cells."""
    sigma = SLOW_SIGMA_PX / CELL_PX
    smooth = cv2.GaussianBlur(sums, (0, 0), sigma)
    weight = np.maximum(cv2.GaussianBlur(counts, (0, 0), sigma), 1e-3)
    slow = np.clip(smooth / weight, -SLOW_LIMIT_MM, SLOW_LIMIT_MM)
    height, width = slow.shape[0] * CELL_PX, slow.shape[1] * CELL_PX
    whole = crew.scratch("register.slow", (height, width), np.float32)
    cv2.resize(slow, (width, height), dst=whole)
    return whole


def _opened(mask: Mask) -> Mask:
    """Only where a square of VANISHED_OPENING_PX fits in: edges flicker, lost shape does not."""
    square = np.ones((VANISHED_OPENING_PX, VANISHED_OPENING_PX), np.uint8)
    # an even square has no middle pixel: growing it again needs the mirrored anchor
    anchor = VANISHED_OPENING_PX // 2
    mirrored = VANISHED_OPENING_PX - 1 - anchor
    core = cv2.erode(mask.view(np.uint8), square, anchor=(anchor, anchor))
    return np.asarray(cv2.dilate(core, square, anchor=(mirrored, mirrored)) > 0)


def _surface(
    expected: ExpectedView,
    rays: Rays,
    part_from_golden: Transform,
    pixels: npt.NDArray[np.int32],
) -> FloatMap:
    """Golden surface points (n, 3) of golden pixel numbers (n,), where the part stands now, mm."""
    depth_mm = expected.depth_mm.reshape(-1)[pixels]
    x, y = rays.x.reshape(-1)[pixels] * depth_mm, rays.y.reshape(-1)[pixels] * depth_mm
    points = np.stack([x, y, depth_mm], axis=-1).astype(np.float64)
    return apply(part_from_golden, points).astype(np.float32)


def _rows(a_from_b: Transform) -> tuple[float, ...]:
    """The upper three rows, one after the other."""
    return tuple(a_from_b[:3].reshape(-1).tolist())


def _gaussian(sigma: float, radius: int) -> FloatMap:
    profile = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.outer(profile, profile).astype(np.float32)


_GAUSS = _gaussian(AVERAGE_SIGMA_PX, AVERAGE_RADIUS_PX)
