"""Recipes of one part become one recipe of several models, beside one another in every view.

Each model stays as it is: its graph, its probes, its threshold of 1.0. The part is as bad as the
worst of them says, voxel by voxel: the new recipe fails every part that one of the recipes fails.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.export.packing.cameras import together
from voxgate.export.packing.each_camera import apart, same_cameras, serial_numbers
from voxgate.export.packing.package import check_free, check_label, write_files
from voxgate.export.packing.rewrite import check_one_camera
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.nouns import Picture
from voxgate.runtime.pixels.colour import grey_and_colour
from voxgate.runtime.recipe.contents import ReferenceView
from voxgate.runtime.recipe.folder import MANIFEST_FILE, sha256
from voxgate.runtime.recipe.manifest import (
    GEOMETRY,
    MAX_DETECTORS,
    MODEL,
    REFERENCE_FILE,
    DetectorSection,
    Manifest,
    detector_files,
)
from voxgate.runtime.recipe.recipe import Recipe

NO_NAME = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A recipe, where it lies, and what its model is called in the new one."""

    folder: Path
    recipe: Recipe
    name: str

    def read(self, file: str) -> bytes:
        content: bytes = (self.folder / file).read_bytes()
        if sha256(content) != self.recipe.manifest.files[file]:
            raise RecipeError(f"{self.folder / file}: was changed meanwhile")
        return content


def combined_by_camera(
    folders: Sequence[Path], out: Path, version: str, names: Sequence[str] = (), name: str = ""
) -> Recipe:
    """As `combined`; of recipes of several cameras the models of each camera, which are one recipe
    again. Raises RecipeError."""
    with ExitStack() as stack:
        own = {folder: stack.enter_context(apart(folder)) for folder in folders}
        cameras = same_cameras(own)
        if cameras == ("",):
            return combined(folders, out, version, names, name)
        check_free(out)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for camera in cameras:
            (work / camera).mkdir()
            combined([own[f][camera] for f in folders], work / camera / "recipe", version, names)
        made = {camera: work / camera / "recipe" for camera in cameras}
        return together(made, serial_numbers(folders[0]), out, version, name)


def combined(
    folders: Sequence[Path], out: Path, version: str, names: Sequence[str] = (), name: str = ""
) -> Recipe:
    """Write the recipe folder `out` and read it again, as the box will. It is not signed yet.

    names: of the further models, in the order of their recipes; default: their methods. name: of
    the new recipe; default: the first one's. Raises RecipeError when the recipes do not belong
    together.
    """
    check_free(out)
    sources = _sources(folders, names)
    first, further = sources[0], sources[1:]
    check_label(name or first.recipe.manifest.name, version)
    for other in further:
        _check_belongs(first, other)
    _check_models(sources)
    content = _content(first, further)
    manifest = _manifest(sources, name or first.recipe.manifest.name, version, content)
    Recipe.from_files(manifest, content, str(out))  # refuses before anything is written
    write_files(out, manifest, content)
    return Recipe.load(out)


# --- do they belong together? --------------------------------------------------------------------


def _sources(folders: Sequence[Path], names: Sequence[str]) -> list[_Source]:
    if not 2 <= len(folders) <= MAX_DETECTORS + 1:
        raise RecipeError(f"name two to {MAX_DETECTORS + 1} recipes, got {len(folders)}")
    if names and len(names) != len(folders) - 1:
        raise RecipeError(
            f"--as names each recipe after the first, in their order: {len(folders) - 1} times, "
            f"got {len(names)}"
        )
    recipes = [Recipe.load(folder) for folder in folders]
    found = names or [_named_after(recipe.manifest.method) for recipe in recipes[1:]]
    sources = [
        _Source(folder, recipe, own)
        for folder, recipe, own in zip(folders, recipes, [MODEL, *found], strict=True)
    ]
    for source in sources:
        _check_single(source)
    _check_names(sources)
    return sources


def _named_after(method: str) -> str:
    return NO_NAME.sub("-", method.lower()).strip("-_")[:32] or "detector"


def _check_single(source: _Source) -> None:
    """Raises RecipeError for what cannot stand beside another as it is."""
    recipe, label = source.recipe, f"recipe {source.folder}"
    check_one_camera(source.folder, recipe)
    if recipe.manifest.detector != "view":
        raise RecipeError(
            f"{label} has a {recipe.manifest.detector} detector: only view detectors are combined"
        )
    if recipe.further:
        raise RecipeError(f"{label} has several models already: name the recipes it was made of")
    if recipe.zones is not None or recipe.scorer is not None:
        raise RecipeError(
            f"{label} has thresholds by zone or a scorer: combine the recipe it was made from, "
            "then `voxgate threshold` and `voxgate scorer` look at all detectors together"
        )


def _check_names(sources: Sequence[_Source]) -> None:
    taken = {GEOMETRY, MODEL, _named_after(sources[0].recipe.manifest.method)}
    for source in sources[1:]:
        if source.name in taken:
            raise RecipeError(
                f"{source.folder}: there is a detector called {source.name} already: "
                "give each recipe after the first a name, --as NAME"
            )
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", source.name):
            raise RecipeError(
                f"a detector is called by small letters, digits, _ and -, not {source.name!r}"
            )
        taken.add(source.name)


def _check_models(sources: Sequence[_Source]) -> None:
    seen: dict[str, Path] = {}
    for source in sources:
        digest = sha256(source.recipe.model)
        if digest in seen:
            raise RecipeError(
                f"{source.folder} has the very model of {seen[digest]}: it adds nothing"
            )
        seen[digest] = source.folder


def _check_belongs(first: _Source, other: _Source) -> None:
    """Raises RecipeError, with the difference, unless both look at one part in one way."""
    one, two = first.recipe.manifest, other.recipe.manifest
    pair = f"{first.folder} and {other.folder} do not belong together"
    if one.part != two.part:
        raise RecipeError(f"{pair}: parts {one.part!r} and {two.part!r}")
    if one.calibration_digest != two.calibration_digest:
        raise RecipeError(f"{pair}: made with two calibrations; export one of them again")
    if one.working != two.working:
        raise RecipeError(
            f"{pair}: they inspect at different resolutions; export both with one --smallest-mm"
        )
    if one.grid != two.grid:
        raise RecipeError(f"{pair}: their grids differ; export both from one golden scan")
    if not _same_plan(first.recipe, other.recipe):
        raise RecipeError(f"{pair}: their view plans differ; export both from one golden scan")
    if not np.array_equal(first.recipe.expected_ijk, other.recipe.expected_ijk):
        raise RecipeError(f"{pair}: they expect other surfaces; export both from one golden scan")
    if one.rendered != two.rendered or not _same_reference(first.recipe, other.recipe):
        raise RecipeError(f"{pair}: their golden views differ; export both from one golden scan")
    if two.geometry and not one.geometry:
        raise RecipeError(
            f"{other.folder} compares the shape too, {first.folder} does not: name {other.folder} "
            "first"
        )


def _same_plan(first: Recipe, other: Recipe) -> bool:
    one, two = first.plan, other.plan
    tolerances = (one.max_distance_mm, one.max_angle_deg) == (
        two.max_distance_mm,
        two.max_angle_deg,
    )
    return tolerances and np.array_equal(np.stack(one.views), np.stack(two.views))


def _same_reference(first: Recipe, other: Recipe) -> bool:
    """Also when one of them holds no golden views: then the other's serve both."""
    return not (first.reference and other.reference) or all(
        _same_view(one, two) for one, two in zip(first.reference, other.reference, strict=True)
    )


def _same_view(one: ReferenceView, two: ReferenceView) -> bool:
    """What a sensor beside the camera measured too."""
    alike = (
        _same_picture(one.image, two.image)
        and np.array_equal(one.depth_mm, two.depth_mm, equal_nan=True)
        and np.array_equal(one.part_from_camera, two.part_from_camera)
        and np.array_equal(one.gloss, two.gloss)
        and np.array_equal(one.spread, two.spread)
    )
    if one.sensed is None or two.sensed is None:
        return alike and one.sensed is two.sensed
    return alike and _same_view(one.sensed, two.sensed)


def _same_picture(one: Picture, two: Picture) -> bool:
    """In grey where one of both recipes sees no colour."""
    if one.ndim != two.ndim:
        one, two = grey_and_colour(one)[0], grey_and_colour(two)[0]
    return np.array_equal(one, two)


# --- what is written -----------------------------------------------------------------------------


def _content(first: _Source, further: Sequence[_Source]) -> dict[str, bytes]:
    content = {file: first.read(file) for file in first.recipe.manifest.own_files}
    for source in further:
        model, probes = detector_files(source.name)
        content |= {model: source.read("model.onnx"), probes: source.read("probe.npz")}
        in_colour = source.recipe.manifest.in_colour and not first.recipe.manifest.in_colour
        if source.recipe.reference and (in_colour or REFERENCE_FILE not in content):
            content[REFERENCE_FILE] = source.read(REFERENCE_FILE)
    thresholds = {each.name: dict(each.recipe.threshold) for each in (first, *further)}
    record = {
        "threshold": 1.0,
        "source": "several models, each at the threshold of its own recipe; the worst one counts",
        "models": thresholds,
        "cannot_prove": "how many good parts one of them rejects: `voxgate threshold` tells",
    }
    content["threshold.json"] = (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()
    return content


def _manifest(
    sources: Sequence[_Source], name: str, version: str, content: dict[str, bytes]
) -> Manifest:
    first = sources[0].recipe.manifest
    shaping = [each.recipe.manifest for each in sources if each.recipe.manifest.geometry]
    comparing = [each.recipe.manifest for each in sources if each.recipe.manifest.compares]
    fields: dict[str, Any] = {
        **first.model_dump(),
        "schema_version": 2,
        "plans": (),
        "name": name,
        "version": version,
        "created_utc": utc_now(),
        "provenance": {**first.provenance, "combined": [_origin(each) for each in sources]},
        "tolerance_mm": min((each.tolerance_mm for each in shaping), default=first.tolerance_mm),
        "tint": min((each.tint for each in comparing), default=first.tint),
        "agreed": min((each.agreed for each in comparing), default=first.agreed),
        "raised_mm": min(
            (each.raised_mm for each in shaping if each.raised_mm is not None), default=None
        ),
        "detectors": [_section(each).model_dump() for each in sources[1:]],
        "files": {file: sha256(data) for file, data in content.items()},
    }
    return Manifest.model_validate(fields)


def _origin(source: _Source) -> dict[str, str]:
    manifest = (source.folder / MANIFEST_FILE).read_bytes()
    return {
        "recipe": source.recipe.label,
        "channel": source.name,
        "method": source.recipe.manifest.method,
        "manifest_sha256": sha256(manifest),
    }


def _section(source: _Source) -> DetectorSection:
    manifest = source.recipe.manifest
    return DetectorSection(
        name=source.name,
        method=manifest.method,
        precision=manifest.precision,
        inputs=manifest.inputs,
        output=manifest.output,
        probe_tolerance=manifest.probe_tolerance,
        fpfh=manifest.fpfh,
        points=manifest.points,
        narrow=manifest.narrow,
        tools=manifest.tools,
        provenance=manifest.provenance,
    )
