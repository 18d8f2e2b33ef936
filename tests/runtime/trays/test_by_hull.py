"""A tray without depth passes though hollows are in no outline, or is not told at all."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.tray_of_parts import (
    FOCAL_PX,
    UNIT_MM,
    Box,
    Mark,
    Tray,
    regular,
    with_mark,
    without,
    write,
)
from voxgate.export.reference.neighbours import export_neighbours
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.errors import ScanError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.scans.posed_scan import scene_as_scan
from voxgate.runtime.scenes.open_scene import open_scene
from voxgate.runtime.trays.judge import judge
from voxgate.runtime.trays.scene_verdict import SceneVerdict

FOUR = regular(4)
Array = npt.NDArray[np.float64]


def without_depth(folder: Path, masks: bool) -> Path:
    """The scene's pictures alone; masks: with what stands above the table."""
    said = json.loads((folder / "scene.json").read_text("utf-8"))
    del said["depth_unit_mm"]
    for number, view in enumerate(said["views"]):
        counts = cv2.imread(str(folder / view.pop("depth")), cv2.IMREAD_UNCHANGED)
        assert counts is not None
        depth = np.asarray(counts * UNIT_MM, np.float64)
        if masks:
            view["mask"] = f"{number:02d}m.png"
            high = _height(depth, np.array(view["T_world_cam"])) > 0.6
            cv2.imwrite(str(folder / view["mask"]), high.astype(np.uint8) * 255)
    (folder / "scene.json").write_text(json.dumps(said), "utf-8")
    return folder


def _height(depth: Array, pose: Array) -> Array:
    v, u = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]]
    x, y = (u - depth.shape[1] / 2) / FOCAL_PX, (v - depth.shape[0] / 2) / FOCAL_PX
    return np.asarray((np.stack([x, y, np.ones_like(x)], -1) @ pose[2, :3]) * depth + pose[2, 3])


def _judged(tray: Tray, folder: Path, masks: bool) -> SceneVerdict:
    with Crew(1) as crew:
        return judge(open_scene(without_depth(write(tray, folder), masks)), crew)


@pytest.mark.slow
@pytest.mark.nightly
def test_regular_parts_without_depth_pass_or_are_not_found(tmp_path: Path) -> None:
    verdict = _judged(Tray(FOUR[:3], views=8), tmp_path / "tray", masks=False)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert len(verdict.judged) == 3
    for each in verdict.judged:
        box = each.instance.box_mm
        part = min(FOUR, key=lambda p: float(np.hypot(*(box.mean(axis=0)[:2] - (p.x, p.y)))))
        turn = part.world_from_part()
        corners = np.array([(x, y, z) for x in (-30, 30) for y in (-20, 20) for z in (0, 32)])
        true = corners @ turn[:3, :3].T + turn[:3, 3]
        low, high = true.min(axis=0), true.max(axis=0)
        both = np.clip(np.minimum(high, box[1]) - np.maximum(low, box[0]), 0, None).prod()
        assert both / ((high - low).prod() + np.diff(box, axis=0).prod() - both) > 0.7


@pytest.mark.slow
@pytest.mark.nightly
def test_regular_parts_whose_outlines_were_given_pass(tmp_path: Path) -> None:
    verdict = _judged(Tray(FOUR), tmp_path / "tray", masks=True)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert not any(each.odd for each in verdict.judged)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_part_whose_lacking_tower_is_not_told_passes(tmp_path: Path) -> None:
    tray = Tray([*FOUR[:3], without(FOUR[3], 1)])
    assert _judged(tray, tmp_path / "tray", masks=True).outcome is not Outcome.PASS


@pytest.mark.slow
@pytest.mark.nightly
def test_a_stain_is_not_told_without_depth(tmp_path: Path) -> None:
    stain = Mark(Box((12, -10, 10), (5, 5, 1)), 60)
    tray = Tray([*FOUR[:3], with_mark(FOUR[3], stain)])
    verdict = _judged(tray, tmp_path / "tray", masks=True)
    assert verdict.outcome is Outcome.FAIL, [each.detail for each in verdict.doubts]
    (odd,) = [each for each in verdict.judged if each.odd]
    assert np.hypot(*(odd.instance.box_mm.mean(axis=0)[:2] - (FOUR[3].x, FOUR[3].y))) < 12


@pytest.mark.nightly
def test_a_hull_is_taken_for_measured_depth_by_a_line_or_a_recipe(tmp_path: Path) -> None:
    folder = without_depth(write(Tray(FOUR[:1], views=2), tmp_path / "tray"), masks=False)
    with pytest.raises(ScanError, match="no depth"):
        scene_as_scan(folder, tmp_path / "scan")
    with pytest.raises(ScanError, match="no depth"):
        export_neighbours(folder, tmp_path / "recipe")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said.pop("table_z_mm"), "table_z_mm"),
        (lambda said: said["views"][0].update(depth="00d.png"), "all or none"),
    ],
)
def test_a_scene_that_does_not_say_enough_is_guessed(change, words: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = without_depth(write(Tray(FOUR[:1], views=2), tmp_path / "tray"), masks=False)
    said = json.loads((folder / "scene.json").read_text("utf-8"))
    change(said)
    (folder / "scene.json").write_text(json.dumps(said), "utf-8")
    with pytest.raises(ScanError, match=words):
        open_scene(folder)
