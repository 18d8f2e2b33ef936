"""The thread that owns one engine and volume: views go in, a verdict comes out.

What it has to tell waits in a deque until the loop, woken through `wake`, takes it. Every message
carries the number of its job, so that what comes late for a job that was given up is ignored.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.jobs.events import (
    InspectionEvent,
    InspectionFailed,
    JobFinished,
    RecipeFailed,
    RecipeReady,
    ViewInspected,
)
from voxgate.runtime.jobs.part_inspector import PartInspector, Prepare
from voxgate.runtime.nouns import Note, View

log = logging.getLogger(__name__)

CLOSE_S = 5.0  # a view is inspected in 0.1 s; what takes longer hangs


class Inspection(Protocol):
    """What a job needs of the inspection thread, or of the relay of several."""

    def begin(self, job: int) -> None: ...
    def add(self, job: int, view: View) -> bool: ...
    def reject(self, job: int, note: Note) -> None: ...
    def finish(self, job: int) -> None: ...
    def call(self, task: Callable[[PartInspector], None]) -> None: ...
    def abandon(self) -> None: ...


class InspectionThread:
    """Inspection thread. At most `most_views` wait; `add` refuses more."""

    def __init__(
        self,
        prepare: Prepare,
        wake: Callable[[], None],
        most_views: int,
        clock: Clock = HOST_CLOCK,
    ) -> None:
        self._prepare = prepare
        self._wake = wake
        self._most_views = most_views
        self._now_ns = clock.monotonic_ns
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._events: deque[InspectionEvent] = deque()
        self._inspector: PartInspector | None = None
        self._job = 0  # the open one
        self._put = 0  # tasks handed over and done; each is written by one thread only
        self._done = 0
        self._views_put = 0
        self._views_done = 0
        self._thread = threading.Thread(target=self._run, name="inspect", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    # --- called by the loop ----------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is done."""
        return self._put == self._done

    @property
    def done(self) -> int:
        """Tasks that are over."""
        return self._done

    def holds(self, inspector: PartInspector) -> bool:
        """Whether this one is open here."""
        return self._inspector is inspector

    @property
    def waiting(self) -> int:
        """Views that are not inspected yet."""
        return self._views_put - self._views_done

    def take(self) -> list[InspectionEvent]:
        """What happened since the last call."""
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def prepare(self, recipe: str) -> None:
        """Load `recipe` and prove it; the one before it is closed first."""
        self._ask(lambda: self._load(recipe))

    def begin(self, job: int) -> None:
        """A new part."""
        self._job = job
        self._ask(lambda: self._of(job, lambda inspector: inspector.start()))

    def add(self, job: int, view: View) -> bool:
        """Hand a view over; False when too many wait."""
        if self.waiting >= self._most_views:
            return False
        self._views_put += 1
        asked_ns = self._now_ns()
        self._ask(lambda: self._add(job, view, asked_ns))
        return True

    def reject(self, job: int, note: Note) -> None:
        """A note against the part."""
        self._ask(lambda: self._of(job, lambda inspector: inspector.reject(note)))

    def finish(self, job: int) -> None:
        """Ask for the verdict."""
        self._ask(lambda: self._of(job, lambda inspector: self._finish(job, inspector)))

    def call(self, task: Callable[[PartInspector], None]) -> None:
        """Have `task` done after all that was asked for, before the next part; it never raises."""
        self._ask(lambda: None if self._inspector is None else task(self._inspector))

    def abandon(self) -> None:
        """The open job has its verdict; what still waits for it is skipped."""
        self._job = 0

    def leave(self) -> None:
        """End the thread and its inspector once the task in hand is done; nobody waits."""
        self.abandon()
        self._tasks.put(None)

    @property
    def ended(self) -> bool:
        """Whether thread and inspector are gone."""
        return not self._thread.is_alive()

    def join(self, patience_s: float) -> bool:
        """Wait for the end after `leave`; False when it hangs (the process must end then)."""
        if self._thread.ident is not None:  # it was started
            self._thread.join(max(0.0, patience_s))
        return self.ended

    def close(self) -> bool:
        """End the thread and the inspector; False when it hangs."""
        self.leave()
        return self.join(CLOSE_S)

    def _ask(self, task: Callable[[], None]) -> None:
        self._put += 1
        self._tasks.put(task)

    # --- on the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._guarded(task)
            self._done += 1
            self._wake()
        self._guarded(self._drop)

    def _guarded(self, task: Callable[[], None]) -> None:
        """A fault of the inspector ends the job, never the thread."""
        try:
            task()
        except VoxGateError as error:
            self._tell(InspectionFailed(self._job, str(error)))
        except Exception as error:
            log.exception("the inspector failed")
            self._tell(InspectionFailed(self._job, f"{type(error).__name__}: {error}"))

    def _tell(self, event: InspectionEvent) -> None:
        self._events.append(event)
        self._wake()

    def _load(self, recipe: str) -> None:
        started_ns = self._now_ns()
        self._drop()
        try:
            # at the priority of all: a thread behind the others would hold the interpreter's lock
            # while it waits for a core, and the thread that inspects would wait with it
            prepared = self._prepare(recipe)
        except VoxGateError as error:
            self._tell(RecipeFailed(str(error)))
        except Exception as error:
            log.exception("the recipe could not be prepared")
            self._tell(RecipeFailed(f"{recipe}: {type(error).__name__}: {error}"))
        else:
            self._inspector = prepared.inspector
            self._tell(RecipeReady(prepared, self._now_ns() - started_ns))

    def _drop(self) -> None:
        inspector, self._inspector = self._inspector, None
        if inspector is not None:
            inspector.close()

    def _of(self, job: int, task: Callable[[PartInspector], None]) -> None:
        if job == self._job and self._inspector is not None:
            task(self._inspector)

    def _add(self, job: int, view: View, asked_ns: int) -> None:
        try:
            self._of(job, lambda inspector: self._inspect(job, inspector, view, asked_ns))
        finally:
            self._views_done += 1

    def _inspect(self, job: int, inspector: PartInspector, view: View, asked_ns: int) -> None:
        begun_ns = self._now_ns()
        inspector.add(view)
        took_ns = self._now_ns() - begun_ns
        queued_ns, timings = begun_ns - asked_ns, inspector.take_timings()
        self._tell(ViewInspected(job, inspector.complete, queued_ns, took_ns, timings))

    def _finish(self, job: int, inspector: PartInspector) -> None:
        begun_ns = self._now_ns()
        verdict = inspector.finish()
        took_ns = self._now_ns() - begun_ns
        self._tell(JobFinished(job, verdict, took_ns, inspector.take_timings()))
