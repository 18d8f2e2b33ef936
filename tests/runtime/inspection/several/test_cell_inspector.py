"""A part before several cameras: what one of them did not prove good must not PASS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kits import cameras, rig, scene
from tests.kits.cameras import Cell
from voxgate.export.packing.cameras import of_each_camera
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.nouns import Outcome, Reason, Verdict
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.report.golden import golden_of

PUT = scene.offset((0.3, -0.2, 0.0), (0.0, 0.0, 0.2))
Inspect = Callable[[Path], Verdict]


@pytest.fixture(scope="module", name="work")
def _work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of the robot's camera and two standing ones, and a good scan."""
    work, cell = tmp_path_factory.mktemp("cameras"), cameras.on_robot_and_above()
    golden = cameras.write(work / "golden", cell, cameras.look(cell))
    of_each_camera(golden, work / "recipe", "1", None, export_reference_recipe)
    cameras.write(work / "good", cell, cameras.look(cell, part_from_instance=PUT, seed=5))
    return work


@pytest.fixture(name="scan")
def _scan(work: Path, tmp_path: Path) -> Path:
    """The good scan, to be spoilt."""
    shutil.copytree(work / "good", tmp_path / "scan")
    return tmp_path / "scan"


def _verdict(work: Path, scan: Path) -> Verdict:
    return inspect_folder(scan, work / "recipe").verdict


def _details(verdict: Verdict, reason: Reason) -> str:
    return " | ".join(note.detail for note in verdict.notes if note.reason is reason)


def test_a_good_part_is_not_passed_by_robot_camera_and_standing_ones_together(work: Path) -> None:
    verdict = _verdict(work, work / "good")
    assert verdict.outcome is Outcome.PASS, verdict.notes
    assert {view.camera for view in verdict.views} == {"wrist", "left", "right"}


def test_a_lump_that_all_cameras_see_is_passed_or_told_as_several(
    work: Path, tmp_path: Path
) -> None:
    cell, boxes = cameras.on_robot_and_above(), (*scene.PART, cameras.LUMP)
    scan = cameras.write(tmp_path / "bad", cell, cameras.look(cell, boxes, PUT, seed=7))
    verdict = _verdict(work, scan)
    assert verdict.outcome is Outcome.FAIL, verdict.notes
    (defect,) = verdict.defects
    middle = np.mean(cameras.LUMP, axis=0)
    assert np.linalg.norm(np.array(defect.centroid_part_mm) - middle) < 3.0
    assert defect.views > 6  # more than the robot's camera has
    assert [note.reason for note in verdict.notes] == [Reason.DEFECT]


def test_a_lump_that_one_standing_camera_alone_shows_is_passed(work: Path, scan: Path) -> None:
    cell = cameras.on_robot_and_above()
    bad = cameras.look(cell, (*scene.PART, cameras.LUMP), PUT, seed=5)
    good = cameras.look(cell, scene.PART, PUT, seed=5)
    shutil.rmtree(scan)
    cameras.write(scan, cell, good | {"right": bad["right"]})
    assert _verdict(work, scan).outcome is not Outcome.PASS


@pytest.mark.parametrize(
    "dead",
    ["wrist", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("left", "right"))],
)
def test_a_camera_that_gave_nothing_is_not_missed(work: Path, scan: Path, dead: str) -> None:
    (scan / "cameras" / dead / "frames.jsonl").unlink()
    verdict = _verdict(work, scan)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert f"camera {dead}: " in _details(verdict, Reason.MISSING_VIEW)


def test_the_pictures_of_one_camera_pass_as_those_of_another(work: Path, scan: Path) -> None:
    """Cables exchanged: each sends what the other's calibration is for."""
    left, right = (scan / "cameras" / name for name in ("left", "right"))
    for kind in ("images", "depth", "frames.jsonl"):
        (left / kind).rename(scan / "kept")
        (right / kind).rename(left / kind)
        (scan / "kept").rename(right / kind)
    with pytest.raises(ScanError, match=r"cameras/(left|right)/depth/00.png"):
        _verdict(work, scan)


def _changed(scan: Path, camera: str, change: Callable[[dict[str, Any]], None]) -> None:
    path = scan / "cameras" / camera / "calibration.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_cell_whose_cameras_were_exchanged_is_served(work: Path, scan: Path) -> None:
    left, right = (scan / "cameras" / name / "calibration.json" for name in ("left", "right"))
    told = left.read_text()
    left.write_text(right.read_text())
    right.write_text(told)
    with pytest.raises(RecipeError, match=r"camera left: .* camera right: were they swapped"):
        _verdict(work, scan)


def test_another_device_than_the_one_that_taught_is_served(work: Path, scan: Path) -> None:
    _changed(scan, "left", lambda document: document.update(serial_number="B-2"))
    with pytest.raises(RecipeError, match=r"camera left: taught by serial number None.* of B-2"):
        _verdict(work, scan)


def test_a_recipe_of_three_cameras_is_served_by_one(work: Path, scan: Path) -> None:
    with pytest.raises(RecipeError, match="taught by the cameras wrist, left, right"):
        _verdict(work, scan / "cameras" / "wrist")


def test_a_recipe_of_one_camera_is_served_in_a_cell_of_three(work: Path, scan: Path) -> None:
    with pytest.raises(RecipeError, match="is of one camera, the cell has wrist, left, right"):
        inspect_folder(scan, work / "recipe" / "cameras" / "left")


def test_a_bumped_standing_camera_is_believed(work: Path, tmp_path: Path) -> None:
    """It still sees a whole part, 1.5 mm from where the others see it."""
    cell = cameras.on_robot_and_above()
    bumped = scene.offset((1.2, -0.9, 0.0), (0.0, 0.0, 0.0)) @ PUT
    seen = cameras.look(cell, scene.PART, PUT, seed=5)
    seen["right"] = cameras.look(cell, scene.PART, bumped, seed=5)["right"]
    verdict = _verdict(work, cameras.write(tmp_path / "bumped", cell, seen))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert "right" in _details(verdict, Reason.CALIBRATION_DRIFT)


@pytest.mark.parametrize("file", ["cameras/left/model.onnx", "cameras/right/manifest.json"])
def test_a_further_cameras_file_that_was_altered_is_served(
    work: Path, tmp_path: Path, file: str
) -> None:
    shutil.copytree(work / "recipe", tmp_path / "recipe")
    with (tmp_path / "recipe" / file).open("ab") as altered:
        altered.write(b" ")
    with pytest.raises(RecipeError, match="differs from the manifest"):
        inspect_folder(work / "good", tmp_path / "recipe")


@pytest.mark.nightly
@pytest.mark.slow
def test_a_part_in_the_robots_hand_is_judged_where_it_is_not(tmp_path: Path) -> None:
    cell: Cell = cameras.part_on_robot()
    golden = cameras.write(tmp_path / "golden", cell, cameras.look(cell))
    of_each_camera(golden, tmp_path / "recipe", "1", None, export_reference_recipe)
    for name, boxes, outcome in (
        ("good", scene.PART, Outcome.PASS),
        ("bad", (*scene.PART, cameras.LUMP), Outcome.FAIL),
    ):
        scan = cameras.write(tmp_path / name, cell, cameras.look(cell, boxes, PUT, seed=5))
        verdict = _verdict(tmp_path, scan)
        assert verdict.outcome is outcome, verdict.notes


def test_a_view_is_shown_beside_another_cameras_golden_one(work: Path) -> None:
    golden = golden_of(work / "recipe", None)
    shown = {name: {image.shape[:2] for image in own} for name, own in golden.images.items()}
    assert shown == {"wrist": {(240, 320)}, "left": {(300, 400)}, "right": {(240, 360)}}
    assert [len(own) for own in golden.images.values()] == [6, 1, 1]
    assert len(golden.points_mm)


@pytest.mark.nightly
def test_a_sensor_beside_one_of_several_cameras_is_not_heard(tmp_path: Path) -> None:
    """Depth of the robot's camera is its sensor's; the standing ones bring their own."""
    cell = cameras.with_a_sensor()
    golden = cameras.write(tmp_path / "golden", cell, cameras.look(cell))
    of_each_camera(golden, tmp_path / "recipe", "1", None, export_reference_recipe)
    good = cameras.look(cell, scene.PART, PUT, seed=5)
    bad = cameras.look(cell, (*scene.PART, cameras.LUMP), PUT, seed=7)
    dark = np.full(rig.rays().shape.x.shape, np.nan, np.float32)
    first, *rest = good["wrist"]
    silent = replace(first, sensed=replace(first.shape, depth_mm=dark))
    parts = {
        "good": good,
        "by the sensor": good | {"wrist": bad["wrist"]},
        "half a view": good | {"wrist": [silent, *rest]},
    }
    said = {
        name: _verdict(tmp_path, cameras.write(tmp_path / name, cell, seen))
        for name, seen in parts.items()
    }
    assert said["good"].outcome is Outcome.PASS, said["good"].notes
    assert said["by the sensor"].outcome is Outcome.FAIL
    assert said["half a view"].outcome is Outcome.INDETERMINATE
    assert all(note.detail.startswith("camera wrist") for note in said["half a view"].notes)
