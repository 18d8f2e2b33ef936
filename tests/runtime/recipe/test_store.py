"""A recipe gets onto the box whole, checked and once, or not at all."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from tests.kits import tiny
from tests.kits.cell_kit import write_cell
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.signature import ANYBODY, Trust, sign, write_signature
from voxgate.runtime.recipe.store import install, stored

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUST = Trust({KEY.public_key().public_bytes_raw().hex(): "quality"})


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
    (found,) = stored(box, TRUST)
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
