"""Align: a part that stands a little off is found; one that cannot be found is refused by name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kits import scene
from voxgate.runtime.comparison.align import align, refine_view
from voxgate.runtime.comparison.expected import ExpectedView
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.nouns import Alignment, Note, Reason
from voxgate.runtime.transforms import Transform, apply, invert

POSES = [scene.camera(azimuth) for azimuth in (20.0, 140.0, 260.0)]


@cache
def _golden() -> list[ExpectedView]:
    return scene.golden(POSES)


def _aligned(boxes: tuple[scene.Box, ...], standing: Transform) -> Alignment | Note:
    views = [scene.look(pose, boxes, standing, seed=n) for n, pose in enumerate(POSES)]
    return align(views, _golden(), scene.rays())


def _corner_error_mm(found: Alignment | Note, standing: Transform) -> float:
    assert isinstance(found, Alignment)
    # the golden part stands exactly in place, so the reference frame is the instance's
    truth = apply(invert(standing), scene.corners())
    estimate = apply(found.reference_from_part, scene.corners())
    return float(np.linalg.norm(estimate - truth, axis=1).max())


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    shift=st.tuples(*[st.floats(-0.6, 0.6)] * 3),
    turn=st.tuples(*[st.floats(-0.4, 0.4)] * 3),
)
def test_every_corner_is_found_within_a_twentieth_of_a_millimetre(
    shift: tuple[float, float, float], turn: tuple[float, float, float]
) -> None:
    standing = scene.offset(shift, turn)
    assert _corner_error_mm(_aligned(scene.PART, standing), standing) < 0.05


@pytest.mark.parametrize(
    "boxes",
    [
        (scene.BODY, scene.TOWER),
        (*scene.PART, ((-5.0, -25.0, 25.0), (10.0, -10.0, 33.0))),
    ],
    ids=["bolt missing", "foreign lump"],
)
def test_a_defect_does_not_pull_the_part(boxes: tuple[scene.Box, ...]) -> None:
    standing = scene.offset((0.4, -0.5, 0.0), (0.0, 0.0, 0.3))
    assert _corner_error_mm(_aligned(boxes, standing), standing) < 0.1


@pytest.mark.parametrize("moved_mm", [0.8, 1.2])
def test_one_large_face_that_has_moved_does_not_lead_the_part(moved_mm: float) -> None:
    def boxes(fin_mm: float) -> tuple[scene.Box, ...]:
        corners = product((-44.0, -28.0, -12.0, 4.0, 20.0), (-26.0, -4.0, 18.0))
        pins = [((x, y, 25.0), (x + 8.0, y + 8.0, 35.0)) for x, y in corners]
        return (scene.BODY, *pins, ((fin_mm, -29.0, 25.0), (fin_mm + 4.0, 29.0, 65.0)))

    golden = scene.golden(POSES, boxes(40.0))
    views = [scene.look(pose, boxes(40.0 + moved_mm), seed=n) for n, pose in enumerate(POSES)]
    assert _corner_error_mm(align(views, golden, scene.rays()), np.eye(4)) < 0.1


@pytest.mark.parametrize("taller_mm", [0.5, -0.5, 1.0])
def test_a_part_that_is_taller_all_over_is_thought_to_stand_lower(taller_mm: float) -> None:
    def up(box: scene.Box) -> scene.Box:
        (x0, y0, z0), (x1, y1, z1) = box
        return (x0, y0, z0 + taller_mm if z0 else 0.0), (x1, y1, z1 + taller_mm)

    found = _aligned(tuple(up(box) for box in scene.PART), np.eye(4))
    assert isinstance(found, Alignment)
    assert found.lift_mm == pytest.approx(taller_mm, abs=0.15)


def test_a_part_that_was_moved_on_the_table_is_lifted() -> None:
    found = _aligned(scene.PART, scene.offset((0.5, -0.4, 0.0), (0.0, 0.0, 0.4)))
    assert isinstance(found, Alignment)
    assert found.lift_mm == pytest.approx(0.0, abs=0.1)


def test_a_table_that_a_moved_sensor_sees_higher_is_taken_for_an_unknown_part() -> None:
    bumped = scene.offset((0.0, 1.8, 0.0), (0.0, 0.0, 0.0))  # 1.3 mm, where 1.0 is part
    views = [
        replace(scene.look(pose @ bumped, seed=n), part_from_camera=pose)
        for n, pose in enumerate(POSES)
    ]
    assert isinstance(align(views, scene.golden(POSES), scene.rays()), Alignment)


def test_a_part_without_a_table_around_it_is_lifted() -> None:
    held = [
        replace(view, depth_mm=np.where(view.measured, view.depth_mm, 900.0).astype(np.float32))
        for view in scene.golden(POSES)
    ]
    found = align([scene.look(pose) for pose in POSES], held, scene.rays())
    assert isinstance(found, Alignment)
    assert found.lift_mm is None


def test_what_is_reported_is_the_offset_of_the_parts_middle() -> None:
    found = _aligned(scene.PART, scene.offset((0.5, 0.0, 0.0), (0.0, 0.0, 0.4)))
    assert isinstance(found, Alignment)
    assert found.shift_mm == pytest.approx(0.5, abs=0.1)
    assert found.rotation_deg == pytest.approx(0.4, abs=0.03)
    assert found.inliers > 0.9
    assert found.residual_mm < 0.1


@pytest.mark.parametrize(
    "standing",
    [
        scene.offset((2.5, 0.0, 0.0), (0.0, 0.0, 0.0)),
        scene.offset((0.0, 0.0, 0.0), (0.0, 0.0, 2.0)),
    ],
    ids=["shifted", "turned"],
)
def test_a_part_that_stands_far_off_is_reported_as_far_off(standing: Transform) -> None:
    found = _aligned(scene.PART, standing)
    assert isinstance(found, Alignment)
    assert found.shift_mm > 2.0 or found.rotation_deg > 1.5  # beyond the usual limits


@pytest.mark.parametrize(
    "boxes",
    [(), (((-20.0, -60.0, 0.0), (20.0, 60.0, 45.0)),)],
    ids=["empty fixture", "another part"],
)
def test_what_is_not_the_part_is_refused_not_forced_into_place(
    boxes: tuple[scene.Box, ...],
) -> None:
    found = _aligned(boxes, np.eye(4))
    assert isinstance(found, Note)
    assert found.reason is Reason.ALIGNMENT_FAILED


def test_a_plate_seen_from_above_keeps_the_directions_nobody_can_see_at_zero() -> None:
    pose = scene.camera(0.0, elevation_deg=80.0, distance_mm=150.0)  # the rim is out of view
    golden = scene.golden([pose], scene.PLATE)
    standing = scene.offset((0.5, 0.4, 0.3), (0.0, 0.0, 0.0))
    view = scene.look(pose, scene.PLATE, standing, seed=7)
    found = align([view], golden, scene.rays())
    assert isinstance(found, Alignment)
    np.testing.assert_allclose(found.reference_from_part[:3, 3], (0, 0, -0.3), atol=0.03)


def test_a_view_without_depth_is_an_error_of_the_caller() -> None:
    view = scene.look(POSES[0])
    blind = type(view)(view.frame_id, view.image, view.part_from_camera, 0.0, None)
    with pytest.raises(ValueError, match="no depth"):
        align([blind], _golden()[:1], scene.rays())


def test_the_robots_own_error_in_one_view_is_taken_out() -> None:
    true_pose = POSES[0]
    jitter = scene.offset((0.03, -0.03, 0.02), (0.01, -0.01, 0.01))
    seen = scene.look(true_pose, seed=3)
    reported = type(seen)(3, seen.image, true_pose @ jitter, 0.0, seen.depth_mm)
    points = apply(invert(true_pose), scene.corners())
    truth = scene.rays().project(points)

    def error_px(golden_from_camera: Transform) -> float:
        # in truth both cameras are one
        return float(np.abs(scene.rays().project(apply(golden_from_camera, points)) - truth).max())

    refined = refine_view(reported, _golden()[0], scene.rays(), np.eye(4))
    assert error_px(refined.golden_from_camera) < 0.5 * error_px(jitter)
    assert refined.moved_mm < 0.2


def test_a_part_that_was_pushed_between_two_views_does_not_go_unseen() -> None:
    pushed = scene.look(
        POSES[0], scene.PART, scene.offset((0.7, 0.0, 0.0), (0.0, 0.0, 0.0)), seed=3
    )
    refined = refine_view(pushed, _golden()[0], scene.rays(), np.eye(4))
    assert refined.moved_mm > Limits().moved_max_mm


@pytest.mark.parametrize("elevation_deg", [70.0, 80.0, 86.0])
def test_a_view_from_above_shifts_its_picture_for_a_part_that_leans(elevation_deg: float) -> None:
    sheet: scene.Box = ((-40.0, -30.0, 0.0), (40.0, 30.0, 6.0))
    pose = scene.camera(20.0, elevation_deg, 240.0)
    leaning = scene.offset(
        (0.0, 0.0, 0.0), (0.1, 0.0, 0.0)
    )  # as the first views said, and it isn't
    (golden,) = scene.golden([pose], (sheet,))
    refined = refine_view(scene.look(pose, (sheet,), seed=1), golden, scene.rays(), leaning)
    assert refined.moved_mm < 0.1
