"""A recipe: everything that inspects one part type, as one checked object."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.runtime.common.npz import arrays_of
from voxgate.runtime.common.text import one_line
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.carried_plan import CarriedPlan, carried_plans
from voxgate.runtime.recipe.contents import (
    Probe,
    ReferenceView,
    TrayProbe,
    expected_of,
    plan_of,
    probes_of,
    reference_of,
    tray_probe_of,
)
from voxgate.runtime.recipe.external_data import refers_elsewhere
from voxgate.runtime.recipe.folder import (
    MANIFEST_FILE,
    check_manifests,
    content_of,
    manifest_of,
    manifest_text,
    sha256,
)
from voxgate.runtime.recipe.manifest import (
    GEOMETRY,
    MODEL,
    REFERENCE_FILE,
    SCORER_FILE,
    ZONES_FILE,
    DetectorSection,
    Manifest,
)
from voxgate.runtime.recipe.scorer import Scorer, read_scorer
from voxgate.runtime.recipe.sections.cameras import CameraSection, check_cell, own_content
from voxgate.runtime.recipe.signature import ANYBODY, Signature, Trust, verified
from voxgate.runtime.recipe.size import check_size
from voxgate.runtime.recipe.viewplan import ViewPlan
from voxgate.runtime.recipe.zones import Zones, read_zones
from voxgate.runtime.volume.grid import GridSpec


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
    digest: sha256 of its manifest, which lists the sha256 of every file. plans: of TensorRT, built
        ahead for cards, of this one model where it was taken out as one.
    beside: of each further camera, in the manifest's order; camera: of several, which this is of.
    tray_probe: of a recipe that compares the parts of a tray without a network: it has no model. No
        recipe of trays expects a surface.
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
    digest: str = ""
    plans: tuple[CarriedPlan, ...] = ()
    beside: tuple[Recipe, ...] = ()
    camera: str = ""
    tray_probe: TrayProbe | None = None

    @property
    def of_trays(self) -> bool:
        """Whether it compares the parts of a tray with each other."""
        return self.manifest.detector == "scene"

    @property
    def of_sets(self) -> bool:
        """Whether it scores each view beside all others of the part."""
        return self.manifest.detector == "set"

    @property
    def label(self) -> str:
        """`name/version`, as robots and people call it."""
        return f"{self.manifest.name}/{self.manifest.version}"

    @property
    def model_label(self) -> str:
        """The label, and which of the recipe's models, where that is not its first."""
        of = " ".join(name for name in (self.camera, self.model_name) if name)
        return f"{self.label} ({of})" if of else self.label

    @property
    def at_work(self) -> Recipe:
        """Without the golden views as they were taken: who inspects has made his own of them."""
        return replace(self, reference=(), beside=tuple(each.at_work for each in self.beside))

    @property
    def cameras(self) -> dict[str, Recipe]:
        """Of each camera a recipe of its own, the first one first; "": it is of one camera."""
        if not self.manifest.cameras:
            return {"": self}
        manifest = self.manifest
        version = 2 if manifest.detectors else 1
        own = manifest.model_copy(update={"schema_version": version, "cameras": ()})
        first = replace(self, manifest=own, beside=())
        names = [section.name for section in manifest.cameras]
        each = zip(names, (first, *self.beside), strict=True)
        return {name: replace(recipe, camera=name) for name, recipe in each}

    @property
    def planned(self) -> int:
        """Views, of all cameras."""
        return sum(len(recipe.plan.views) for recipe in (self, *self.beside))

    @property
    def every_model(self) -> tuple[Recipe, ...]:
        """As `models`, of every camera."""
        return tuple(model for recipe in self.cameras.values() for model in recipe.models)

    @property
    def channels(self) -> tuple[str, ...]:
        """Whoever can have a volume of its own, for a classifier to hear."""
        shape = (GEOMETRY,) if self.manifest.geometry and self.reference else ()
        further = () if self.of_sets else self.further
        return (MODEL, *shape, *(each.section.name for each in further))

    @property
    def models(self) -> tuple[Recipe, ...]:
        """Every model as a recipe of its own, the first one first: to be opened, proven, built."""
        if not self.model:
            return ()
        manifest = self.manifest.model_copy(update={"schema_version": 1, "detectors": ()})
        first = replace(self, manifest=manifest, further=(), scorer=None)
        models = (first, *(_alone(first, each) for each in self.further))
        return tuple(replace(each, plans=self._plans_of(each.model_name)) for each in models)

    def _plans_of(self, model_name: str) -> tuple[CarriedPlan, ...]:
        return tuple(plan for plan in self.plans if plan.section.detector == model_name)

    @classmethod
    def load(cls, folder: Path, trust: Trust = ANYBODY) -> Recipe:
        """Read and check a recipe folder, its signature first.

        Raises RecipeError: one line with what to do.
        """
        text = manifest_text(folder)
        signature = verified(folder, text, trust, utc_now())
        return replace(cls.of_manifest(folder, text), signature=signature)

    @classmethod
    def of_manifest(cls, folder: Path, text: bytes) -> Recipe:
        """The recipe that this very text of its manifest describes. Raises RecipeError."""
        manifest = manifest_of(folder, text)
        recipe = cls.from_files(manifest, content_of(folder, manifest), str(folder))
        return replace(recipe, digest=sha256(text), plans=carried_plans(folder, manifest))

    @classmethod
    def from_files(cls, manifest: Manifest, content: Mapping[str, bytes], where: str) -> Recipe:
        """Take the files apart. Raises RecipeError, naming `where` they come from."""
        try:
            return _from_files(manifest, content)
        except _BROKEN as error:
            raise RecipeError(f"{where}: {one_line(error)}; export the recipe again") from error

    def check_detector(self) -> None:
        """Raises RecipeError unless a graph scores views or volumes of single parts."""
        if self.of_trays:
            raise RecipeError(
                f"recipe {self.label} compares the parts of a tray with each other: it has no "
                "graph to build or to run"
            )

    def check_further(self, engines: Collection[str]) -> None:
        """Raises RecipeError unless there is an engine for each further model, by its name."""
        wanted = [each.section.name for each in self.further]
        if sorted(engines) != sorted(wanted):
            raise RecipeError(
                f"recipe {self.label} has the further models {wanted}, opened are {list(engines)}: "
                "none may be left out"
            )

    def check_cameras(self, calibrations: Mapping[str, Calibration]) -> None:
        """Raises RecipeError unless these, by name, are the cell that the recipe is for."""
        if self.manifest.cameras:
            check_cell(self.label, self.manifest.cameras, calibrations)
        elif len(calibrations) > 1:
            raise RecipeError(
                f"recipe {self.label} is of one camera, the cell has {', '.join(calibrations)}: "
                "export one from a golden scan of all of them"
            )
        for name, own in self.cameras.items():
            own.check_calibration(calibrations[name] if name else next(iter(calibrations.values())))

    @property
    def in_colour(self) -> bool:
        """Whether what is inspected must be in colour."""
        return self.manifest.in_colour or bool(self.tray_probe and self.tray_probe.in_colour)

    def check_pictures(self, in_colour: Mapping[str, bool]) -> None:
        """Raises RecipeError for a recipe that sees colour where a camera's pictures are grey.

        in_colour: of each camera, by name. The other way round the recipe looks at the luma of what
        comes in colour.
        """
        for name, own in self.cameras.items():
            comes = in_colour[name] if name else all(in_colour.values())
            if own.in_colour and not comes:
                raise RecipeError(
                    f"recipe {own.model_label} was taught in colour, the cell's pictures are grey: "
                    "say `colour: true` at the camera, which must send it, or export one with "
                    "--grey"
                )

    def check_calibration(self, calibration: Calibration) -> None:
        """Raises RecipeError unless `calibration` places pixels where this recipe expects them."""
        if self.manifest.cameras:
            names = ", ".join(section.name for section in self.manifest.cameras)
            raise RecipeError(
                f"recipe {self.label} is of the cameras {names}: one camera alone proves no part "
                "good"
            )
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
        worked = calibration.reduced(self.manifest.block_px)
        size = (worked.height_px, worked.width_px)
        for each in () if self.of_trays or self.manifest.voxels is not None else self.models:
            check_size(each.model_label, each.manifest, size)


def _alone(first: Recipe, detector: Detector) -> Recipe:
    section = detector.section
    own = ("method", "precision", "inputs", "output", "probe_tolerance", "fpfh", "points")
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


def _from_files(manifest: Manifest, content: Mapping[str, bytes]) -> Recipe:
    for name in [name for name in content if name.endswith(".onnx")]:
        if refers_elsewhere(content[name]):
            raise ValueError(
                f"{name} cannot be read, or keeps tensors in other files, which nobody has signed"
            )
    if manifest.detector == "scene":
        return _of_trays(manifest, content)
    grid = manifest.grid
    plan = plan_of(content["viewplan.json"])
    zones = content.get(ZONES_FILE)
    recipe = Recipe(
        manifest=manifest,
        model=content["model.onnx"],
        plan=plan,
        grid=GridSpec(grid.origin_mm, grid.shape, grid.voxel_mm),
        expected_ijk=expected_of(content["expected.npz"], grid.shape),
        reference=reference_of(content.get(REFERENCE_FILE), len(plan.views)),
        probes=probes_of(content["probe.npz"]),
        threshold=json.loads(content["threshold.json"]),
        zones=None if zones is None else read_zones(arrays_of(zones), grid.voxel_mm),
        further=tuple(_detector(each, content) for each in manifest.detectors),
    )
    further = tuple(_of_camera(manifest, each, content) for each in manifest.cameras[1:])
    return replace(recipe, scorer=_scorer(content.get(SCORER_FILE), recipe), beside=further)


def _of_camera(whole: Manifest, section: CameraSection, content: Mapping[str, bytes]) -> Recipe:
    own = own_content(section.name, content)
    manifest = Manifest.model_validate_json(own[MANIFEST_FILE])
    check_manifests(whole, section, manifest)
    recipe = _from_files(manifest, own)
    if len(recipe.plan.views) != section.views:
        raise ValueError(f"camera {section.name}: its view plan has {len(recipe.plan.views)} views")
    return recipe


def _of_trays(manifest: Manifest, content: Mapping[str, bytes]) -> Recipe:
    grid, model, probe = manifest.grid, content.get("model.onnx", b""), content["probe.npz"]
    return Recipe(
        manifest=manifest,
        model=model,
        plan=plan_of(content["viewplan.json"]),
        grid=GridSpec(grid.origin_mm, grid.shape, grid.voxel_mm),
        expected_ijk=np.empty((0, 3), np.int32),
        reference=(),
        probes=probes_of(probe) if model else (),
        threshold=json.loads(content["threshold.json"]),
        further=tuple(_detector(each, content) for each in manifest.detectors),
        tray_probe=None if model else tray_probe_of(probe),
    )


def _detector(section: DetectorSection, content: Mapping[str, bytes]) -> Detector:
    model, probes = section.files
    return Detector(section, content[model], probes_of(content[probes]))


def _scorer(content: bytes | None, recipe: Recipe) -> Scorer | None:
    if content is None:
        return None
    scorer = read_scorer(arrays_of(content))
    scorer.check_channels(recipe.channels)
    scorer.check_zones(recipe.zones or Zones.whole())
    return scorer
