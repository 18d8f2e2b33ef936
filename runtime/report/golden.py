"""What a recipe holds a part against: its golden views and surface, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.nouns import Picture
from voxgate.runtime.recipe.contents import expected_of, plan_of, reference_of
from voxgate.runtime.recipe.folder import (
    MANIFEST_FILE,
    manifest_of,
    manifest_text,
    read_file,
    sha256,
)
from voxgate.runtime.recipe.manifest import REFERENCE_FILE, Manifest
from voxgate.runtime.recipe.sections.cameras import files_of
from voxgate.runtime.volume.grid import GridSpec

EXPECTED_FILE, PLAN_FILE = "expected.npz", "viewplan.json"


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """images: of each camera ("": the only one) by planned viewpoint, none in a recipe that keeps
    none. points_mm: (n, 3) float64, part frame: centres of the voxels of the surface that a scan
    must have seen."""

    images: Mapping[str, tuple[Picture, ...]]
    points_mm: npt.NDArray[np.float64]


def golden_of(recipe: Path, digest: str | None) -> Golden:
    """Of a recipe's folder; digest: of the one that decided, None: any.

    Raises RecipeError when it is not there, is another one, or was altered.
    """
    text = manifest_text(recipe)
    if digest and sha256(text) != digest:
        raise RecipeError(f"{recipe}: is not the recipe that decided: its digest is another")
    manifest = manifest_of(recipe, text)
    try:
        own = dict(_of_each_camera(recipe, manifest))
        images = {camera: _images(*each) for camera, each in own.items()}
        return Golden(images, np.concatenate([_surface(*each) for each in own.values()]))
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{recipe}: {one_line(error)}: export the recipe again") from error


def _of_each_camera(
    recipe: Path, manifest: Manifest
) -> Iterator[tuple[str, tuple[Path, Manifest]]]:
    """Folder and manifest; those of further cameras lie in the recipe of the first one."""
    if not manifest.cameras:
        yield "", (recipe, manifest)
    for number, section in enumerate(manifest.cameras):
        if number == 0:
            yield section.name, (recipe, manifest)
            continue
        (name,) = files_of(section.name, (MANIFEST_FILE,))
        text = read_file(recipe, name, manifest.files[name])
        folder = (recipe / name).parent
        yield section.name, (folder, manifest_of(folder, text))


def _images(recipe: Path, manifest: Manifest) -> tuple[Picture, ...]:
    if REFERENCE_FILE not in manifest.files:
        return ()
    content = read_file(recipe, REFERENCE_FILE, manifest.files[REFERENCE_FILE])
    plan = plan_of(read_file(recipe, PLAN_FILE, manifest.files[PLAN_FILE]))
    return tuple(view.image for view in reference_of(content, len(plan.views)))


def _surface(recipe: Path, manifest: Manifest) -> npt.NDArray[np.float64]:
    content = read_file(recipe, EXPECTED_FILE, manifest.files[EXPECTED_FILE])
    grid = manifest.grid
    spec = GridSpec(grid.origin_mm, grid.shape, grid.voxel_mm)
    return spec.centres_mm(expected_of(content, grid.shape))
