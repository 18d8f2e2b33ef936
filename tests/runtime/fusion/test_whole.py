"""Volume detectors and models that score alone: what is not proven good is still not PASS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import tiny
from tests.kits.small_scan import small_bracket
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.engines.engine import Tensor
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.fusion.voxels import section_around
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Reason, Verdict, View
from voxgate.runtime.recipe.contents import Probe
from voxgate.runtime.recipe.manifest import Manifest, TensorSpec, VoxelSection
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.sections.shapes import FpfhSection
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.placed import views_of
from voxgate.runtime.scans.scan import Scan

pytestmark = pytest.mark.slow

CELLS = 32
CUBE = (1, 1, CELLS, CELLS, CELLS)
Score = npt.NDArray[np.float32]


class CubeEngine:
    """Gives the same volume of scores to every part."""

    backend = "cube"
    inputs = (TensorSpec(name="occupied", dtype="uint8", shape=CUBE),)
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, score: Score) -> None:
        self.score = score
        self.occupied: Tensor | None = None

    def run(self, inputs: dict[str, Tensor]) -> Score:
        if inputs["occupied"].any():  # the part, not the probe
            self.occupied = inputs["occupied"]
        return self.score[None, None]

    def close(self) -> None:
        """Nothing to give back."""


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Recipe:
    return Recipe.load(small_recipe)


def section(recipe: Recipe) -> VoxelSection:
    return section_around(recipe.grid.centres_mm(recipe.expected_ijk), CELLS)


def as_volume(recipe: Recipe, cube: VoxelSection) -> Recipe:
    changes: dict[str, Any] = {
        "detector": "volume",
        "voxels": cube,
        "inputs": CubeEngine.inputs,
        "output": TensorSpec(name="score", dtype="float32", shape=CUBE),
        "geometry": False,
    }
    silence = Probe({"occupied": np.zeros(CUBE, np.uint8)}, quiet())
    manifest = recipe.manifest.model_copy(update=changes)
    return replace(recipe, manifest=manifest, probes=(silence,))


def views(scan: Scan) -> list[View]:
    found = [view for view in views_of(scan, DEFAULTS.max_gap_ns, 1.0) if isinstance(view, View)]
    assert len(found) == 12
    return found


def inspect(recipe: Recipe, engine: Any, scan: str, only: Sequence[int] = range(12)) -> Verdict:
    opened = open_scan(small_bracket() / scan)
    inspector = Inspector(recipe, opened.calibration, engine, Limits())
    try:
        inspector.start()
        for number, view in enumerate(views(opened)):
            if number in only:
                inspector.add(view)
        return inspector.finish()
    finally:
        inspector.close()


def quiet() -> Score:
    return np.zeros(CUBE[2:], np.float32)


def test_a_quiet_volume_passes_and_has_seen_the_part(recipe: Recipe) -> None:
    engine = CubeEngine(quiet())
    verdict = inspect(as_volume(recipe, section(recipe)), engine, "good")
    assert verdict.outcome is Outcome.PASS, verdict.notes
    assert engine.occupied is not None
    assert 500 < int(np.sum(engine.occupied)) < CELLS**3 / 2


def test_a_cell_over_the_threshold_is_a_defect_where_it_lies(recipe: Recipe) -> None:
    cube = section(recipe)
    point = recipe.grid.centres_mm(recipe.expected_ijk)[1000]
    cell = tuple(((point - cube.origin_mm) / cube.cell_mm).astype(int))
    score = quiet()
    score[cell] = 3.0
    verdict = inspect(as_volume(recipe, cube), CubeEngine(score), "good")
    assert verdict.outcome is Outcome.FAIL
    assert verdict.score == pytest.approx(3.0)
    assert np.linalg.norm(np.array(verdict.defects[0].centroid_part_mm) - point) < 2 * cube.cell_mm


def test_a_defect_in_empty_space_does_not_vanish(recipe: Recipe) -> None:
    engine = CubeEngine(quiet())
    cube = section(recipe)
    volume = as_volume(recipe, cube)
    inspect(volume, engine, "good")
    assert engine.occupied is not None
    empty = np.argwhere(np.asarray(engine.occupied)[0, 0] == 0)
    inside = recipe.grid.voxels_of(np.asarray(cube.origin_mm) + cube.cell_mm * (empty + 0.5))
    fits = ((inside >= 3) & (inside < np.array(recipe.grid.shape) - 3)).all(axis=1)
    high = (np.asarray(cube.origin_mm)[2] + cube.cell_mm * empty[:, 2]) > 10
    engine.score[tuple(empty[fits & high][0])] = 2.0
    assert inspect(volume, engine, "good").outcome is Outcome.FAIL


def test_a_defect_beside_the_grid_is_never_a_pass(recipe: Recipe) -> None:
    cube = VoxelSection(origin_mm=(5000.0, 0.0, 50.0), cell_mm=2.0, cells=CELLS)
    score = quiet()
    score[0, 0, 0] = 2.0
    verdict = inspect(as_volume(recipe, cube), CubeEngine(score), "good")
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.OUT_OF_GRID in verdict.reasons


def test_a_burr_beside_the_cube_is_never_a_pass(recipe: Recipe) -> None:
    cube = section(recipe)
    shorter = VoxelSection(  # the last of the part sticks out of it, as a burr would
        origin_mm=(cube.origin_mm[0] + 3 * cube.cell_mm, *cube.origin_mm[1:]),
        cell_mm=cube.cell_mm,
        cells=CELLS,
    )
    verdict = inspect(as_volume(recipe, shorter), CubeEngine(quiet()), "good")
    assert verdict.outcome is Outcome.INDETERMINATE
    assert any("beside the cube" in note.detail for note in verdict.notes)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_volume_that_is_no_number_is_never_a_pass(recipe: Recipe, bad: float) -> None:
    score = quiet()
    score[3, 3, 3] = bad
    verdict = inspect(as_volume(recipe, section(recipe)), CubeEngine(score), "good")
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in verdict.reasons


def test_a_missing_view_is_missing_for_a_volume_too(recipe: Recipe) -> None:
    verdict = inspect(as_volume(recipe, section(recipe)), CubeEngine(quiet()), "good", range(11))
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.MISSING_VIEW in verdict.reasons


def test_missing_surface_is_not_a_pass_when_the_model_scores_alone(recipe: Recipe) -> None:
    verdict = inspect(as_volume(recipe, section(recipe)), CubeEngine(quiet()), "bad")
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.COVERAGE in verdict.reasons


def test_a_tray_is_inspected_as_one_part(recipe: Recipe) -> None:
    scene = replace(recipe, manifest=recipe.manifest.model_copy(update={"detector": "scene"}))
    calibration = open_scan(small_bracket() / "good").calibration
    with pytest.raises(RecipeError, match="compares the parts of a tray"):
        Inspector.open(scene, calibration, Limits())


def test_a_recipe_for_pictures_of_another_size_is_refused(recipe: Recipe) -> None:
    small = TensorSpec(name="score", dtype="float32", shape=(1, 1, 60, 80))
    other = replace(recipe, manifest=recipe.manifest.model_copy(update={"output": small}))
    calibration = open_scan(small_bracket() / "good").calibration
    with pytest.raises(RecipeError, match="this camera"):
        other.check_calibration(calibration)


def test_descriptors_that_cannot_be_made_are_never_a_pass(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crowded(*_: object) -> None:
        raise ValueError("too many points")

    monkeypatch.setattr("voxgate.runtime.inspection.inputs.description", crowded)
    shape = TensorSpec(name="fpfh", dtype="float32", shape=(1, 33, 75, 100))
    changes = {"inputs": (shape,), "fpfh": FpfhSection(step_px=8)}
    asked = replace(recipe, manifest=recipe.manifest.model_copy(update=changes))
    verdict = inspect(asked, CubeEngine(quiet()), "good")
    assert verdict.outcome is Outcome.INDETERMINATE
    assert Reason.ENGINE_FAILED in verdict.reasons


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detector": "volume"}, "needs voxels"),
        ({"voxels": VoxelSection(origin_mm=(0, 0, 0), cell_mm=1)}, "has no voxels"),
        (
            {"inputs": (TensorSpec(name="fpfh", dtype="float32", shape=(1, 33, 6, 8)),)},
            "both or neither",
        ),
        (
            {"output": TensorSpec(name="score", dtype="float32", shape=(1, 1, 3, 3, 3))},
            "must have 4 dimensions",
        ),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    fields = tiny.manifest().model_dump()
    with pytest.raises(ValueError, match=words):
        Manifest(**(fields | changes))
