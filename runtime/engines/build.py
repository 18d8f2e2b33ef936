"""`voxgate build`: recipe -> plan, proven on the GPU that will serve it, into the cache."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate import __version__
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.engines.builder import BuildOptions, Built, OnStep, build
from voxgate.runtime.engines.engine import prove
from voxgate.runtime.engines.gpu_memory import ModelMemory
from voxgate.runtime.engines.tensorrt_engine import TensorRTEngine
from voxgate.runtime.engines.tensorrt_module import load_tensorrt
from voxgate.runtime.errors import EngineError, PlanError
from voxgate.runtime.gpu.device import Device, open_device
from voxgate.runtime.gpu.jetson import power_mode
from voxgate.runtime.gpu.kernel_compiler import compile_cubin
from voxgate.runtime.gpu.launch import SOURCE, source, source_digest
from voxgate.runtime.plans.flavour import TENSORRT, Edition, Name
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.plans.plan_key import PlanKey, Sidecar
from voxgate.runtime.plans.which_plan import Code
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Where the plan lies; `fresh` is False when it was there already."""

    place: Path
    sidecar: Sidecar
    fresh: bool

    @property
    def sentence(self) -> str:
        """For a person."""
        sidecar = self.sidecar
        built = f"built in {sidecar.build_s:.0f} s" if self.fresh else "was there already (--force)"
        return (
            f"{sidecar.recipe} for {sidecar.edition} on {sidecar.gpu}{self._dla}, "
            f"{sidecar.precision}: {built}, the probe is off by {sidecar.probe_off:.1e} of the "
            f"threshold; {self._memory}{self.place}"
        )

    @property
    def left_to_gpu(self) -> list[str]:
        """A line for each layer that the DLA does not run; none without a DLA."""
        return [f"not on the DLA, but on the GPU: {layer}" for layer in self.sidecar.gpu_layers]

    @property
    def _dla(self) -> str:
        return "" if self.sidecar.dla_core is None else f" with DLA core {self.sidecar.dla_core}"

    @property
    def _memory(self) -> str:
        scratch = self.sidecar.scratch_bytes
        if scratch is None:
            return ""
        needed = ModelMemory(self.sidecar.plan_bytes, scratch).total_mb
        return f"{needed:,} MB of the GPU's memory to run; "


def build_recipe(
    recipe: Recipe,
    plans: PlanCache,
    options: BuildOptions,
    on_step: OnStep,
    force: bool = False,
    flavour: Name = TENSORRT,
) -> Outcome:
    """Build and prove the plan of the recipe's (first) model; nothing is kept of a plan that does
    not give the recipe's own scores.

    Raises EngineError or PlanError: one line with what to do.
    """
    tensorrt = load_tensorrt(flavour)
    device = open_device()
    device.held.granted_bytes = plans.granted_bytes
    try:
        key = PlanKey.of(recipe, Edition.of(tensorrt), device.info, options.tf32)
        there = None if force else _there(recipe, plans, key, device, options.dla_core)
        if there is not None:
            return Outcome(plans.folder / key.folder, there, fresh=False)
        plans.check_writable()
        return _build(tensorrt, device, recipe, plans, key, options, on_step)
    finally:
        device.close()


def _there(
    recipe: Recipe, plans: PlanCache, key: PlanKey, device: Device, dla_core: int | None
) -> Sidecar | None:
    """The plan last built serves: with a DLA, or without."""
    try:
        sidecar = plans.load(recipe, key.edition, device.info).sidecar
    except PlanError:
        return None
    return sidecar if (sidecar.key, sidecar.dla_core) == (key, dla_core) else None


def _build(
    tensorrt: Any,
    device: Device,
    recipe: Recipe,
    plans: PlanCache,
    key: PlanKey,
    options: BuildOptions,
    on_step: OnStep,
) -> Outcome:
    on_step("Compiling kernels", 0, 1)
    kernels = compile_cubin(source(), SOURCE, device.info.sm)
    begun_ns = time.monotonic_ns()
    timings = plans.timing_cache(key)
    built = build(tensorrt, recipe.model, key.precision, options, timings, on_step, key.sm)
    build_s = (time.monotonic_ns() - begun_ns) / 1e9
    if built.timing_cache:
        plans.save_timing_cache(key, built.timing_cache)
    on_step("Proving", 0, 1)
    engine = TensorRTEngine(tensorrt, device, Code(built.plan, kernels, options.dla_core))
    try:
        off = prove(engine, recipe)
        sidecar = _sidecar(recipe, key, device, options, built, kernels, engine, off, build_s)
    except EngineError as error:
        raise EngineError(f"the plan was built, but is not kept: {error}") from error
    finally:
        engine.close()
    return Outcome(plans.save(key, built.plan, kernels, sidecar), sidecar, fresh=True)


def _sidecar(
    recipe: Recipe,
    key: PlanKey,
    device: Device,
    options: BuildOptions,
    built: Built,
    kernels: bytes,
    engine: TensorRTEngine,
    off: float,
    build_s: float,
) -> Sidecar:
    return Sidecar(
        recipe=recipe.model_label,
        model_sha256=key.model_sha256,
        flavour=key.edition.flavour,
        tensorrt=key.edition.version,
        gpu=key.gpu,
        sm=key.sm,
        multiprocessors=key.multiprocessors,
        precision=key.precision,
        tf32=key.tf32,
        strongly_typed=built.strongly_typed,
        driver=device.info.driver,
        library=device.library,
        power_mode=power_mode(),
        optimisation_level=options.optimisation_level,
        workspace_mb=options.workspace_mb,
        inputs=engine.inputs,
        outputs=engine.outputs,
        plan_sha256=sha256(built.plan),
        plan_bytes=len(built.plan),
        scratch_bytes=engine.memory.scratch_bytes,
        dla_core=options.dla_core,
        gpu_layers=built.gpu_layers,
        kernels_source=source_digest(),
        kernels_sha256=sha256(kernels),
        probe_off=off,
        build_s=build_s,
        built_utc=utc_now(),
        voxgate=__version__,
    )
