"""A recipe under a new version: some files replaced, the others byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxgate.export.packing.package import check_free, check_label, write_files
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.recipe import Recipe


def check_one_camera(folder: Path, recipe: Recipe) -> None:
    """Raises RecipeError: what is learnt from one camera's views is put into its own recipe."""
    if recipe.beside:
        raise RecipeError(f"{folder}: of several cameras: name the recipe of each")


def rewritten(
    source: Path, out: Path, version: str, files: Mapping[str, bytes], **changes: Any
) -> Recipe:
    """Write the recipe folder `out` and read it again, as the box will. It is not signed yet.

    changes: further fields of the manifest. Raises RecipeError when `out` exists or is refused.
    """
    check_free(out)
    recipe = Recipe.load(source)
    check_label(recipe.manifest.name, version)
    check_one_camera(source, recipe)
    kept = {name: (source / name).read_bytes() for name in recipe.manifest.own_files}
    content = kept | dict(files)
    manifest = recipe.manifest.model_copy(
        update={
            "version": version,
            "created_utc": utc_now(),
            "plans": (),  # `voxgate build` makes them, of this version
            "provenance": {**recipe.manifest.provenance, "from": recipe.label},
            "files": {name: sha256(data) for name, data in content.items()},
            **changes,
        }
    )
    Recipe.from_files(manifest, content, str(out))  # refuses before anything is written
    write_files(out, manifest, content)
    return Recipe.load(out)
