"""What `voxgate build` does: find the recipe and the plans, show progress."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.runtime.engines.build import Outcome, build_recipe
from voxgate.runtime.engines.build_ahead import Ahead, build_ahead
from voxgate.runtime.engines.builder import BuildOptions
from voxgate.runtime.engines.tensorrt_module import the_installed
from voxgate.runtime.errors import EngineError, PlanError
from voxgate.runtime.plans.flavour import FLAVOURS, Name
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.signature import ANYBODY, Trust

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from voxgate.runtime.config.sections import CellConfig
    from voxgate.runtime.plans.plan_key import Sidecar


def build_plans(
    recipe: Path,
    config: Path | None,
    plans: Path | None,
    options: BuildOptions,
    force: bool,
    flavour: Name | None,
    progress: Progress,
) -> list[Outcome]:
    """One per model of the recipe. Raises VoxGateError: one line with what to do."""
    folder, cache, trust, backend = _places(recipe, config)
    loaded = Recipe.load(folder, trust)
    if not loaded.models:
        loaded.check_detector()
    kept = PlanCache(plans) if plans else cache
    by = flavour or backend or the_installed()
    return [
        build_recipe(each, kept, options, _Phases(progress, each.model_name).on_step, force, by)
        for each in loaded.every_model
    ]


def rebuild_plans(config: Path, force: bool, progress: Progress) -> Iterator[Outcome]:
    """One per model of the cell's recipes that had a plan, built as its newest was; one that still
    fits is proven and stays. Raises VoxGateError: one line with what to do."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.plans.plan_cache import plans_of

    cell = load_cell(config).config
    plans = plans_of(cell)
    had = list(_had_plans(cell, plans))
    if not had:
        raise PlanError(
            f"{plans.folder}: no recipe of this cell had a plan; for the first one type: "
            f"voxgate build NAME/VERSION -c {config}"
        )
    for recipe, before in had:
        on_step = _Phases(progress, recipe.model_label).on_step
        yield build_recipe(recipe, plans, _as(before), on_step, force, before.flavour)


def _had_plans(cell: CellConfig, plans: PlanCache) -> Iterator[tuple[Recipe, Sidecar]]:
    """Each model with the sidecar of its newest plan; what the cell would not open has none."""
    from voxgate.runtime.recipe.store import opened, stored

    for each in stored(cell.recipes):
        if each.problem is None:
            for recipe in opened(cell.recipes, each.label).every_model:
                if sidecars := plans.sidecars(recipe):
                    yield recipe, max(sidecars, key=lambda sidecar: sidecar.built_utc)


def _as(before: Sidecar) -> BuildOptions:
    return BuildOptions(
        before.workspace_mb, before.optimisation_level, before.tf32, before.dla_core
    )


def build_for_cards(
    recipe: Path, out: Path | None, cards: str, options: BuildOptions, progress: Progress
) -> list[Ahead]:
    """Plans of each model for each of `sm_86,sm_89`. Raises VoxGateError: one line."""
    return build_ahead(
        recipe, out, _cards(cards), options, lambda name: _Phases(progress, name).on_step
    )


def _cards(text: str) -> list[int]:
    """86 and 89 of `sm_86,sm_89`. Raises EngineError."""
    names = [name.strip() for name in text.split(",")]
    wrong = [name for name in names if not re.fullmatch(r"sm_[0-9]{2,3}", name)]
    if wrong:
        raise EngineError(
            f"--for {text}: {wrong[0]!r} is no card; say sm_86 for compute capability 8.6 "
            "(nvidia-smi --query-gpu=compute_cap --format=csv), several with commas"
        )
    return [int(name.removeprefix("sm_")) for name in dict.fromkeys(names)]


def _places(recipe: Path, config: Path | None) -> tuple[Path, PlanCache, Trust, Name | None]:
    """A cell's configuration says where recipes and plans lie, whose recipes are opened, and what
    serves them."""
    if config is None:
        return recipe, PlanCache.beside(recipe), ANYBODY, None
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.plans.plan_cache import plans_of
    from voxgate.runtime.recipe.store import recipe_folder, trust_of

    cell = load_cell(config).config
    named = recipe if recipe.exists() else recipe_folder(cell.recipes.folder, str(recipe))
    flavour = next((name for name in FLAVOURS if name == cell.engine.backend), None)
    return named, plans_of(cell), trust_of(cell.recipes), flavour


class _Phases:
    """One bar per phase that TensorRT tells of, and model."""

    def __init__(self, progress: Progress, model: str) -> None:
        self._progress = progress
        self._model = f"{model}: " if model else ""
        self._bars: dict[str, TaskID] = {}

    def on_step(self, phase: str, step: int, steps: int) -> None:
        """A step of a phase is done; called from TensorRT's threads too."""
        if phase not in self._bars:
            self._bars[phase] = self._progress.add_task(f"{self._model}{phase}", total=steps)
        self._progress.update(self._bars[phase], completed=step, total=steps)
