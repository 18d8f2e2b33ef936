"""Keys that a person makes by the command line fit the YAML lines that it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tests.kits import tiny
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.config.sections import Recipes
from voxgate.runtime.config.security import Security
from voxgate.runtime.errors import KeyFileError
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.store import trust_of
from voxgate.runtime.wire.curve import load_key_pair


def said(*arguments: str | Path) -> str:
    """What the command prints on stdout: what goes into the YAML."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.stdout


def test_the_printed_lines_are_the_section_of_the_yaml(tmp_path: Path) -> None:
    lines = said("keys", "box", "--out", tmp_path)
    robot = ("keys", "peer", "robot", "--role", "poses", "--role", "commands", "--out", tmp_path)
    lines += said(*robot)
    data = YAML(typ="safe").load(lines)["security"]
    data["peers"] = [{**peer, "roles": tuple(peer["roles"])} for peer in data["peers"]]
    data["peers"], data["secret_key"] = tuple(data["peers"]), Path(data["secret_key"])
    security = Security.model_validate(data)
    key = load_key_pair(tmp_path / "robot.key_secret").public.decode()
    assert security.access().allowed["poses"] == {key}
    assert security.access().allowed["verdicts"] == frozenset()
    assert load_key_pair(security.secret_key).public.decode() in lines


def test_a_recipe_signed_by_the_printed_key_is_opened(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny" / "1"
    write_recipe(recipe, tiny.parts())
    line = said("keys", "signer", "quality", "--out", tmp_path)
    told = said("sign", recipe, "--key", tmp_path / "quality.pem", "--days", "30")
    assert "tiny/1 is signed" in told
    signers = YAML(typ="safe").load(line)["signers"]
    recipes = Recipes.model_validate({"folder": tmp_path, "signers": tuple(signers)})
    assert Recipe.load(recipe, trust_of(recipes)).label == "tiny/1"


def test_a_damaged_recipe_is_not_signed(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny" / "1"
    write_recipe(recipe, tiny.parts())
    (recipe / "model.onnx").write_bytes(b"another")
    said("keys", "signer", "quality", "--out", tmp_path)
    done = CliRunner().invoke(app, ["sign", str(recipe), "--key", str(tmp_path / "quality.pem")])
    assert "differs from the manifest" in str(done.exception)
    assert not (recipe / "SIGNATURE").exists()


@pytest.mark.parametrize("name", ["../robot", "Robot", ""])
def test_a_name_that_is_no_name_makes_no_file(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(
        app, ["keys", "peer", name, "--role", "poses", "--out", str(tmp_path / "keys")]
    )
    assert done.exit_code == 2
    assert not (tmp_path / "keys").exists()


def test_a_key_that_is_no_signing_key_is_one_line(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny" / "1"
    write_recipe(recipe, tiny.parts())
    said("keys", "box", "--out", tmp_path)
    key = str(tmp_path / "box.key_secret")
    done = CliRunner().invoke(app, ["sign", str(recipe), "--key", key])
    assert isinstance(done.exception, KeyFileError)
