"""`voxgate status`, `watch`, `jobs` and what may be asked of a running cell, from a shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import at_work, errors_as_json, stdout_console
from voxgate.runtime.commands.options import AsJson, CellFile, PeerKey

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.runtime.wire.commands import CommandMessage
    from voxgate.runtime.wire.replies import Reply

EXIT_NOT_SERVING = 1
PREPARE_MS = 900_000  # a large engine on a slow disk takes minutes


class OutcomeName(str, Enum):
    """Of voxgate.runtime.nouns.Outcome, whose room has numpy in it."""

    PASS = "PASS"
    FAIL = "FAIL"
    INDETERMINATE = "INDETERMINATE"


Recipe = Annotated[str, typer.Argument(help="Name, or name/version.")]


def status(config: CellFile, key: PeerKey = None, as_json: AsJson = False) -> None:
    """What a running cell is doing, and what a person has to mend; exit 1 unless it serves."""
    from voxgate.runtime.remote.rows import SERVES, state_rows
    from voxgate.runtime.wire.commands import GetState
    from voxgate.runtime.wire.replies import StateReply

    with errors_as_json(as_json):
        reply = _ask(config, key, GetState)
    assert isinstance(reply, StateReply)
    if as_json:
        typer.echo(reply.model_dump_json())
    else:
        rows = list(state_rows(reply))
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            typer.echo(f"{name:<{width}}  {value}")
    raise typer.Exit(0 if reply.state in SERVES else EXIT_NOT_SERVING)


def watch(config: CellFile, key: PeerKey = None) -> None:
    """A cell live: its state and its verdicts, until Ctrl-C; in a pipe, a line for each change."""

    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.remote.client import Client
    from voxgate.runtime.remote.watch import follow

    cell = load_cell(config, without="recipes").config
    with Client(cell, key) as client, suppress(KeyboardInterrupt):
        follow(client, cell, stdout_console())


def jobs(
    config: CellFile,
    last: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 20,
    part: Annotated[str | None, typer.Option(help="Only of this part.")] = None,
    outcome: Annotated[OutcomeName | None, typer.Option(help="Only these.")] = None,
    as_json: AsJson = False,
) -> None:
    """The last jobs of a cell, newest first, from its journal on this machine."""
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.nouns import Outcome
    from voxgate.runtime.remote.history import Wanted, last_jobs
    from voxgate.runtime.remote.rows import HEADINGS, job_row

    with errors_as_json(as_json):
        journal = load_cell(config, without="recipes").config.journal.path
        of_outcome = None if outcome is None else Outcome(outcome.value)
        found = last_jobs(journal, last, Wanted(part=part, outcome=of_outcome))
    if as_json:
        told = [
            {"job_id": job.job_id, "part_id": job.part_id, "opened_utc": job.opened_utc}
            | {"acknowledged_utc": job.acknowledged_utc}
            | {"verdict": None if job.verdict is None else json.loads(job.verdict.to_json())}
            for job in found
        ]
        typer.echo(json.dumps({"jobs": told}))
        return
    for line in columns([HEADINGS, *map(job_row, found)]):
        typer.echo(line)


def prepare(recipe: Recipe, config: CellFile, key: PeerKey = None, as_json: AsJson = False) -> None:
    """Let another recipe serve once it is proven; until then the one before goes on."""
    from voxgate.runtime.wire.commands import PrepareRecipe

    _say(config, key, as_json, PrepareRecipe, PREPARE_MS, recipe=recipe)


def rollback(config: CellFile, key: PeerKey = None, as_json: AsJson = False) -> None:
    """Back to the recipe that served before, at once; again: forward."""
    from voxgate.runtime.wire.commands import Rollback

    _say(config, key, as_json, Rollback, PREPARE_MS)


def reset(config: CellFile, key: PeerKey = None, as_json: AsJson = False) -> None:
    """Leave ERROR, and try cameras that were given up again, once their cause is mended."""
    from voxgate.runtime.wire.commands import Reset

    _say(config, key, as_json, Reset)


def abort(config: CellFile, key: PeerKey = None, as_json: AsJson = False) -> None:
    """Give up the open job: its verdict is INDETERMINATE (aborted)."""
    from voxgate.runtime.wire.commands import Abort

    _say(config, key, as_json, Abort)


REMOTE_COMMANDS: dict[str, Callable[..., object]] = {
    "status": status,
    "watch": watch,
    "jobs": jobs,
    "prepare": prepare,
    "rollback": rollback,
    "reset": reset,
    "abort": abort,
}


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Left-aligned columns as wide as their widest word; the last one runs on."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{word:<{width}}" for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _ask(
    config: Path, key: Path | None, kind: type[CommandMessage], answer_ms: int = 0, **said: str
) -> Reply:
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.remote.client import ANSWER_MS, Client

    with Client(load_cell(config, without="recipes").config, key) as client:
        command = kind(request_id=client.next_id(), **said)
        return client.ask(command, answer_ms or ANSWER_MS)


def _say(
    config: Path,
    key: Path | None,
    as_json: bool,
    kind: type[CommandMessage],
    answer_ms: int = 0,
    **said: str,
) -> None:
    with at_work("waiting for its answer", as_json):
        reply = _ask(config, key, kind, answer_ms, **said)
    typer.echo(reply.model_dump_json() if as_json else f"done; it is {reply.state.value}")
