"""A recipe of several cameras is changed camera by camera, and is one recipe again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from voxgate.export.packing.cameras import together
from voxgate.export.packing.package import check_free, write_files
from voxgate.export.packing.rewrite import rewritten
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import MANIFEST_FILE, content_of, sha256
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.sections.cameras import own_content
from voxgate.runtime.scans.part_files import CAMERAS

Files = Mapping[str, bytes]


@contextmanager
def apart(folder: Path) -> Iterator[dict[str, Path]]:
    """A folder for each camera's own recipe, by its name; the recipe itself, as "", where it is of
    one camera. Raises RecipeError."""
    recipe = Recipe.load(folder)
    if not recipe.beside:
        yield {"": folder}
        return
    content = content_of(folder, recipe.manifest)
    with tempfile.TemporaryDirectory() as drafts:
        found = {}
        for number, (camera, own) in enumerate(recipe.cameras.items()):
            files = own_content(camera, content) if number else _of_first(content)
            files = {name: data for name, data in files.items() if name != MANIFEST_FILE}
            listed = {name: sha256(data) for name, data in files.items()}
            found[camera] = Path(drafts) / camera / "recipe"
            found[camera].parent.mkdir()
            update = {"files": listed, "plans": ()}
            write_files(found[camera], own.manifest.model_copy(update=update), files)
        yield found


def each_rewritten(folder: Path, out: Path, version: str, files: Mapping[str, Files]) -> Recipe:
    """As `rewritten`, of each camera's recipe the files under its name; those of the others stay as
    they are. Raises RecipeError."""
    with apart(folder) as own:
        if set(own) == {""}:
            return rewritten(folder, out, version, files[""])
        check_free(out)
        for camera, place in own.items():
            rewritten(place, place.with_name("changed"), version, files.get(camera, {}))
        changed = {camera: place.with_name("changed") for camera, place in own.items()}
        return together(changed, serial_numbers(folder), out, version)


def serial_numbers(folder: Path) -> dict[str, str | None]:
    """Of the devices that taught a recipe, by camera."""
    return {each.name: each.serial_number for each in Recipe.load(folder).manifest.cameras}


def same_cameras(folders: Mapping[Path, Mapping[str, Path]]) -> tuple[str, ...]:
    """Their names, in the first one's order. Raises RecipeError where recipes differ in them."""
    (first, names), *others = ((folder, tuple(own)) for folder, own in folders.items())
    for folder, further in others:
        if set(further) != set(names):
            raise RecipeError(
                f"{folder}: of {_named(further)}, and {first} is of {_named(names)}: combine "
                "recipes of the same cameras"
            )
    return names


def _named(cameras: tuple[str, ...]) -> str:
    return "one camera" if cameras == ("",) else f"the cameras {', '.join(cameras)}"


def _of_first(content: Files) -> Files:
    return {name: data for name, data in content.items() if not name.startswith(f"{CAMERAS}/")}
