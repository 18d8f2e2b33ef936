"""The recipes of a cell's cameras become one: each camera's views by its own, one verdict of all.

Each stays as it is, file by file: its model, its probes, its threshold of 1.0, its golden views.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from voxgate.export.packing.package import check_free, check_label, write_files
from voxgate.export.packing.rewrite import check_one_camera
from voxgate.runtime.common.labels import camera_names
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import MANIFEST_FILE, sha256
from voxgate.runtime.recipe.manifest import Manifest
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.sections.cameras import CameraSection, files_of
from voxgate.runtime.scans.cell_scan import names_of
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.runtime.scans.part_files import CAMERAS

Made = TypeVar("Made")
Export = Callable[[Path, Path], Made]
"""(a camera's golden scan, a folder for its recipe) -> what came of it."""


def together(
    folders: Mapping[str, Path],
    serial_numbers: Mapping[str, str | None],
    out: Path,
    version: str,
    name: str = "",
) -> Recipe:
    """Write the recipe folder `out` and read it again, as the box will. It is not signed yet.

    folders: of each camera's recipe by the camera's name, the first one's first. Raises RecipeError
    when the recipes do not belong together.
    """
    check_free(out)
    try:
        camera_names(tuple(folders))
    except ValueError as error:
        raise RecipeError(str(error)) from error
    recipes = {camera: _loaded(folder) for camera, folder in folders.items()}
    label = name or next(iter(recipes.values())).manifest.name
    check_label(label, version)
    update = {"name": label, "version": version, "created_utc": utc_now(), "plans": ()}
    own = {
        camera: recipe.manifest.model_copy(update={**update, "files": recipe.manifest.own_files})
        for camera, recipe in recipes.items()
    }
    sections = [
        _section(camera, recipe, serial_numbers.get(camera)) for camera, recipe in recipes.items()
    ]
    content = _content(folders, own)
    first = next(iter(own.values()))
    fields = {
        **first.model_dump(),
        "schema_version": 3,
        "cameras": [section.model_dump() for section in sections],
        "files": {file: sha256(data) for file, data in content.items()},
    }
    manifest = Manifest.model_validate(fields)
    Recipe.from_files(manifest, content, str(out))  # refuses before anything is written
    write_files(out, manifest, content)
    return Recipe.load(out)


def of_each_camera(
    scan: Path, out: Path, version: str, name: str | None, export: Export[Made]
) -> dict[str, Made]:
    """Export by each camera's golden scan, and put the recipes together at `out`; what came of
    each, by camera: "" where the scan is of one. Raises what `export` raises, and RecipeError."""
    names = names_of(scan) if scan.is_dir() else ()
    if not names:
        return {"": export(scan, out)}
    check_free(out)
    drafts = out.with_name(f".{out.name}.cameras")
    shutil.rmtree(drafts, ignore_errors=True)
    try:
        made = {}
        for camera in names:
            (drafts / camera).mkdir(parents=True)
            made[camera] = export(scan / CAMERAS / camera, drafts / camera / "recipe")
        folders = {camera: drafts / camera / "recipe" for camera in names}
        together(folders, _serial_numbers(scan, names), out, version, name or "")
        return made
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def of_cameras(recipes: Sequence[Path], scan: Path, out: Path, version: str, name: str) -> Recipe:
    """One recipe of those of the cameras of a golden scan, in their order. Raises RecipeError or
    ScanError."""
    names = names_of(scan)
    if len(names) != len(recipes):
        raise RecipeError(
            f"{scan} is of {len(names) or 'one'} cameras {', '.join(names)}".rstrip()
            + f": name the recipe of each, in this order, got {len(recipes)}"
        )
    folders = dict(zip(names, recipes, strict=True))
    return together(folders, _serial_numbers(scan, names), out, version, name)


def scan_of_camera(scan: Path, golden: Path) -> Path:
    """Of a further scan of several cameras the one of the camera that took `golden`; the scan
    itself where it is of one."""
    inside = scan / CAMERAS / golden.name
    return inside if golden.parent.name == CAMERAS and inside.is_dir() else scan


def _serial_numbers(scan: Path, names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: open_scan(scan / CAMERAS / name).calibration.serial_number for name in names}


def _loaded(folder: Path) -> Recipe:
    recipe = Recipe.load(folder)
    check_one_camera(folder, recipe)
    return recipe


def _section(camera: str, recipe: Recipe, serial_number: str | None) -> CameraSection:
    return CameraSection(
        name=camera,
        views=len(recipe.plan.views),
        calibration_digest=recipe.manifest.calibration_digest,
        serial_number=serial_number,
    )


def _content(folders: Mapping[str, Path], own: Mapping[str, Manifest]) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    for number, (camera, folder) in enumerate(folders.items()):
        files = {name: (folder / name).read_bytes() for name in own[camera].own_files}
        if number:
            files[MANIFEST_FILE] = own[camera].model_dump_json(indent=2).encode() + b"\n"
            files = dict(zip(files_of(camera, files), files.values(), strict=True))
        content |= files
    return content
