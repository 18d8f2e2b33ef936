"""The cell and its machine as the doctor finds them, looked at in a process of its own.

A library that kills whoever loads it must not end the page, and what it loads takes memory that the
page gives back afterwards. The page has threads, so the process is a new one, no fork of it.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context

from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.recipe.store import stored

SEEN_BY_THE_PAGE = ("calibration", "recipes", "evidence")
"""Rows of the cell that need neither its keys nor its ports."""


def examined(config: CellConfig) -> dict[str, object]:
    """The doctor's rows, and every recipe opened as for its preparation: some seconds."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        rows = apart.submit(_rows, config).result()
    return {"rows": rows, "recipes": [asdict(recipe) for recipe in stored(config.recipes)]}


def _rows(config: CellConfig) -> list[dict[str, str]]:
    from voxgate.runtime.doctor.apart import examine_apart
    from voxgate.runtime.doctor.cell import CELL_CHECKS
    from voxgate.runtime.doctor.gpu import GPU_CHECKS
    from voxgate.runtime.doctor.host import HOST_CHECKS
    from voxgate.runtime.doctor.machine import Machine

    own = {name: check for name, check in CELL_CHECKS.items() if name in SEEN_BY_THE_PAGE}
    rows = examine_apart(Machine(config), {**HOST_CHECKS, **GPU_CHECKS, **own})
    return [
        {"check": row.check, "light": row.finding.light.value}
        | {"said": row.finding.said, "do": row.finding.do}
        for row in rows
    ]
