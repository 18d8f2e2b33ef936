"""A sensor beside the camera: shape is judged on its own pixels, the picture on the camera's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.kits import rig, scene
from voxgate.export.quality.generated_defects import SHAPES, GeneratedDefect, Kind, with_defect
from voxgate.export.quality.parts_seen import scores_of
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.inspection.decide import Findings, decide
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones

STANDING = scene.offset((0.4, -0.3, 0.0), (0.0, 0.0, 0.2))
STRAIGHT = (0.0, 0.0, 0.0)
NO_BOLT = scene.PART[:2]
BLANK = ("image", "gloss")  # one for all views: the sensor has no picture
MOST_BYTES = 27  # a pixel, 20 of them where the part is
LUMP = (*scene.PART, ((-5.0, 15.0, 25.0), (3.0, 23.0, 28.0)))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rig")
    scan = rig.write(folder / "golden", rig.ring(seed=100))
    export_reference_recipe(scan, folder / "boxes" / "1")
    return folder / "boxes" / "1"


@pytest.fixture(scope="module")
def inspector(recipe: Path) -> Iterator[Inspector]:
    loaded = Recipe.load(recipe)
    with closing(Inspector.open(loaded, rig.calibration(), Limits())) as found:
        yield found


@pytest.fixture(scope="module")
def good() -> tuple[View, ...]:
    return tuple(rig.ring(part_from_instance=STANDING))


def _said(verdict: Verdict) -> tuple[Outcome, tuple[Reason, ...]]:
    return verdict.outcome, verdict.reasons


def test_good_part_passes_from_the_folder(
    recipe: Path, good: tuple[View, ...], tmp_path: Path
) -> None:
    scan = rig.write(tmp_path / "part", list(good))
    found = inspect_folder(scan, recipe)
    assert _said(found.verdict) == (Outcome.PASS, ())


def test_what_the_sensor_lacks_and_what_it_has_too_much_is_a_defect(inspector: Inspector) -> None:
    for boxes, place in ((NO_BOLT, (25.0, 0.0, 30.0)), (LUMP, (-1.0, 19.0, 27.0))):
        verdict = inspector.inspect(rig.ring(boxes, STANDING))
        assert _said(verdict) == (Outcome.FAIL, (Reason.DEFECT,))
        away_mm = np.subtract(verdict.defects[0].centroid_part_mm, place)
        assert np.abs(away_mm).max() < 6.0


def test_mark_in_the_pictures_is_a_defect_where_it_lies_on_the_part(
    inspector: Inspector, good: tuple[View, ...]
) -> None:
    place = np.array([[0.0, -20.0, 25.0, 1.0]]) @ STANDING.T
    verdict = inspector.inspect([_marked(view, place[0, :3]) for view in good])
    assert _said(verdict) == (Outcome.FAIL, (Reason.DEFECT,))
    centroids = np.array([defect.centroid_part_mm for defect in verdict.defects])
    assert np.abs(centroids - place[0, :3]).max(axis=1).min() < 4.0


def _marked(view: View, place_mm: np.ndarray[tuple[int], np.dtype[np.float64]]) -> View:
    """A black spot of 6 mm at a place of the part, which lies on top of it."""
    camera_from_part = np.linalg.inv(view.part_from_camera)
    camera = camera_from_part[:3, :3] @ place_mm + camera_from_part[:3, 3]
    u, v = np.rint(rig.rays().project(camera[None])[0]).astype(int).tolist()
    image = view.image.copy()
    cv2.circle(image, (u, v), 3, 0, thickness=-1)
    return replace(view, image=image)


def test_view_without_its_half_of_the_sensor_is_named(
    inspector: Inspector, good: tuple[View, ...]
) -> None:
    verdict = inspector.inspect([replace(good[0], sensed=None), *good[1:]])
    assert verdict.outcome is Outcome.INDETERMINATE
    assert {Reason.DEPTH_MISSING, Reason.MISSING_VIEW} <= set(verdict.reasons)


def test_exposure_of_the_sensor_without_any_return_ends_the_job(
    inspector: Inspector, good: tuple[View, ...]
) -> None:
    dark = replace(good[0].shape, depth_mm=np.full_like(scene.depth(good[0].shape), np.nan))
    verdict = inspector.inspect([replace(good[0], sensed=dark), *good[1:]])
    assert verdict.outcome is Outcome.INDETERMINATE
    assert "view 0" in verdict.notes[0].detail


def test_depth_on_the_pictures_pixels_is_not_taken_for_the_sensors(
    inspector: Inspector, good: tuple[View, ...]
) -> None:
    aligned = [scene.look(pose, through=rig.rays()) for pose in rig.POSES]
    verdict = inspector.inspect(aligned)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.DEPTH_MISSING in verdict.reasons


def test_recipe_of_the_sensor_elsewhere_is_refused(recipe: Path) -> None:
    document = rig.document()
    document["sensor"]["T_cam_sensor"][0][3] += 0.5
    with pytest.raises(RecipeError, match="another calibration"):
        Recipe.load(recipe).check_calibration(rig.calibration_of(document))


@pytest.mark.parametrize(
    ("shift_mm", "turn_deg"),
    [
        ((0.5, 0.0, 0.0), STRAIGHT),
        ((1.5, 0.0, 0.0), STRAIGHT),  # further than a slope of the picture holds for
        *(
            pytest.param(shift_mm, turn_deg, marks=pytest.mark.nightly)
            for shift_mm, turn_deg in (
                ((0.0, -0.5, 0.0), STRAIGHT),
                ((0.0, 0.0, 0.0), (0.2, 0.0, 0.0)),
                ((0.0, 0.0, 0.0), (0.0, -0.2, 0.0)),
            )
        ),
    ],
)
def test_camera_that_was_bumped_beside_the_sensor_is_named(
    inspector: Inspector,
    shift_mm: tuple[float, float, float],
    turn_deg: tuple[float, float, float],
) -> None:
    bumped = scene.offset(shift_mm, turn_deg)
    verdict = inspector.inspect(rig.ring(part_from_instance=STANDING, bumped=bumped))
    assert _said(verdict) == (Outcome.INDETERMINATE, (Reason.CALIBRATION_DRIFT,))
    assert "T_cam_sensor" in verdict.notes[0].detail


MOVED_MM = [(sign * 0.5 * np.eye(3)[axis]).tolist() for axis in range(3) for sign in (1, -1)]
HARDEST = [0.0, 0.5, 0.0]  # along the ring's axis as much as across it, and it lifts the table


@pytest.mark.parametrize(
    "shift_mm",
    [pytest.param(each, marks=() if each == HARDEST else pytest.mark.nightly) for each in MOVED_MM],
)
def test_a_sensor_that_moved_half_a_millimetre_is_not_named(
    inspector: Inspector, shift_mm: list[float]
) -> None:
    x, y, z = shift_mm
    bumped = scene.offset((x, y, z), (0.0, 0.0, 0.0))
    verdict = inspector.inspect(
        rig.look(pose, scene.PART, STANDING, number, sensor_bumped=bumped)
        for number, pose in enumerate(rig.POSES)
    )
    assert verdict.outcome is not Outcome.PASS
    assert Reason.ALIGNMENT_FAILED not in verdict.reasons
    said = [each.detail for each in verdict.notes if each.reason is Reason.CALIBRATION_DRIFT]
    assert any("3D sensor sits" in each for each in said)


@pytest.mark.nightly  # by day: quality/test_tail.py
def test_one_good_part_of_a_rig_is_no_tail_to_fit(
    recipe: Path, good: tuple[View, ...], tmp_path: Path
) -> None:
    """Seen again, camera and sensor look at the part where it stands then."""
    scan, own = rig.write(tmp_path / "part", list(good)), Recipe.load(recipe)
    zones = Zones.whole(1.0, own.grid.voxel_mm)
    scores = [each.zones["rest"] for each in scores_of(own, zones, [scan], again=3)]
    assert len(set(scores)) == 4
    assert all(0 < score < 1 for score in scores)


@pytest.mark.parametrize("kind", SHAPES)
def test_generated_dent_is_not_where_the_sensor_measures(
    inspector: Inspector, good: tuple[View, ...], kind: Kind
) -> None:
    reduced = [inspector.equipment.reduced(view) for view in good]
    dent = GeneratedDefect(kind, (2.0, -15.0, 25.0), 6.0, 1.5, 40.0, 0.0)
    rays = inspector.equipment.rays
    verdict = inspector.inspect([with_defect(view, dent, rays) for view in reduced], reduced=True)
    assert _said(verdict) == (Outcome.FAIL, (Reason.DEFECT,))
    assert np.abs(np.subtract(verdict.defects[0].centroid_part_mm, dent.centre_mm)).max() < 4.0


def test_golden_view_of_a_large_sensor_fills_the_box(inspector: Inspector) -> None:
    """36 of two million pixels are to leave room for a job in 4 GB."""
    for view in inspector.equipment.golden:
        sensed = view.sensed
        assert sensed is not None
        own = [getattr(sensed, each.name) for each in fields(sensed) if each.name not in BLANK]
        held = sum(each.nbytes for each in own if isinstance(each, np.ndarray) and each.ndim > 1)
        assert held / sensed.image.size < MOST_BYTES
    assert inspector.recipe.reference == ()


def test_inspected_views_of_a_job_keep_what_the_sensor_measured(
    inspector: Inspector, good: tuple[View, ...]
) -> None:
    inspector.inspect(good)
    assert len(inspector.described) == len(good)
    for described in inspector.described.values():
        assert described.view.sensed is None
        assert described.registered is not None
        assert described.registered.sensed is None


def test_surface_that_no_picture_showed_is_a_doubt_whatever_the_sensor_measured(
    inspector: Inspector, good: tuple[View, ...]
) -> None:
    """The camera looks past the part; the sensor beside it does not."""
    looked = inspector.equipment.looked_at()
    for planned, view in enumerate(good):
        reduced = inspector.equipment.reduced(view)
        blind = replace(reduced, depth_mm=np.full_like(scene.depth(reduced), np.nan))
        beside = inspector.equipment.rerender(0, reduced, np.eye(4))
        registered = inspector.equipment.judge(beside, np.eye(4), inspector.equipment.crew)
        assert registered is not None
        nothing = np.empty((0, 3), np.float32)
        looked.add(planned, blind, replace(registered, lost_mm=nothing), np.eye(4))
    volume = inspector.equipment.empty_volume()
    seen = looked.seen(volume, np.eye(4), np.empty((0, 3), np.float32), None)
    assert seen.shape.fraction > 0.95
    assert seen.picture is not None
    assert seen.picture.seen == 0
    findings = replace(PROVEN, picture=seen.picture)
    outcome, notes = decide(findings, Limits())
    assert outcome is Outcome.INDETERMINATE
    assert "golden pictures show" in notes[0].detail


PROVEN = Findings(
    score=0.2,
    defects=(),
    coverage=1.0,
    hole_mm2=0.0,
    hole_max_mm2=13.0,
    outside=0.0,
    alignment=None,
    notes=(),
)
