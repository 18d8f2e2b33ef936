"""TensorRT plans on disk: each lies under what it was built from and for, beside a sidecar.

A plan fits one model, one TensorRT, one kind of GPU (its power mode included, for that switches
multiprocessors off) and one way of building. Anything else is named, never loaded.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.engines.seal import Seal, read_seal
from voxgate.runtime.errors import PlanError
from voxgate.runtime.gpu.device import DeviceInfo
from voxgate.runtime.gpu.launch import source_digest
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.manifest import Digest, TensorSpec
from voxgate.runtime.recipe.recipe import Recipe


def plans_of(config: CellConfig) -> PlanCache:
    """The folder of TensorRT plans that this cell's recipes are served from."""
    return PlanCache(config.engine.plans or config.recipes.folder / FOLDER, config)


FOLDER = ".plans"  # beside the recipes; no recipe's name begins with a dot
PLAN, SIDECAR, KERNELS, SEAL = "model.plan", "plan.json", "fusion.cubin", "seal"
_MAX_SIDECAR_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What decides whether a plan may be used."""

    model_sha256: str
    tensorrt: str
    gpu: str
    sm: int
    multiprocessors: int
    precision: str
    tf32: bool = False

    @classmethod
    def of(cls, recipe: Recipe, tensorrt: str, gpu: DeviceInfo, tf32: bool = False) -> PlanKey:
        return cls(
            model_sha256=sha256(recipe.model),
            tensorrt=tensorrt,
            gpu=gpu.name,
            sm=gpu.sm,
            multiprocessors=gpu.multiprocessors,
            precision=recipe.manifest.precision,
            tf32=tf32,
        )

    @property
    def folder(self) -> str:
        """A name that a person can read and a file system can hold."""
        gpu = re.sub(r"[^A-Za-z0-9]+", "-", self.gpu).strip("-").lower()
        mode = f"{self.precision}{'-tf32' if self.tf32 else ''}"
        return (
            f"{self.model_sha256[:16]}-trt{self.tensorrt}-{gpu}-sm{self.sm}"
            f"x{self.multiprocessors}-{mode}"
        )

    @property
    def timing_cache(self) -> str:
        """Kernel timings are worth keeping per TensorRT, GPU and its multiprocessors."""
        gpu = re.sub(r"[^A-Za-z0-9]+", "-", self.gpu).strip("-").lower()
        return f"timing-trt{self.tensorrt}-{gpu}-sm{self.sm}x{self.multiprocessors}.cache"


class Sidecar(BaseModel):
    """What stands beside a plan; read before the plan is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    recipe: str
    model_sha256: Digest
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
    kernels_source: str
    kernels_sha256: Digest
    probe_off: float = Field(description="largest error of the probe after the build, thresholds")
    build_s: float
    built_utc: datetime
    voxgate: str

    @property
    def key(self) -> PlanKey:
        return PlanKey(
            self.model_sha256,
            self.tensorrt,
            self.gpu,
            self.sm,
            self.multiprocessors,
            self.precision,
            self.tf32,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A plan that belongs to this machine and recipe, with the kernels compiled beside it."""

    plan: bytes
    kernels: bytes
    sidecar: Sidecar


class PlanCache:
    """The plans of one folder. Reading never builds anything.

    cell: whose box seals them, where recipes have to be signed; None: a workstation's.
    loaded: sha256 of each plan that was.
    """

    def __init__(self, folder: Path, cell: CellConfig | None = None) -> None:
        self.folder = folder
        self.loaded: list[str] = []
        self._cell = cell if cell is not None and cell.recipes.signers else None

    @classmethod
    def beside(cls, recipe_folder: Path) -> PlanCache:
        """The usual place: `.plans` in the folder that holds the recipes."""
        return cls(recipe_folder.resolve().parent.parent / FOLDER)

    def sidecars(self, recipe: Recipe) -> list[Sidecar]:
        """Of every plan that was built for this recipe's (first) model, or for one that this recipe
        had; readable ones only."""
        model = sha256(recipe.model)
        found = []
        for path in sorted(self.folder.glob(f"*/{SIDECAR}")):
            try:
                sidecar = _sidecar(path, _sidecar_text(path))
            except PlanError:
                continue
            if sidecar.model_sha256 == model or sidecar.recipe == recipe.model_label:
                found.append(sidecar)
        return found

    def load(self, recipe: Recipe, tensorrt: str, gpu: DeviceInfo) -> Plan:
        """The plan of this recipe for this TensorRT and GPU, without TF32 if both are there.

        Raises PlanError: none was built, or the ones there are for something else, and which.
        """
        for tf32 in (False, True):
            place = self.folder / PlanKey.of(recipe, tensorrt, gpu, tf32).folder
            if (place / SIDECAR).exists():
                key, again = PlanKey.of(recipe, tensorrt, gpu, tf32), self.command(recipe)
                said = _sidecar_text(place / SIDECAR)
                self._check_seal(place, said, again)
                plan = _load(place, said, key, again)
                self.loaded.append(plan.sidecar.plan_sha256)
                return plan
        raise PlanError(self._why_not(recipe, tensorrt, gpu))

    def command(self, recipe: Recipe) -> str:
        """What to type, so that a plan of `recipe` lies here."""
        beside = self.folder.parent / recipe.label
        if self.folder.name == FOLDER and (beside / "manifest.json").is_file():
            return f"type: voxgate build {beside}"
        return (
            f"type: voxgate build RECIPE --plans {self.folder}, RECIPE is {recipe.label}'s folder"
        )

    def save(self, key: PlanKey, plan: bytes, kernels: bytes, sidecar: Sidecar) -> Path:
        """Put a plan in its place as a whole, or not at all. Raises PlanError."""
        place = self.folder / key.folder
        fresh = self.folder / f".{key.folder}.{secrets.token_hex(4)}"
        try:
            fresh.mkdir(parents=True)
            (fresh / PLAN).write_bytes(plan)
            (fresh / KERNELS).write_bytes(kernels)
            said = sidecar.model_dump_json(indent=2).encode()
            (fresh / SIDECAR).write_bytes(said)
            if self._cell is not None:
                (fresh / SEAL).write_bytes(Seal.of(self._cell).over(key.folder, said))
            if place.exists():
                rmtree(place)
            fresh.rename(place)
        except OSError as error:
            rmtree(fresh, ignore_errors=True)
            raise PlanError(
                f"{place}: cannot be written: {error.strerror}: give --plans FOLDER"
            ) from error
        return place

    def timing_cache(self, key: PlanKey) -> bytes:
        """What was measured in earlier builds; empty when nothing was."""
        path = self.folder / key.timing_cache
        try:
            content = path.read_bytes()
        except OSError:
            return b""
        seal = read_seal(path.with_suffix(f".{SEAL}"))
        return content if self._is_sealed(path.name, content, seal) else b""

    def save_timing_cache(self, key: PlanKey, content: bytes) -> None:
        """Keep measurements for the next build. Raises PlanError."""
        path = self.folder / key.timing_cache
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(content)
            if self._cell is not None:
                seal = Seal.of(self._cell).over(path.name, content)
                path.with_suffix(f".{SEAL}").write_bytes(seal)
            fresh.replace(path)
        except OSError as error:
            raise PlanError(f"{path}: cannot be written: {error.strerror}") from error

    def _check_seal(self, place: Path, said: bytes, again: str) -> None:
        """Raises PlanError for a plan that this box did not build, where recipes are signed."""
        if not self._is_sealed(place.name, said, read_seal(place / SEAL)):
            raise PlanError(
                f"{place}: was not built by this box for its cell, and a plan is code: {again} "
                "--config CELL.yaml"
            )

    def _is_sealed(self, name: str, content: bytes, seal: bytes) -> bool:
        """Or needs no seal."""
        if self._cell is None:
            return True
        own = Seal.known(self._cell)
        return own is not None and own.fits(name, content, seal)

    def _why_not(self, recipe: Recipe, tensorrt: str, gpu: DeviceInfo) -> str:
        wanted = PlanKey.of(recipe, tensorrt, gpu)
        type_this = self.command(recipe)
        others = self.sidecars(recipe)
        if not others:
            return f"recipe {recipe.model_label} has no plan in {self.folder}; {type_this}"
        nearest = min(others, key=lambda other: len(differences(wanted, other.key)))
        apart = "; ".join(differences(wanted, nearest.key))
        return f"the plan of recipe {recipe.model_label} does not fit: {apart}; {type_this}"


def differences(wanted: PlanKey, other: PlanKey) -> list[str]:
    """In words: what a plan was built for, and what there is here."""
    found = []
    if other.model_sha256 != wanted.model_sha256:
        found.append("it was built from another model (the recipe was exported again)")
    if other.tensorrt != wanted.tensorrt:
        found.append(f"built by TensorRT {other.tensorrt}, here is {wanted.tensorrt}")
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


def _load(place: Path, said: bytes, wanted: PlanKey, again: str) -> Plan:
    sidecar = _sidecar(place / SIDECAR, said)
    apart = differences(wanted, sidecar.key)
    if apart:
        raise PlanError(f"{place}: {'; '.join(apart)}; {again}")
    if sidecar.kernels_source != source_digest():
        raise PlanError(f"{place}: its kernels are those of another VoxGate; {again}")
    plan = _content(place / PLAN, sidecar.plan_sha256, again)
    kernels = _content(place / KERNELS, sidecar.kernels_sha256, again)
    return Plan(plan, kernels, sidecar)


def _content(path: Path, digest: str, again: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}; {again}") from error
    if sha256(content) != digest:
        raise PlanError(f"{path}: was altered or cut off (its sha256 differs); {again}")
    return content


def _sidecar_text(path: Path) -> bytes:
    try:
        return read_regular(path, _MAX_SIDECAR_BYTES)
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise PlanError(f"{path}: {what}; type: voxgate build RECIPE") from error


def _sidecar(path: Path, said: bytes) -> Sidecar:
    try:
        return Sidecar.model_validate_json(said)
    except ValidationError as error:
        raise PlanError(f"{path}: {first_finding(error)}; type: voxgate build RECIPE") from error
