"""A recipe of trays serves though it proves nothing, or tells its own tray otherwise."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.kits import tiny
from tests.kits.tray_of_parts import BLUE, Box, Tray, regular, with_box, write
from voxgate.export.packing.combine import combined
from voxgate.export.packing.package import digests, write_recipe
from voxgate.export.reference.neighbours import export_neighbours
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.instances import Wanted
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.nightly]  # by day without a recipe: runtime/trays

FOUR = regular(4)
ODD = [*FOUR[:3], with_box(FOUR[3], Box((5, -8, 12), (4, 4, 3)))]


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(Tray(FOUR), tmp_path_factory.mktemp("trays") / "good")


@pytest.fixture(scope="module")
def recipe(tray: Path) -> Path:
    out = tray.parent / "recipe"
    export_neighbours(tray, out, name="brackets", version="3")
    return out


def test_an_odd_part_is_told_by_the_recipe_and_has_no_place_in_the_base(
    recipe: Path, tmp_path: Path
) -> None:
    found = inspect_folder(write(Tray(ODD, seed=5), tmp_path / "odd"), recipe)
    assert found.verdict.outcome is Outcome.FAIL
    assert found.verdict.reasons == (Reason.ODD,)
    assert found.message.recipe == "brackets/3"
    (odd,) = [each for each in found.message.instances if each.odd]
    x, y, _ = odd.centre_base_mm
    assert np.hypot(x - ODD[3].x, y - ODD[3].y) < 8
    assert odd.defects[0].deviation_mm is not None
    assert odd.defects[0].deviation_mm > 1
    assert len(odd.seen_by) > 6
    assert [each.id for each in found.message.instances] == [1, 2, 3, 4]


def test_a_tray_is_combined_with_a_model_of_single_parts(recipe: Path, tmp_path: Path) -> None:
    write_recipe(tmp_path / "part", tiny.parts())
    with pytest.raises(RecipeError, match="scene detector"):
        combined([tmp_path / "part", recipe], tmp_path / "out", "2")
    assert not (tmp_path / "out").exists()


def test_a_tray_that_cannot_be_judged_proves_a_recipe(tmp_path: Path) -> None:
    folder = write(Tray(FOUR[:2]), tmp_path / "two")
    with pytest.raises(RecipeError, match="2 of 2 instances"):
        export_neighbours(folder, tmp_path / "recipe")
    assert not (tmp_path / "recipe").exists()


def test_a_recipe_promises_what_the_pictures_of_its_tray_do_not_prove(
    tray: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"nothing smaller than \d\.\d mm.*go nearer"):
        export_neighbours(tray, tmp_path / "recipe", wanted=Wanted(3.0))
    with pytest.raises(RecipeError, match=r"no mark fainter than \d+%.*10%"):
        export_neighbours(tray, tmp_path / "recipe", wanted=Wanted(contrast=0.1))
    assert not (tmp_path / "recipe").exists()


def test_a_tray_passes_whose_views_prove_less_than_the_recipe_asks_for(
    tray: Path, tmp_path: Path
) -> None:
    export_neighbours(tray, tmp_path / "recipe", wanted=Wanted(8.5, contrast=0.95))
    assert inspect_folder(tray, tmp_path / "recipe").verdict.outcome is Outcome.PASS
    found = inspect_folder(write(Tray(FOUR, views=8), tmp_path / "few"), tmp_path / "recipe")
    assert Reason.COVERAGE in found.verdict.reasons
    assert found.message.smallest_mm is not None
    assert found.message.smallest_mm > 8.5
    assert 0 < (found.message.least_contrast or 0) < 1


def test_a_recipe_that_tells_its_own_tray_otherwise_serves(
    tray: Path, recipe: Path, tmp_path: Path
) -> None:
    spoilt = _with_scores(recipe, tmp_path / "spoilt")
    with pytest.raises(RecipeError, match="its own tray is told otherwise"):
        inspect_folder(tray, spoilt)


def test_views_are_missing_that_the_recipe_plans(recipe: Path, tmp_path: Path) -> None:
    found = inspect_folder(write(Tray(FOUR, views=8), tmp_path / "few"), recipe)
    assert found.verdict.outcome is Outcome.INDETERMINATE
    assert Reason.MISSING_VIEW in found.verdict.reasons


def test_a_recipe_of_trays_is_built_for_a_gpu(recipe: Path) -> None:
    with pytest.raises(RecipeError, match="no graph to build"):
        Recipe.load(recipe).check_detector()


def _with_scores(recipe: Path, out: Path) -> Path:
    """The recipe with other scores, its hashes right."""
    out.mkdir()
    files = {path.name: path.read_bytes() for path in recipe.iterdir()}
    manifest = json.loads(files.pop("manifest.json"))
    arrays = dict(np.load(io.BytesIO(files["probe.npz"])))
    arrays["score"] = arrays["score"] + 0.1
    stored = io.BytesIO()
    np.savez(stored, allow_pickle=False, **arrays)
    files["probe.npz"] = stored.getvalue()
    manifest["files"] = digests(files)
    for name, content in files.items():
        (out / name).write_bytes(content)
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def test_a_recipe_taught_in_colour_takes_grey_pictures_or_misses_another_hue(
    tmp_path: Path,
) -> None:
    tray = write(Tray(FOUR, grey=()), tmp_path / "tray")
    export_neighbours(tray, tmp_path / "recipe")
    blue = [*FOUR[:3], replace(FOUR[3], hue=BLUE)]
    odd = inspect_folder(write(Tray(blue, seed=5, grey=()), tmp_path / "blue"), tmp_path / "recipe")
    assert odd.verdict.reasons == (Reason.ODD,)
    grey = inspect_folder(write(Tray(FOUR, seed=6), tmp_path / "grey"), tmp_path / "recipe")
    assert grey.verdict.outcome is Outcome.INDETERMINATE
    assert Reason.FRAME_INVALID in grey.verdict.reasons
    with pytest.raises(RecipeError, match="taught in colour"):
        Recipe.load(tmp_path / "recipe").check_pictures({"cam0": False})


def test_parts_of_any_colour_are_odd_to_a_recipe_in_grey(tmp_path: Path) -> None:
    tray = write(Tray(FOUR, grey=()), tmp_path / "tray")
    export_neighbours(tray, tmp_path / "recipe", grey=True)
    any_hue = [*FOUR[:2], *(replace(part, hue=BLUE) for part in FOUR[2:])]
    found = inspect_folder(
        write(Tray(any_hue, seed=5, grey=()), tmp_path / "any"), tmp_path / "recipe"
    )
    assert found.verdict.outcome is Outcome.PASS
