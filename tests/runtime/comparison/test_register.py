"""Register: material that is added, missing, gone or unseen is told apart from good surface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from tests.kits import scene
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.comparison.expected import (
    MEASURED,
    NEAR,
    STEADY,
    ExpectedView,
    _zeros,
    expect,
    height_mm,
)
from voxgate.runtime.comparison.register import register, warm_up
from voxgate.runtime.comparison.register_kernels import explain_elsewhere
from voxgate.runtime.comparison.registered import Registered
from voxgate.runtime.nouns import View
from voxgate.runtime.transforms import Transform, apply, invert
from voxgate.runtime.volume.volume import LOST_SCORE

POSES = [scene.camera(azimuth, 55.0) for azimuth in (30.0, 150.0, 270.0)]
BUMP: scene.Box = ((12.0, -28.0, 25.0), (22.0, -18.0, 26.0))


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew(2) as both:
        warm_up(both)
        yield both


@cache
def _golden(boxes: tuple[scene.Box, ...] = scene.PART) -> list[ExpectedView]:
    return scene.golden(POSES, boxes)


def _registered(
    crew: Crew,
    boxes: tuple[scene.Box, ...] = scene.PART,
    standing: Transform | None = None,
    view: int = 0,
    golden: tuple[scene.Box, ...] = scene.PART,
) -> tuple[View, Registered]:
    standing = np.eye(4) if standing is None else standing
    seen = scene.look(POSES[view], boxes, standing, seed=view)
    return seen, register(seen, view, _golden(golden), scene.rays(), invert(standing), crew)


def _points(view: View) -> npt.NDArray[np.float64]:
    """(h, w, 3) measured points, part frame, mm."""
    camera_points = scene.rays().points(scene.depth(view)).astype(np.float64)
    return apply(view.part_from_camera, camera_points)


def _within(
    points: npt.NDArray[np.float64], box: scene.Box, rim_mm: float
) -> npt.NDArray[np.bool_]:
    low, high = np.asarray(box[0]) - rim_mm, np.asarray(box[1]) + rim_mm
    return np.asarray(((points >= low) & (points <= high)).all(axis=-1))


STANDING = [
    np.eye(4),
    scene.offset((0.6, 0.0, 0.0), (0.0, 0.0, 0.4)),
    scene.offset((-0.4, 0.5, 0.1), (0.1, -0.2, -0.4)),
]


@pytest.mark.parametrize("standing", STANDING, ids=["in place", "off", "off and tilted"])
@pytest.mark.parametrize("view", [0, 1, 2])
def test_a_good_part_raises_no_alarm_wherever_it_stands(
    crew: Crew, standing: Transform, view: int
) -> None:
    _, found = _registered(crew, standing=standing, view=view)
    assert found.geometry.max() < 0.6
    assert found.vanished_score.size == 0
    assert not found.lost.any()
    assert np.isfinite(found.deviation_mm).sum() > 3000


@pytest.mark.parametrize("standing", STANDING, ids=["in place", "off", "off and tilted"])
def test_the_golden_picture_lies_on_the_test_picture(crew: Crew, standing: Transform) -> None:
    seen, found = _registered(crew, standing=standing)
    on_part = np.isfinite(found.deviation_mm)
    off_by = np.abs(found.reference.astype(int) - seen.image)[on_part]
    assert np.median(off_by) <= 1
    assert np.mean(off_by > 12) < 0.03  # pixels on the boxes' edges, which mix two faces


def test_a_bump_is_in_front_and_a_sunk_face_behind(crew: Crew) -> None:
    seen, bumped = _registered(crew, (*scene.PART, BUMP))
    top = _within(_points(seen), ((14.0, -26.0, 25.5), (20.0, -20.0, 27.0)), 0.0)
    assert top.sum() > 10
    assert np.median(bumped.deviation_mm[top]) == pytest.approx(1.0, abs=0.1)
    assert np.median(bumped.geometry[top]) > 1.0

    raised: scene.Box = (scene.BODY[0], (50.0, 30.0, 26.0))
    seen, sunk = _registered(crew, scene.PART, golden=(raised, scene.TOWER, scene.BOLT))
    face = _within(_points(seen), ((38.0, -26.0, 24.5), (48.0, 26.0, 25.5)), 0.0)
    assert np.median(sunk.deviation_mm[face]) == pytest.approx(-1.0, abs=0.1)


def _pressed(view: View, at: tuple[int, int], width_mm: float, by_mm: float) -> View:
    """With a round dent in its depth, around pixel (row, column)."""
    row, column = np.indices(view.image.shape)
    radius_px = width_mm / 2 / _golden()[0].pixel_mm
    inside = np.hypot(row - at[0], column - at[1]) <= radius_px
    moved = scene.depth(view) + np.where(inside, by_mm, 0.0)
    return replace(view, depth_mm=moved.astype(np.float32))


def _even_place() -> tuple[int, int]:
    """A pixel of golden view 0 far from every edge."""
    rough_mm = _golden()[0].rough_mm
    even = np.argwhere((rough_mm > 0) & (rough_mm < 0.1))
    found = even[np.hypot(*(even - even.mean(axis=0)).T).argmin()]
    return int(found[0]), int(found[1])


def test_a_dent_is_explained_away_by_the_error_of_another_golden_view(crew: Crew) -> None:
    """Another view's surface lies 0.2 mm deeper: its robot erred. Only edges need its word."""
    own = _golden()[0]
    erring = expect(own.image, own.depth_mm + 0.2, scene.rays(), POSES[0], scene.TABLE_Z_MM)
    seen, at = scene.look(POSES[0], scene.PART, np.eye(4)), _even_place()
    dented = _pressed(seen, at, 6.0, 0.5)
    found = register(dented, 0, (own, erring), scene.rays(), np.eye(4), crew)
    facing = abs(float(own.plane[at][2]))
    assert found.deviation_mm[at] == pytest.approx(-0.5 * facing, abs=0.1)


def test_a_small_dent_drowns_in_the_mean_over_what_is_good_around_it(crew: Crew) -> None:
    seen = scene.look(POSES[0], scene.PART, np.eye(4))
    at = _even_place()
    found = register(_pressed(seen, at, 3.0, 0.5), 0, _golden(), scene.rays(), np.eye(4), crew)
    assert found.geometry[at] > 1.0


def test_what_flickers_along_an_edge_is_a_small_dent(crew: Crew) -> None:
    """The fine scale bears more where half a pixel of placement is already a deviation."""
    shifted = scene.offset((0.4, -0.3, 0.0), (0.0, 0.0, 0.0))
    _, found = _registered(crew, standing=shifted)
    assert found.geometry.max() < 0.6


def test_a_missing_bolt_is_scored_where_it_was(crew: Crew) -> None:
    standing = STANDING[1]
    _, found = _registered(crew, (scene.BODY, scene.TOWER), standing)
    where = apply(invert(standing), found.vanished_mm.astype(np.float64))
    assert len(where) > 50
    assert _within(where, scene.BOLT, 0.5).mean() > 0.95
    assert found.vanished_score.min() > 1.0


def test_sound_surface_that_a_missing_bolt_uncovers_is_not_called_bad(crew: Crew) -> None:
    seen, found = _registered(crew, (scene.BODY, scene.TOWER))
    foot = _within(_points(seen), ((18.0, -7.0, 24.0), (32.0, 7.0, 26.0)), 0.0)
    assert foot.sum() > 100
    assert np.quantile(found.geometry[foot], 0.9) == 0.0
    assert found.vanished_score.max() > 10.0  # the bolt itself is missed all the same


def test_a_piece_that_broke_off_before_the_table_is_not_overlooked(crew: Crew) -> None:
    # behind the tower there is only table in this view, which is no part of the part
    flag: scene.Box = ((40.0, -30.0, 25.0), (50.0, 30.0, 70.0))
    seen, found = _registered(crew, scene.PART, golden=(*scene.PART, flag), view=1)
    behind_is_table = height_mm(scene.depth(seen), scene.rays(), seen.part_from_camera) < 1.0
    assert behind_is_table.any()
    where = found.vanished_mm.astype(np.float64)
    assert _within(where, flag, 0.5).mean() > 0.9
    high = where[:, 2] > 55  # rays through the upper half end on the table
    assert high.sum() > 100


def test_what_another_golden_view_could_not_see_is_no_evidence(crew: Crew) -> None:
    was = scene.look(POSES[0], seed=100)
    # a face that only this camera sees, and of which its golden view had no return
    face = _points(was)[..., 0] > 49.0
    face &= _points(was)[..., 2] > scene.TABLE_Z_MM
    depth = scene.depth(was).copy()
    depth[face] = np.nan
    blind = expect(was.image, depth, scene.rays(), POSES[0], scene.TABLE_Z_MM)
    golden = [blind, *_golden()[1:]]
    seen = scene.look(POSES[0], seed=1)
    found = register(seen, 0, golden, scene.rays(), np.eye(4), crew)
    assert face.sum() > 100
    assert found.unknown_mm2 > 100
    assert found.geometry.max() < 1.0


def test_edges_that_flicker_blind_a_view(crew: Crew) -> None:
    seen = scene.look(POSES[0], seed=1)
    edge = (_golden()[0].known & (MEASURED | STEADY)) == MEASURED
    lost = edge & (np.random.default_rng(0).random(edge.shape) < 0.6)
    depth = np.where(lost, np.float32(np.nan), scene.depth(seen))
    found = register(replace(seen, depth_mm=depth), 0, _golden(), scene.rays(), np.eye(4), crew)
    assert lost.sum() > 0.1 * _golden()[0].measured_px  # more than a covered sensor may lose
    assert found.blind < 0.02


def test_a_part_of_edges_alone_is_never_blind(crew: Crew) -> None:
    edges = replace(_golden()[0], steady_px=0)
    seen = scene.look(POSES[0], seed=1)
    dark = np.full_like(scene.depth(seen), np.nan)
    nothing = replace(seen, depth_mm=np.where(edges.measured, dark, scene.depth(seen)))
    golden = [edges, *_golden()[1:]]
    found = register(nothing, 0, golden, scene.rays(), np.eye(4), crew)
    assert found.blind > 0.9


def test_a_surface_without_a_return_is_evidence_and_stays_unseen(crew: Crew) -> None:
    seen = scene.look(POSES[0], seed=1)
    hole = _within(_points(seen), ((-40.0, -20.0, 60.0), (-10.0, 20.0, 60.0)), 1.0)
    depth = scene.depth(seen).copy()
    depth[hole] = np.nan
    blind = View(1, seen.image, seen.part_from_camera, 0.0, depth)
    found = register(blind, 0, _golden(), scene.rays(), np.eye(4), crew)
    assert len(found.lost_mm) > 0.8 * hole.sum()
    assert _within(found.lost_mm.astype(np.float64), scene.TOWER, 1.0).mean() > 0.9
    assert found.lost.sum() == len(found.lost_mm)
    steady = (_golden()[0].known & STEADY) > 0
    assert found.blind == pytest.approx((hole & steady).sum() / _golden()[0].steady_px, rel=0.2)
    assert LOST_SCORE < 1.0
    # the picture there can still be compared
    off_by = np.abs(found.reference.astype(int) - seen.image)[hole]
    assert np.median(off_by) <= 1


def test_a_narrow_hole_in_the_depth_hides_the_picture_there(crew: Crew) -> None:
    """A drilled hole gives no return; at an edge that is every part's flicker."""
    seen = scene.look(POSES[0], seed=1)
    smooth = _within(_points(seen), ((40.0, 20.0, 24.0), (42.0, 22.0, 26.0)), 0.0)
    edge = _within(_points(seen), ((40.0, 29.0, 24.0), (42.0, 31.0, 26.0)), 0.0)
    assert 2 <= smooth.sum() < 16
    assert 2 <= edge.sum() < 16
    depth = np.where(smooth | edge, np.float32(np.nan), scene.depth(seen))
    found = register(replace(seen, depth_mm=depth), 0, _golden(), scene.rays(), np.eye(4), crew)
    assert found.lost[smooth].all()
    assert not found.lost[edge].any()
    assert len(found.lost_mm) == found.lost.sum()
    assert not found.lost_weight.any()  # without its picture it says nothing


def test_the_bottom_of_a_drilled_hole_is_taken_for_what_should_be_seen_there(crew: Crew) -> None:
    seen = scene.look(POSES[0], seed=1)
    hole = _within(_points(seen), ((40.0, 19.0, 24.0), (42.0, 21.0, 26.0)), 0.0)
    depth = np.where(hole, scene.depth(seen) + np.float32(6.0), scene.depth(seen))
    dark = np.where(hole, np.uint8(0), seen.image)
    drilled = replace(seen, image=dark, depth_mm=depth.astype(np.float32))
    found = register(drilled, 0, _golden(), scene.rays(), np.eye(4), crew)
    assert 4 <= hole.sum() < 9  # too narrow for what flickers at edges
    assert (found.reference[hole] > 40).all()
    assert len(found.vanished_mm) >= 4
    assert found.vanished_score.max() > 1.0


def test_the_golden_gloss_follows_the_surface(crew: Crew) -> None:
    pose, standing = POSES[0], STANDING[1]
    still = scene.look(pose, seed=100)
    gloss = _within(_points(still), scene.BOLT, 0.5).astype(np.uint8) * np.uint8(9)
    shiny = expect(
        still.image, scene.depth(still), scene.rays(), pose, scene.TABLE_Z_MM, gloss=gloss
    )
    seen = scene.look(pose, part_from_instance=standing, seed=1)
    golden = [shiny, *_golden()[1:]]
    found = register(seen, 0, golden, scene.rays(), invert(standing), crew)
    head: scene.Box = ((17.0, -8.0, 34.0), (33.0, 8.0, 36.0))
    bolt = _within(apply(invert(standing), _points(seen)), head, 0.0)
    assert (found.gloss[bolt] == 9).mean() > 0.95
    assert set(np.unique(found.gloss)) == {0, 9}


def test_what_lies_behind_vanished_surface_is_not_compared_with_its_picture(crew: Crew) -> None:
    seen, found = _registered(crew, (scene.BODY, scene.TOWER))
    gone = found.deviation_mm < -2.0
    assert gone.sum() > 50
    np.testing.assert_array_equal(found.reference[gone], seen.image[gone])


def test_a_mark_that_is_also_high_is_still_compared_with_the_golden_picture(crew: Crew) -> None:
    high: scene.Box = (BUMP[0], (22.0, -18.0, 26.5))
    golden, (seen, found) = _golden()[0], _registered(crew, (*scene.PART, high))
    top = _within(_points(seen), ((14.0, -26.0, 26.0), (20.0, -20.0, 27.0)), 0.0)
    assert top.sum() > 10
    assert np.median(found.deviation_mm[top]) > 1.2
    painted = replace(seen, image=np.where(top, np.uint8(0), seen.image))
    found = register(painted, 0, _golden(), scene.rays(), np.eye(4), crew)
    darkest = golden.image[golden.measured].min()
    assert darkest > 40
    assert np.median(found.reference[top]) >= darkest


@pytest.mark.parametrize("height_mm_", [1.2, 2.0])
def test_a_coin_beside_the_part_stands_out_of_the_table(crew: Crew, height_mm_: float) -> None:
    coin: scene.Box = ((60.0, -8.0, 0.0), (76.0, 8.0, height_mm_))
    seen, found = _registered(crew, (*scene.PART, coin), view=1)
    top = _within(_points(seen), ((62.0, -6.0, height_mm_ - 0.1), (74.0, 6.0, height_mm_)), 0.2)
    assert top.sum() > 30
    assert np.median(found.geometry[top]) > 2.0


def test_what_hangs_where_another_golden_view_saw_through_is_a_stranger(crew: Crew) -> None:
    ball: scene.Box = ((-5.0, 60.0, 60.0), (5.0, 70.0, 70.0))
    clear = _golden()[0]
    # this viewpoint's golden scan had no return there: the table is too far for the sensor
    out_of_range = replace(clear, known=clear.known & np.uint8(MEASURED | NEAR | STEADY))
    golden = [out_of_range, *_golden()[1:]]
    seen = scene.look(POSES[0], (*scene.PART, ball), seed=1)
    on_ball = _within(_points(seen), ball, 0.5)
    assert on_ball.sum() > 50
    found = register(seen, 0, golden, scene.rays(), np.eye(4), crew)
    assert np.median(found.geometry[on_ball]) > 5.0


def test_one_thread_gives_the_bits_of_two(crew: Crew) -> None:
    with Crew(1) as one:
        _, alone = _registered(one, (scene.BODY, scene.TOWER, BUMP), STANDING[2])
    _, both = _registered(crew, (scene.BODY, scene.TOWER, BUMP), STANDING[2])
    for name in ("reference", "deviation_mm", "geometry", "vanished_mm", "vanished_score"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(both, name))


def test_read_only_frames_are_taken(crew: Crew) -> None:
    seen = scene.look(POSES[0])
    seen.image.setflags(write=False)
    scene.depth(seen).setflags(write=False)
    register(seen, 0, _golden(), scene.rays(), np.eye(4), crew)


def test_a_view_of_another_size_or_without_depth_is_refused(crew: Crew) -> None:
    seen = scene.look(POSES[0])
    small = View(0, seen.image[:100].copy(), seen.part_from_camera, 0.0, scene.depth(seen)[:100])
    blind = View(0, seen.image, seen.part_from_camera, 0.0, None)
    for view in (small, blind):
        with pytest.raises(ValueError, match="need depth"):
            register(view, 0, _golden(), scene.rays(), np.eye(4), crew)


def test_a_golden_view_without_the_part_is_refused() -> None:
    seen = scene.look(POSES[0], ())
    with pytest.raises(ValueError, match="no depth on the part"):
        expect(seen.image, scene.depth(seen), scene.rays(), POSES[0], scene.TABLE_Z_MM)


def test_planes_of_a_golden_view_lie_on_its_surface() -> None:
    golden = _golden()[0]
    known = golden.plane[..., 2] != 0
    exact = scene.look(POSES[0], noise_mm=0.0)
    points = scene.rays().points(scene.depth(exact))
    distance = (points * golden.plane[..., :3]).sum(axis=-1) - golden.plane[..., 3]
    assert np.quantile(np.abs(distance[known]), 0.7) < 0.05  # the others round the boxes' edges
    np.testing.assert_allclose(np.linalg.norm(golden.plane[known][:, :3], axis=1), 1.0, rtol=1e-5)
    assert np.isfinite(golden.depth_mm).all()


def test_a_part_in_a_corner_takes_memory_for_the_whole_picture() -> None:
    """Planes are most of a golden view: of a large one, pages that none lies in are not taken."""
    plane = _zeros((1230, 1640, 4))
    before = _resident_mb()
    assert not plane[300:600].any()  # to look costs nothing
    plane[:120, :400] = 1.0
    assert _resident_mb() - before < 0.2 * plane.nbytes / 1e6


def _resident_mb() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)


@pytest.mark.parametrize("view", [0, 1, 2])
def test_a_lump_beside_the_part_is_not_taken_for_the_table(crew: Crew, view: int) -> None:
    """No expected surface is near it, but the golden view saw the table through its place."""
    lump: scene.Box = ((55.0, 45.0, 0.0), (70.0, 60.0, 8.0))
    seen, found = _registered(crew, (*scene.PART, lump), view=view)
    on_lump = _within(_points(seen), lump, 0.5) & (_points(seen)[..., 2] > 4.0)
    assert on_lump.sum() > 50
    assert (found.geometry[on_lump] >= 1.0).mean() > 0.7


def test_pictures_are_not_compared_where_neither_view_has_a_return(crew: Crew) -> None:
    seen = scene.look(POSES[0], scene.PART, np.eye(4))
    at = _even_place()
    silent = np.zeros(seen.image.shape, np.bool_)
    silent[at[0] - 4 : at[0] + 5, at[1] - 4 : at[1] + 5] = True
    depth = np.where(silent, np.nan, scene.depth(seen)).astype(np.float32)
    shown = np.where(silent, scene.depth(seen), np.nan).astype(np.float32)
    was = expect(seen.image, depth, scene.rays(), POSES[0], scene.TABLE_Z_MM, shown_mm=shown)
    now = replace(seen, image=np.where(silent, 0, seen.image).astype(np.uint8), depth_mm=depth)
    found = register(now, 0, (was, *_golden()[1:]), scene.rays(), np.eye(4), crew)
    assert np.array_equal(found.reference[silent], seen.image[silent])
    assert found.lost[silent].all()
    assert (
        np.median(
            np.abs(apply(invert(POSES[0]), found.lost_mm.astype(np.float64))[:, 2] - shown[silent])
        )
        < 0.1
    )
    # it is not held against the part that there is no return: there was none in the golden scan
    assert not found.lost_weight.any()
    assert found.blind == 0.0


def test_the_rim_of_what_never_returned_is_held_against_the_part(crew: Crew) -> None:
    """It flickers like every edge: a pixel more or less without return says nothing."""
    seen, at = scene.look(POSES[0], scene.PART, np.eye(4)), _even_place()
    row, column = np.indices(seen.image.shape)
    off = np.maximum(abs(row - at[0]), abs(column - at[1]))
    was = expect(
        seen.image,
        np.where(off < 4, np.nan, scene.depth(seen)).astype(np.float32),
        scene.rays(),
        POSES[0],
        scene.TABLE_Z_MM,
        shown_mm=np.where(off < 4, scene.depth(seen), np.nan).astype(np.float32),
    )
    now = replace(seen, depth_mm=np.where(off < 5, np.nan, scene.depth(seen)).astype(np.float32))
    found = register(now, 0, (was, *_golden()[1:]), scene.rays(), np.eye(4), crew)
    assert found.lost[off < 4].all()
    assert not found.lost_weight.any()


def _explained_by_a_plane(normal: tuple[float, float, float]) -> float:
    """What is left of 5 mm before a plane through (0, 0, 100), seen by one camera."""
    n = np.array(normal) / np.linalg.norm(normal)
    return _explained_by(np.tile(np.append(n, n[2] * 100.0).astype(np.float32), (9, 9, 1)))


def _explained_by(plane: npt.NDArray[np.float32]) -> float:
    """What is left of 5 mm before surface that one camera measured at (0, 0, 100)."""
    rays = np.zeros(81, np.float32)
    depth, farthest = np.full(81, 95.0, np.float32), np.full((9, 9), 100.0, np.float32)
    deviation, middle = np.full(81, 5.0, np.float32), np.array([40], np.int32)
    lens = (80.0, 80.0, 4.0, 4.0, *[0.0] * 9)
    t = tuple(np.eye(4)[:3].reshape(-1).tolist())
    span = np.array((0, 1))
    explain_elsewhere(span, middle, depth, rays, rays, t, lens, plane, farthest, deviation)
    return float(deviation[40])


def test_a_surface_seen_edge_on_explains_whatever_stands_before_it() -> None:
    assert _explained_by_a_plane((1.0, 0.0, -0.02)) == 5.0
    assert _explained_by_a_plane((1.0, 0.0, -0.5)) < 5.0


def test_one_lucky_plane_of_a_rough_surface_explains_what_stands_well_before_it() -> None:
    """The window of a plane beside an edge holds two surfaces: it may lie anywhere between."""
    plane = np.tile(np.array((0.0, 0.0, -1.0, -100.0), np.float32), (9, 9, 1))
    plane[3, 3, 3] = -95.0
    assert _explained_by(plane) > 4.5
