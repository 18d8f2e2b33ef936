"""What a TensorRT plan is for, as its folder is named and its sidecar says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxgate.runtime.gpu.device import DeviceInfo
from voxgate.runtime.plans.flavour import TENSORRT, Edition, Name
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.manifest import TensorSpec
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.sections.cameras import Digest

NAMED = 16  # digits of a model's sha256 in the name of a plan's folder


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What decides whether a plan may be used."""

    model_sha256: str
    edition: Edition
    gpu: str
    sm: int
    multiprocessors: int
    precision: str
    tf32: bool = False

    @classmethod
    def of(cls, recipe: Recipe, edition: Edition, gpu: DeviceInfo, tf32: bool = False) -> PlanKey:
        return cls(
            model_sha256=sha256(recipe.model),
            edition=edition,
            gpu=gpu.name,
            sm=gpu.sm,
            multiprocessors=gpu.multiprocessors,
            precision=recipe.manifest.precision,
            tf32=tf32,
        )

    @property
    def folder(self) -> str:
        """A name that a person can read and a file system can hold."""
        mode = f"{self.precision}{'-tf32' if self.tf32 else ''}"
        return f"{self.model_sha256[:NAMED]}-{self._where}-{mode}"

    @property
    def timing_cache(self) -> str:
        """Kernel timings are worth keeping per TensorRT, GPU and its multiprocessors."""
        return f"timing-{self._where}.cache"

    @property
    def _where(self) -> str:
        gpu = re.sub(r"[^A-Za-z0-9]+", "-", self.gpu).strip("-").lower()
        return f"{self.edition.short}-{gpu}-sm{self.sm}x{self.multiprocessors}"


class Sidecar(BaseModel):
    """What stands beside a plan; read before the plan is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    recipe: str
    model_sha256: Digest
    flavour: Name = TENSORRT
    tensorrt: str
    gpu: str
    sm: int
    multiprocessors: int
    precision: str
    tf32: bool
    strongly_typed: bool
    driver: str
    library: str
    power_mode: str | None = None
    optimisation_level: int
    workspace_mb: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    plan_sha256: Digest
    plan_bytes: Annotated[int, Field(gt=0)]
    scratch_bytes: int | None = Field(None, description="GPU memory to run in, beside the weights")
    dla_core: int | None = Field(None, description="DLA of a Jetson that runs what it can of it")
    gpu_layers: tuple[str, ...] = Field((), description="what it leaves to the GPU")
    kernels_source: str
    kernels_sha256: Digest
    probe_off: float = Field(description="largest error of the probe after the build, thresholds")
    build_s: float
    built_utc: datetime
    voxgate: str

    @property
    def edition(self) -> Edition:
        """The TensorRT that built it."""
        return Edition(self.flavour, self.tensorrt)

    @property
    def key(self) -> PlanKey:
        return PlanKey(
            self.model_sha256,
            self.edition,
            self.gpu,
            self.sm,
            self.multiprocessors,
            self.precision,
            self.tf32,
        )


def is_of_model(folder: str, model_sha256: str) -> bool:
    """Whether a plan's folder is named for this model."""
    return folder.startswith(f"{model_sha256[:NAMED]}-")


def differences(wanted: PlanKey, other: PlanKey) -> list[str]:
    """In words: what a plan was built for, and what there is here."""
    found = []
    if other.model_sha256 != wanted.model_sha256:
        found.append("it was built from another model (the recipe was exported again)")
    if other.edition != wanted.edition:
        found.append(f"built by {other.edition}, here is {wanted.edition}")
    if (other.gpu, other.sm) != (wanted.gpu, wanted.sm):
        found.append(
            f"built for {other.gpu} (sm_{other.sm}), here is {wanted.gpu} (sm_{wanted.sm})"
        )
    elif other.multiprocessors != wanted.multiprocessors:
        found.append(
            f"built with {other.multiprocessors} multiprocessors, {wanted.multiprocessors} are on "
            "now: another power mode (nvpmodel -q)"
        )
    if other.precision != wanted.precision:
        found.append(f"built for {other.precision}, the recipe is {wanted.precision}")
    return found
