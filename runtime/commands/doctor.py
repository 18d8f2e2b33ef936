"""What `voxgate doctor` prints, and the table of all its checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from voxgate.runtime.doctor.apart import examine_apart
from voxgate.runtime.doctor.camera import CAMERA_CHECKS
from voxgate.runtime.doctor.cell import CELL_CHECKS
from voxgate.runtime.doctor.gpu import GPU_CHECKS
from voxgate.runtime.doctor.host import HOST_CHECKS
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Check, Light, Row, red
from voxgate.runtime.errors import ConfigError

CHECKS: dict[str, Check] = {**HOST_CHECKS, **GPU_CHECKS, **CAMERA_CHECKS, **CELL_CHECKS}

_COLOURS = {Light.GREEN: "green", Light.YELLOW: "yellow", Light.RED: "bold red", Light.OFF: "dim"}


def run_doctor(config: Path | None) -> list[Row]:
    """Look at everything; without a cell that could be served, at the machine alone."""
    if config is None:
        return examine_apart(Machine(), CHECKS)
    from voxgate.runtime.config.cell import load_cell

    try:
        cell = load_cell(config)
    except ConfigError as error:
        broken = Row("configuration", red(str(error), f"voxgate check {config}"))
        return [broken, *examine_apart(Machine(), CHECKS)]
    return examine_apart(Machine(cell.config), CHECKS)


def as_table(rows: list[Row]) -> Table:
    """For a person; what does not concern this machine is one line below. See `to_type`."""
    silent = [row.check for row in rows if row.finding.light is Light.OFF]
    table = Table("check", "", caption=f"not looked at: {', '.join(silent)}" if silent else None)
    table.add_column("found", overflow="fold")
    for row in rows:
        if row.finding.light is not Light.OFF:
            colour = _COLOURS[row.finding.light]
            light = f"[{colour}]{row.finding.light.value}[/]"
            table.add_row(row.check, light, escape(row.finding.said))
    return table


def to_type(rows: list[Row]) -> list[str]:
    """What to type or do, a line each: a table would break them where somebody copies them."""
    return [f"{row.check}: {row.finding.do}" for row in rows if row.finding.do]


def as_object(rows: list[Row], ok: bool) -> dict[str, Any]:
    """For a program."""
    return {
        "ok": ok,
        "checks": [
            {
                "check": row.check,
                "light": row.finding.light.value,
                "found": row.finding.said,
                "do": row.finding.do or None,
            }
            for row in rows
        ],
    }
