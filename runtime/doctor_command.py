"""What `voxgate doctor` prints, and the table of all its checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from runtime.doctor import Check, Light, Row, examine
from runtime.doctor_gpu import GPU_CHECKS
from runtime.doctor_machine import Machine

CHECKS: dict[str, Check] = {**GPU_CHECKS}

_COLOURS = {Light.GREEN: "green", Light.YELLOW: "yellow", Light.RED: "bold red", Light.OFF: "dim"}


def run_doctor(config: Path | None) -> list[Row]:
    """Look at everything. Raises ConfigError for a configuration that would not be served."""
    if config is None:
        return examine(Machine(), CHECKS)
    from runtime.config import load_cell

    return examine(Machine(load_cell(config).config), CHECKS)


def as_table(rows: list[Row]) -> Table:
    """For a person."""
    table = Table("check", "")
    table.add_column("found", overflow="fold")
    table.add_column("what to type or do", overflow="fold")
    for row in rows:
        colour = _COLOURS[row.finding.light]
        light = f"[{colour}]{row.finding.light.value}[/]"
        table.add_row(row.check, light, row.finding.said, row.finding.do)
    return table


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
