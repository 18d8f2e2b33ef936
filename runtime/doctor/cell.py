"""What the doctor looks at for one cell: calibration, recipes, keys, disk, ports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from voxgate.runtime.cameras.from_config import load_calibrations
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.config.document import dotted
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.doctor.frames import frames
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Check, Finding, green, off, red, yellow
from voxgate.runtime.doctor.serving import default_recipe, existing, is_served, taken_ports
from voxgate.runtime.errors import CalibrationError, ConfigError, KeyFileError, RecipeError
from voxgate.runtime.recipe.store import stored
from voxgate.runtime.wire.curve import load_key_pair

NO_CELL = "no cell was named: voxgate doctor -c CELL.yaml"
SOON = timedelta(days=30)
AS_SERVICE = "sudo -u voxgate voxgate doctor -c CELL.yaml"
MIB = 1 << 20
GB = 1_000_000_000
LEAST_DISK_MIB = 100  # a verdict takes 4 kB: a few days to react
LOW_DISK_MIB = 2000


def calibration(machine: Machine, config: CellConfig) -> Finding:
    """Is it there, whole, and was it accepted?"""
    try:
        found = load_calibrations(config)
    except CalibrationError as error:
        return red(str(error), "name the calibration.json of this camera and robot")
    except ConfigError as error:
        return red(str(error), "make the devices of the YAML and of calibration.json agree")
    for name, known in found.items():
        if known.forced:
            return yellow(
                f"{config.calibrations[name]}: written by --force although "
                f"{', '.join(known.forced)} missed its limits",
                "voxgate calib --help: take the boards again",
            )
    return green(
        "; ".join(
            f"{config.calibrations[name].name} of part {known.part!r}, "
            f"{known.width_px} x {known.height_px} px"
            for name, known in found.items()
        )
    )


def recipes(machine: Machine, config: CellConfig) -> Finding:
    """Would the one that is prepared at start be opened, and the others?"""
    section = config.recipes
    found = list(stored(section))
    if not found:
        return yellow(
            f"{section.folder} holds none", "voxgate recipe install FOLDER --config CELL.yaml"
        )
    problem = _of_default(config)
    if problem is not None:
        return problem
    refused = [recipe for recipe in found if recipe.problem is not None]
    if refused:
        return yellow(
            f"{len(refused)} of {len(found)} would be refused, such as {refused[0].label}",
            "voxgate recipe list --config CELL.yaml",
        )
    return green(f"{len(found)} would be opened")


def _of_default(config: CellConfig) -> Finding | None:
    if config.recipes.default is None:
        return None
    try:
        recipe = default_recipe(config, load_calibrations(config))
    except (RecipeError, CalibrationError, ConfigError) as error:
        return red(f"the default: {error}", "voxgate recipe list --config CELL.yaml")
    if recipe is None:
        return None
    until = None if recipe.signature is None else recipe.signature.not_after_utc
    if until is not None and until - utc_now() < SOON:
        return yellow(
            f"the signature of {recipe.label} ends on {until:%Y-%m-%d}",
            "voxgate sign: have it signed again, and installed",
        )
    return None


def keys(machine: Machine, config: CellConfig) -> Finding:
    """Who may speak to the box, and whose recipes it opens."""
    security, section = config.security, config.recipes
    if security is not None:
        try:
            load_key_pair(security.secret_key)
        except KeyFileError as error:
            return red(str(error), "voxgate keys box --out FOLDER")
    said = "plain sockets of this machine" if security is None else f"{len(security.peers)} peers"
    if section.allow_unsigned:
        return yellow(
            f"{said}; recipes of anybody are opened",
            "voxgate keys signer NAME --out FOLDER; then recipes.signers, allow_unsigned: false",
        )
    return green(f"{said}; recipes of {', '.join(s.name for s in section.signers)}")


def disk(machine: Machine, config: CellConfig) -> Finding:
    """Can verdicts be recorded, and how long?"""
    folder = existing(config.journal.path.parent)
    free = machine.free_bytes(str(folder))
    if not machine.may_use(str(folder)) or free is None:
        return red(f"this user may not write {folder}", AS_SERVICE)
    said = f"{free / MIB:,.0f} MiB are free in {folder}"
    if free < LEAST_DISK_MIB * MIB:
        return red(said, "without a record there is no verdict: make room, or move journal.path")
    if free < LOW_DISK_MIB * MIB:
        return yellow(said, "make room: du -xh --max-depth 2 / | sort -h | tail")
    return green(said)


def evidence(machine: Machine, config: CellConfig) -> Finding:
    """Can recordings be kept? Verdicts do without, so nothing here is red."""
    section = config.evidence
    if section is None or not section.enabled:
        return off("the cell keeps no recordings")
    folder = existing(section.folder)
    free = machine.free_bytes(str(folder))
    if not machine.may_use(str(folder)) or free is None:
        return yellow(f"this user may not write {folder}", AS_SERVICE)
    said = f"{free / GB:,.1f} GB are free in {folder}"
    if free < section.min_free_gb * GB:
        words = f"make room, or lower evidence.min_free_gb: {section.min_free_gb:g}"
        return yellow(f"{said}: nothing is kept", words)
    return green(f"{said}, up to {section.max_gb:g} GB are kept")


def ports(machine: Machine, config: CellConfig) -> Finding:
    """Could the service bind what the cell names?"""
    for key, taken in taken_ports(machine, config):
        return red(f"{dotted(key)}: {taken.why}", taken.do)
    served = is_served(machine, config.journal.path)
    return green("bound by the running service" if served else "free")


def _of_cell(check: Callable[[Machine, CellConfig], Finding]) -> Check:
    """A check that needs a cell: of no concern while none was named."""

    def look(machine: Machine) -> Finding:
        return off(NO_CELL) if machine.config is None else check(machine, machine.config)

    return look


CELL_CHECKS: dict[str, Check] = {
    "calibration": _of_cell(calibration),
    "recipes": _of_cell(recipes),
    "frames": _of_cell(frames),
    "keys": _of_cell(keys),
    "disk": _of_cell(disk),
    "evidence": _of_cell(evidence),
    "ports": _of_cell(ports),
}
"""In the order of the table."""
