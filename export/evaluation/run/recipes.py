"""Which recipe judges which part type: one recipe, or a folder of recipes."""

from __future__ import annotations

from pathlib import Path

from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.recipe import Recipe

MANIFEST = "manifest.json"
DEPTH = ("*", "*/*")  # recipes/<name> or recipes/<name>/<version>


def recipes_in(folder: Path) -> dict[str, Path]:
    """Part -> recipe folder. Raises RecipeError when there is none, or two for one part."""
    if (folder / MANIFEST).is_file():
        return {Recipe.load(folder).manifest.part: folder}
    found: dict[str, Path] = {}
    for path in sorted(p.parent for pattern in DEPTH for p in folder.glob(f"{pattern}/{MANIFEST}")):
        part = Recipe.load(path).manifest.part
        if part in found:
            raise RecipeError(f"{found[part]} and {path} are both for {part!r}: name one of them")
        found[part] = path
    if not found:
        raise RecipeError(f"{folder}: no manifest.json here or below, so this is no recipe")
    return found


def holds_recipes(folder: Path) -> bool:
    """Whether there is a recipe here; else it may hold scores that were made elsewhere."""
    patterns = (MANIFEST, *(f"{pattern}/{MANIFEST}" for pattern in DEPTH))
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)
