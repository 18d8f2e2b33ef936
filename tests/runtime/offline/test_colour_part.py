"""Parts in colour: hue alone decides, light does not, and grey is not taken for colour."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.kits.painted import BLUE, balanced, painted_bracket, write_painted
from tests.kits.repository import ROOT
from tests.kits.small_scan import small_bracket
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.pixels.colour import with_picture
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.sim.recipes import export_once

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def colour_recipe() -> Path:
    return export_once(painted_bracket() / "golden", ROOT / "out" / "recipes")


@pytest.fixture(scope="module")
def coloured(colour_recipe: Path) -> Iterator[Inspector]:
    yield from _open(colour_recipe)


@pytest.fixture(scope="module")
def grey(small_recipe: Path) -> Iterator[Inspector]:
    yield from _open(small_recipe)


def _open(recipe: Path) -> Iterator[Inspector]:
    calibration = open_scan(small_bracket() / "good").calibration
    with closing(Inspector.open(Recipe.load(recipe), calibration, DEFAULTS.limits)) as inspector:
        yield inspector


def _verdict(inspector: Inspector, scan: Path) -> Verdict:
    placed = views_of(open_scan(scan), DEFAULTS.max_gap_ns, np.inf)
    return inspector.inspect(each if isinstance(each, View) else each.note for each in placed)


def _scan(folder: Path) -> Path:
    """A place for a scan of the bracket, its calibration above it."""
    for name in ("calibration.json", "grid.json"):
        shutil.copy(small_bracket() / name, folder)
    return folder / "scan"


def test_a_recipe_of_a_golden_scan_in_colour_sees_colour(
    colour_recipe: Path, small_recipe: Path
) -> None:
    assert Recipe.load(colour_recipe).manifest.in_colour
    assert not Recipe.load(small_recipe).manifest.in_colour


def test_a_good_part_in_colour_passes(coloured: Inspector) -> None:
    assert _verdict(coloured, painted_bracket() / "good").outcome is Outcome.PASS


def test_a_bad_part_in_colour_fails(coloured: Inspector) -> None:
    assert _verdict(coloured, painted_bracket() / "bad").outcome is Outcome.FAIL


def test_a_red_cap_instead_of_a_blue_one_of_the_same_grey_is_a_defect(
    coloured: Inspector, grey: Inspector
) -> None:
    verdict = _verdict(coloured, painted_bracket() / "red_cap")
    assert verdict.outcome is Outcome.FAIL
    centre_mm = np.array(verdict.defects[0].centroid_part_mm[:2])
    assert np.hypot(*(centre_mm - (60.0, 20.0))) < 4
    # whoever sees grey alone cannot know
    assert _verdict(grey, painted_bracket() / "red_cap").outcome is Outcome.PASS


@pytest.mark.parametrize("gains", [(1.04, 1.0, 0.97), (0.95, 1.0, 1.05)])
def test_a_lamp_that_warmed_up_fails_no_good_part(
    coloured: Inspector, gains: tuple[float, float, float], tmp_path: Path
) -> None:
    scan = write_painted(small_bracket() / "good", _scan(tmp_path), BLUE, changed=balanced(*gains))
    assert _verdict(coloured, scan).outcome is Outcome.PASS


def test_a_grey_recipe_takes_the_luma_of_a_part_in_colour(grey: Inspector) -> None:
    assert _verdict(grey, painted_bracket() / "good").outcome is Outcome.PASS


def test_grey_pictures_prove_nothing_to_a_recipe_that_sees_colour(coloured: Inspector) -> None:
    verdict = _verdict(coloured, small_bracket() / "good")
    assert verdict.outcome is Outcome.INDETERMINATE
    assert verdict.notes[0].reason is Reason.FRAME_INVALID
    assert "picture is grey, the recipe was taught in colour" in verdict.notes[0].detail


def test_one_grey_picture_among_coloured_ones_is_not_passed_over(
    coloured: Inspector, tmp_path: Path
) -> None:
    scan = Path(shutil.copytree(painted_bracket() / "good", _scan(tmp_path)))
    grey = sorted((small_bracket() / "good" / "images").iterdir())[3]
    lines = (scan / "frames.jsonl").read_text().replace("images/03.png", f"images/{grey.name}")
    (scan / "frames.jsonl").write_text(lines)
    shutil.copy(grey, scan / "images")
    assert _verdict(coloured, scan).outcome is Outcome.INDETERMINATE


def test_a_golden_scan_again_is_known_by_its_colours(coloured: Inspector) -> None:
    verdict = _verdict(coloured, painted_bracket() / "golden")
    assert any(note.reason is Reason.DUPLICATE_VIEW for note in verdict.notes)


def test_a_red_glint_of_one_picture_fails_a_good_part(coloured: Inspector) -> None:
    """Put into the pictures of others, in its own colours, they would show it and do not."""
    placed = views_of(open_scan(painted_bracket() / "good"), DEFAULTS.max_gap_ns, np.inf)
    views = [view for view in placed if isinstance(view, View)]
    spoilt = views[1].picture.copy()
    spoilt[80:84, 80:84] = (230, 20, 20)
    views[1] = with_picture(views[1], spoilt)
    assert coloured.inspect(views).outcome is Outcome.PASS
