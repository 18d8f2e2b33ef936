"""What serves a cell for real: recipe folder -> engine -> inspector, proven before it serves."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.calibration import Calibration
from runtime.config_sections import CellConfig, Recipes
from runtime.decide import Limits
from runtime.errors import RecipeError
from runtime.signature import Trust
from runtime.worker import Prepare, Prepared

if TYPE_CHECKING:
    from runtime.plan_cache import PlanCache


def preparer(config: CellConfig, calibration: Calibration) -> Prepare:
    """The function that loads and proves a recipe of this cell by name or name/version."""

    def prepare(name: str) -> Prepared:
        # these pull in the engine and the compiled kernels: loaded beside the cameras' start
        from runtime.backend_choice import choose
        from runtime.inspector import Inspector
        from runtime.recipe import Recipe

        folder = recipe_folder(config.recipes.folder, name)
        recipe = Recipe.load(folder, trust_of(config.recipes))
        _check_place(recipe.label, folder)
        plans = plans_of(config)
        choice = choose(config.engine.backend, recipe, plans)
        inspector = Inspector.open(
            recipe,
            calibration,
            Limits(**config.limits.model_dump()),
            choice.backend,
            config.engine.threads,
            now_ns=time.monotonic_ns,
            plans=plans,
        )
        inspector.warm_up()
        signature = recipe.signature
        return Prepared(
            inspector,
            recipe.label,
            inspector.backend,
            len(recipe.plan.views),
            None if signature is None else signature.not_after_utc,
            asked=choice.asked,
            chosen=choice.backend,
            why=choice.why,
        )

    return prepare


def trust_of(recipes: Recipes) -> Trust:
    """Whose recipes this cell opens."""
    signers = {signer.public_key: signer.name for signer in recipes.signers}
    return Trust(signers, recipes.allow_unsigned)


def plans_of(config: CellConfig) -> PlanCache:
    """The folder of TensorRT plans that this cell's recipes are served from."""
    from runtime.plan_cache import FOLDER, PlanCache

    return PlanCache(config.engine.plans or config.recipes.folder / FOLDER)


def _check_place(label: str, folder: Path) -> None:
    """A recipe that was copied under another name must not serve under it."""
    if label != f"{folder.parent.name}/{folder.name}":
        raise RecipeError(f"{folder}: holds recipe {label}: export it under this name and version")


def recipe_folder(recipes: Path, name: str) -> Path:
    """`recipes/name/version`; without a version the newest. Raises RecipeError."""
    folder = recipes / name
    if "/" in name:
        return folder
    try:
        versions = [path for path in folder.iterdir() if (path / "manifest.json").is_file()]
    except OSError as error:
        raise RecipeError(f"recipe {name}: {folder}: {error.strerror}") from error
    if not versions:
        raise RecipeError(f"recipe {name}: {folder} holds no version with a manifest.json")
    return max(versions, key=lambda path: _natural(path.name))


def _natural(version: str) -> list[tuple[int, str]]:
    """A key that puts 10 after 9."""
    return [
        (int(piece), "") if piece.isdigit() else (-1, piece)
        for piece in re.split(r"([0-9]+)", version)
    ]
