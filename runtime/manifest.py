"""What a recipe says of itself: `manifest.json`, the first file of it that is read."""

from __future__ import annotations

from datetime import datetime
from math import prod
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
VERSION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
LABEL = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(/[A-Za-z0-9][A-Za-z0-9._-]{0,31})?$"
"""A recipe as robots and configurations name it: name, or name/version."""
Name = Annotated[str, Field(pattern=NAME)]
Version = Annotated[str, Field(pattern=VERSION)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Millimetres = Annotated[float, Field(ge=-1e5, le=1e5)]
FILES = ("model.onnx", "viewplan.json", "expected.npz", "threshold.json", "probe.npz")
"""What every recipe holds besides its manifest."""
ZONES_FILE = "zones.npz"
"""Zones with thresholds of their own."""
SCORER_FILE = "scorer.npz"
"""A classifier over the zones."""
REFERENCE_FILE = "reference.npz"
"""Golden views; there when the model or the geometry compares with them."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TensorSpec(_Section):
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


class GridSection(_Section):
    """The volume, in the part frame: voxel (i, j, k) covers origin + voxel_mm * [i, i+1) x ..."""

    origin_mm: tuple[Millimetres, Millimetres, Millimetres]
    shape: tuple[int, int, int]
    voxel_mm: Annotated[float, Field(gt=0, le=100)]
    table_z_mm: Millimetres = Field(description="what lies below is the table, not the part")


class FpfhSection(_Section):
    """How the box describes the shape around each point: FPFH, as SiM3D (S.6) takes it.

    Normals from points within normal_radius_mm, features from points within feature_radius_mm, at
    most so many nearest ones; a descriptor at every step_px-th pixel of both directions.
    """

    normal_radius_mm: Annotated[float, Field(gt=0, le=100)] = 4.0
    normal_neighbours: Annotated[int, Field(ge=3, le=1000)] = 30
    feature_radius_mm: Annotated[float, Field(gt=0, le=200)] = 10.0
    feature_neighbours: Annotated[int, Field(ge=3, le=1000)] = 100
    step_px: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _normals_look_no_farther(self) -> FpfhSection:
        farther = self.normal_radius_mm > self.feature_radius_mm
        if farther or self.normal_neighbours > self.feature_neighbours:
            raise ValueError("normals are taken from the neighbours that features are taken from")
        return self


class VoxelSection(_Section):
    """The cube of voxels that a volume detector sees, in the frame of the golden part."""

    origin_mm: tuple[Millimetres, Millimetres, Millimetres]
    cell_mm: Annotated[float, Field(gt=0, le=100)]
    cells: Annotated[int, Field(ge=8, le=128)] = 64


class Manifest(_Section):
    """Everything the box must know before it opens another file of the recipe."""

    schema_version: Literal[1]
    name: Name
    version: Version
    part: Annotated[str, Field(min_length=1, max_length=1000)]
    method: Annotated[str, Field(min_length=1, max_length=64)]
    detector: Literal["view", "volume", "scene"] = Field(
        description="shape of the detector; design section 3"
    )
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    geometry: bool = Field(
        default=True, description="whether deviation from the golden surface scores too"
    )
    rendered: bool = Field(
        default=False,
        description="golden views rendered from CAD: they show the shape, not the look, and a "
        "return at every pixel",
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
    probe_tolerance: Annotated[float, Field(gt=0, le=0.1)] = Field(
        default=1e-3, description="of the threshold, by which the probe may differ at load"
    )
    fpfh: FpfhSection | None = None
    voxels: VoxelSection | None = None
    files: dict[str, Digest] = Field(description="file -> sha256")

    @property
    def sees_depth(self) -> bool:
        """Whether the model is shown what the 3D sensor measured."""
        return any(spec.name in ("depth_mm", "fpfh") for spec in self.inputs)

    @model_validator(mode="after")
    def _detector_has_what_it_needs(self) -> Manifest:
        volume = self.detector == "volume"
        if volume != (self.voxels is not None):
            raise ValueError(f"a {self.detector} detector {'needs' if volume else 'has no'} voxels")
        if (self.fpfh is not None) != any(spec.name == "fpfh" for spec in self.inputs):
            raise ValueError("fpfh says how the input fpfh is made: both or neither")
        if self.detector != "scene":
            _check_dimensions((*self.inputs, self.output), 5 if volume else 4)
        return self


def _check_dimensions(tensors: tuple[TensorSpec, ...], dimensions: int) -> None:
    for spec in tensors:
        if len(spec.shape) != dimensions:
            raise ValueError(f"tensor {spec} must have {dimensions} dimensions")
