"""What the doctor looks at of TensorRT, in either flavour, and of the plans that it serves from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Finding, Light, green, off, red, yellow
from voxgate.runtime.engines.backends import AUTO
from voxgate.runtime.engines.tensorrt_module import TensorRTMissing, check_start, load_tensorrt
from voxgate.runtime.errors import EngineError, VoxGateError
from voxgate.runtime.gpu.jetson import jetpack_of, jetpacks_with, l4t_of
from voxgate.runtime.plans.flavour import FLAVOURS, TENSORRT, Edition, Flavour, flavour_of

NOT_CONCERNED = "no NVIDIA GPU here, and the cell asks for none"


def tensorrt(machine: Machine) -> Finding:
    """Does it load, which one is it, and does it belong to this JetPack?"""
    if not machine.concerned:
        return off(NOT_CONCERNED)
    asked = _asked(machine)
    findings = [found for each in asked if (found := _of_flavour(machine, each)) is not None]
    if not findings:
        say = red if machine.needs_gpu else yellow
        ways = "; ".join(flavour.install for flavour in asked)
        return say(f"{' or '.join(each.words for each in asked)} is not installed", ways)
    doubtful = next((each for each in findings if each.light is not Light.GREEN), None)
    return doubtful or green("; ".join(each.said for each in findings))


def _asked(machine: Machine) -> Sequence[Flavour]:
    """Whichever the cell names; a Jetson has one, a PC may have either."""
    named = None if machine.config is None else machine.config.engine.backend
    if named in FLAVOURS:
        return [FLAVOURS[named]]
    return [FLAVOURS[TENSORRT]] if machine.board is not None else [*FLAVOURS.values()]


def _of_flavour(machine: Machine, flavour: Flavour) -> Finding | None:
    """None where it is not installed."""
    try:
        module = load_tensorrt(flavour.name)
        check_start(module)
        return _of_module(machine, module)
    except TensorRTMissing:
        return None
    except EngineError as error:
        return red(str(error), flavour.install)


def _of_module(machine: Machine, module: Any) -> Finding:
    edition = Edition.of(module)
    belongs = jetpacks_with(edition.version) if edition.flavour == TENSORRT else ""
    said = f"{edition}{f' (as in {belongs})' if belongs else ''} in {_folder(module)}"
    copies = _copies(flavour_of(module))
    if len(copies) > 1:
        return yellow(
            f"{said}, but it is installed {len(copies)} times: {', '.join(copies)}",
            "remove one: plans built by one are refused by the other",
        )
    expected = _expected_tensorrt(machine)
    if expected is not None and not edition.version.startswith(f"{expected}."):
        return yellow(
            f"{said}; this JetPack's own is {expected}",
            "take JetPack's (apt-get install python3-libnvinfer, a venv with "
            "--system-site-packages), unless you mean it",
        )
    return green(said)


def _expected_tensorrt(machine: Machine) -> str | None:
    l4t = l4t_of(machine.read("/etc/nv_tegra_release") or "")
    found = None if l4t is None or machine.board is None else jetpack_of(l4t)
    return None if found is None else found.tensorrt


def _folder(module: object) -> str:
    file = getattr(module, "__file__", None)
    return str(Path(file).parent) if file else "an unknown place"


def _copies(flavour: Flavour) -> list[str]:
    folders = dict.fromkeys(str(Path(folder or ".").resolve()) for folder in sys.path)
    module = flavour.modules[-1]  # what the others take it from
    return [folder for folder in folders if (Path(folder) / module / "__init__.py").is_file()]


def plan(machine: Machine) -> Finding:
    """Is there a plan for the recipe that this cell starts with?"""
    config = machine.config
    if config is None:
        return off("give --config cell.yaml to look at its recipe")
    if config.engine.backend not in (*FLAVOURS, AUTO):
        return off(f"the cell serves by {config.engine.backend}")
    if config.recipes.default is None:
        return off("the cell names no default recipe")
    from voxgate.runtime.engines.choice import automatic
    from voxgate.runtime.plans.plan_cache import plans_of
    from voxgate.runtime.recipe.recipe import Recipe
    from voxgate.runtime.recipe.store import recipe_folder, trust_of

    try:
        folder = recipe_folder(config.recipes.folder, config.recipes.default)
        recipe = Recipe.load(folder, trust_of(config.recipes))
        if not recipe.models:
            return off(f"{recipe.label} compares the parts of a tray: it has no graph")
        choice = automatic(recipe, plans_of(config))
    except VoxGateError as error:
        return red(str(error), f"voxgate build {config.recipes.default} -c CELL.yaml")
    if choice.backend in FLAVOURS:
        return green(f"{recipe.label}: {choice.why}")
    say = red if config.engine.backend in FLAVOURS else yellow
    if not choice.installed:
        return say(f"{recipe.label}: {choice.why}", "mend the row of TensorRT, then voxgate build")
    command = f"voxgate build {recipe.label} -c CELL.yaml"
    return say(f"{recipe.label} has no plan for this GPU", command)
