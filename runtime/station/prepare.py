"""What serves a cell for real: recipe folder -> engine -> inspector, proven before it serves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.common.crew import Crew
from voxgate.runtime.common.trusted.build_id import build_id
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.geometry.calibration import Calibration, digest_of
from voxgate.runtime.jobs.part_inspector import Prepare, Prepared
from voxgate.runtime.nouns import Origin
from voxgate.runtime.plans.plan_cache import PlanCache, plans_of
from voxgate.runtime.recipe.store import opened, trust_of

if TYPE_CHECKING:
    from voxgate.runtime.engines.choice import Choice
    from voxgate.runtime.recipe.recipe import Recipe
    from voxgate.runtime.trays.inspector import TrayInspector

log = logging.getLogger(__name__)


def preparer(
    config: CellConfig, calibrations: Mapping[str, Calibration], clock: Clock = HOST_CLOCK
) -> Prepare:
    """The function that loads and proves a recipe of this cell by name or name/version."""
    signers = trust_of(config.recipes).signers

    def prepare(name: str) -> Prepared:
        # these pull in the engine and the compiled kernels: loaded beside the cameras' start
        from voxgate.runtime.engines.choice import choose
        from voxgate.runtime.inspection.several.inspector import AnyInspector, every, open_inspector
        from voxgate.runtime.inspection.warm_up import load_compiler

        with Crew(2) as both:  # reading and unpacking need no interpreter
            recipe, _ = both.both(lambda: opened(config.recipes, name), load_compiler)
        recipe.check_cameras(calibrations)
        recipe.check_pictures(config.in_colour)
        plans = plans_of(config)
        inspector: AnyInspector | TrayInspector
        if recipe.of_trays:
            choice, inspector = _for_trays(recipe, config, calibrations, plans, clock)
        else:
            choice = choose(config.engine.backend, recipe, plans)
            inspector = open_inspector(
                recipe,
                calibrations,
                config.limits,
                choice.backend,
                config.engine.threads,
                now_ns=clock.monotonic_ns,
                plans=plans,
            )
            inspector.warm_up()
            for each in every(inspector):
                if each.equipment.gpu_memory is not None:
                    log.info(each.equipment.gpu_memory)
        signature = recipe.signature
        return Prepared(
            inspector,
            recipe.label,
            inspector.backend,
            recipe.planned,
            None if signature is None else signature.not_after_utc,
            asked=choice.asked,
            chosen=choice.backend,
            why=choice.why,
            origin=Origin(
                recipe.digest,
                None if signature is None else signers.get(signature.public_key),
                tuple(plans.loaded),
                digest_of(calibrations),
                build_id(),
            ),
        )

    return prepare


def _for_trays(
    recipe: Recipe,
    config: CellConfig,
    calibrations: Mapping[str, Calibration],
    plans: PlanCache,
    clock: Clock,
) -> tuple[Choice, TrayInspector]:
    """Raises RecipeError, EngineError or CalibrationError."""
    # a third of a second that no other recipe's start waits for
    from voxgate.runtime.engines.choice import Choice
    from voxgate.runtime.trays.inspector import BACKEND, TrayInspector
    from voxgate.runtime.trays.network.graphs import chosen_graphs

    asked, threads, graphs = config.engine.backend, config.engine.threads, None
    choice = Choice(BACKEND, asked, "parts of a tray are compared")
    if recipe.models:
        choice, graphs = chosen_graphs(asked, recipe, threads, plans)
    (calibration,) = calibrations.values()
    return choice, TrayInspector.open(
        recipe, calibration, config.limits, threads, clock.monotonic_ns, graphs
    )
