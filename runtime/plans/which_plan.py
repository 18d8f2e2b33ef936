"""The plan that serves a model on this card: what this box built, else what came with the recipe.

What travels was built where there is no card, so nobody has seen it run: whoever opens it proves it
by the recipe's probe. Its kernels are VoxGate's, not the recipe's, and are compiled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from voxgate.runtime.errors import PlanError, RecipeError
from voxgate.runtime.gpu.device import DeviceInfo
from voxgate.runtime.gpu.kernel_compiler import compile_cubin
from voxgate.runtime.gpu.launch import SOURCE, source
from voxgate.runtime.plans.flavour import Edition, Name
from voxgate.runtime.plans.plan_cache import NoPlanFits, PlanCache
from voxgate.runtime.recipe.carried_plan import CarriedPlan
from voxgate.runtime.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """What a GPU is given to run, and the DLA core beside it that the plan was built for."""

    plan: bytes
    kernels: bytes
    dla_core: int | None = None


def plan_for(recipe: Recipe, plans: PlanCache, edition: Edition, gpu: DeviceInfo) -> Code:
    """Of the recipe's (first) model. Raises PlanError, EngineError: what to type."""
    try:
        own = plans.load(recipe, edition, gpu)
    except NoPlanFits:
        carried = fitting(recipe, edition, gpu.sm)
        if carried is None:
            raise
        code = Code(_content(carried), _kernels(gpu.sm))
        plans.loaded.append(carried.digest)
        return code
    return Code(own.plan, own.kernels, own.sidecar.dla_core)


def check_plan(recipe: Recipe, plans: PlanCache, edition: Edition, gpu: DeviceInfo) -> None:
    """Raises PlanError unless there is one that `plan_for` would give."""
    try:
        plans.load(recipe, edition, gpu)
    except NoPlanFits:
        if fitting(recipe, edition, gpu.sm) is None:
            raise


def has_plan(recipe: Recipe, plans: PlanCache, flavour: Name) -> bool:
    """Whether one was built for the recipe's (first) model by this TensorRT, for whatever card."""
    built = any(sidecar.flavour == flavour for sidecar in plans.sidecars(recipe))
    return built or carries(recipe, flavour)


def carries(recipe: Recipe, flavour: Name) -> bool:
    """Whether plans of this TensorRT travel with it that somebody has signed."""
    return recipe.signature is not None and any(
        plan.section.flavour == flavour for plan in recipe.plans
    )


def fitting(recipe: Recipe, edition: Edition, sm: int) -> CarriedPlan | None:
    """The plan that travels with the recipe for this card; None where none of this TensorRT does.

    Raises PlanError for a recipe that nobody has signed, or one with plans for others only.
    """
    offered = [plan for plan in recipe.plans if plan.section.flavour == edition.flavour]
    if not offered:
        return None
    if recipe.signature is None:
        raise PlanError(
            f"recipe {recipe.label} brings plans, but is not signed, or no signer is trusted here, "
            "and a plan is code: voxgate sign, recipes.signers; or voxgate build it on this box"
        )
    for plan in offered:
        if (plan.section.tensorrt, plan.section.sm) == (edition.version, sm):
            return plan
    raise PlanError(_why_none_fits(recipe, offered, edition, sm))


def _why_none_fits(recipe: Recipe, offered: list[CarriedPlan], edition: Edition, sm: int) -> str:
    for_card = [plan.section for plan in offered if plan.section.sm == sm]
    if for_card:
        theirs = Edition(for_card[0].flavour, for_card[0].tensorrt)
        return (
            f"the plan that recipe {recipe.model_label} brings was built by {theirs}, here is "
            f"{edition}: voxgate build RECIPE --for sm_{sm} with that one, or install the other"
        )
    cards = ", ".join(f"sm_{plan.section.sm}" for plan in offered)
    return (
        f"recipe {recipe.model_label} brings plans for {cards}, this card is sm_{sm}: "
        f"voxgate build RECIPE --for sm_{sm} where it is made, or voxgate build it on this box"
    )


def _content(plan: CarriedPlan) -> bytes:
    try:
        return plan.content()
    except RecipeError as error:
        raise PlanError(str(error)) from error


@cache
def _kernels(sm: int) -> bytes:
    return compile_cubin(source(), SOURCE, sm)
