"""A recipe's folder: its manifest checked, its files held against their hashes.

A file that was altered is refused, not used.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.common.text import one_line
from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.manifest import (
    FILES,
    REFERENCE_FILE,
    SCHEMA_VERSIONS,
    SCORER_FILE,
    UNINSPECTED_FILE,
    ZONES_FILE,
    Manifest,
)
from voxgate.runtime.recipe.sections.cameras import CameraSection, files_of

MANIFEST_FILE = "manifest.json"
TRAY_FILES = ("viewplan.json", "threshold.json", "probe.npz")
"""What a recipe holds that compares the parts of a tray; of a network, its graph too."""
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 31  # no model of the methods we serve comes near 2 GiB


def sha256(content: bytes) -> str:
    """Hex digest, as the manifest lists it."""
    return hashlib.sha256(content).hexdigest()


def manifest_text(folder: Path) -> bytes:
    """As it is signed. Raises RecipeError."""
    path = folder / MANIFEST_FILE
    try:
        return read_regular(path, MAX_MANIFEST_BYTES)
    except FileNotFoundError as error:
        raise RecipeError(f"{folder}: no {MANIFEST_FILE} here, so this is no recipe") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error


def manifest_of(folder: Path, text: bytes) -> Manifest:
    """Checked. Raises RecipeError."""
    path = folder / MANIFEST_FILE
    try:
        version = parse_object(text.decode("utf-8")).integer("schema_version", 0, 1 << 31)
        if version not in SCHEMA_VERSIONS:
            known = " and ".join(map(str, SCHEMA_VERSIONS))
            raise RecipeError(
                f"{path}: schema_version {version} is unknown, this VoxGate reads {known}"
            )
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise RecipeError(f"{path}: {first_finding(error)}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: cannot be read: {one_line(error)}") from error
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error
    _check_files(path, manifest)
    return manifest


def content_of(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Every file that the manifest lists, by name, but no plan. Raises RecipeError."""
    return {name: read_file(folder, name, digest) for name, digest in manifest.own_files.items()}


def _own_files(manifest: Manifest) -> tuple[str, ...]:
    if manifest.detector != "scene":
        return FILES
    return ("model.onnx", *TRAY_FILES) if manifest.inputs else TRAY_FILES


def _check_files(path: Path, manifest: Manifest) -> None:
    needed = {*_own_files(manifest), *(name for each in manifest.detectors for name in each.files)}
    needed |= {plan.file for plan in manifest.plans}
    allowed = {*needed, REFERENCE_FILE, ZONES_FILE, SCORER_FILE, UNINSPECTED_FILE}
    for camera in manifest.cameras[1:]:
        folder = f"cameras/{camera.name}/"
        needed.add(folder + MANIFEST_FILE)
        allowed |= {name for name in manifest.files if _in(folder, name)}
    if missing := needed - set(manifest.files):
        raise RecipeError(f"{path}: files {sorted(missing)} are not listed")
    if unknown := set(manifest.files) - allowed:  # names are fixed, so no path can escape
        raise RecipeError(f"{path}: files {sorted(unknown)} do not belong to a recipe")


def _in(folder: str, name: str) -> bool:
    """Whether it is a file of that folder itself; what it may be called its own manifest says."""
    return name.startswith(folder) and "/" not in name.removeprefix(folder) and ".." not in name


def check_manifests(whole: Manifest, section: CameraSection, own: Manifest) -> None:
    """Raises ValueError unless a further camera's manifest belongs to the whole recipe's."""
    if own.cameras:
        raise ValueError(f"camera {section.name}: its recipe is of several cameras itself")
    labels = (own.name, own.version, own.part)
    if labels != (whole.name, whole.version, whole.part):
        raise ValueError(f"camera {section.name}: its manifest is of another recipe")
    if own.calibration_digest != section.calibration_digest:
        raise ValueError(f"camera {section.name}: its manifest is of another calibration")
    if own.grid.model_dump(exclude={"table_z_mm"}) != whole.grid.model_dump(exclude={"table_z_mm"}):
        raise ValueError(f"camera {section.name}: its grid is another one")
    listed = dict(zip(files_of(section.name, own.files), own.files.values(), strict=True))
    if any(whole.files.get(name) != digest for name, digest in listed.items()):
        raise ValueError(f"camera {section.name}: its files are not those that are listed")


def read_file(folder: Path, name: str, digest: str) -> bytes:
    """A file of a recipe, of this sha256. Raises RecipeError."""
    path = folder / name
    try:
        content = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}: copy the recipe again") from error
    if sha256(content) != digest:
        raise RecipeError(f"{path}: differs from the manifest's sha256: copy the recipe again")
    return content
