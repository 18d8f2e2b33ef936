"""What the commands print to people and programs: progress on stderr, one object on stdout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import typer

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import VoxGateError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


PIPE_WIDTH = 200  # characters: a program cuts no line, and a person who pages scrolls


def stdout_console() -> Console:
    """For tables: as wide as the terminal; in a pipe so wide that no word is cut."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


@contextmanager
def progress_bar(as_json: bool) -> Iterator[Progress]:
    """A progress bar on stderr; none when a program reads us or nobody watches."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    unseen = as_json or not console.is_terminal
    with Progress(console=console, disable=unseen, transient=True) as progress:
        yield progress


class Shown(Protocol):
    """Called as the work goes on; what: being done now, "" for the name of the whole."""

    def __call__(self, done: int, of: int, what: str = "") -> None: ...


def task_on(progress: Progress, name: str) -> Shown:
    """One work on the progress bar, of a size that is known once it has begun."""
    task = progress.add_task(name, total=None)

    def show(done: int, of: int, what: str = "") -> None:
        progress.update(task, completed=done, total=of, description=what or name)

    return show


@contextmanager
def at_work(on: str, as_json: bool = False) -> Iterator[None]:
    """As `errors_as_json`, of what takes seconds: a bar moves meanwhile, nobody knows how long."""
    with errors_as_json(as_json), progress_bar(as_json) as progress:
        progress.add_task(on, total=None)
        yield


@contextmanager
def errors_as_json(as_json: bool) -> Iterator[None]:
    """With --json stdout holds one object in every case, also when the input is refused."""
    try:
        yield
    except VoxGateError as error:
        if as_json:
            typer.echo(json.dumps({"error": one_line(error, most=None)}))
        raise
