"""A recipe that is not exactly what was exported never serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kits import tiny
from tests.kits.spoilt_recipe import change_manifest, flip_a_bit, replace_file
from voxgate.export.packing.package import check_label, name_of, write_recipe
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.manifest import FILES
from voxgate.runtime.recipe.recipe import Recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tiny" / "1"
    write_recipe(path, tiny.parts())
    return path


def test_what_was_written_is_what_is_read(folder: Path) -> None:
    recipe = Recipe.load(folder)
    parts = tiny.parts()
    assert recipe.label == "tiny/1"
    assert recipe.model == parts.model
    assert (recipe.expected_ijk == parts.expected_ijk).all()
    assert [view.tolist() for view in recipe.plan.views] == [v.tolist() for v in parts.plan.views]
    golden = recipe.reference[1]
    assert np.isnan(golden.depth_mm[0]).all()
    assert (golden.depth_mm[1:] == 500.0).all()
    assert golden.image.shape == tiny.SHAPE[2:]
    assert (recipe.probes[0].score == tiny.probe().score).all()
    assert set(recipe.probes[0].inputs) == {"image", "reference"}


@pytest.mark.parametrize("name", [*FILES, "reference.npz"])
def test_a_file_that_was_altered_is_refused(folder: Path, name: str) -> None:
    flip_a_bit(folder / name)
    with pytest.raises(RecipeError, match=rf"{name}: differs from the manifest"):
        Recipe.load(folder)


@pytest.mark.parametrize("name", [*FILES, "reference.npz", "manifest.json"])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(RecipeError, match=name):
        Recipe.load(folder)


@pytest.mark.parametrize("name", ["expected.npz", "probe.npz", "reference.npz", "viewplan.json"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"[]", b"{}", b"\xff\xfe"])
def test_garbage_with_the_right_hash_is_one_line(folder: Path, name: str, content: bytes) -> None:
    replace_file(folder, name, content)
    with pytest.raises(RecipeError) as refusal:
        Recipe.load(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema_version": 4}, "schema_version 4 is unknown, this VoxGate reads 1 and 2 and 3"),
        ({"schema_version": 3}, "3 that there are cameras"),
        ({"schema_version": "1"}, "schema_version must be a whole number"),
        ({"detector": "volume"}, "detector"),
        ({"surprise": 1}, "surprise is not a known key"),
        ({"files": {}}, "are not listed"),
        ({"name": "../escape"}, "name"),
    ],
)
def test_a_manifest_we_do_not_know_is_refused(
    folder: Path, changes: dict[str, Any], told: str
) -> None:
    change_manifest(folder, **changes)
    with pytest.raises(RecipeError, match=told):
        Recipe.load(folder)


def test_a_manifest_cannot_name_a_file_outside_its_folder(folder: Path) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    change_manifest(folder, files=files | {"../../secret": "0" * 64})
    with pytest.raises(RecipeError, match="do not belong to a recipe"):
        Recipe.load(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": NaN}', '{"schema_version": 1}'])
def test_a_broken_manifest_is_one_line(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(RecipeError, match=r"manifest\.json: .+"):
        Recipe.load(folder)


def test_expected_surface_outside_the_grid_is_refused(tmp_path: Path) -> None:
    write_recipe(tmp_path / "r", tiny.parts(expected_ijk=np.array([[10, 0, 0]], np.int32)))
    with pytest.raises(RecipeError, match="outside the grid"):
        Recipe.load(tmp_path / "r")


def test_a_recipe_without_expected_surface_could_never_prove_coverage(tmp_path: Path) -> None:
    write_recipe(tmp_path / "r", tiny.parts(expected_ijk=np.empty((0, 3), np.int32)))
    with pytest.raises(RecipeError, match="ijk"):
        Recipe.load(tmp_path / "r")


def test_a_recipe_is_never_overwritten(folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(RecipeError, match="choose a new version"):
        write_recipe(folder, tiny.parts())
    assert (folder / "manifest.json").read_bytes() == before


def test_a_recipe_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RecipeError, match="cannot be written"):
        write_recipe(tmp_path / "file" / "r", tiny.parts())


@pytest.mark.parametrize(("name", "version"), [("a b", "1"), ("../x", "1"), ("a", ".."), ("", "1")])
def test_a_label_that_no_recipe_can_have_is_refused_before_the_work(
    name: str, version: str
) -> None:
    with pytest.raises(RecipeError, match="must match"):
        check_label(name, version)


@pytest.mark.parametrize("part", ["bracket", "Träger 7/b", "-", "", "x" * 100])
def test_every_part_has_a_recipe_name(part: str) -> None:
    check_label(name_of(part), "1")


def test_no_folder_at_all_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no manifest\.json here"):
        Recipe.load(tmp_path / "nowhere")
