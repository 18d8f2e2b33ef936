"""`voxgate run`, `check`, `schema`, `doctor`: a cell's YAML and the machine that serves it."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import at_work, stdout_console
from voxgate.runtime.commands.options import CONFIG_VARIABLE, AsJson

EXIT_WRONG_INPUT = 2
EXIT_UNHEALTHY = 1

Config = Annotated[Path, typer.Argument(envvar=CONFIG_VARIABLE, help="The cell's YAML file.")]


class SchemaName(str, Enum):
    """What has a JSON Schema."""

    CONFIG = "config"
    MESSAGES = "messages"


def run(config: Config) -> None:
    """Serve a cell until SIGTERM: poses and frames in, verdicts out."""
    from voxgate.runtime.service.run import run_service

    raise typer.Exit(run_service(config))


def check(
    config: Config,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the YAML, and whether what it names exists.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a cell: exit 0 if it would be served, 2 with file:line:key of each problem.

    Tries what `run` needs: calibration, recipe with hashes and signature, keys, folders, ports.
    """
    from voxgate.runtime.config.cell import check_config

    problems = check_config(config)
    if not problems and not quick:
        with at_work("checking", as_json):
            problems = _unmet(config)
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": problems}))
    else:
        for problem in problems:
            typer.echo(problem, err=True)
        if not problems:
            typer.echo(f"{config}: ok")
    raise typer.Exit(EXIT_WRONG_INPUT if problems else 0)


def _unmet(config: Path) -> list[str]:
    from voxgate.runtime.config.cell import at_its_line, load_cell
    from voxgate.runtime.doctor.machine import Machine
    from voxgate.runtime.doctor.serving import unmet

    loaded = load_cell(config).config
    return at_its_line(config, unmet(Machine(loaded), loaded))


def schema(
    name: Annotated[SchemaName, typer.Argument(help="Which schema.")] = SchemaName.CONFIG,
) -> None:
    """Print the JSON Schema of the configuration (for editors) or of the messages."""
    from voxgate.runtime.config.cell import config_schema
    from voxgate.runtime.wire.schema import messages_schema

    chosen = config_schema() if name is SchemaName.CONFIG else messages_schema()
    typer.echo(json.dumps(chosen, indent=2))


def doctor(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", envvar=CONFIG_VARIABLE, help="A cell's YAML: look at what it needs."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what this machine lacks and what to type; exit 1 if a row is red."""

    from voxgate.runtime.commands.doctor import as_object, as_table, run_doctor, to_type
    from voxgate.runtime.doctor.rows import healthy

    with at_work("examining", as_json):
        rows = run_doctor(config)
    ok = healthy(rows)
    if as_json:
        typer.echo(json.dumps(as_object(rows, ok)))
    else:
        stdout_console().print(as_table(rows), highlight=False)
        for line in to_type(rows):
            typer.echo(line)
    raise typer.Exit(0 if ok else EXIT_UNHEALTHY)
