"""Who may command what, and that he did: in the log and, what changes the cell, in the journal."""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from typing import Protocol

from voxgate.runtime.common.access import Right
from voxgate.runtime.config.security import Security
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.records.chain import Event, Kind
from voxgate.runtime.station.answers import Asked
from voxgate.runtime.wire.commands import (
    Abort,
    Acknowledge,
    Command,
    GetResult,
    GetState,
    PrepareRecipe,
    Reset,
    Rollback,
    StartJob,
    StopJob,
)

log = logging.getLogger(__name__)

NEEDED: dict[type[Command], Right | None] = {
    GetState: None,
    GetResult: None,
    StartJob: "operate",
    StopJob: "operate",
    Abort: "operate",
    Acknowledge: "operate",
    PrepareRecipe: "recipes",
    Rollback: "maintain",
    Reset: "maintain",
}
SUBJECTS = ("recipe", "job_id", "result_id")
"""Fields of a command that say what it is about."""
CHANGING = (PrepareRecipe, Rollback, Reset, Abort)
"""What gets an entry of its own in the journal; jobs and acknowledgements have rows there."""


class Book(Protocol):
    """What keeps entries."""

    def note(self, event: Event) -> None: ...


class Rights:
    """Of the peers of one cell. None: sockets of this machine, whose programs may do everything."""

    def __init__(self, security: Security | None) -> None:
        self._rights = None if security is None else security.access().rights

    def lacks(self, asked: Asked) -> Right | None:
        """The right that this command needs and its sender has not."""
        needed = NEEDED[type(asked.command)]
        if needed is None or self._rights is None:
            return None
        own = self._rights.get(asked.peer or "", frozenset())
        return None if needed in own else needed


def put_down(asked: Asked, book: Book) -> None:
    """Before it is done. Raises ServiceError when the journal does not take it."""
    command = asked.command
    if NEEDED[type(command)] is None:
        return
    about = next((value for key in SUBJECTS if (value := getattr(command, key, None))), "")
    log.info("command=%s about=%s peer=%s", command.command, about or "-", asked.who)
    if isinstance(command, CHANGING):
        event = Event(Kind.COMMAND, about, asked.who, command.command)
        # `reset` is what mends a journal that fails: it says itself whether that is done
        with suppress(ServiceError) if isinstance(command, Reset) else nullcontext():
            book.note(event)
