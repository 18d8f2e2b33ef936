"""A line on a real part's surface: all views of it are asked together what they see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.repository import BRACKET
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.engines.engine import open_engine
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.transforms import apply

pytestmark = pytest.mark.nightly  # by day on a part of boxes: tests/runtime/consensus/test_faint.py

LINE_MM = np.array([[40.0, -33.0, 14.0], [70.0, -33.0, 14.0]])  # on the bracket's foot
WIDE_MM = 1.0
FACE_MM = 1.5
LEAVES = 0.65  # of the grey


@pytest.fixture(scope="module")
def inspector(bracket_recipe: Path) -> Iterator[Inspector]:
    recipe = Recipe.load(bracket_recipe)
    calibration = open_scan(BRACKET / "good").calibration
    made = Inspector(recipe, calibration, open_engine(recipe), Limits())
    yield made
    made.close()


@pytest.fixture(scope="module")
def good() -> list[View]:
    found = views_of(open_scan(BRACKET / "good"), 10**9, np.inf)
    return [view for view in found if isinstance(view, View)]


def test_a_line_in_all_pictures_is_not_asked_of_them_together(
    inspector: Inspector, good: list[View]
) -> None:
    inspector.inspect([_with_line(inspector, view) for view in good])
    assert _agreed(inspector).max() >= 1.0


def test_a_line_in_one_picture_is_what_all_of_them_say(
    inspector: Inspector, good: list[View]
) -> None:
    inspector.inspect([_with_line(inspector, good[0]), *good[1:]])
    assert not _agreed(inspector).any()


def _agreed(inspector: Inspector) -> npt.NDArray[np.float32]:
    faint = inspector.equipment.together.faint
    assert faint is not None, "the default detector compares pictures"
    return faint.agreed()[1]


def _with_line(inspector: Inspector, view: View) -> View:
    assert view.depth_mm is not None
    rays = inspector.equipment.rays
    points = apply(view.part_from_camera, rays.points(view.depth_mm).astype(np.float64))
    near = _off_line_mm(points.reshape(-1, 3)).reshape(view.image.shape) < WIDE_MM / 2
    image = np.where(near, np.rint(view.image * LEAVES), view.image).astype(np.uint8)
    return replace(view, image=image)


def _off_line_mm(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n,) of points (n, 3) of the foot's face; NaN where they are not known, or elsewhere."""
    along = LINE_MM[1] - LINE_MM[0]
    share = np.clip((points - LINE_MM[0]) @ along / (along @ along), 0, 1)
    beside = points - LINE_MM[0] - share[:, None] * along
    on_face = np.abs(beside[:, 2]) < FACE_MM
    return np.where(on_face, np.linalg.norm(beside[:, :2], axis=1), np.nan)
