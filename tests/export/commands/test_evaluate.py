"""`voxgate evaluate` on scans: the inspector's own verdicts, kept, taken up again, in parallel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kits.small_scan import small_bracket
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.export.evaluation.records import StoredVolumes
from voxgate.export.evaluation.run.evaluate import Evaluation, Plan, evaluate
from voxgate.export.packing.rewrite import rewritten
from voxgate.export.reference.reference import export_reference_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.manifest import ZONES_FILE
from voxgate.runtime.recipe.zones import Zones, write_zones

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One part type in the public layout: a good and a bad scan, small."""
    folder = Path(shutil.copytree(small_bracket(), tmp_path_factory.mktemp("data") / "bracket"))
    (folder / "test").mkdir()
    for name in ("good", "bad"):
        (folder / name).rename(folder / "test" / name)
    return folder


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Path:
    return small_recipe


@pytest.fixture(scope="module")
def found(part: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluate(Plan(source=recipe, folder=part, store=tmp_path_factory.mktemp("store")))


@pytest.fixture
def store(found: Evaluation, tmp_path: Path) -> Path:
    """A store that knows both scans already."""
    return Path(shutil.copytree(found.store.folder, tmp_path / "store"))


def test_the_verdicts_are_those_of_inspect(part: Path, recipe: Path, found: Evaluation) -> None:
    for record in found.records:
        verdict = inspect_folder(part / "test" / Path(record.name).name, recipe).verdict
        assert (record.outcome, record.score) == (verdict.outcome.value, verdict.score)


def test_the_rule_of_the_runtime_is_the_maximum(found: Evaluation) -> None:
    for record in found.records:
        arrays = found.store.arrays(record.name)
        assert np.array_equal(arrays["rule:max"], arrays["scores"])
        assert record.rules["max"] == record.score


@pytest.mark.nightly  # by day: tests/export/quality
def test_zones_hold_for_every_rule(part: Path, recipe: Path, tmp_path: Path) -> None:
    zones = write_zones(Zones.whole(0.8, 2.0))
    rewritten(recipe, tmp_path / "2", "2", {ZONES_FILE: zones})
    scaled = evaluate(Plan(source=tmp_path / "2", folder=part, store=tmp_path / "store"))
    for record in scaled.records:
        arrays = scaled.store.arrays(record.name)
        assert np.allclose(arrays["rule:max"], arrays["scores"], rtol=1e-6)


def test_labels_and_defects_are_the_truths(found: Evaluation) -> None:
    bad, good = found.records
    assert (bad.anomalous, good.anomalous) == (True, False)
    assert len(bad.defects) > 0
    assert all(defect.type for defect in bad.defects)
    assert found.types[0].figures["I-AUROC"] == 1.0


def test_a_second_run_inspects_nothing_again(part: Path, recipe: Path, found: Evaluation) -> None:
    again = evaluate(Plan(source=recipe, folder=part, store=found.store.folder))
    assert again.reused == 2
    assert again.records == found.records


def test_a_scan_that_changed_is_inspected_again(
    part: Path, recipe: Path, store: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(part, tmp_path / "bracket")
    with np.load(copy / "test" / "good" / "surface.npz") as file:
        np.savez(copy / "test" / "good" / "surface.npz", ijk=file["ijk"][:-1])
    assert evaluate(Plan(source=recipe, folder=copy, store=store)).reused < 2


@pytest.mark.nightly  # by day a scan that changed, above
def test_a_half_written_result_is_made_again(
    part: Path, recipe: Path, found: Evaluation, store: Path
) -> None:
    (store / f"{found.records[0].name}.npz").unlink()
    (store / f"{found.records[1].name}.json").write_text("{")
    again = evaluate(Plan(source=recipe, folder=part, store=store))
    assert again.reused == 0
    assert [r.score for r in again.records] == [r.score for r in found.records]


@pytest.mark.nightly  # by day, with scores that were made elsewhere: test_bad_files.py
def test_two_processes_give_the_same_numbers(
    part: Path, recipe: Path, found: Evaluation, tmp_path: Path
) -> None:
    split = evaluate(Plan(source=recipe, folder=part, store=tmp_path, jobs=2))
    assert split.types[0].figures == found.types[0].figures
    assert split.types[0].rules == found.types[0].rules


def test_a_broken_scan_is_named_and_the_others_are_judged(
    part: Path, recipe: Path, store: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(part, tmp_path / "bracket")
    (copy / "test" / "good" / "images" / "03.jpg").unlink()
    broken = evaluate(Plan(source=recipe, folder=copy, store=store))
    assert len(broken.records) == 1
    assert "03.jpg" in broken.failed[0]
    result = CliRunner().invoke(
        app,
        [
            "evaluate",
            str(recipe),
            str(copy),
            "--work",
            str(tmp_path / "w"),
            "--jobs",
            "1",
            "--json",
        ],
    )
    assert result.exit_code == 2
    assert "03.jpg" in json.loads(result.stdout)["failed"][0]


@pytest.mark.parametrize("content", [b"", b"\x89MCAP0\r\n and no more"])
def test_a_recording_that_cannot_be_opened_ends_the_evaluation(
    part: Path, recipe: Path, store: Path, tmp_path: Path, content: bytes
) -> None:
    copy = shutil.copytree(part, tmp_path / "bracket")
    (copy / "test" / "cut.mcap").write_bytes(content)
    shutil.copy(copy / "test" / "good" / "surface.npz", copy / "test" / "cut.surface.npz")
    found = evaluate(Plan(source=recipe, folder=copy, store=store))
    assert len(found.records) == 2
    (line,) = found.failed
    assert "cut.mcap" in line


def test_a_scan_without_truth_says_so(part: Path, recipe: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(part, tmp_path / "bracket")
    (copy / "test" / "good" / "surface.npz").unlink()
    assert "surface.npz" in open_dataset(copy).missing[0]


def test_json_has_every_figure(part: Path, recipe: Path, found: Evaluation) -> None:
    work = found.store.folder.parent / "cli"
    result = CliRunner().invoke(
        app, ["evaluate", str(recipe), str(part), "--work", str(work), "--jobs", "1", "--json"]
    )
    assert result.exit_code == 0
    (figures,) = json.loads(result.stdout)["types"]
    assert set(figures["figures"]) == {"I-AUROC", "V-AUPRO@1%", "FPR@95TPR"}
    assert len(figures["fusion_rules"]) == 4
    assert figures["stage_ms_p50_p99_max"]["engine"][0] > 0


def test_a_folder_that_is_no_data_set_lists_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="mvtec3d"):
        open_dataset(tmp_path)


def test_a_recipe_for_another_part_is_refused(part: Path, recipe: Path, tmp_path: Path) -> None:
    other = shutil.copytree(part, tmp_path / "other")
    calibration = json.loads((other / "calibration.json").read_text())
    (other / "calibration.json").write_text(json.dumps({**calibration, "part": "other"}))
    with pytest.raises(ScanError, match="other"):
        evaluate(Plan(source=recipe, folder=other, store=tmp_path / "store"))


def test_two_recipes_for_one_part_are_not_guessed_between(
    part: Path, recipe: Path, tmp_path: Path
) -> None:
    for version in ("1", "2"):
        shutil.copytree(recipe, tmp_path / "shelf" / version)
    with pytest.raises(RecipeError, match="both for"):
        evaluate(Plan(source=tmp_path / "shelf", folder=part, store=tmp_path / "store"))


def test_scores_made_elsewhere_give_the_same_figures(
    part: Path, found: Evaluation, tmp_path: Path
) -> None:
    for record in found.records:
        arrays = found.store.arrays(record.name)
        path = tmp_path / "scores" / f"{record.name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, ijk=arrays["ijk"], score=arrays["scores"], part_score=record.score)
    stored = evaluate(Plan(source=tmp_path / "scores", folder=part, store=tmp_path / "store"))
    assert stored.types[0].figures == found.types[0].figures


def test_stored_volumes_are_read_one_at_a_time(found: Evaluation) -> None:
    volumes = StoredVolumes(found.store, tuple(r.name for r in found.records))
    assert [len(v.scores) for v in volumes] == [len(volumes[0].scores), len(volumes[1].scores)]
    assert len(volumes[1:]) == 1


@pytest.mark.nightly
def test_a_rendered_recipe_judges_shape_alone_and_says_so(part: Path, tmp_path: Path) -> None:
    summary = export_reference_recipe(part / "golden", tmp_path / "r", rendered=True)
    assert summary["nominal_appearance"] < 0.01
    threshold = json.loads((tmp_path / "r" / "threshold.json").read_text())
    assert "scratches" in threshold["cannot_prove"]
    assert inspect_folder(part / "test" / "good", tmp_path / "r").verdict.outcome.value == "PASS"
    assert inspect_folder(part / "test" / "bad", tmp_path / "r").verdict.outcome.value == "FAIL"
