"""`voxgate build --for`: plans for named cards, on a machine without a GPU, into the recipe.

Nothing of them has run: the box proves each by the recipe's probe before it serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate import __version__
from voxgate.runtime.common.durable import check_writable
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.engines.builder import BuildOptions, OnStep, build, check_cards
from voxgate.runtime.engines.gpu_memory import ModelMemory
from voxgate.runtime.engines.tensorrt_module import load_tensorrt
from voxgate.runtime.errors import EngineError, RecipeError
from voxgate.runtime.plans.flavour import RTX, Edition
from voxgate.runtime.recipe.carried_plan import add_plans, check_unsigned, copy_with_plans
from voxgate.runtime.recipe.manifest import PlanSection
from voxgate.runtime.recipe.recipe import Recipe

StepsOf = Callable[[str], OnStep]
"""Whom to tell of the steps of one plan, by the plan's name."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A plan that was built for a card.

    needs: of its memory to run, as TensorRT counts it.
    """

    model: str
    precision: str
    section: PlanSection
    nbytes: int
    needs: ModelMemory | None = None

    @property
    def sentence(self) -> str:
        """For a person."""
        by = Edition(self.section.flavour, self.section.tensorrt)
        needs = f"{self.needs.total_mb:,} MB of the GPU's memory to run; " if self.needs else ""
        return (
            f"{self.model} for {by}, sm_{self.section.sm}, {self.precision}: "
            f"{self.nbytes / 1e6:.1f} MB in {self.section.build_s:.0f} s; {needs}"
            f"{self.section.file}"
        )


def build_ahead(
    folder: Path,
    out: Path | None,
    cards: Sequence[int],
    options: BuildOptions,
    steps_of: StepsOf,
) -> list[Ahead]:
    """A plan of each model for each card (86 is 8.6), put into the recipe's folder, or into a copy
    of it at `out`; to be signed then.

    Raises EngineError or RecipeError, one line with what to do; nothing is written then.
    """
    tensorrt = load_tensorrt(RTX)
    check_cards(tensorrt, cards)
    _check_place(folder, out)
    recipe = Recipe.load(folder)
    if not recipe.models:
        recipe.check_detector()
    if recipe.beside:
        raise RecipeError(
            f"{folder}: of several cameras: voxgate build on the box makes their plans"
        )
    _check_kept(recipe, cards)
    made = dict(
        _one(tensorrt, model, sm, options, steps_of) for model in recipe.models for sm in cards
    )
    contents = {ahead.section: plan for ahead, plan in made.items()}
    if out is None:
        add_plans(folder, recipe.manifest, contents)
    else:
        copy_with_plans(folder, out, recipe.manifest, contents)
    return list(made)


def _check_place(folder: Path, out: Path | None) -> None:
    if out is None:
        check_unsigned(folder)
    elif out.exists():
        raise RecipeError(f"{out}: exists; give --out a folder that does not")
    elif folder.resolve() in out.resolve().parents:
        raise RecipeError(f"{out}: lies in the recipe: give --out a folder outside of it")
    place = out or folder
    try:
        check_writable(place)
    except OSError as error:
        instead = "" if out else ": give --out DIR for a copy with plans"
        raise RecipeError(f"{place}: cannot be written: {error.strerror}{instead}") from error


def _check_kept(recipe: Recipe, cards: Sequence[int]) -> None:
    """Plans for other cards stay, or are copied: nobody signs a recipe of which one is damaged."""
    for plan in recipe.plans:
        if plan.section.sm not in cards:
            try:
                plan.content()
            except RecipeError as error:
                again = ",".join(f"sm_{sm}" for sm in (*cards, plan.section.sm))
                raise RecipeError(f"{error}; or build it again: --for {again}") from error


def _one(
    tensorrt: Any, model: Recipe, sm: int, options: BuildOptions, steps_of: StepsOf
) -> tuple[Ahead, bytes]:
    name = f"{model.model_name} sm_{sm}".strip()
    precision, begun_ns = model.manifest.precision, time.monotonic_ns()
    try:
        built = build(tensorrt, model.model, precision, options, b"", steps_of(name), sm)
    except EngineError as error:
        raise EngineError(f"{model.model_label}, sm_{sm}: {error}") from error
    section = PlanSection(
        detector=model.model_name,
        tensorrt=Edition.of(tensorrt).version,
        sm=sm,
        tf32=options.tf32,
        optimisation_level=options.optimisation_level,
        workspace_mb=options.workspace_mb,
        build_s=(time.monotonic_ns() - begun_ns) / 1e9,
        built_utc=utc_now(),
        voxgate=__version__,
    )
    nbytes, scratch = len(built.plan), built.scratch_bytes
    needs = None if scratch is None else ModelMemory(nbytes, scratch)
    return Ahead(model.model_label, precision, section, nbytes, needs), built.plan
