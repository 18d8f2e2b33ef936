"""`voxgate combine`: recipes that do not belong together are refused by what differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.kits import several, tiny
from voxgate.export.packing.combine import combined
from voxgate.export.packing.package import RecipeParts, SensedViews, write_recipe
from voxgate.export.packing.rewrite import rewritten
from voxgate.runtime.cli import app
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.manifest import ZONES_FILE, GridSection, WorkingSection
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.recipe.zones import Zones, write_zones

HALF = WorkingSection(block_px=2, width_px=32, height_px=24, pixel_mm=1.0)
GRID = GridSection(origin_mm=(-10.0, -10.0, 0.0), shape=(10, 10, 5), voxel_mm=2.5, table_z_mm=1.0)


def _other_plan() -> ViewPlan:
    return replace(tiny.parts().plan, max_angle_deg=3.0)


def _other_views() -> RecipeParts:
    parts = several.other_parts()
    assert parts.reference is not None
    darker = replace(parts.reference, image=parts.reference.image // 2)
    return replace(parts, reference=darker)


def _with_sensor(parts: RecipeParts, count: int) -> RecipeParts:
    """The golden views as a sensor beside the camera would have filled them up."""
    reference = parts.reference
    assert reference is not None
    depth = np.full_like(reference.depth_counts, count)
    sensed = SensedViews(depth, reference.part_from_camera)
    return replace(parts, reference=replace(reference, sensed=sensed))


STRANGERS: dict[str, tuple[RecipeParts, str]] = {
    "another part": (several.other_parts(manifest={"part": "nut"}), "parts 'tiny' and 'nut'"),
    "another calibration": (
        several.other_parts(manifest={"calibration_digest": "1" * 64}),
        "two calibrations",
    ),
    "another grid": (several.other_parts(manifest={"grid": GRID}), "grids differ"),
    "another plan": (several.other_parts(plan=_other_plan()), "view plans differ"),
    "another surface": (
        several.other_parts(expected_ijk=np.array([[1, 2, 3]], np.int32)),
        "other surfaces",
    ),
    "other golden views": (_other_views(), "golden views differ"),
    "rendered golden views": (
        several.other_parts(manifest={"rendered": True}),
        "golden views differ",
    ),
    "another resolution": (
        several.other_parts(manifest={"working": HALF}),
        "different resolutions",
    ),
    "the same model": (
        several.other_parts(model=tiny.difference_model(), probes=(tiny.probe(),)),
        "adds nothing",
    ),
    "the method twice": (
        replace(several.other_parts(), manifest=tiny.manifest(name="other")),
        "a detector called difference already: .*--as NAME",
    ),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_recipes_that_do_not_belong_together_are_refused(stranger: str, tmp_path: Path) -> None:
    parts, told = STRANGERS[stranger]
    write_recipe(tmp_path / "a", tiny.parts())
    write_recipe(tmp_path / "b", parts)
    with pytest.raises(RecipeError, match=told):
        combined([tmp_path / "a", tmp_path / "b"], tmp_path / "out", "2")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [4001, None])
def test_what_sensors_beside_the_camera_measured_is_not_compared(
    count: int | None, tmp_path: Path
) -> None:
    other = several.other_parts()
    write_recipe(tmp_path / "a", _with_sensor(tiny.parts(), 4000))
    write_recipe(tmp_path / "b", other if count is None else _with_sensor(other, count))
    with pytest.raises(RecipeError, match="golden views differ"):
        combined([tmp_path / "a", tmp_path / "b"], tmp_path / "out", "2")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["model"], "called model already"),
        (["geometry"], "called geometry already"),
        (["Two"], "small letters"),
        (["../x"], "small letters"),
        (["a", "b"], "1 times, got 2"),
    ],
)
def test_a_name_that_a_detector_cannot_have_is_refused(
    names: Sequence[str], told: str, tmp_path: Path
) -> None:
    several.write_tiny(tmp_path)
    with pytest.raises(RecipeError, match=told):
        combined([tmp_path / "a" / "1", tmp_path / "b" / "1"], tmp_path / "out", "2", names)


def test_one_recipe_or_too_many_are_refused(tmp_path: Path) -> None:
    write_recipe(tmp_path / "a", tiny.parts())
    for count in (1, 6):
        with pytest.raises(RecipeError, match="two to 5"):
            combined([tmp_path / "a"] * count, tmp_path / "out", "2")


def test_thresholds_and_models_of_several_recipes_are_not_mixed_unseen(tmp_path: Path) -> None:
    both = several.write_tiny(tmp_path)
    with pytest.raises(RecipeError, match="several models already"):
        combined([tmp_path / "a" / "1", both], tmp_path / "out", "2")
    zoned = tmp_path / "zoned"
    rewritten(tmp_path / "b" / "1", zoned, "2", {ZONES_FILE: write_zones(Zones.whole(2.0, 2.0))})
    with pytest.raises(RecipeError, match="then `voxgate threshold`"):
        combined([tmp_path / "a" / "1", zoned], tmp_path / "out", "2")


def test_who_compares_the_shape_comes_first(tmp_path: Path) -> None:
    write_recipe(tmp_path / "a", tiny.parts(manifest=tiny.manifest(geometry=False)))
    write_recipe(tmp_path / "b", several.other_parts())
    with pytest.raises(
        RecipeError, match=r"b compares the shape too, .*a does not: name .*b first"
    ):
        combined([tmp_path / "a", tmp_path / "b"], tmp_path / "out", "2")
    written = combined([tmp_path / "b", tmp_path / "a"], tmp_path / "out", "2")
    assert written.manifest.geometry
    assert [each.narrow for each in written.manifest.detectors] == [True]


def test_each_model_keeps_its_graph_probes_and_record(tmp_path: Path) -> None:
    several.write_tiny(tmp_path)
    out = tmp_path / "out"
    arguments = [tmp_path / "a" / "1", tmp_path / "b" / "1", "--out", out, "--version", "2"]
    told = _run("combine", *arguments, "--as", "second", "--name", "pair", "--json")
    assert told == {
        "recipe": str(out),
        "label": "pair/2",
        "methods": "difference + half",
        "detectors": ["model", "geometry", "second"],
    }
    recipe = Recipe.load(out)
    first, second = recipe.models
    assert (first.model, second.model) == (tiny.difference_model(), several.other_model())
    assert (second.probes[0].score == several.other_probe().score).all()
    assert (first.label, second.model_label) == ("pair/2", "pair/2 (second)")
    assert [each["recipe"] for each in recipe.manifest.provenance["combined"]] == [
        "tiny/1",
        "other/1",
    ]
    assert set(recipe.threshold["models"]) == {"model", "second"}


def test_the_tighter_tolerance_of_those_who_compare_the_shape_counts(tmp_path: Path) -> None:
    write_recipe(tmp_path / "a", tiny.parts(manifest=tiny.manifest(tolerance_mm=0.5)))
    write_recipe(tmp_path / "b", several.other_parts(manifest={"tolerance_mm": 0.4}))
    alone = several.other_parts(manifest={"tolerance_mm": 0.1, "geometry": False})
    write_recipe(tmp_path / "c", alone)
    tolerances = [
        combined([tmp_path / "a", tmp_path / other], tmp_path / f"a{other}", "2")
        for other in ("b", "c")
    ]
    assert [each.manifest.tolerance_mm for each in tolerances] == [0.4, 0.5]


def _run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
