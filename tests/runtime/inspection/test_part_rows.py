"""The fault table of parts: whatever is wrong with one is never PASS, and has its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.part_rows import ROWS, Stage
from tests.kits.small_scan import small_bracket
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.geometry.projected import project_into
from voxgate.runtime.inspection.equipment import Equipment
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, View
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.volume.surface import Surface

PLACES = 2
FOOT_MM = 4.0
LEAST_SEEN = 6  # views: half of them

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inspector(small_recipe: Path) -> Iterator[Inspector]:
    calibration = open_scan(small_bracket() / "good").calibration
    made = Inspector.open(Recipe.load(small_recipe), calibration, Limits())
    yield made
    made.close()


@pytest.fixture(scope="module")
def stage(inspector: Inspector) -> Stage:
    """Places in the middle of the largest pieces that look up, far apart."""
    surface = inspector.equipment.surface
    up = surface.normals[:, 2] > 0.95
    points, normals = surface.points_mm[up], surface.normals[up]
    around = np.linalg.norm(points[:, None] - points[None], axis=-1)
    order = np.argsort(-(around < 10.0).sum(axis=0), kind="stable")
    chosen: list[int] = []
    for number in order:
        if all(around[number, other] > 30.0 for other in chosen):
            chosen.append(int(number))
    first = chosen[:PLACES]
    return Stage(
        *(inspector.equipment.rays, inspector.recipe.grid, points[first], normals[first]),
        *(_foot(surface), _shiny(inspector.equipment), _views("golden")),
    )


def _foot(surface: Surface) -> npt.NDArray[np.float64]:
    """(3,) of the pieces that look up the one beside most that look to a side and lie higher."""
    up, side = surface.normals[:, 2] > 0.95, np.abs(surface.normals[:, 2]) < 0.3
    faces, walls = surface.points_mm[up], surface.points_mm[side]
    away = walls[None] - faces[:, None]
    beside = (np.linalg.norm(away, axis=-1) < FOOT_MM) & (away[..., 2] > 0.0)
    return np.asarray(faces[beside.sum(axis=1).argmax()])


def _shiny(equipment: Equipment) -> npt.NDArray[np.float64]:
    """(3,) of the places that LEAST_SEEN views see the one that flickers most for its grey."""
    points = equipment.surface.points_mm
    flicker, views = np.zeros(len(points)), np.zeros(len(points))
    for golden in equipment.golden:
        at = project_into(points, golden.part_from_camera, equipment.rays)
        pixels = at.rows, at.columns
        seen = at.inside & (np.abs(golden.depth_mm[pixels] - at.depth_mm) < 1.0)
        flicker += seen * golden.gloss[pixels] / np.maximum(golden.image[pixels], 20.0)
        views += seen
    mean = np.where(views >= LEAST_SEEN, flicker / np.maximum(views, 1), 0)
    return np.asarray(points[np.argmax(mean)])


def _views(name: str) -> list[View]:
    found = views_of(open_scan(small_bracket() / name), DEFAULTS.max_gap_ns, 1.0)
    return [view for view in found if isinstance(view, View)]


@pytest.mark.parametrize("kind", ROWS)
def test_what_is_wrong_with_a_part_is_PASS(kind: str, inspector: Inspector, stage: Stage) -> None:
    row = ROWS[kind]
    verdict = inspector.inspect(row.spoil(_views("good"), stage))
    assert verdict.outcome in row.outcomes, verdict.notes
    assert set(row.reasons) & set(verdict.reasons), verdict.notes


def test_a_good_part_that_no_row_spoils_is_rejected(inspector: Inspector) -> None:
    assert inspector.inspect(_views("good")).outcome is Outcome.PASS
