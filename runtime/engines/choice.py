"""Which backend serves a recipe, and why: the word `auto` of a cell's configuration.

TensorRT that is missing may be chosen around, and that is said; TensorRT that is broken, or a plan
that does not fit any more, is an error: somebody set this box up to use it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.runtime.engines.backends import AUTO, DEFAULT_BACKEND
from voxgate.runtime.engines.flavour import FLAVOURS, Edition, Name
from voxgate.runtime.engines.plan_cache import PlanCache
from voxgate.runtime.engines.tensorrt_module import TensorRTMissing, load_tensorrt
from voxgate.runtime.errors import EngineError, PlanError
from voxgate.runtime.gpu.device import open_device
from voxgate.runtime.recipe.recipe import Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend of the table in engine.py, what the configuration asked for, and why."""

    backend: str
    asked: str
    why: str
    installed: bool = True  # TensorRT is, of either flavour


def choose(asked: str, recipe: Recipe, plans: PlanCache) -> Choice:
    """What `asked` means here. Raises EngineError when TensorRT is broken or a plan is stale."""
    if asked != AUTO:
        return Choice(asked, asked, "the configuration names it")
    choice = automatic(recipe, plans)
    level = logging.INFO if choice.backend in FLAVOURS else logging.WARNING
    log.log(level, "backend auto chose %s: %s", choice.backend, choice.why)
    return choice


def automatic(recipe: Recipe, plans: PlanCache) -> Choice:
    """What `auto` chooses, without a word in the log; one backend for all models of the recipe.

    Raises as `choose` does.
    """
    models = recipe.models
    built = {name: [each for each in models if _has_plan(plans, each, name)] for name in FLAVOURS}
    here = [name for name in FLAVOURS if _is_here(name, recipe, plans, bool(built[name]))]
    if not here:
        return Choice(DEFAULT_BACKEND, AUTO, "TensorRT is not installed", installed=False)
    best = max(here, key=lambda name: len(built[name]))
    unbuilt = [each for each in models if each not in built[best]]
    if unbuilt:
        why = f"recipe {unbuilt[0].model_label} has no plan; {plans.command(recipe)}"
        return Choice(DEFAULT_BACKEND, AUTO, why)
    _check_plans(models, plans, Edition.of(load_tensorrt(best)))
    return Choice(best, AUTO, f"recipe {recipe.label} has a plan for this GPU")


def _has_plan(plans: PlanCache, model: Recipe, flavour: Name) -> bool:
    return any(sidecar.flavour == flavour for sidecar in plans.sidecars(model))


def _is_here(flavour: Name, recipe: Recipe, plans: PlanCache, is_built: bool) -> bool:
    try:
        load_tensorrt(flavour)
    except TensorRTMissing as error:
        if is_built:
            raise EngineError(
                f"{plans.folder} has a plan of recipe {recipe.label}, but {error}; or choose "
                f"backend: {DEFAULT_BACKEND}"
            ) from error
        return False
    return True


def _check_plans(models: Sequence[Recipe], plans: PlanCache, edition: Edition) -> None:
    device = open_device()
    try:
        for each in models:
            plans.load(each, edition, device.info)
    except PlanError as error:
        raise PlanError(f"{error}; or choose backend: {DEFAULT_BACKEND}") from error
    finally:
        device.close()
