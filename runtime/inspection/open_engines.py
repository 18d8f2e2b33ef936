"""A recipe's engines, opened and proven, or none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from voxgate.runtime.engines.engine import Engine, open_engine, open_further
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.manifest import MODEL
from voxgate.runtime.recipe.recipe import Recipe


@contextmanager
def open_engines(
    recipe: Recipe,
    calibration: Calibration,
    backend: str,
    threads: int,
    plans: PlanCache | None,
) -> Iterator[dict[str, Engine]]:
    """Every model's engine by name, proven; none is left open when one of them, or what is built
    around them, refuses. Raises RecipeError, EngineError or CalibrationError."""
    recipe.check_calibration(calibration)  # before the seconds that a proof takes
    recipe.check_detector()
    with ExitStack() as undo:
        first = open_engine(recipe, backend, threads, plans)
        undo.callback(first.close)
        further = open_further(recipe, backend, threads, plans, first)
        for each in further.values():
            undo.callback(each.close)
        yield {MODEL: first, **further}
        undo.pop_all()
