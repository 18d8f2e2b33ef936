"""Which backend serves a recipe, and why: the word `auto` of a cell's configuration.

TensorRT that is missing may be chosen around, and that is said; TensorRT that is broken, or a plan
that does not fit any more, is an error: somebody set this box up to use it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.runtime.engines.backends import AUTO, DEFAULT_BACKEND
from voxgate.runtime.engines.tensorrt_module import TensorRTMissing, load_tensorrt
from voxgate.runtime.errors import EngineError, PlanError
from voxgate.runtime.gpu.device import open_device
from voxgate.runtime.plans.flavour import FLAVOURS, Edition, Name
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.plans.which_plan import check_plan, has_plan
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
    models = recipe.every_model
    built = {name: [each for each in models if has_plan(each, plans, name)] for name in FLAVOURS}
    here = [name for name in FLAVOURS if _is_here(name, recipe, plans)]
    if not here:
        return Choice(DEFAULT_BACKEND, AUTO, "TensorRT is not installed", installed=False)
    best = max(here, key=lambda name: len(built[name]))
    unbuilt = [each for each in models if each not in built[best]]
    if unbuilt:
        return Choice(DEFAULT_BACKEND, AUTO, _why_no_plan(unbuilt[0], plans.command(recipe)))
    _check_plans(models, plans, Edition.of(load_tensorrt(best)))
    return Choice(best, AUTO, f"recipe {recipe.label} has a plan for this GPU")


def _why_no_plan(model: Recipe, command: str) -> str:
    unsigned = " that somebody has signed" if model.plans else ""
    return f"recipe {model.model_label} has no plan{unsigned}; {command}"


def _is_here(flavour: Name, recipe: Recipe, plans: PlanCache) -> bool:
    """A recipe may bring plans to a box without a GPU; one that was built here says that there was
    one."""
    try:
        load_tensorrt(flavour)
    except TensorRTMissing as error:
        sidecars = (sidecar for each in recipe.every_model for sidecar in plans.sidecars(each))
        if any(sidecar.flavour == flavour for sidecar in sidecars):
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
            check_plan(each, plans, edition, device.info)
    except PlanError as error:
        raise PlanError(f"{error}; or choose backend: {DEFAULT_BACKEND}") from error
    finally:
        device.close()
