"""Parts of a recipe become its folder: complete and hashed, or not there at all."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.labels import NAME, VERSION
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.contents import SENSED, Probe
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.manifest import REFERENCE_FILE, UNINSPECTED_FILE, Manifest
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.viewplan import ViewPlan


@dataclass(frozen=True, slots=True, eq=False)
class SensedViews:
    """What a sensor beside the camera measured of the golden part, on its own pixels.

    depth_counts (n, h, w) uint16, 0 = no return; part_from_sensor (n, 4, 4) float64;
    spread_counts (n, h, w) uint8 or None: what the shape may differ by, in SPREAD_UNIT_MM.
    """

    depth_counts: npt.NDArray[np.uint16]
    part_from_sensor: npt.NDArray[np.float64]
    spread_counts: npt.NDArray[np.uint8] | None = None

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As they stand in reference.npz."""
        found: dict[str, npt.NDArray[Any]] = {
            SENSED: self.depth_counts,
            "part_from_sensor": self.part_from_sensor,
        }
        if self.spread_counts is not None:
            found["sensed_spread_counts"] = self.spread_counts
        return found


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceViews:
    """The golden views as recorded, and what was learnt from them together.

    image (n, h, w) uint8, or (n, h, w, 3) in colour; depth_counts (n, h, w) uint16, 0 = no return;
    depth_unit_mm per count;
    shown_counts (n, h, w) uint16: of surface that the picture shows and that gave no return, or 0;
    part_from_camera (n, 4, 4) float64; gloss (n, h, w) uint8: grey levels by which a surface
    point changes from view to view, or further good parts differed. spread_counts (n, h, w) uint8
    or None: what the shape may differ by, in SPREAD_UNIT_MM. evened like image, or None: grained
    faces without their grain, 0 elsewhere. sensed: where a sensor beside the
    camera measured, depth_counts is what the camera sees of that.
    """

    image: npt.NDArray[np.uint8]
    depth_counts: npt.NDArray[np.uint16]
    shown_counts: npt.NDArray[np.uint16]
    depth_unit_mm: float
    part_from_camera: npt.NDArray[np.float64]
    gloss: npt.NDArray[np.uint8]
    spread_counts: npt.NDArray[np.uint8] | None = None
    sensed: SensedViews | None = None
    evened: npt.NDArray[np.uint8] | None = None

    def with_spread(self, counts: npt.NDArray[np.uint8]) -> ReferenceViews:
        """The same, and what the shape may differ by at the pixels that measured depth."""
        if self.sensed is None:
            return replace(self, spread_counts=counts)
        return replace(self, sensed=replace(self.sensed, spread_counts=counts))


@dataclass(frozen=True, slots=True, eq=False)
class RecipeParts:
    """Everything a recipe holds; `manifest.files` is filled in when it is written.

    uninspected: a PNG of what is not inspected. further: files of further models.
    """

    manifest: Manifest
    model: bytes
    plan: ViewPlan
    expected_ijk: npt.NDArray[np.int32]
    reference: ReferenceViews | None
    probes: Sequence[Probe]
    threshold: Mapping[str, Any]
    uninspected: bytes | None = None
    further: Mapping[str, bytes] = field(default_factory=dict)


def write_recipe(folder: Path, parts: RecipeParts) -> None:
    """Write the folder beside its place and rename it there. Raises RecipeError if it exists."""
    check_free(folder)
    files = _files(parts)
    manifest = parts.manifest.model_copy(update={"files": digests(files)})
    write_files(folder, manifest, files)


def write_files(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a recipe's files beside their place and rename them there. Raises RecipeError."""
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        (partial / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise RecipeError(f"{folder}: cannot be written: {error.strerror}") from error


def recipe_of(parts: RecipeParts) -> Recipe:
    """The recipe as the box would read it, without a folder. Raises RecipeError."""
    return Recipe.from_files(parts.manifest, _files(parts), "this recipe")


def check_free(folder: Path) -> None:
    """Raises RecipeError when there is something at `folder`: ask before the work, not after."""
    if folder.exists():
        raise RecipeError(f"{folder}: exists; a recipe is never changed, choose a new version")


def check_label(name: str, version: str) -> None:
    """Raises RecipeError for a name or version that a recipe cannot have."""
    for what, value, pattern in (("name", name, NAME), ("version", version, VERSION)):
        if not re.fullmatch(pattern, value):
            raise RecipeError(f"recipe {what} {value!r} must match {pattern}: choose another")


def name_of(part: str) -> str:
    """A recipe name for a part: what a name may not hold becomes a dash."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", part).strip("-_")[:64] or "part"


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """sha256 of each, by name."""
    return {name: sha256(content) for name, content in files.items()}


def _files(parts: RecipeParts) -> dict[str, bytes]:
    files = {
        "model.onnx": parts.model,
        "viewplan.json": as_json(plan_fields(parts.plan)),
        "expected.npz": as_npz(ijk=parts.expected_ijk),
        "threshold.json": as_json(parts.threshold),
        "probe.npz": as_npz(**probe_arrays(parts.probes)),
        **parts.further,
    }
    if parts.reference is not None:
        spread, evened = parts.reference.spread_counts, parts.reference.evened
        files[REFERENCE_FILE] = as_npz(
            image=parts.reference.image,
            depth_counts=parts.reference.depth_counts,
            shown_counts=parts.reference.shown_counts,
            depth_unit_mm=np.float64(parts.reference.depth_unit_mm),
            part_from_camera=parts.reference.part_from_camera,
            gloss=parts.reference.gloss,
            **({} if spread is None else {"spread_counts": spread}),
            **({} if evened is None else {"evened": evened}),
            **({} if parts.reference.sensed is None else parts.reference.sensed.arrays),
        )
    if parts.uninspected is not None:
        files[UNINSPECTED_FILE] = parts.uninspected
    return files


def plan_fields(plan: ViewPlan) -> dict[str, Any]:
    """Of viewplan.json."""
    return {
        "max_distance_mm": plan.max_distance_mm,
        "max_angle_deg": plan.max_angle_deg,
        "views": [{"part_from_camera": view.tolist()} for view in plan.views],
    }


def probe_arrays(probes: Sequence[Probe]) -> dict[str, npt.NDArray[Any]]:
    """As they stand in probe.npz."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for number, probe in enumerate(probes):
        arrays |= {f"{number}.{name}": tensor for name, tensor in probe.inputs.items()}
        arrays[f"{number}.score"] = probe.score
    return arrays


def as_json(value: Mapping[str, Any]) -> bytes:
    """For people too."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def as_npz(**arrays: npt.ArrayLike) -> bytes:
    """Compressed."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
