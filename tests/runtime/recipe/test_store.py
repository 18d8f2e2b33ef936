"""A recipe gets onto the box whole, checked and once, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from tests.kits import tiny
from tests.kits.cell_kit import write_cell
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.config.fields import BASE
from voxgate.runtime.config.sections import Recipes
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.release import Release, sign_release, write_release
from voxgate.runtime.recipe.signature import ANYBODY, Trust, sign, write_signature
from voxgate.runtime.recipe.store import install, opened, recipe_folder, stored
from voxgate.runtime.wire.keys import load_signer, make_signer

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = Trust({KEY.public_key().public_bytes_raw().hex(): "quality"})


def cell_recipes(folder: Path, **more: Any) -> Recipes:
    """The section of a cell that trusts KEY."""
    (public_key,) = TRUST.signers
    signers = [{"name": "quality", "public_key": public_key}]
    return Recipes.model_validate_json(
        json.dumps({"folder": str(folder), "signers": signers, **more}), context={BASE: folder}
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A recipe as it comes from the workstation."""
    path = tmp_path / "usb-stick" / "what ever"
    write_recipe(path, tiny.parts())
    return path


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_installed_recipe_is_the_one_that_was_made(made: Path, tmp_path: Path) -> None:
    box = tmp_path / "recipes"
    write_signature(made, sign((made / MANIFEST_FILE).read_bytes(), KEY, None))
    (made / "notes.txt").write_text("of no concern to the box")
    assert install(made, box, TRUST) == "tiny/1"
    assert Recipe.load(box / "tiny/1", TRUST).model == tiny.parts().model
    assert "tiny/1/notes.txt" not in names(box)
    (found,) = stored(cell_recipes(box))
    assert (found.label, found.signer, found.problem) == ("tiny/1", "quality", None)


def test_what_is_not_trusted_leaves_nothing_behind(made: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="voxgate sign"):
        install(made, tmp_path / "recipes", TRUST)
    assert not (tmp_path / "recipes").exists()


def test_a_version_that_is_there_is_never_overwritten(made: Path, tmp_path: Path) -> None:
    box = tmp_path / "recipes"
    install(made, box, ANYBODY)
    before = (box / "tiny/1/model.onnx").stat().st_ino
    with pytest.raises(RecipeError, match="new version"):
        install(made, box, ANYBODY)
    assert (box / "tiny/1/model.onnx").stat().st_ino == before


@pytest.mark.parametrize("torn", ["model.onnx", MANIFEST_FILE, "probe.npz"])
def test_a_copy_that_was_torn_leaves_nothing_behind(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: str
) -> None:
    def copy(source: Path, target: Path) -> None:
        content = source.read_bytes()
        target.write_bytes(content[: len(content) // 2] if source.name == torn else content)

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(RecipeError):
        install(made, tmp_path / "recipes", ANYBODY)
    assert names(tmp_path / "recipes") == set()
    assert list((tmp_path / "recipes" / "tiny").iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(RecipeError, match="No space left on device: nothing was installed"):
        install(made, tmp_path / "recipes", ANYBODY)
    assert list((tmp_path / "recipes" / "tiny").iterdir()) == []


def test_the_list_says_what_the_service_would_say(made: Path, tmp_path: Path) -> None:
    cell = write_cell(tmp_path / "cell")
    shutil.rmtree(tmp_path / "cell/recipes/bracket/1")
    (tmp_path / "cell/recipes/bracket/1").mkdir()
    told = CliRunner().invoke(app, ["recipe", "install", str(made), "--config", str(cell)])
    assert told.exit_code == 0, told.output + str(told.exception)
    listed = CliRunner().invoke(app, ["recipe", "list", "--config", str(cell)])
    assert (listed.exit_code, listed.stdout) == (0, "tiny/1  not signed\n")
    model = tmp_path / "cell/recipes/tiny/1/model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    listed = CliRunner().invoke(app, ["recipe", "list", "--config", str(cell)])
    assert listed.exit_code == 2
    assert "differs from the manifest" in listed.stdout


def test_an_expired_recipe_is_not_installed(made: Path, tmp_path: Path) -> None:
    gone = datetime.now(tz=timezone.utc) - timedelta(days=1)
    write_signature(made, sign((made / MANIFEST_FILE).read_bytes(), KEY, gone))
    with pytest.raises(RecipeError, match="expired"):
        install(made, tmp_path / "recipes", TRUST)


# --- what a folder may hold that no export made --------------------------------------------------


@pytest.mark.parametrize("name", [MANIFEST_FILE, "SIGNATURE", "model.onnx", "probe.npz"])
@pytest.mark.parametrize("kind", ["pipe", "endless", "folder"])
@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_and_nobody_waits_for_it(
    name: str, kind: str, made: Path
) -> None:
    write_signature(made, sign((made / MANIFEST_FILE).read_bytes(), KEY, None))
    (made / name).unlink()
    if kind == "pipe":
        os.mkfifo(made / name)
    elif kind == "endless":
        (made / name).symlink_to("/dev/zero")
    else:
        (made / name).mkdir()
    with pytest.raises(RecipeError, match=name):
        Recipe.load(made, TRUST)


def signed_versions(box: Path, *versions: str) -> None:
    for version in versions:
        place = box / "tiny" / version
        write_recipe(place, tiny.parts(manifest=tiny.manifest(version=version)))
        write_signature(place, sign((place / MANIFEST_FILE).read_bytes(), KEY, None))


def test_an_install_that_was_killed_is_not_the_newest_version(tmp_path: Path) -> None:
    signed_versions(tmp_path, "1", "2")
    shutil.copytree(tmp_path / "tiny/2", tmp_path / "tiny/.draft-zzzz")
    assert recipe_folder(tmp_path, "tiny").name == "2"


def test_a_recipe_under_anothers_name_is_not_listed_as_fine(tmp_path: Path) -> None:
    signed_versions(tmp_path, "1")
    (tmp_path / "tiny/1").rename(tmp_path / "tiny/9")
    (found,) = stored(cell_recipes(tmp_path))
    assert "holds recipe tiny/1" in str(found.problem)


def test_an_old_version_that_was_taken_back_does_not_serve_when_the_newest_is_gone(
    tmp_path: Path,
) -> None:
    signed_versions(tmp_path, "9", "10", "11")
    write_release(tmp_path / "tiny", sign_release("tiny", "10", ("11",), KEY))
    recipes = cell_recipes(tmp_path)
    for version, words in (("9", "none before 10"), ("11", "revoked")):
        with pytest.raises(RecipeError, match=words):
            opened(recipes, f"tiny/{version}")
    with pytest.raises(RecipeError, match="revoked"):
        opened(recipes, "tiny")
    assert opened(recipes, "tiny/10").label == "tiny/10"
    assert [found.label for found in stored(recipes) if found.problem is None] == ["tiny/10"]


def test_a_release_that_was_altered_is_foreign_or_gone_lets_nothing_serve(tmp_path: Path) -> None:
    signed_versions(tmp_path, "1")
    recipes = cell_recipes(tmp_path, release_required=True)
    with pytest.raises(RecipeError, match="release_required"):
        opened(recipes, "tiny/1")
    good = sign_release("tiny", None, (), KEY)
    stranger = sign_release("tiny", None, (), Ed25519PrivateKey.generate())
    other = sign_release("crate", None, (), KEY)
    altered = Release.model_validate(good.model_dump() | {"minimum": "0"})
    for wrong, words in ((stranger, "nobody"), (other, "is of recipe"), (altered, "altered")):
        write_release(tmp_path / "tiny", wrong)
        with pytest.raises(RecipeError, match=words):
            opened(recipes, "tiny/1")
    write_release(tmp_path / "tiny", good)
    assert opened(recipes, "tiny/1").label == "tiny/1"


def test_what_was_checked_is_what_is_signed(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    write_recipe(other, tiny.parts(manifest=tiny.manifest(version="7")))
    load = Recipe.of_manifest

    def exchanged(folder: Path, text: bytes) -> Recipe:
        recipe = load(folder, text)
        shutil.copytree(other, made, dirs_exist_ok=True)  # while the signer's tool is at it
        return recipe

    monkeypatch.setattr(Recipe, "of_manifest", staticmethod(exchanged))
    key, _ = make_signer(tmp_path, "quality", None)
    done = CliRunner().invoke(app, ["sign", str(made), "--key", str(key)])
    assert done.exit_code == 0, done.output
    monkeypatch.undo()
    public = load_signer(key, None).public_key().public_bytes_raw().hex()
    with pytest.raises(RecipeError, match="altered"):
        Recipe.load(made, Trust({public: "quality"}))


def test_who_signs_sees_what_a_version_changes(tmp_path: Path) -> None:
    signed_versions(tmp_path, "1", "2")
    key, _ = make_signer(tmp_path, "quality", None)
    done = CliRunner().invoke(app, ["sign", str(tmp_path / "tiny/2"), "--key", str(key)])
    assert "against tiny/1:" in done.output
    assert "version: 1 -> 2" in done.output
