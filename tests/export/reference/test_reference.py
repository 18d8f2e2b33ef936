"""One golden scan in, a recipe out that loads, serves and knows what it cannot prove."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.kits.repository import ROOT
from voxgate.export.golden.disturbance import SHIFT_MM, TURN_DEG, placement, seen_again
from voxgate.export.golden.gloss import gloss
from voxgate.export.golden.golden import SURE_HITS, Golden, load_golden
from voxgate.export.golden.seen_again import FALSE_REJECTS, NominalScores, part_quantile
from voxgate.export.reference.filter_bank import FULL_SCALE
from voxgate.export.reference.reference import Detector, export_reference_recipe
from voxgate.runtime.comparison.expected import expect
from voxgate.runtime.engines.engine import open_engine
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.transforms import angle_deg

pytestmark = pytest.mark.slow

BRACKET = ROOT / "examples" / "bracket"
VIEWS = 3  # enough to align and to compare, quick enough for a test


@pytest.fixture(scope="module")
def small_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden scan with its first views only."""
    folder = tmp_path_factory.mktemp("part") / "golden"
    for kind in ("images", "depth"):
        shutil.copytree(BRACKET / "golden" / kind, folder / kind)
    for name in ("calibration.json", "grid.json"):
        shutil.copy(BRACKET / name, folder.parent / name)
    shutil.copy(BRACKET / "golden" / "robot_poses.jsonl", folder)
    lines = (BRACKET / "golden" / "frames.jsonl").read_text().splitlines()
    (folder / "frames.jsonl").write_text("\n".join(lines[:VIEWS]) + "\n")
    return folder


@pytest.fixture(scope="module")
def golden(small_scan: Path) -> Golden:
    return load_golden(small_scan)


@pytest.fixture(scope="module")
def exported(small_scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(small_scan, tmp_path_factory.mktemp("recipes") / "bracket")


class Exported:
    """One export with all that it said on the way."""

    def __init__(self, scan: Path, folder: Path) -> None:
        self.progress: list[tuple[int, int, str]] = []
        self.summary = export_reference_recipe(
            scan, folder, on_progress=lambda *step: self.progress.append(step)
        )
        self.recipe = Recipe.load(folder)
        self.folder = folder


def test_the_recipe_loads_and_serves(exported: Exported) -> None:
    recipe = exported.recipe
    assert len(recipe.plan.views) == len(recipe.reference) == VIEWS
    assert [spec.name for spec in recipe.manifest.inputs] == ["image", "reference", "gloss"]
    engine = open_engine(recipe)  # raises unless the probes give the recorded scores
    engine.close()


def test_a_probe_reaches_beyond_the_threshold(exported: Exported) -> None:
    assert all(probe.score.max() > 1 for probe in exported.recipe.probes)


def test_nominal_scores_stay_below_the_threshold(exported: Exported) -> None:
    threshold = exported.recipe.threshold
    assert threshold["threshold"] == 1.0
    assert threshold["full_scale_tolerances"] >= FULL_SCALE
    assert max(threshold["nominal"]["appearance"]) < 1
    assert max(threshold["nominal"]["geometry"]) < 1
    assert len(threshold["left_out"]["geometry"]) == VIEWS
    assert min(threshold["left_out"]["geometry"]) > 0  # each is held against something
    assert threshold["cannot_prove"]


@pytest.mark.parametrize(("rendered", "tolerance_mm"), [(False, 0.6), (True, 0.3)])
def test_steps_of_a_rendering_loosen_what_a_real_part_is_held_by(
    rendered: bool, tolerance_mm: float
) -> None:
    quiet, noisy = np.full(12, 0.1), np.full(12, 1.9)
    scores = NominalScores(quiet, quiet, noisy, views=12)
    found = Detector(b"", (), scores, 0.06, 1.0, ()).tolerance_mm(rendered)
    assert found == pytest.approx(tolerance_mm, rel=0.15)


def test_the_summary_is_json(exported: Exported) -> None:
    assert json.loads(json.dumps(exported.summary))["views"] == VIEWS


def test_progress_only_goes_forward_and_ends(exported: Exported) -> None:
    done = [step[0] for step in exported.progress]
    assert done == sorted(done)
    assert exported.progress[-1][0] == exported.progress[-1][1]
    assert all(step[0] <= step[1] for step in exported.progress)


def test_nothing_that_gives_the_truth_away_is_needed(exported: Exported, small_scan: Path) -> None:
    assert not (small_scan / "truth.json").exists()
    assert not (small_scan / "surface.npz").exists()
    assert exported.recipe.expected_ijk.size


def test_an_existing_recipe_is_never_overwritten(exported: Exported, small_scan: Path) -> None:
    with pytest.raises(RecipeError, match="exists"):
        export_reference_recipe(small_scan, exported.folder)


def test_a_golden_scan_without_depth_is_refused(small_scan: Path, tmp_path: Path) -> None:
    scan = tmp_path / "golden"
    shutil.copytree(small_scan, scan)
    for name in ("calibration.json", "grid.json"):
        shutil.copy(BRACKET / name, tmp_path)
    lines = [json.loads(line) for line in (scan / "frames.jsonl").read_text().splitlines()]
    lines[1]["depth"] = None
    (scan / "frames.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    with pytest.raises(ScanError, match="depth"):
        export_reference_recipe(scan, tmp_path / "recipe")


def test_expected_surface_is_the_true_surface(golden: Golden) -> None:
    with np.load(BRACKET / "golden" / "surface.npz") as file:
        true = {tuple(row) for row in file["ijk"].tolist()}
    found = [tuple(row) for row in golden.expected_ijk().tolist()]
    assert np.mean([voxel in true for voxel in found]) > 0.97
    assert SURE_HITS > 1


def test_metal_flickers_and_paint_does_not(golden: Golden) -> None:
    flicker = gloss(golden.views, golden.rays, golden.table_z_mm).grey
    assert flicker.shape == (VIEWS, *golden.rays.x.shape)
    seen = flicker[flicker > 0]
    assert 3 * np.median(seen) < np.percentile(seen, 99)


def test_the_table_has_no_gloss(golden: Golden) -> None:
    high = gloss(golden.views, golden.rays, table_z_mm=1e3)
    assert not high.grey.any()
    assert not high.shared.any()


@pytest.mark.parametrize("seed", range(5))
def test_placement_stays_within_the_fixture(seed: int) -> None:
    moved = placement(np.random.default_rng(seed))
    assert np.linalg.norm(moved[:3, 3]) <= SHIFT_MM
    assert angle_deg(moved, np.eye(4)) <= TURN_DEG + 1e-9


def test_a_part_seen_again_unmoved_is_itself(golden: Golden) -> None:
    view = golden.views[0]
    assert view.depth_mm is not None
    expected = expect(
        view.image,
        view.depth_mm,
        golden.rays,
        view.part_from_camera,
        golden.table_z_mm,
        gloss=np.zeros_like(view.image),
    )
    again = seen_again(view, expected, golden.rays, np.eye(4), np.random.default_rng(0))
    assert again.depth_mm is not None
    difference = again.depth_mm - view.depth_mm
    assert abs(np.nanmedian(difference)) < 0.01
    assert np.nanpercentile(np.abs(difference), 90) < 0.25  # noise of two measurements
    assert abs(again.image.astype(float) - view.image).mean() < 6


def test_the_quantile_covers_a_part_of_many_views() -> None:
    rng = np.random.default_rng(0)
    maxima = rng.gumbel(0.5, 0.05, 400)
    limit = part_quantile(maxima, views=12)
    parts = rng.gumbel(0.5, 0.05, (200_000, 12)).max(axis=1)
    assert np.mean(parts > limit) == pytest.approx(FALSE_REJECTS, rel=0.6)


def test_scores_without_spread_still_give_a_quantile() -> None:
    assert np.isfinite(part_quantile(np.full(12, 0.3), views=12))
