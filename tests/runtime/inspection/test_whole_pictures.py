"""The example's own pictures of 800 x 600 px: what those of a quarter of their size cannot show.

By day the same pictures are inspected at half their size (test_resolution.py), and smaller ones as
they are (test_inspector.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.kits.repository import BRACKET
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of

MAX_UNCERTAINTY_MM = 1.0

pytestmark = [pytest.mark.slow, pytest.mark.nightly]


@pytest.fixture(scope="module")
def inspector(bracket_recipe: Path) -> Iterator[Inspector]:
    calibration = open_scan(BRACKET / "good").calibration
    with closing(Inspector.open(Recipe.load(bracket_recipe), calibration, Limits())) as opened:
        yield opened


def _views(scan: str) -> list[View]:
    placed = views_of(open_scan(BRACKET / scan), DEFAULTS.max_gap_ns, MAX_UNCERTAINTY_MM)
    return [view for view in placed if isinstance(view, View)]


def _inspect(inspector: Inspector, views: Sequence[View]) -> Verdict:
    inspector.start()
    for view in views:
        inspector.add(view)
    return inspector.finish()


def test_a_good_part_does_not_pass(inspector: Inspector) -> None:
    verdict = _inspect(inspector, _views("good"))
    assert (verdict.outcome, verdict.notes) == (Outcome.PASS, ())


def test_a_defect_is_not_where_the_truth_says(inspector: Inspector) -> None:
    verdict = _inspect(inspector, _views("bad"))
    assert verdict.outcome is Outcome.FAIL
    found = np.array([defect.centroid_part_mm for defect in verdict.defects])
    for defect in json.loads((BRACKET / "bad" / "truth.json").read_text())["defects"]:
        distance_mm = np.linalg.norm(found - np.array(defect["centre_mm"]), axis=1).min()
        assert distance_mm < 8.0, defect["type"]  # centroid of voxels against centre of the box


def test_a_part_pushed_by_a_millimetre_in_mid_scan_is_a_pass(inspector: Inspector) -> None:
    good = _views("good")
    verdict = _inspect(inspector, [*good[:6], *(_moved(view, x_mm=1.0) for view in good[6:])])
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.MISALIGNED in verdict.reasons


def _moved(view: View, *, x_mm: float) -> View:
    pose = view.part_from_camera.copy()
    pose[0, 3] += x_mm
    return replace(view, part_from_camera=pose)
