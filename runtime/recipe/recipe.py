"""A recipe folder becomes one checked object. A file that was altered is refused, not used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.npz import arrays_of
from voxgate.runtime.common.strict_json import parse_object
from voxgate.runtime.common.text import one_line
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import DepthMap, GreyImage
from voxgate.runtime.recipe.manifest import (
    FILES,
    GEOMETRY,
    MODEL,
    REFERENCE_FILE,
    SCHEMA_VERSIONS,
    SCORER_FILE,
    ZONES_FILE,
    DetectorSection,
    Manifest,
)
from voxgate.runtime.recipe.scorer import Scorer, read_scorer
from voxgate.runtime.recipe.signature import ANYBODY, Signature, Trust, verified
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.recipe.zones import Zones, read_zones
from voxgate.runtime.transforms import Transform, rigid
from voxgate.runtime.volume.grid import GridSpec

MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 31  # no model of the methods we serve comes near 2 GiB
PICTURES = ("image", "reference", "gloss", "depth_mm", "score")
"""Tensors of the camera's own size."""
MAX_VIEWS = 64  # a bound on memory; a ring of viewpoints has a dozen


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceView:
    """One view of the golden scan, as it was taken.

    gloss: (h, w) uint8, grey levels by which this surface point changes from view to view.
    """

    image: GreyImage
    depth_mm: DepthMap
    part_from_camera: Transform
    gloss: GreyImage


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One recorded run of the model: what went in, and the (h, w) float32 scores that came out."""

    inputs: dict[str, npt.NDArray[np.generic]]
    score: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A further model of a recipe, with the runs that prove it."""

    section: DetectorSection
    model: bytes
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """The deployable unit for one part type.

    expected_ijk: (n, 3) int32, voxels of `grid` through which the golden part's surface passes.
    reference: one golden view per planned view.
    threshold: how the threshold 1.0 was found, for people; nothing is computed from it.
    zones: thresholds by zone, None for 1.0 everywhere; scorer: a classifier over them, if any.
    further: models besides `model`, in the manifest's order. model_name: which of a recipe's models
        this one was taken out as (`models`); empty for the first, and for a recipe as it is.
    """

    manifest: Manifest
    model: bytes
    plan: ViewPlan
    grid: GridSpec
    expected_ijk: npt.NDArray[np.int32]
    reference: tuple[ReferenceView, ...]
    probes: tuple[Probe, ...]
    threshold: Mapping[str, Any]
    signature: Signature | None = None
    zones: Zones | None = None
    scorer: Scorer | None = None
    further: tuple[Detector, ...] = ()
    model_name: str = ""

    @property
    def label(self) -> str:
        """`name/version`, as robots and people call it."""
        return f"{self.manifest.name}/{self.manifest.version}"

    @property
    def model_label(self) -> str:
        """The label, and which of the recipe's models, where that is not its first."""
        return f"{self.label} ({self.model_name})" if self.model_name else self.label

    @property
    def channels(self) -> tuple[str, ...]:
        """Whoever can have a volume of its own, for a classifier to hear."""
        shape = (GEOMETRY,) if self.manifest.geometry and self.reference else ()
        return (MODEL, *shape, *(each.section.name for each in self.further))

    @property
    def models(self) -> tuple[Recipe, ...]:
        """Every model as a recipe of its own, the first one first: to be opened, proven, built."""
        manifest = self.manifest.model_copy(update={"schema_version": 1, "detectors": ()})
        first = replace(self, manifest=manifest, further=(), scorer=None)
        return (first, *(_alone(first, each) for each in self.further))

    @classmethod
    def load(cls, folder: Path, trust: Trust = ANYBODY) -> Recipe:
        """Read and check a recipe folder, its signature first.

        Raises RecipeError: one line with what to do.
        """
        text = _text(folder)
        signature = verified(folder, text, trust, utc_now())
        manifest = _manifest(folder / MANIFEST_FILE, text)
        content = {name: _read(folder, name, digest) for name, digest in manifest.files.items()}
        return replace(cls.from_files(manifest, content, str(folder)), signature=signature)

    @classmethod
    def from_files(cls, manifest: Manifest, content: Mapping[str, bytes], where: str) -> Recipe:
        """Take the files apart. Raises RecipeError, naming `where` they come from."""
        try:
            return _from_files(manifest, content)
        except _BROKEN as error:
            raise RecipeError(f"{where}: {one_line(error)}; export the recipe again") from error

    def check_detector(self) -> None:
        """Raises RecipeError for a detector that this runtime cannot serve."""
        if self.manifest.detector == "scene":
            raise RecipeError(
                f"recipe {self.label}: scene detectors (Odd-One-Out) are not served yet: "
                "choose a view or volume detector"
            )

    def check_further(self, engines: Collection[str]) -> None:
        """Raises RecipeError unless there is an engine for each further model, by its name."""
        wanted = [each.section.name for each in self.further]
        if sorted(engines) != sorted(wanted):
            raise RecipeError(
                f"recipe {self.label} has the further models {wanted}, opened are {list(engines)}: "
                "none may be left out"
            )

    def check_calibration(self, calibration: Calibration) -> None:
        """Raises RecipeError unless `calibration` places pixels where this recipe expects them."""
        if calibration.part != self.manifest.part:
            raise RecipeError(
                f"recipe {self.label} is for part {self.manifest.part!r}, "
                f"the calibration is for {calibration.part!r}: choose the recipe of this part"
            )
        if calibration.digest != self.manifest.calibration_digest:
            raise RecipeError(
                f"recipe {self.label} was made with another calibration of {calibration.part!r}: "
                "export it again from a golden scan taken with this one"
            )
        size = (calibration.height_px, calibration.width_px)
        for each in self.models:
            for tensor in (*each.manifest.inputs, each.manifest.output):
                if (
                    tensor.name in PICTURES
                    and self.manifest.voxels is None
                    and tensor.shape[2:] != size
                ):
                    raise RecipeError(
                        f"recipe {each.model_label}: {tensor} does not fit the camera's pictures "
                        f"of {size}: export it again for this camera"
                    )


def sha256(content: bytes) -> str:
    """Hex digest, as the manifest lists it."""
    return hashlib.sha256(content).hexdigest()


def _alone(first: Recipe, detector: Detector) -> Recipe:
    section = detector.section
    own = ("method", "precision", "inputs", "output", "probe_tolerance", "fpfh")
    manifest = first.manifest.model_copy(update={name: getattr(section, name) for name in own})
    return replace(
        first,
        manifest=manifest,
        model=detector.model,
        probes=detector.probes,
        model_name=section.name,
    )


# what a file of the right hash but the wrong content can raise while it is taken apart
_BROKEN = (ValueError, KeyError, TypeError)


def _text(folder: Path) -> bytes:
    path = folder / MANIFEST_FILE
    try:
        with path.open("rb") as file:
            text = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError as error:
        raise RecipeError(f"{folder}: no {MANIFEST_FILE} here, so this is no recipe") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {one_line(error)}") from error
    if len(text) > MAX_MANIFEST_BYTES:
        raise RecipeError(f"{path}: larger than {MAX_MANIFEST_BYTES} bytes")
    return text


def _manifest(path: Path, text: bytes) -> Manifest:
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


def _check_files(path: Path, manifest: Manifest) -> None:
    needed = {*FILES, *(name for each in manifest.detectors for name in each.files)}
    allowed = {*needed, REFERENCE_FILE, ZONES_FILE, SCORER_FILE}
    if missing := needed - set(manifest.files):
        raise RecipeError(f"{path}: files {sorted(missing)} are not listed")
    if unknown := set(manifest.files) - allowed:  # names are fixed, so no path can escape
        raise RecipeError(f"{path}: files {sorted(unknown)} do not belong to a recipe")


def _read(folder: Path, name: str, digest: str) -> bytes:
    path = folder / name
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RecipeError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}: copy the recipe again") from error
    if sha256(content) != digest:
        raise RecipeError(f"{path}: differs from the manifest's sha256: copy the recipe again")
    return content


def _from_files(manifest: Manifest, content: Mapping[str, bytes]) -> Recipe:
    grid = manifest.grid
    plan = _plan(content["viewplan.json"])
    zones = _zones(content.get(ZONES_FILE), grid.voxel_mm)
    recipe = Recipe(
        manifest=manifest,
        model=content["model.onnx"],
        plan=plan,
        grid=GridSpec(grid.origin_mm, grid.shape, grid.voxel_mm),
        expected_ijk=_expected(content["expected.npz"], grid.shape),
        reference=_reference(content.get(REFERENCE_FILE), len(plan.views)),
        probes=_probes(content["probe.npz"]),
        threshold=json.loads(content["threshold.json"]),
        zones=zones,
        further=tuple(_detector(each, content) for each in manifest.detectors),
    )
    return replace(recipe, scorer=_scorer(content.get(SCORER_FILE), recipe))


def _detector(section: DetectorSection, content: Mapping[str, bytes]) -> Detector:
    model, probes = section.files
    return Detector(section, content[model], _probes(content[probes]))


def _plan(content: bytes) -> ViewPlan:
    fields = parse_object(content.decode("utf-8"))
    views = fields.objects("views", MAX_VIEWS)
    return ViewPlan(
        views=tuple(rigid(view.numbers("part_from_camera", (4, 4))) for view in views),
        max_distance_mm=fields.number("max_distance_mm", 0.0, 1e4),
        max_angle_deg=fields.number("max_angle_deg", 0.0, 180.0),
    )


def _expected(content: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.int32]:
    ijk: npt.NDArray[np.int32] = arrays_of(content)["ijk"]
    if ijk.ndim != 2 or ijk.shape[1] != 3 or ijk.dtype != np.int32 or not len(ijk):
        raise ValueError(f"expected.npz: ijk is (n, 3) int32, got {ijk.shape} {ijk.dtype}")
    if (ijk < 0).any() or (ijk >= shape).any():
        raise ValueError("expected.npz: voxels lie outside the grid")
    return ijk


def _reference(content: bytes | None, count: int) -> tuple[ReferenceView, ...]:
    if content is None:
        return ()
    arrays = arrays_of(content)
    if len(arrays["image"]) != count:
        raise ValueError(
            f"reference.npz: {len(arrays['image'])} views, but the view plan has {count}"
        )
    counts = arrays["depth_counts"]
    depth_mm = np.where(counts == 0, np.nan, counts * float(arrays["depth_unit_mm"]))
    return tuple(
        ReferenceView(
            np.ascontiguousarray(image),
            depth.astype(np.float32),
            rigid(pose),
            np.ascontiguousarray(gloss),
        )
        for image, depth, pose, gloss in zip(
            arrays["image"], depth_mm, arrays["part_from_camera"], arrays["gloss"], strict=True
        )
    )


def _zones(content: bytes | None, voxel_mm: float) -> Zones | None:
    return None if content is None else read_zones(arrays_of(content), voxel_mm)


def _scorer(content: bytes | None, recipe: Recipe) -> Scorer | None:
    if content is None:
        return None
    scorer = read_scorer(arrays_of(content))
    scorer.check_channels(recipe.channels)
    scorer.check_zones(recipe.zones or Zones.whole())
    return scorer


def _probes(content: bytes) -> tuple[Probe, ...]:
    """Arrays `<n>.<input>` and `<n>.score`, n = 0, 1, ..."""
    arrays = arrays_of(content)
    count = sum(key.endswith(".score") for key in arrays)
    return tuple(_probe(arrays, f"{number}.") for number in range(count))


def _probe(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Probe:
    own = {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}
    score = own.pop("score")
    return Probe(own, score)
