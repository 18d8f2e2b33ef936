"""`voxgate journal ...`: the record of every job, copied while the line runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.commands.console import errors_as_json
from voxgate.runtime.commands.options import AsJson

app = typer.Typer(help="The record of every job and verdict.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """A group also while it has one word."""


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="File to write; a new one.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The cell's YAML file.")],
    as_json: AsJson = False,
) -> None:
    """Copy the journal whole, also while the service writes it; the copy is checked."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.records.journal_copy import copy_journal

    with errors_as_json(as_json):
        copied = copy_journal(load_cell(config).config.journal.path, out)
    if as_json:
        typer.echo(json.dumps({"file": str(out), **asdict(copied)}))
    else:
        last = "" if copied.last_job is None else f", the last of job {copied.last_job}"
        typer.echo(f"{out}: {copied.jobs} jobs, {copied.verdicts} verdicts{last}")
