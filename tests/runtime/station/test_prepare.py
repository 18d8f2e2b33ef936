"""Which folder a recipe's name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.store import recipe_folder


def versions(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "bracket" / name).mkdir(parents=True)
        (folder / "bracket" / name / "manifest.json").write_text("{}")


def test_name_with_version_is_that_version(tmp_path: Path) -> None:
    versions(tmp_path, "1", "2")
    assert recipe_folder(tmp_path, "bracket/1") == tmp_path / "bracket" / "1"


@pytest.mark.parametrize(
    ("names", "newest"),
    [(("1",), "1"), (("9", "10", "2"), "10"), (("1.9.0", "1.10.0"), "1.10.0")],
)
def test_name_alone_is_the_newest_version(
    tmp_path: Path, names: tuple[str, ...], newest: str
) -> None:
    versions(tmp_path, *names)
    assert recipe_folder(tmp_path, "bracket").name == newest


def test_folder_without_manifest_is_no_version(tmp_path: Path) -> None:
    versions(tmp_path, "1")
    (tmp_path / "bracket" / "2.tmp").mkdir()
    assert recipe_folder(tmp_path, "bracket").name == "1"


def test_unknown_recipe_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="recipe gear"):
        recipe_folder(tmp_path, "gear")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match="holds no version"):
        recipe_folder(tmp_path, "empty")
