"""A recipe's plan from the cache on this GPU, by TensorRT or TensorRT for RTX."""

from __future__ import annotations

import logging

from voxgate.runtime.engines.engine import Engine
from voxgate.runtime.engines.tensorrt_engine import TensorRTEngine
from voxgate.runtime.engines.tensorrt_module import load_tensorrt
from voxgate.runtime.errors import PlanError
from voxgate.runtime.gpu.device import open_device
from voxgate.runtime.plans.flavour import RTX, TENSORRT, Edition, Name
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.plans.which_plan import plan_for
from voxgate.runtime.recipe.recipe import Recipe

log = logging.getLogger(__name__)


def open_plan(
    recipe: Recipe, plans: PlanCache, beside: Engine | None = None, flavour: Name = TENSORRT
) -> Engine:
    """The recipe's plan on this GPU. Raises PlanError or EngineError: what to type.

    beside: an engine whose GPU, stream and context this one shares; to be closed after this one.
    """
    tensorrt = load_tensorrt(flavour)
    shared = beside.device if isinstance(beside, TensorRTEngine) else None
    device = open_device() if shared is None else shared
    try:
        device.held.granted_bytes = plans.granted_bytes
        code = plan_for(recipe, plans, Edition.of(tensorrt), device.info)
        owns, compiled = shared is None, plans.compiled(code.plan, device.info)
        opened = TensorRTEngine(tensorrt, device, code, owns, compiled)
    except BaseException:
        if shared is None:
            device.close()
        raise
    log.info(
        "%s by %s on %s, CUDA graph: %s",
        *(Edition.of(tensorrt), device.library, device.info, opened.uses_graph),
    )
    _keep_compiled(opened, plans, code.plan, compiled)
    return opened


def _keep_compiled(opened: TensorRTEngine, plans: PlanCache, plan: bytes, before: bytes) -> None:
    """Whoever may not write there starts slower, and serves all the same."""
    compiled = opened.compiled
    if compiled in (b"", before):
        return
    try:
        plans.save_compiled(plan, opened.device.info, compiled)
    except PlanError as error:
        log.warning("the next start compiles for this card again: %s", error)


def open_rtx_plan(recipe: Recipe, plans: PlanCache, beside: Engine | None = None) -> Engine:
    """As `open_plan`, by TensorRT for RTX."""
    return open_plan(recipe, plans, beside, RTX)
