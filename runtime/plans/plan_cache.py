"""TensorRT plans on disk: each lies under what it was built from and for, beside a sidecar.

A plan fits one model, one TensorRT, one kind of GPU (its power mode included, for that switches
multiprocessors off) and one way of building. Anything else is named, never loaded.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from pydantic import ValidationError

from voxgate.runtime.common.durable import check_writable
from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.trusted.bounded_file import read_regular
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import PlanError
from voxgate.runtime.gpu.device import DeviceInfo
from voxgate.runtime.gpu.launch import source_digest
from voxgate.runtime.plans.flavour import Edition
from voxgate.runtime.plans.plan_key import PlanKey, Sidecar, differences, is_of_model
from voxgate.runtime.plans.seal import Seal, read_seal
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.recipe import Recipe


def plans_of(config: CellConfig) -> PlanCache:
    """The folder of TensorRT plans that this cell's recipes are served from."""
    return PlanCache(config.engine.plans or config.recipes.folder / FOLDER, config)


FOLDER = ".plans"  # beside the recipes; no recipe's name begins with a dot
PLAN, SIDECAR, KERNELS, SEAL = "model.plan", "plan.json", "fusion.cubin", "seal"
DIGEST_CHARACTERS = 64  # of a sha256
_MAX_SIDECAR_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A plan that belongs to this machine and recipe, with the kernels compiled beside it."""

    plan: bytes
    kernels: bytes
    sidecar: Sidecar


class NoPlanFits(PlanError):
    """Nothing here is for this model, TensorRT and GPU; nothing that should be is damaged."""


class PlanCache:
    """The plans of one folder. Reading never builds anything.

    cell: whose box seals them, where recipes have to be signed; None: a workstation's.
    loaded: sha256 of each plan that was. granted_bytes: the most of the GPU's memory that the cell
    lets a recipe take; None: what is free.
    """

    def __init__(self, folder: Path, cell: CellConfig | None = None) -> None:
        self.folder = folder
        self.loaded: list[str] = []
        granted_mb = None if cell is None else cell.engine.gpu_memory_mb
        self.granted_bytes = None if granted_mb is None else granted_mb << 20
        self._cell = cell if cell is not None and cell.recipes.signers else None

    @classmethod
    def beside(cls, recipe_folder: Path) -> PlanCache:
        """The usual place: `.plans` in the folder that holds the recipes."""
        return cls(recipe_folder.resolve().parent.parent / FOLDER)

    def sidecars(self, recipe: Recipe) -> list[Sidecar]:
        """Of every plan that was built for this recipe's (first) model, or for one that this recipe
        had. Raises PlanError where plans of this model are here and none can be read."""
        model, found, damaged = sha256(recipe.model), [], []
        for path in sorted(self.folder.glob(f"*/{SIDECAR}")):
            try:
                sidecar = _sidecar(path, _sidecar_text(path))
            except PlanError as error:
                damaged += [error] if is_of_model(path.parent.name, model) else []
                continue
            if sidecar.model_sha256 == model or sidecar.recipe == recipe.model_label:
                found.append(sidecar)
        if damaged and not found:
            raise damaged[0]
        return found

    def load(self, recipe: Recipe, edition: Edition, gpu: DeviceInfo) -> Plan:
        """The plan of this recipe for this TensorRT and GPU, without TF32 if both are there.

        Raises NoPlanFits: none was built, or the ones there are for something else, and which;
        PlanError: the one there is damaged.
        """
        for tf32 in (False, True):
            place = self.folder / PlanKey.of(recipe, edition, gpu, tf32).folder
            if (place / SIDECAR).exists():
                key, again = PlanKey.of(recipe, edition, gpu, tf32), self.command(recipe)
                said = _sidecar_text(place / SIDECAR)
                self._check_seal(place, said, again)
                plan = _load(place, said, key, again)
                self.loaded.append(plan.sidecar.plan_sha256)
                return plan
        raise NoPlanFits(self._why_not(recipe, edition, gpu))

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
            raise _unwritable(place, error) from error
        return place

    def check_writable(self) -> None:
        """Raises PlanError where no plan can be put: said before minutes of building."""
        try:
            check_writable(self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def timing_cache(self, key: PlanKey) -> bytes:
        """What was measured in earlier builds; empty when nothing was."""
        return self._kept(key.timing_cache)

    def save_timing_cache(self, key: PlanKey, content: bytes) -> None:
        """Keep measurements for the next build. Raises PlanError."""
        self._keep(key.timing_cache, content)

    def compiled(self, plan: bytes, gpu: DeviceInfo) -> bytes:
        """What RTX compiled of this plan when it was loaded here before; empty when it was not."""
        return self._kept(_compiled_name(plan, gpu))

    def save_compiled(self, plan: bytes, gpu: DeviceInfo, content: bytes) -> None:
        """Keep it, so that the next start is as quick as any. Raises PlanError."""
        self._keep(_compiled_name(plan, gpu), content)

    def _kept(self, name: str) -> bytes:
        """Empty for one that was damaged, or that another box has sealed, or none: it is code."""
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError:
            return b""
        seal = read_seal(path.with_suffix(f".{SEAL}"))
        return _whole(content) if self._is_sealed(name, content, seal) else b""

    def _keep(self, name: str, content: bytes) -> None:
        path = self.folder / name
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        content = sha256(content).encode() + content
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(content)
            if self._cell is not None:
                seal = Seal.of(self._cell).over(name, content)
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

    def _why_not(self, recipe: Recipe, edition: Edition, gpu: DeviceInfo) -> str:
        wanted = PlanKey.of(recipe, edition, gpu)
        type_this = self.command(recipe)
        others = self.sidecars(recipe)
        if not others:
            return f"recipe {recipe.model_label} has no plan in {self.folder}; {type_this}"
        nearest = min(others, key=lambda other: len(differences(wanted, other.key)))
        apart = "; ".join(differences(wanted, nearest.key))
        return f"the plan of recipe {recipe.model_label} does not fit: {apart}; {type_this}"


def _compiled_name(plan: bytes, gpu: DeviceInfo) -> str:
    return f"compiled-{sha256(plan)[:16]}-sm{gpu.sm}x{gpu.multiprocessors}.cache"


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


def _whole(content: bytes) -> bytes:
    """What follows its own sha256, as `_keep` writes it; empty where it is another."""
    digest, kept = content[:DIGEST_CHARACTERS], content[DIGEST_CHARACTERS:]
    return kept if sha256(kept).encode() == digest else b""


def _unwritable(place: Path, error: OSError) -> PlanError:
    return PlanError(f"{place}: cannot be written: {error.strerror}: give --plans FOLDER")


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
