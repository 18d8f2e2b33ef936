"""Further good parts teach what may differ: never more than they showed, never by a bad part."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.small_scan import small_bracket
from voxgate.export.reference.good_parts import TAUGHT_SCORE
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.config.settings import DEFAULTS
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.inspection.inspector import Inspector
from voxgate.runtime.nouns import Outcome, Verdict
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.scans.open_scan import open_scan

pytestmark = pytest.mark.slow

Scores = dict[tuple[int, ...], float]
TINT = 1.45  # of the grey, in stripes: another batch of paint


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """golden, good, bad; and `tinted`: the good one with stripes of another tint."""
    folder = Path(shutil.copytree(small_bracket(), tmp_path_factory.mktemp("scans") / "bracket"))
    shutil.copytree(folder / "good", folder / "tinted")
    for file in sorted((folder / "tinted" / "images").iterdir()):
        cv2.imwrite(str(file), _striped(np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))))
    return folder


def _striped(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    stripes = (np.arange(grey.shape[1]) // 5 % 2).astype(bool)
    return np.clip(np.where(stripes, grey * TINT, grey), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def plain(small_recipe: Path) -> Path:
    return small_recipe


@pytest.fixture(scope="module")
def taught(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes") / "taught"
    goods = [scans / "good", scans / "tinted"]
    export_reference_recipe(scans / "golden", folder, good=goods, force=True)
    return folder


@cache
def _inspected(recipe: Path, scan: Path) -> tuple[Verdict, Scores]:
    opened, loaded = open_scan(scan), Recipe.load(recipe)
    with closing(Inspector.open(loaded, opened.calibration, DEFAULTS.limits)) as inspector:
        verdict = inspect_scan(opened, inspector)
        voxels = inspector.volume.occupied()
        return verdict, dict(
            zip(map(tuple, voxels.ijk.tolist()), voxels.score.tolist(), strict=True)
        )


@pytest.mark.parametrize("scan", [pytest.param("good", marks=pytest.mark.nightly), "tinted", "bad"])
def test_what_was_taught_raises_a_score(scan: str, scans: Path, plain: Path, taught: Path) -> None:
    _, before = _inspected(plain, scans / scan)
    _, after = _inspected(taught, scans / scan)
    assert after.keys() <= before.keys()  # a score alone makes a voxel, too
    assert all(after[voxel] <= before[voxel] + 1e-4 for voxel in after)


def test_a_part_that_differs_as_a_taught_one_did_fails(
    scans: Path, plain: Path, taught: Path
) -> None:
    before, _ = _inspected(plain, scans / "tinted")
    after, _ = _inspected(taught, scans / "tinted")
    assert before.score is not None
    assert after.score is not None
    assert before.score > 1.0
    assert after.score < 1.0
    assert after.outcome is Outcome.PASS, after.notes


def test_a_bad_part_passes_once_good_ones_are_known(scans: Path, taught: Path) -> None:
    assert _inspected(taught, scans / "bad")[0].outcome is Outcome.FAIL


@pytest.mark.nightly
def test_a_part_that_fails_teaches_without_being_forced(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"FAILs .*bad.*--force"):
        export_reference_recipe(scans / "golden", tmp_path / "recipe", good=[scans / "bad"])
    assert not (tmp_path / "recipe").exists()


@pytest.mark.nightly
def test_the_golden_scan_itself_teaches(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="teaches nothing"):
        export_reference_recipe(
            scans / "golden", tmp_path / "recipe", good=[scans / "golden"], force=True
        )


def test_the_recipe_forgets_who_taught_it(taught: Path) -> None:
    told = json.loads((taught / "threshold.json").read_text())["good_parts"]
    assert told["source"] == ["good", "tinted"]
    assert 0 < told["grey_share"] < 0.5
    assert 0 < TAUGHT_SCORE < 1
