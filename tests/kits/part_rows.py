"""What can be wrong with a part or with its recorded views, a row a kind, and what it must end in.

Made by ray casting and by distances to measured points alone, in all views alike; sizes are in mm
and suit the example at a quarter of its resolution, where a pixel spans 2 mm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.geometry.seen_through import depth_of
from voxgate.runtime.nouns import Outcome, Reason, View
from voxgate.runtime.transforms import apply, invert
from voxgate.runtime.volume.grid import GridSpec

Point = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
DARK, BRIGHT = 10, 245
LIFT_MM = 0.6
LEAST_PX = 3  # of a mark in a view that sees its place
FAIL, INDETERMINATE = Outcome.FAIL, Outcome.INDETERMINATE


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What a row may use. places: (n, 3) mm, part frame: well seen, and even around; normals;
    foot_mm: (3,) where what stands on such a face meets it; shiny_mm: (3,) where one view explains
    the most by gloss."""

    rays: Rays
    grid: GridSpec
    places: Point
    normals: Point
    foot_mm: Point
    shiny_mm: Point
    golden: list[View]

    @property
    def top_mm(self) -> float:
        """Where the grid ends."""
        return self.grid.origin_mm[2] + self.grid.shape[2] * self.grid.voxel_mm

    @property
    def side_mm(self) -> float:
        """Where it ends along x."""
        return self.grid.origin_mm[0] + self.grid.shape[0] * self.grid.voxel_mm


Spoil = Callable[[list[View], Stage], list[View]]


@dataclass(frozen=True, slots=True)
class Row:
    """One kind. outcomes: allowed; PASS never is. reasons: of which one must be told."""

    spoil: Spoil
    outcomes: tuple[Outcome, ...]
    reasons: tuple[Reason, ...]


# --- bodies ---------------------------------------------------------------------------------------


def _balls(centres_mm: Callable[[Stage], Point], radius_mm: float) -> Spoil:
    def spoil(views: list[View], stage: Stage) -> list[View]:
        for centre in centres_mm(stage):
            views = [_with_ball(view, stage.rays, centre, radius_mm) for view in views]
        return views

    return spoil


def _with_ball(view: View, rays: Rays, centre_mm: Point, radius_mm: float) -> View:
    """The first root of |d * ray - centre| = radius, where nothing is before it."""
    ray = np.stack([rays.x, rays.y, np.ones_like(rays.x)], axis=-1).astype(np.float64)
    centre = apply(invert(view.part_from_camera), centre_mm[None])[0]
    a, b = (ray**2).sum(axis=-1), ray @ centre
    inside = b**2 - a * (centre @ centre - radius_mm**2)
    depth = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
    seen = depth < np.nan_to_num(depth_of(view), nan=np.inf)
    image = np.where(seen, np.uint8(60), view.image)
    return replace(view, image=image, depth_mm=np.where(seen, depth, depth_of(view)).astype("f4"))


def _above_the_grid(stage: Stage) -> Point:
    return np.array([[0.0, 0.0, stage.top_mm + 6.0]])


def _beyond_the_side(stage: Stage) -> Point:
    return np.array([[stage.side_mm + 4.0, y, 20.0] for y in np.arange(-20.0, 20.0, 2.0)])


def _on_the_surface(stage: Stage) -> Point:
    return stage.places[:1] + 2.0 * stage.normals[:1]


def _at_a_foot(stage: Stage) -> Point:
    return stage.foot_mm[None]


def _coin(views: list[View], stage: Stage) -> list[View]:
    """A disc of 24 mm, 2 mm high, on the table beside the part."""
    at = np.array([0.0, stage.grid.origin_mm[1] + 14.0, 0.0])
    return [_raised(view, _near(view, stage, at, 12.0), 2.0, stage) for view in views]


def _lifted(views: list[View], stage: Stage) -> list[View]:
    """All but the table stands LIFT_MM higher, as on a chip, and as a part does that is taller."""
    return [_table_left(view, stage) for view in views]


def _table_left(view: View, stage: Stage) -> View:
    table = _points(view, stage)[..., 2] < 1.0
    up = np.eye(4)
    up[2, 3] = LIFT_MM
    lifted = replace(view, part_from_camera=up @ view.part_from_camera)
    return _raised(lifted, table, -LIFT_MM, stage)


# --- marks ----------------------------------------------------------------------------------------


def _mark(grey: int, radius_mm: float, height_mm: float = 0.0, place: int = 0) -> Spoil:
    def spoil(views: list[View], stage: Stage) -> list[View]:
        return [
            _raised(_painted(view, mark, grey), mark, height_mm, stage)
            for view in views
            for mark in [_near(view, stage, stage.places[place], radius_mm)]
        ]

    return spoil


def _other_metal(factor: float) -> Spoil:
    """A piece of 16 mm that shines as the golden one does, and is brighter or darker."""

    def spoil(views: list[View], stage: Stage) -> list[View]:
        found = []
        for view in views:
            other = np.clip(view.image * factor, 0, 255).astype(np.uint8)
            piece = _near(view, stage, stage.shiny_mm, 8.0)
            found.append(replace(view, image=np.where(piece, other, view.image)))
        return found

    return spoil


def _mark_in(count: int, radius_mm: float) -> Spoil:
    """In so many of the views that see the place; the others show it clean."""

    def spoil(views: list[View], stage: Stage) -> list[View]:
        left = count
        for number, view in enumerate(views):
            mark = _near(view, stage, stage.places[0], radius_mm)
            if left and mark.sum() >= LEAST_PX:
                views[number] = _painted(view, mark, DARK)
                left -= 1
        return views

    return spoil


def _dirt_on_the_lens(views: list[View], stage: Stage) -> list[View]:
    """Two pixels square, where most pictures show the part well inside its outline."""
    shown = np.sum([_inside(view, stage) for view in views], axis=0)
    row, column = np.unravel_index(int(np.argmax(shown)), shown.shape)
    dirt = np.zeros(shown.shape, np.bool_)
    dirt[row : row + 2, column : column + 2] = True
    return [_painted(view, dirt, DARK) for view in views]


def _inside(view: View, stage: Stage) -> Mask:
    """Part all around, that is not dark."""
    part = (_points(view, stage)[..., 2] > 4.0) & (view.image > 80)
    return np.asarray(cv2.erode(part.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)


def _painted(view: View, where: Mask, grey: int) -> View:
    return replace(view, image=np.where(where, grey, view.image).astype(np.uint8))


def _raised(view: View, where: Mask, height_mm: float, stage: Stage) -> View:
    """By a height above the table, along the ray."""
    pose = view.part_from_camera
    down = -(pose[2, 0] * stage.rays.x + pose[2, 1] * stage.rays.y + pose[2, 2])
    nearer = np.where(where & (down > 0.1), height_mm / np.maximum(down, 0.1), 0.0)
    return replace(view, depth_mm=(depth_of(view) - nearer).astype(np.float32))


def _foot_inverted(views: list[View], stage: Stage) -> list[View]:
    found = []
    for view in views:
        height = _points(view, stage)[..., 2]
        foot = (height > 1.0) & (height < 4.0)
        other = np.where(view.image > 100, 0, 255)
        found.append(replace(view, image=np.where(foot, other, view.image).astype(np.uint8)))
    return found


# --- what was not seen ----------------------------------------------------------------------------


def _never_measured(radius_mm: float, place: int = 0) -> Spoil:
    def spoil(views: list[View], stage: Stage) -> list[View]:
        return [
            replace(view, depth_mm=np.where(dark, np.nan, depth_of(view)).astype(np.float32))
            for view in views
            for dark in [_near(view, stage, stage.places[place], radius_mm)]
        ]

    return spoil


def _sent_again(number: int) -> Spoil:
    def spoil(views: list[View], stage: Stage) -> list[View]:
        """The pixels of the view before under another number and place."""
        before = views[number - 1]
        views[number] = replace(views[number], image=before.image, depth_mm=before.depth_mm)
        return views

    return spoil


def _exchanged(one: int, other: int) -> Spoil:
    def spoil(views: list[View], stage: Stage) -> list[View]:
        a, b = views[one], views[other]
        views[one] = replace(a, image=b.image, depth_mm=b.depth_mm)
        views[other] = replace(b, image=a.image, depth_mm=a.depth_mm)
        return views

    return spoil


def _golden_played(views: list[View], stage: Stage) -> list[View]:
    return stage.golden


# --- what is gone ---------------------------------------------------------------------------------

CUT_MM = 112.0  # above it stands the upper end of the bracket's upright
SLIT_MM, SLIT_AXIS = 3.0, 1


def _cut(proving: range) -> Spoil:
    """Without what stands above CUT_MM: views of `proving` see the table behind, others nothing."""

    def spoil(views: list[View], stage: Stage) -> list[View]:
        return [_without_top(v, stage, number in proving) for number, v in enumerate(views)]

    return spoil


def _slit(views: list[View], stage: Stage) -> list[View]:
    """A slit of SLIT_MM through the upper end: two pixels of each view, which flicker at edges."""
    return [_without_top(view, stage, True, SLIT_MM) for view in views]


def _without_top(view: View, stage: Stage, behind: bool, wide_mm: float = np.inf) -> View:
    pose, rays = view.part_from_camera, stage.rays
    points = _points(view, stage)
    gone = (points[..., 2] >= CUT_MM) & (np.abs(points[..., SLIT_AXIS]) < wide_mm / 2)
    slope = pose[2, 0] * rays.x + pose[2, 1] * rays.y + pose[2, 2]
    table = (-pose[2, 3] / slope).astype(np.float32) if behind else np.float32(np.nan)
    return replace(
        _painted(view, gone, 60), depth_mm=np.where(gone, table, depth_of(view)).astype(np.float32)
    )


def _near(view: View, stage: Stage, place_mm: Point, radius_mm: float) -> Mask:
    off = np.linalg.norm(_points(view, stage) - place_mm, axis=-1)
    return np.asarray(off < radius_mm)


def _points(view: View, stage: Stage) -> Point:
    camera = stage.rays.points(depth_of(view)).astype(np.float64)
    return apply(view.part_from_camera, camera)


ROWS = {
    "a ball above the grid": Row(
        _balls(_above_the_grid, 5.0), (FAIL, INDETERMINATE), (Reason.OUT_OF_GRID,)
    ),
    "a wire beyond the grid's side": Row(
        _balls(_beyond_the_side, 2.0), (FAIL, INDETERMINATE), (Reason.OUT_OF_GRID,)
    ),
    "a ball on the part": Row(_balls(_on_the_surface, 4.0), (FAIL,), (Reason.DEFECT,)),
    "a lump around the foot of what stands on it": Row(
        _balls(_at_a_foot, 3.5), (FAIL,), (Reason.DEFECT,)
    ),
    "a coin beside the part": Row(_coin, (FAIL, INDETERMINATE), (Reason.DEFECT, Reason.COVERAGE)),
    "a part that stands on something": Row(_lifted, (INDETERMINATE,), (Reason.MISALIGNED,)),
    "a dark mark": Row(_mark(DARK, 4.0), (FAIL,), (Reason.DEFECT,)),
    "a bright mark": Row(_mark(BRIGHT, 4.0, place=1), (FAIL,), (Reason.DEFECT,)),
    "a dark mark that is also high": Row(_mark(DARK, 4.0, 2.0), (FAIL,), (Reason.DEFECT,)),
    "a bright mark that is also high": Row(
        _mark(BRIGHT, 4.0, 2.0, place=1), (FAIL,), (Reason.DEFECT,)
    ),
    "a shiny piece of a brighter metal": Row(_other_metal(1.3), (FAIL,), (Reason.DEFECT,)),
    "a shiny piece of a darker metal": Row(_other_metal(0.7), (FAIL,), (Reason.DEFECT,)),
    "a dark mark that three views show and others do not": Row(
        _mark_in(3, 3.0), (FAIL, INDETERMINATE), (Reason.DEFECT, Reason.VIEWS_DISAGREE)
    ),
    "dirt at one pixel of every picture": Row(
        _dirt_on_the_lens, (INDETERMINATE,), (Reason.VIEWS_DISAGREE,)
    ),
    "a mark at the foot": Row(_foot_inverted, (FAIL,), (Reason.DEFECT,)),
    "a place of 5 mm never measured": Row(
        _never_measured(5.0), (INDETERMINATE,), (Reason.COVERAGE,)
    ),
    "a place of 14 mm never measured": Row(
        _never_measured(14.0, place=1), (INDETERMINATE,), (Reason.COVERAGE,)
    ),
    "a view's pixels sent twice": Row(_sent_again(5), (INDETERMINATE,), (Reason.DUPLICATE_VIEW,)),
    "two neighbours exchanged": Row(_exchanged(3, 4), (FAIL, INDETERMINATE), tuple(Reason)),
    "the golden scan played": Row(_golden_played, (INDETERMINATE,), (Reason.DUPLICATE_VIEW,)),
    "a piece gone, which some views prove": Row(_cut(range(1, 9)), (FAIL,), (Reason.DEFECT,)),
    "a piece gone, thinner than what flickers at edges": Row(_slit, (FAIL,), (Reason.DEFECT,)),
    "a piece gone, which none proves": Row(_cut(range(0)), (INDETERMINATE,), (Reason.COVERAGE,)),
}
