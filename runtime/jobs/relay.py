"""Who inspects: one thread serves, the next is prepared beside it, takes over between two parts.

Every inspector lives in the one thread that opened it, to its end: engines and GPU contexts have
one owner. A change of recipe hands the jobs to another thread and moves no inspector.

    prepare -> next;  switch: next -> serving -> before (kept warm for `recall`) -> leaving -> gone
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.jobs.events import InspectionEvent, InspectionFailed, RecipeFailed, RecipeReady
from voxgate.runtime.jobs.inspection_thread import CLOSE_S, InspectionThread
from voxgate.runtime.jobs.part_inspector import PartInspector, Prepare, Prepared
from voxgate.runtime.nouns import Note, View
from voxgate.runtime.telemetry.vitals import Pulse

log = logging.getLogger(__name__)

REPLACED = "inspection that was replaced"


class Relay:
    """The threads of one cell, at most two of them with an inspector that is open for long.

    Its job methods are those of InspectionThread, and go to the one that serves.
    """

    def __init__(
        self,
        prepare: Prepare,
        wake: Callable[[], None],
        most_views: int,
        clock: Clock = HOST_CLOCK,
        make: type[InspectionThread] = InspectionThread,
    ) -> None:
        self._prepare = prepare
        self._wake = wake
        self._most_views = most_views
        self._clock = clock
        self._make = make
        self._serving: InspectionThread | None = None
        self._next: InspectionThread | None = None
        self._before: InspectionThread | None = None
        self._leaving: list[InspectionThread] = []

    # --- recipes ---------------------------------------------------------------------------------

    def keeps(self, prepared: Prepared) -> bool:
        """Whether this one, which served before, is still open, and done with its last part."""
        before = self._before
        return before is not None and before.idle and before.holds(prepared.inspector)

    def prepare(self, recipe: str) -> None:
        """Load a recipe beside the one that serves; the one before it makes room first."""
        assert self._next is None
        self.forget_before()
        self._next = self._make(self._prepare, self._wake, self._most_views, self._clock)
        self._next.start()
        self._next.prepare(recipe)

    def recall(self) -> None:
        """The one before is the next again; it is open and proven."""
        assert self._next is None
        self._next, self._before = self._before, None

    def withdraw(self) -> None:
        """The next one could not be proven."""
        self._leave(self._next)
        self._next = None

    def switch(self, keep: bool) -> None:
        """The next one serves; between two jobs. keep: the one that served stays open."""
        old, self._serving, self._next = self._serving, self._next, None
        if old is not None and keep:  # it may still be giving its last volume away
            self.forget_before()
            self._before = old
        else:
            self._leave(old)

    @property
    def keeps_before(self) -> bool:
        """Whether the one before is still in memory."""
        return self._before is not None

    def forget_before(self) -> None:
        """Give the memory of the one before back."""
        self._leave(self._before)
        self._before = None

    def drop(self) -> None:
        """The one that serves is broken."""
        self._leave(self._serving)
        self._serving = None

    def _leave(self, thread: InspectionThread | None) -> None:
        if thread is not None:
            thread.leave()
            self._leaving.append(thread)

    # --- what comes and how it goes --------------------------------------------------------------

    def take(self) -> list[InspectionEvent]:
        """What happened since the last call; what those before have to say is too late."""
        self._leaving = [thread for thread in self._leaving if not thread.ended]
        for thread in (self._before, *self._leaving):
            for event in [] if thread is None else thread.take():
                if isinstance(event, InspectionFailed):
                    log.warning("an inspector that no longer serves failed: %s", event.detail)
        jobs = [] if self._serving is None else self._serving.take()
        recipes = [] if self._next is None else self._next.take()
        return [*jobs, *(e for e in recipes if isinstance(e, RecipeReady | RecipeFailed))]

    def pulses(self) -> Iterator[Pulse]:
        """One of every thread that has something to do."""
        if self._serving is not None:
            yield _pulse(self._serving, "inspection")
        if self._next is not None:
            yield _pulse(self._next, "preparation")
        if self._before is not None:  # it may still be giving its last part's volume away
            yield _pulse(self._before, REPLACED)
        for thread in self._leaving:
            yield Pulse(id(thread), REPLACED, thread.done, not thread.ended)

    @property
    def idle(self) -> bool:
        """Whether the one that serves has done everything it was asked for."""
        return self._serving is None or self._serving.idle

    @property
    def waiting(self) -> int:
        """Views that are not inspected yet."""
        return 0 if self._serving is None else self._serving.waiting

    def close(self) -> bool:
        """End every thread and its inspector; False when one hangs (the process must end then)."""
        for thread in (self._serving, self._next, self._before):
            self._leave(thread)
        self._serving = self._next = self._before = None
        until_s = time.monotonic() + CLOSE_S
        return all([thread.join(until_s - time.monotonic()) for thread in self._leaving])

    # --- jobs ------------------------------------------------------------------------------------

    def begin(self, job: int) -> None:
        """As InspectionThread."""
        self._server.begin(job)

    def add(self, job: int, view: View) -> bool:
        """As InspectionThread."""
        return self._server.add(job, view)

    def reject(self, job: int, note: Note) -> None:
        """As InspectionThread."""
        self._server.reject(job, note)

    def finish(self, job: int) -> None:
        """As InspectionThread."""
        self._server.finish(job)

    def call(self, task: Callable[[PartInspector], None]) -> None:
        """As InspectionThread."""
        self._server.call(task)

    def abandon(self) -> None:
        """As InspectionThread."""
        if self._serving is not None:
            self._serving.abandon()

    @property
    def _server(self) -> InspectionThread:
        assert self._serving is not None
        return self._serving


def _pulse(thread: InspectionThread, stage: str) -> Pulse:
    return Pulse(id(thread), stage, thread.done, not thread.idle)
