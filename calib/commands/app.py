"""`voxgate calib ...`: one light module per command; the work is imported when one is run."""

from __future__ import annotations

from collections.abc import Callable

import typer

from voxgate.calib.commands.board import board
from voxgate.calib.commands.check import check
from voxgate.calib.commands.handeye import handeye
from voxgate.calib.commands.intrinsics import intrinsics
from voxgate.calib.commands.part import part
from voxgate.calib.commands.sensor import sensor
from voxgate.calib.commands.verify import verify

COMMANDS: dict[str, Callable[..., None]] = {
    "board": board,
    "check": check,
    "intrinsics": intrinsics,
    "handeye": handeye,
    "sensor": sensor,
    "part": part,
    "verify": verify,
}

app = typer.Typer(
    help="From board images and robot poses to calibration.json, with proof.", no_args_is_help=True
)
for name, command in COMMANDS.items():
    app.command(name)(command)
