"""The maker of defects: what it says it puts on a part is what depth and picture show."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.benchmarks.limits import limits
from voxgate.benchmarks.limits.hue import _in_colour
from voxgate.benchmarks.limits.kinds import ROWS
from voxgate.benchmarks.limits.light import Light, light_of
from voxgate.benchmarks.limits.limits import main
from voxgate.benchmarks.limits.photo import Array, Lens, Photo
from voxgate.benchmarks.limits.place import Place, places
from voxgate.benchmarks.limits.put import put
from voxgate.benchmarks.limits.relief import Paint, bump, dent, hole, scratch, spot
from voxgate.benchmarks.limits.vary import VARIATIONS
from voxgate.benchmarks.quality.detection import SCANS_VARIABLE
from voxgate.runtime.pixels.colour import luma

SIZE_PX = 160
DISTANCE_MM = 400.0
GREY = 120
LENS = Lens(np.array([[800.0, 0, 80.0], [0, 800.0, 80.0], [0, 0, 1]]), np.zeros(5))
LIGHT = Light(np.array([0.6, 0.0, 0.8]), 0.3, 0.7)
DOWN = np.diag([1.0, -1.0, -1.0])  # a camera above the part that looks down
HIGH_MM = 20.0  # of the plate above the table


def plate(eye: tuple[float, float, float] = (0.0, 0.0, DISTANCE_MM + HIGH_MM)) -> Photo:
    """A grey plate, seen from straight above."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = DOWN, eye
    return photo_of(np.full((SIZE_PX, SIZE_PX), eye[2] - HIGH_MM), pose)


def photo_of(depth_mm: Array, pose: Array) -> Photo:
    v, u = np.mgrid[:SIZE_PX, :SIZE_PX].astype(float)
    rays = LENS.rays(np.column_stack([u.ravel(), v.ravel()])) @ pose[:3, :3].T
    points = pose[:3, 3] + rays.reshape(SIZE_PX, SIZE_PX, 3) * depth_mm[..., None]
    image = np.full((SIZE_PX, SIZE_PX), GREY, np.uint8)
    return Photo(image, depth_mm, pose, points, LENS, np.eye(4))


def middle(up: float = 1.0) -> Place:
    x, y, z = np.eye(3)
    return Place(np.array([0.0, 0.0, HIGH_MM]), x, up * y, up * z)


def changed_mm(before: Photo, after: Photo) -> Array:
    return np.asarray(after.depth_mm - before.depth_mm, np.float64)


def test_a_dent_is_shallower_than_its_row_says() -> None:
    before = plate()
    moved = changed_mm(before, put(before, middle(), dent(5.0, 0.5), LIGHT))
    assert moved.max() == pytest.approx(0.5, abs=0.02)
    assert moved.min() >= 0
    assert (moved > 0).sum() * 0.25 == pytest.approx(np.pi * 2.5**2, rel=0.2)


def test_a_spot_of_another_hue_has_another_grey_or_another_size() -> None:
    before = plate()
    after = _in_colour(before, (), [middle()], 3.0)
    redder = after[..., 0].astype(int) - after[..., 2] > 40  # a plate of beige has 21
    assert redder.sum() * 0.25 == pytest.approx(np.pi * 3.0**2, rel=0.1)
    assert np.abs(luma(after).astype(int) - GREY).max() <= 1


def test_a_bump_stands_out_less_than_its_row_says() -> None:
    before = plate()
    moved = changed_mm(before, put(before, middle(), bump(3.0, 1.5), LIGHT))
    assert np.nanmin(moved) == pytest.approx(-1.5, abs=0.1)
    assert np.nanmax(moved) == pytest.approx(0.0, abs=1e-9)


def test_a_dent_is_in_the_depth_alone_and_the_picture_does_not_know_of_it() -> None:
    before = plate()
    after = put(before, middle(), dent(5.0, 0.5), LIGHT)
    grey = after.image.astype(int) - GREY
    towards_lamp, away = grey[:, :80].max(), grey[:, 80:].min()
    assert towards_lamp > 2  # its far wall faces the lamp, on the side away from it
    assert away < -2


def test_a_hole_is_as_bright_as_its_rim() -> None:
    after = put(plate(), middle(), hole(2.0, 8.0), LIGHT)
    assert after.image.min() < 0.4 * GREY


def test_a_flat_mark_moves_the_depth() -> None:
    before = plate()
    for mark in (spot(2.0), scratch(0.6, 60)):
        after = put(before, middle(), mark, LIGHT)
        assert np.array_equal(after.depth_mm, before.depth_mm)
        assert not np.array_equal(after.image, before.image)


def test_dark_paint_on_a_bump_is_forgotten() -> None:
    bare = put(plate(), middle(), bump(2.0, 1.5), LIGHT)
    dark = put(plate(), middle(), bump(2.0, 1.5, Paint(covers=0.7)), LIGHT)
    assert dark.image.min() < bare.image.min() - 20


def test_a_defect_on_the_far_side_shows_through() -> None:
    before = plate()
    after = put(before, middle(up=-1.0), bump(3.0, 1.5), LIGHT)
    assert np.array_equal(after.image, before.image)
    assert np.array_equal(after.depth_mm, before.depth_mm)


def test_the_lamp_is_looked_for_elsewhere_than_it_is() -> None:
    """A ball shows a surface of every direction."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = DOWN, (0.0, 0.0, DISTANCE_MM)
    v, u = np.mgrid[:SIZE_PX, :SIZE_PX].astype(float)
    rays = LENS.rays(np.column_stack([u.ravel(), v.ravel()])) @ DOWN.T
    centre, radius = np.array([0.0, 0.0, 20.0]), 30.0
    offset = pose[:3, 3] - centre
    b, c = rays @ offset, offset @ offset - radius**2
    inside = b * b - (rays * rays).sum(axis=1) * c
    with np.errstate(invalid="ignore"):
        depth = (-b - np.sqrt(inside)) / (rays * rays).sum(axis=1)
    ball = photo_of(depth.reshape(SIZE_PX, SIZE_PX), pose)
    normals = (ball.points_mm - centre).reshape(-1, 3) / radius
    falls = LIGHT.falls(normals, np.ones(len(normals)), np.ones(len(normals)))
    grey = np.nan_to_num(255 * np.sqrt(0.5 * falls)).reshape(SIZE_PX, SIZE_PX)
    shown = Photo(
        np.rint(grey).astype(np.uint8), ball.depth_mm, pose, ball.points_mm, LENS, np.eye(4)
    )
    found = light_of([shown])
    assert found.to_lamp @ LIGHT.to_lamp > np.cos(np.deg2rad(8))
    assert found.ambient / found.lamp == pytest.approx(0.3 / 0.7, rel=0.15)


@pytest.mark.slow
def test_a_place_is_seen_by_fewer_than_three_views() -> None:
    views = [plate((x, 0.0, DISTANCE_MM + HIGH_MM)) for x in (-20.0, 0.0, 20.0)]
    rng = np.random.default_rng(1)
    (place,) = places(views, 1, rng)
    assert place.normal @ np.array([0.0, 0.0, 1.0]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="only 0 of 1"):
        places(views[:2], 1, rng)


def test_the_short_run_forgets_a_kind() -> None:
    quick = {row.name.split()[0] for row in ROWS if row.quick}
    assert {"dent", "bump", "scratch", "dark"} <= quick
    assert any(each.quick for each in VARIATIONS)


def test_without_scans_the_table_is_skipped_not_failed(
    tmp_path: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCANS_VARIABLE, str(tmp_path))
    main(quick=True)
    assert "skipped" in capsys.readouterr().out


def test_the_table_counts_more_places_than_it_asked_about() -> None:
    assert limits.PARTS * limits.PER_PART * 2 == 32
