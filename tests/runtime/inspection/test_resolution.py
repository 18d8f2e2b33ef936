"""A recipe that inspects fewer pixels than the camera has: the same verdicts, from whoever asks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kits.coarse import coarse_recipe
from tests.kits.repository import BRACKET, ROOT
from tests.kits.small_scan import half_bracket
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.export.quality.parts_seen import scores_of
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.zones import Zones
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.sim.recipes import export_once

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported() -> tuple[Path, dict[str, Any]]:
    """A recipe for pictures of 800 x 600 px that inspects 400 x 300, and what the export said."""
    return coarse_recipe()


@pytest.fixture(scope="module")
def folder(exported: tuple[Path, dict[str, Any]]) -> Path:
    return exported[0]


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Recipe:
    return Recipe.load(folder)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return Calibration.load(BRACKET / "calibration.json")


@pytest.fixture(scope="module")
def views() -> tuple[View, ...]:
    found = views_of(open_scan(BRACKET / "good"), DEFAULTS.max_gap_ns, 1.0)
    return tuple(view for view in found if isinstance(view, View))


@pytest.fixture(scope="module")
def inspector(recipe: Recipe, calibration: Calibration) -> Iterator[Inspector]:
    made = Inspector.open(recipe, calibration, Limits())
    yield made
    made.close()


@cache
def verdict(scan: Path, folder: Path) -> Verdict:
    return inspect_folder(scan, folder).verdict


def test_the_recipe_does_not_say_what_is_inspected(
    exported: tuple[Path, dict[str, Any]], recipe: Recipe
) -> None:
    working = recipe.manifest.working
    assert working is not None
    assert (working.block_px, working.width_px, working.height_px) == (2, 400, 300)
    assert recipe.reference[0].image.shape == (300, 400)
    assert "800 x 600 px are inspected at 400 x 300" in exported[1]["inspected"]["words"]


@pytest.mark.parametrize(
    ("scan", "outcome"),
    [pytest.param("good", Outcome.PASS, marks=pytest.mark.nightly), ("bad", Outcome.FAIL)],
)
def test_a_reduced_picture_hides_a_defect_or_rejects_a_part(
    folder: Path, scan: str, outcome: Outcome
) -> None:
    assert verdict(BRACKET / scan, folder).outcome is outcome


@pytest.mark.nightly  # by day, a camera of half of them each way: test_inspector.py
def test_a_camera_of_those_pixels_comes_to_other_verdicts() -> None:
    scans = half_bracket()
    recipe = export_once(scans / "golden", ROOT / "out" / "recipes")
    assert Recipe.load(recipe).manifest.working is None
    assert verdict(scans / "good", recipe).outcome is Outcome.PASS
    assert verdict(scans / "bad", recipe).outcome is Outcome.FAIL


def test_a_frame_of_the_reduced_size_is_taken_for_the_cameras(
    inspector: Inspector, views: tuple[View, ...]
) -> None:
    small = inspector.equipment.reduced(views[3])
    found = inspector.inspect([*views[:3], small, *views[4:]])
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.FRAME_INVALID in found.reasons


def test_the_cameras_own_frame_is_taken_for_a_reduced_one(
    inspector: Inspector, views: tuple[View, ...]
) -> None:
    found = inspector.inspect(views, reduced=True)
    assert Reason.FRAME_INVALID in found.reasons


def test_a_reduced_view_is_judged_otherwise(inspector: Inspector, views: tuple[View, ...]) -> None:
    whole = inspector.inspect(views)
    reduced = inspector.inspect([inspector.equipment.reduced(v) for v in views], reduced=True)
    assert (whole.outcome, whole.score) == (reduced.outcome, reduced.score)


def test_a_picture_sent_twice_is_a_new_exposure(
    inspector: Inspector, views: tuple[View, ...]
) -> None:
    again = replace(views[4], image=views[3].image)
    found = inspector.inspect([*views[:4], again, *views[5:]])
    assert found.outcome is not Outcome.PASS
    assert Reason.DUPLICATE_VIEW in found.reasons


@pytest.mark.nightly  # by day at its own size: test_inspector.py
def test_the_golden_scan_played_is_a_good_part(folder: Path) -> None:
    found = verdict(BRACKET / "golden", folder)
    assert found.outcome is Outcome.INDETERMINATE
    assert Reason.DUPLICATE_VIEW in found.reasons


def test_what_waits_for_the_others_is_kept_whole(
    inspector: Inspector, views: tuple[View, ...]
) -> None:
    """The first views wait until it is known how the part stands: of 12 Mpx, 60 MB each."""
    inspector.start()
    inspector.add(views[0])
    (waiting,) = inspector._part.waiting
    assert waiting[1].image.shape == (300, 400)


@pytest.mark.nightly
def test_an_evaluation_judges_other_pictures_than_the_line(folder: Path, tmp_path: Path) -> None:
    part = tmp_path / "bracket"
    for name in ("calibration.json", "grid.json"):
        part.mkdir(exist_ok=True)
        shutil.copy(BRACKET / name, part)
    shutil.copytree(BRACKET / "bad", part / "test" / "bad")
    (record,) = evaluate(Plan(source=folder, folder=part, store=tmp_path / "store")).records
    line = verdict(BRACKET / "bad", folder)
    assert (record.outcome, record.score) == (line.outcome.value, line.score)


@pytest.mark.nightly
def test_a_threshold_is_derived_from_other_pictures_than_the_line_has(
    folder: Path, recipe: Recipe
) -> None:
    recorded, again = scores_of(recipe, Zones.whole(), [BRACKET / "good"], again=1)
    (score,) = recorded.zones.values()
    assert score == pytest.approx(verdict(BRACKET / "good", folder).score, rel=1e-6)
    assert all(np.isfinite(value) and value < 1.0 for value in again.zones.values())


def test_a_recipe_for_one_camera_serves_another(recipe: Recipe, calibration: Calibration) -> None:
    other = replace(calibration, width_px=1600, height_px=1200)
    with pytest.raises(RecipeError, match="export it again for this camera"):
        recipe.check_calibration(other)
