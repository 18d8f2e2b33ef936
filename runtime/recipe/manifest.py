"""What a recipe says of itself: `manifest.json`, the first file of it that is read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from math import pi, prod
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from voxgate.runtime.common.labels import MAX_CAMERAS, Name, Version
from voxgate.runtime.pixels.colour import COLOURS
from voxgate.runtime.recipe.sections.cameras import CameraSection, Digest, check_sections
from voxgate.runtime.recipe.sections.section import Section
from voxgate.runtime.recipe.sections.shapes import FpfhSection, PointsSection, ShapeSection
from voxgate.runtime.recipe.sections.trays import FaintestSection

SCHEMA_VERSIONS = (1, 2, 3)
"""2 is for recipes of several models, 3 for those of several cameras: who reads 1 alone must not
inspect by the first of them."""

Millimetres = Annotated[float, Field(ge=-1e5, le=1e5)]
FILES = ("model.onnx", "viewplan.json", "expected.npz", "threshold.json", "probe.npz")
"""What every recipe holds besides its manifest."""
ZONES_FILE = "zones.npz"
"""Zones with thresholds of their own."""
SCORER_FILE = "scorer.npz"
"""A classifier over the zones."""
REFERENCE_FILE = "reference.npz"
"""Golden views; there when the model or the geometry compares with them."""
UNINSPECTED_FILE = "not_inspected.png"
"""The golden views, with what is not inspected, or by its look alone, in colour: for people."""
MODEL, GEOMETRY = "model", "geometry"
"""Channels of every recipe: its first model, and the deviation from the golden surface."""
FEATURES, PAIRS, ERRORS = "features", "pairs", "errors"
"""Where views are scored together: the further models that see each and hold two against each
other, and the first one's input."""
OF_SETS = (FEATURES, PAIRS)
SMALLEST_VOXELS = 2.0  # across: what the volume resolves
FLICKER = "gloss"  # the input of a model that compares with golden pictures
PICTURE_INPUTS = frozenset(("image", "reference", "pictures"))
"""What a graph may take in colour: of one channel or of three, as its own input says."""
DEPTH_INPUTS = frozenset(("depth_mm", "fpfh", "points"))  # show what the 3D sensor measured
LATER = frozenset(("smallest_mm", "working", "untrained", "points", "faintest"))
MAX_BLOCK_PX = 64  # of the camera's, across, that are inspected as one
MAX_DETECTORS = 4  # besides the first: a bound on memory and on the time of a view
MAX_PLANS = 64  # five models for every kind of card there is
DetectorName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


def detector_files(name: str) -> tuple[str, str]:
    """Graph and probes of a further model; the name's pattern lets no path escape."""
    return f"model.{name}.onnx", f"probe.{name}.npz"


class TensorSpec(Section):
    """One input or output of the graph."""

    name: str
    dtype: Literal["uint8", "float32"]
    shape: tuple[int, ...] = Field(min_length=4, max_length=5)

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.shape)}"

    @property
    def nbytes(self) -> int:
        """Bytes of such a tensor."""
        return prod(self.shape) * {"uint8": 1, "float32": 4}[self.dtype]


class GridSection(Section):
    """The volume, in the part frame: voxel (i, j, k) covers origin + voxel_mm * [i, i+1) x ..."""

    origin_mm: tuple[Millimetres, Millimetres, Millimetres]
    shape: tuple[int, int, int]
    voxel_mm: Annotated[float, Field(gt=0, le=100)]
    table_z_mm: Millimetres = Field(description="what lies below is the table, not the part")


class VoxelSection(Section):
    """The cube of voxels that a volume detector sees, in the frame of the golden part."""

    origin_mm: tuple[Millimetres, Millimetres, Millimetres]
    cell_mm: Annotated[float, Field(gt=0, le=100)]
    cells: Annotated[int, Field(ge=8, le=128)] = 64


class WorkingSection(Section):
    """The pictures that are inspected: the camera's, a block of its pixels made one.

    One resolution for all that the recipe does: its models see these pictures too.
    """

    block_px: Annotated[int, Field(ge=2, le=MAX_BLOCK_PX)] = Field(
        description="side of a block, in pixels of the camera"
    )
    width_px: Annotated[int, Field(ge=1)]
    height_px: Annotated[int, Field(ge=1)]
    pixel_mm: Annotated[float, Field(gt=0, le=100)] = Field(
        description="what a pixel of them spans on the golden part, in the farthest view"
    )


class DetectorSection(Section):
    """A further view detector of the recipe; its threshold is 1.0 too."""

    name: DetectorName = Field(description="names its channel, its files, and it in a verdict")
    method: Annotated[str, Field(min_length=1, max_length=64)]
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    probe_tolerance: Annotated[float, Field(gt=0, le=0.1)] = 1e-3
    fpfh: FpfhSection | None = None
    points: PointsSection | None = None
    narrow: bool = Field(
        default=False,
        description="whether it speaks also where narrow edges gave no return: it saw the picture "
        "alone, and nothing compared the shape beside it",
    )
    tools: dict[str, str] = Field(description="name -> version of what made it")
    provenance: dict[str, Any] = Field(description="where it comes from: recipe, scan, options")

    @property
    def files(self) -> tuple[str, str]:
        """Graph and probes."""
        return detector_files(self.name)

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> DetectorSection:
        if self.name in (MODEL, GEOMETRY):
            raise ValueError(f"a detector is not called {self.name}: that is a channel already")
        _check_inputs(self, dimensions=4)
        return self

    @model_serializer(mode="wrap")
    def _as_ever(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(write(self), ["points"] if self.points is None else [])


class PlanSection(Section):
    """A TensorRT plan that travels with the recipe: of one model, for one kind of card."""

    detector: DetectorName | Literal[""] = Field(
        default="", description="whose model it is; empty for the recipe's first"
    )
    flavour: Literal["tensorrt-rtx"] = "tensorrt-rtx"
    tensorrt: Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,6}){1,4}$")] = Field(
        description="version that built it, and alone can load it"
    )
    sm: Annotated[int, Field(ge=50, le=999)] = Field(
        description="compute capability of the card: 86 is 8.6"
    )
    tf32: bool = False
    optimisation_level: Annotated[int, Field(ge=0, le=5)]
    workspace_mb: Annotated[int, Field(ge=1)]
    build_s: Annotated[float, Field(ge=0)]
    built_utc: datetime
    voxgate: str

    @property
    def file(self) -> str:
        """Fixed by what it is for, so no path can escape."""
        model = f"plan.{self.detector}" if self.detector else "plan"
        return f"{model}.sm_{self.sm}.rtx"


class Manifest(Section):
    """Everything the box must know before it opens another file of the recipe."""

    schema_version: Literal[1, 2, 3]
    name: Name
    version: Version
    part: Annotated[str, Field(min_length=1, max_length=1000)]
    method: Annotated[str, Field(min_length=1, max_length=64)]
    detector: Literal["view", "volume", "scene", "set"] = Field(
        description="what it scores: a view, the part's voxels, a scene of several parts, or each "
        "view beside all others of the part"
    )
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    geometry: bool = Field(
        default=True, description="whether deviation from the golden surface scores too"
    )
    rendered: bool = Field(
        default=False, description="golden views of CAD: shape without look, returns everywhere"
    )
    created_utc: datetime
    tools: dict[str, str] = Field(description="name -> version of what made it")
    provenance: dict[str, Any] = Field(description="where it comes from: scan, options")
    calibration_digest: Digest = Field(description="a scan must be placed by the same calibration")
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    grid: GridSection
    tolerance_mm: Annotated[float, Field(gt=0, le=100)] = Field(
        description="deviation from the golden surface that scores 1.0"
    )
    tint: Annotated[float, Field(ge=0.1, le=10)] = Field(
        default=0.11,
        description="by how much a region of good parts is brighter or darker, a logarithm of grey",
    )
    agreed: Annotated[float, Field(ge=0.1, le=100)] = Field(
        default=0.85, description="what all views of good parts say of one place, in tolerances"
    )
    raised_mm: Annotated[float, Field(ge=0, le=10)] | None = Field(
        default=None, description="what all views of a good part call raised; else it is not asked"
    )
    smallest_mm: Annotated[float, Field(gt=0, le=100)] | None = Field(
        default=None, description="the smallest defect that must be found, across; or the volume's"
    )
    probe_tolerance: Annotated[float, Field(gt=0, le=0.1)] = Field(
        default=1e-3, description="of the threshold, by which the probe may differ at load"
    )
    working: WorkingSection | None = Field(
        default=None, description="where pictures are inspected at less than the camera's size"
    )
    untrained: Literal[True] | None = Field(
        default=None, description="weights drawn by chance, to try out: never PASS"
    )
    fpfh: FpfhSection | None = None
    points: PointsSection | None = None
    voxels: VoxelSection | None = None
    faintest: FaintestSection | None = None
    detectors: tuple[DetectorSection, ...] = Field(
        default=(), max_length=MAX_DETECTORS, description="further models; schema_version 2"
    )
    plans: tuple[PlanSection, ...] = Field(
        default=(), max_length=MAX_PLANS, description="of TensorRT, built ahead for cards"
    )
    cameras: tuple[CameraSection, ...] = Field(
        default=(),
        max_length=MAX_CAMERAS,
        description="several cameras: the first one's recipe is this, each further one's lies in "
        "cameras/<name>; schema_version 3",
    )
    files: dict[str, Digest] = Field(description="file -> sha256")

    @property
    def own_files(self) -> dict[str, Digest]:
        """Without the plans, which are of use on one kind of card each."""
        plans = {plan.file for plan in self.plans}
        return {name: digest for name, digest in self.files.items() if name not in plans}

    @property
    def compares(self) -> bool:
        """Whether the model compares with golden pictures: most trained ones know the look."""
        return any(spec.name == FLICKER for spec in self.inputs)

    @property
    def sees_depth(self) -> bool:
        """Whether the model is shown what the 3D sensor measured."""
        return any(spec.name in DEPTH_INPUTS for spec in self.inputs)

    @property
    def in_colour(self) -> bool:
        """Whether one of its models sees colour: its golden views are in colour then, and so must
        be whatever is inspected."""
        inputs = (*self.inputs, *(spec for each in self.detectors for spec in each.inputs))
        return any(spec.name in PICTURE_INPUTS and spec.shape[1] == COLOURS for spec in inputs)

    @property
    def hides_mm2(self) -> float:
        """What a disc of the smallest defect's size can hide in: unseen, so much is let pass."""
        return pi / 4 * (self.smallest_mm or SMALLEST_VOXELS * self.grid.voxel_mm) ** 2

    @property
    def block_px(self) -> int:
        """Side of the blocks of the camera's pixels that are inspected as one."""
        return 1 if self.working is None else self.working.block_px

    @property
    def narrow(self) -> bool:
        """Whether the model speaks where narrow edges gave no return: it sees the picture alone,
        and what scores the picture alone is not fooled by edges that flicker in depth."""
        return not self.geometry and not self.sees_depth

    @property
    def methods(self) -> str:
        """Of every model, for people."""
        return " + ".join([self.method, *(each.method for each in self.detectors)])

    @model_validator(mode="after")
    def _detector_has_what_it_needs(self) -> Manifest:
        volume = self.detector == "volume"
        if volume != (self.voxels is not None):
            raise ValueError(f"a {self.detector} detector {'needs' if volume else 'has no'} voxels")
        if (self.detector == "set") != any(spec.name == ERRORS for spec in self.inputs):
            raise ValueError(f"a set, and nothing else, takes the input {ERRORS}")
        dimensions = {"view": 4, "set": 4, "volume": 5}.get(self.detector)
        _check_inputs(self, dimensions)
        return self

    @model_validator(mode="after")
    def _several_models_say_so(self) -> Manifest:
        needed = 3 if self.cameras else 2 if self.detectors else 1
        if self.schema_version != needed:
            raise ValueError(
                f"schema_version must be {needed}: 2 says that there are detectors, 3 that there "
                "are cameras"
            )
        check_sections(self.cameras, self.calibration_digest)
        if self.detectors and self.detector == "volume":
            raise ValueError("further detectors stand beside a view detector, not volume")
        if self.detector == "set" and tuple(each.name for each in self.detectors) != OF_SETS:
            raise ValueError(f"a set needs two further models, called {' and '.join(OF_SETS)}")
        names = [each.name for each in self.detectors]
        if len(set(names)) < len(names):
            raise ValueError(f"detectors need names of their own, got {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _plans_are_of_its_models(self) -> Manifest:
        files = [plan.file for plan in self.plans]
        if len(set(files)) < len(files):
            raise ValueError("plans: one per model and card")
        if strange := {plan.detector for plan in self.plans} - {
            "",
            *(d.name for d in self.detectors),
        }:
            raise ValueError(f"plans are of the models {sorted(strange)}, which it does not have")
        return self

    @model_serializer(mode="wrap")
    def _one_model_as_ever(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A recipe of one model is read by every VoxGate, also by one that knows no other."""
        written: dict[str, Any] = write(self)
        later = LATER | {"detectors", "plans", "cameras"}
        return _without(written, [name for name in later if not written.get(name)])


def _without(written: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in written.items() if name not in names}


def _check_inputs(model: DetectorSection | Manifest, dimensions: int | None) -> None:
    names = {spec.name for spec in model.inputs}
    for name, section in (("fpfh", model.fpfh), ("points", model.points)):
        if (section is not None) != (name in names):
            raise ValueError(f"{name} says how the input {name} is made: both or neither")
    for spec in model.inputs:
        if spec.name in PICTURE_INPUTS and spec.shape[1] not in (1, COLOURS):
            raise ValueError(f"{spec}: a picture has 1 channel or {COLOURS}")
    for spec in (*model.inputs, model.output) if dimensions else ():
        if len(spec.shape) != dimensions:
            raise ValueError(f"tensor {spec} must have {dimensions} dimensions")


def described_by(model: DetectorSection | Manifest) -> tuple[ShapeSection, ...]:
    """How the box describes a depth map to this model: nothing, FPFH, groups of points."""
    return tuple(each for each in (model.fpfh, model.points) if each is not None)
