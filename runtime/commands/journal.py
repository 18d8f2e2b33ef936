"""`voxgate journal ...`: the record of every job, copied while the line runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import at_work
from voxgate.runtime.commands.options import AsJson, CellFile, MaybeCellFile
from voxgate.runtime.common.text import legible
from voxgate.runtime.errors import ServiceError

if TYPE_CHECKING:
    from voxgate.runtime.records.journal_verify import Verified

DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
MOST_SHOWN = 100  # wrong things that are listed

app = typer.Typer(help="The record of every job and verdict.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """A group also while it has one word."""


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="File to write; a new one.")],
    config: CellFile,
    as_json: AsJson = False,
) -> None:
    """Copy the journal whole, also while the service writes it; the copy is checked."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.records.journal_copy import copy_journal

    with at_work("copying", as_json):
        copied = copy_journal(load_cell(config).config.journal.path, out)
    if as_json:
        typer.echo(json.dumps({"file": str(out), **asdict(copied)}))
    else:
        last = "" if copied.last_job is None else f", the last of job {copied.last_job}"
        typer.echo(f"{out}: {copied.jobs} jobs, {copied.verdicts} verdicts{last}")


@app.command()
def verify(
    config: MaybeCellFile = None,
    file: Annotated[Path | None, typer.Option(help="A copy instead of the cell's own.")] = None,
    key: Annotated[
        str | None,
        typer.Option(help="The box's public key, as its log said; else the file's word."),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="NUMBER:HASH of a heartbeat or the log: must be there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Was it altered? Names rows that were altered, are missing or foreign; exit 1 if there are."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.records.journal_verify import verify as verified

    with at_work("proving the journal", as_json):
        cell = None if config is None else load_cell(config).config
        if file is None and cell is None:
            raise ServiceError("which journal? give --config CELL.yaml, or --file")
        journal = cell.journal.path if file is None and cell is not None else file
        assert journal is not None
        section = None if cell is None else cell.evidence
        found = verified(journal, key, head, None if section is None else section.folder)
    if as_json:
        typer.echo(json.dumps({"file": str(journal), **asdict(found)}))
    else:
        for line in _said(found):
            typer.echo(line)
    raise typer.Exit(1 if found.wrong else 0)


def _said(found: Verified) -> Iterator[str]:
    yield f"{found.entries} entries, {found.jobs} jobs, {found.verdicts} verdicts"
    if found.unproven:
        yield f"{found.unproven} verdicts are from before there was a chain: nothing proves them"
    for utc in found.unclosed:
        yield f"{utc}: started after a crash or a power cut; nothing is missing by that"
    for own in found.keys:
        yield f"signed by {own}: compare it with the box's log"
    yield from (legible(line) for line in found.wrong[:MOST_SHOWN])
    if len(found.wrong) > MOST_SHOWN:
        yield f"and {len(found.wrong) - MOST_SHOWN} more"
    yield f"{len(found.wrong)} things are WRONG" if found.wrong else f"whole up to {found.head}"


def audit(
    begin: Annotated[datetime, typer.Argument(metavar="FROM", formats=DAYS, help="UTC.")],
    end: Annotated[datetime, typer.Argument(metavar="TO", formats=DAYS, help="UTC, not in it.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    config: CellFile,
) -> None:
    """What an auditor asks for: parts, verdicts, recipes and signers, changes, gaps; exit 1 if
    altered.
    """
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.records.audit import write_report

    cell = load_cell(config).config
    span = [each.replace(tzinfo=timezone.utc) for each in (begin, end)]
    folder = None if cell.evidence is None else cell.evidence.folder
    with at_work("proving the journal"):
        found = write_report(cell.journal.path, span[0], span[1], out, folder)
    typer.echo(f"{out}: {len(found.wrong)} things are wrong" if found.wrong else f"{out}: whole")
    raise typer.Exit(1 if found.wrong else 0)
