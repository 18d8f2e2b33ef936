"""The two graphs of a recipe, open and proven: what is before the boxes, and what after them."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.runtime.engines.choice import Choice, choose
from voxgate.runtime.engines.engine import Engine, open_engine, open_further, raw_scores
from voxgate.runtime.errors import EngineError, RecipeError
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.trays.network.boxes import Boxes, Density, Field, in_front
from voxgate.runtime.trays.network.pictures import Seen

AFTER = "instances"
"""Name of the graph after the boxes; the one before them is the recipe's first."""
BEFORE_INPUTS, AFTER_INPUTS = ("pictures", "cameras"), ("volume", "boxes")


@dataclass(frozen=True, slots=True, eq=False)
class Graphs:
    """Used by one thread. most: instances that the second one takes."""

    before: Engine
    after: Engine
    most: int

    @property
    def backend(self) -> str:
        """What runs them."""
        return self.before.backend

    def field(self, seen: Seen) -> Field:
        """(1, 1, 1 + width, voxels): density, then the volume. Raises EngineError."""
        found = raw_scores(
            self.before, {"pictures": seen.pictures, "cameras": seen.picture_from_voxel}
        )
        return found[None, None]

    def odd(self, field: Field, boxes: Boxes) -> Density:
        """(n,) of boxes (n, 6), n no more than `most`: 1.0 = threshold. Raises EngineError."""
        given = in_front(boxes, self.most)
        return raw_scores(self.after, {"volume": field, "boxes": given})[0, : len(boxes)]

    def close(self) -> None:
        """Give memory and devices back."""
        self.after.close()
        self.before.close()


def open_graphs(recipe: Recipe, backend: str, threads: int, plans: PlanCache | None) -> Graphs:
    """Each proven by its own probe. Raises EngineError, PlanError or RecipeError."""
    _check(recipe)
    before = open_engine(recipe.models[0], backend, threads, plans)
    try:
        after = open_further(recipe, backend, threads, plans, before)[AFTER]
    except EngineError:
        before.close()
        raise
    return Graphs(before, after, most_of(recipe))


def chosen_graphs(
    asked: str, recipe: Recipe, threads: int, plans: PlanCache
) -> tuple[Choice, Graphs]:
    """By what `asked` means here. Raises as `open_graphs` does."""
    choice = choose(asked, recipe, plans)
    return choice, open_graphs(recipe, choice.backend, threads, plans)


def most_of(recipe: Recipe) -> int:
    """Instances that the recipe compares."""
    (section,) = recipe.manifest.detectors
    return next(spec.shape[2] for spec in section.inputs if spec.name == "boxes")


def _check(recipe: Recipe) -> None:
    names = [section.name for section in recipe.manifest.detectors]
    inputs = [tuple(spec.name for spec in model.manifest.inputs) for model in recipe.models]
    if names != [AFTER] or inputs != [BEFORE_INPUTS, AFTER_INPUTS]:
        raise RecipeError(
            f"recipe {recipe.label}: a network of trays is a graph of {BEFORE_INPUTS} and a second "
            f"one, {AFTER}, of {AFTER_INPUTS}, this has {inputs} and {names}: export it again"
        )
