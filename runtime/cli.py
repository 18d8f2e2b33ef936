"""The console command: the table of its words. Each imports its own room when asked, not before.

Exit codes: 0 done (or PASS), 1 FAIL, 2 wrong input or usage, 3 INDETERMINATE, 4 a replay that came
to another verdict than the line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from voxgate import __version__
from voxgate.benchmarks.commands import bench
from voxgate.calib.commands.app import app as calib_app
from voxgate.export.commands.app import app as export_app
from voxgate.export.commands.combine import combine
from voxgate.export.commands.convert import convert
from voxgate.export.commands.evaluate import evaluate
from voxgate.export.commands.locate import locate
from voxgate.export.commands.review import review
from voxgate.export.commands.scorer import scorer
from voxgate.export.commands.sensitivity import sensitivity
from voxgate.export.commands.teach import teach
from voxgate.export.commands.threshold import threshold
from voxgate.export.commands.train import app as train_app
from voxgate.runtime.commands.beside.account import app as account_app
from voxgate.runtime.commands.beside.mqtt import mqtt
from voxgate.runtime.commands.beside.opcua import opcua
from voxgate.runtime.commands.beside.page import page
from voxgate.runtime.commands.build import build
from voxgate.runtime.commands.camera import app as camera_app
from voxgate.runtime.commands.cell import EXIT_WRONG_INPUT, check, doctor, run, schema
from voxgate.runtime.commands.init import init
from voxgate.runtime.commands.inspect_scan import inspect
from voxgate.runtime.commands.journal import app as journal_app
from voxgate.runtime.commands.journal import audit
from voxgate.runtime.commands.keys import app as keys_app
from voxgate.runtime.commands.keys import sign
from voxgate.runtime.commands.recipe import app as recipe_app
from voxgate.runtime.commands.record import evidence_app, record, replay, report
from voxgate.runtime.commands.remote import REMOTE_COMMANDS
from voxgate.runtime.commands.scene import scene
from voxgate.runtime.common.text import one_line
from voxgate.runtime.common.trusted.installed_kernels import use_installed
from voxgate.runtime.errors import VoxGateError
from voxgate.sim.commands import build_camera, demo, play, serve_camera

SET_UP, TEACH, SERVE, LOOK, PROVE = (
    *("Set up", "Teach", "Serve", "Look at a running cell", "Prove and understand"),
)
COMMANDS: dict[str, dict[str, Callable[..., object] | typer.Typer]] = {
    SET_UP: {
        "init": init,
        "doctor": doctor,
        "camera": camera_app,
        "calib": calib_app,
        "keys": keys_app,
        "check": check,
        "schema": schema,
        "demo": demo,
        "play": play,
    },
    TEACH: {
        "teach": teach,
        "record": record,
        "convert": convert,
        "locate": locate,
        "train": train_app,
        "export": export_app,
        "threshold": threshold,
        "sensitivity": sensitivity,
        "combine": combine,
        "scorer": scorer,
        "sign": sign,
        "recipe": recipe_app,
        "build": build,
    },
    SERVE: {"run": run, "inspect": inspect, "scene": scene},
    LOOK: {**REMOTE_COMMANDS, "page": page, "account": account_app, "mqtt": mqtt, "opcua": opcua},
    PROVE: {
        "evidence": evidence_app,
        "report": report,
        "replay": replay,
        "review": review,
        "evaluate": evaluate,
        "journal": journal_app,
        "audit": audit,
        "bench": bench,
    },
}
"""The words by the work that they are for, as the help shows them."""

app = typer.Typer(
    help="VoxGate: one part scanned, one verdict out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for work, commands in COMMANDS.items():
    for name, command in commands.items():
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, rich_help_panel=work)
        else:
            app.command(name, rich_help_panel=work)(command)
camera_app.command("build")(build_camera)
camera_app.command("serve")(serve_camera)


def main() -> None:
    """Entry point: a person's mistake is one line on stderr and exit 2, never a traceback."""
    try:
        _take_kernels()
        app()
    except VoxGateError as error:
        _refuse(str(error))


def _take_kernels() -> None:
    try:
        found = use_installed()
    except OSError as error:
        _refuse(f"no place for compiled kernels: {error}")
    if found is not None and found.refused:
        typer.echo(
            f"voxgate: {found.refused[0]} could be altered by others than root: not used, compiled "
            "anew at each start; sudo systemd/install.sh makes it again",
            err=True,
        )


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"voxgate {__version__}")
        raise typer.Exit


def _refuse(message: str) -> NoReturn:
    typer.echo(f"voxgate: {one_line(message, most=None)}", err=True)
    sys.exit(EXIT_WRONG_INPUT)
