"""`voxgate teach`: a guided change-over at the cell, from a good part to a recipe that serves."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from signal import SIGTERM, signal
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.runtime.commands.console import Shown, progress_bar, task_on
from voxgate.runtime.commands.options import CellFile, PeerKey
from voxgate.runtime.errors import RecipeError

if TYPE_CHECKING:
    from voxgate.export.teaching.lesson import Lesson
    from voxgate.runtime.config.cell import Cell

LESSONS = "teach"
PERIOD_S = 1.0
EXIT_TERMINATED = 143
PREPARE_MS = 900_000


def teach(
    config: CellFile,
    part: Annotated[str, typer.Option(help="Name of the recipe.")],
    false_rejects: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share that good parts must prove.")
    ] = 0.1,
    signer: Annotated[
        Path | None, typer.Option(help="Secret file of who answers for recipes; not on the box.")
    ] = None,
    key: PeerKey = None,
    folder: Annotated[
        Path | None, typer.Option(help="Of recordings and state; default: beside the YAML.")
    ] = None,
    prepare: Annotated[
        bool, typer.Option(help="Wait until the cell is served again, and let the recipe serve.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: every part is good.")] = False,
) -> None:
    """Teach a new part at the cell: record a good one, make the recipe, prove it, sign, serve.

    It goes on where it was left. The cell must not be served meanwhile.
    """
    from voxgate.export.teaching.teacher import Teacher
    from voxgate.runtime.common.labels import NAME
    from voxgate.runtime.config.cell import load_cell
    from voxgate.runtime.wire.keys import load_signer

    if re.fullmatch(NAME, part) is None:
        raise typer.BadParameter(f"{part!r}: letters, digits, dash and underscore")
    cell = load_cell(config, without="recipes")
    signal(SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # the recording process ends, too
    owner = None if signer is None else load_signer(signer, None)
    if owner is None and cell.config.recipes.signers and not cell.config.recipes.allow_unsigned:
        raise RecipeError("this cell opens signed recipes alone: --signer FILE of one of them")
    place = (folder or config.resolve().parent / LESSONS) / part
    place.mkdir(parents=True, exist_ok=True)
    with progress_bar(as_json=False) as progress:
        talk = _Console(yes, task_on(progress, "recipe"))
        teacher = Teacher(cell, place, _lesson(place, part, cell, false_rejects), talk)
        if not teacher.lesson.installed:
            teacher.prove()
        label = teacher.install(owner)
    typer.echo(f"{label} is installed; nothing proves that bad parts FAIL: try some that you know")
    if prepare:
        _let_serve(cell, key, label)


def _lesson(place: Path, part: str, cell: Cell, false_rejects: float) -> Lesson:
    from voxgate.export.teaching.lesson import Lesson, lesson_in

    left = lesson_in(place)
    if left is None or left.installed:
        if left is not None:
            place.rename(place.with_name(f"{place.name}-{left.version}"))
            place.mkdir()
        version = _next_version(cell.config.recipes.folder / part)
        return Lesson(part=part, version=version, false_rejects=false_rejects)
    typer.echo(f"going on: {len(left.others)} good parts so far")
    return left.model_copy(update={"false_rejects": false_rejects})


def _next_version(recipes: Path) -> str:
    """One more than the highest number there."""
    there = [path.name for path in recipes.iterdir()] if recipes.is_dir() else []
    return str(max((int(name) for name in there if name.isdigit()), default=0) + 1)


def _let_serve(cell: Cell, key: Path | None, label: str) -> None:
    """Once somebody serves the cell."""
    from voxgate.runtime.remote.client import Client, RemoteError
    from voxgate.runtime.wire.commands import GetState, PrepareRecipe

    typer.echo(f"start the cell: systemctl start voxgate, or voxgate run {cell.file}")
    with Client(cell.config, key) as client:
        while True:
            try:
                client.ask(GetState(request_id=client.next_id()))
                break
            except RemoteError:
                time.sleep(PERIOD_S)
        command = PrepareRecipe(request_id=client.next_id(), recipe=label)
        reply = client.ask(command, PREPARE_MS)
    typer.echo(f"{label} serves; it is {reply.state.value}")


class _Console:
    """A person at a terminal; with --yes nobody is asked."""

    def __init__(self, yes: bool, shown: Shown) -> None:
        self._yes, self._shown = yes, shown

    def say(self, words: str) -> None:
        typer.echo(words)

    def please(self, words: str) -> None:
        typer.echo(f"-> {words}")

    def is_so(self, question: str) -> bool:
        return self._yes or typer.confirm(question, default=False)

    def progress(self, done: int, of: int, what: str) -> None:
        self._shown(done, of, what)
