"""One cell served, from its open doors to its end, and nothing left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from voxgate.runtime.common.clock import Clock
from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.nouns import How, Note, Reason
from voxgate.runtime.records.chain import Kind
from voxgate.runtime.records.configured import LISTED, configured, keys_changed
from voxgate.runtime.service.assembly import Assembly
from voxgate.runtime.service.doors import Doors
from voxgate.runtime.service.loop import Loop, Poller
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.station.state import Event
from voxgate.runtime.telemetry.sd_notify import sd_notify

log = logging.getLogger(__name__)

FINISH_NS = 1000 * NS_PER_MS  # at SIGTERM, for a verdict that is being made


class Service:
    """All that is open while a cell is served. Raises ServiceError and leaves nothing open."""

    def __init__(
        self,
        cell: Cell,
        calibrations: Mapping[str, Calibration],
        wake: Wake,
        clock: Clock,
        open_doors: Callable[[ExitStack], Doors],
        poller: Poller,
        napping: Poller | None = None,
    ) -> None:
        """open_doors: opens them and tells the stack how each is closed. napping: see Loop."""
        self._cell = cell
        self._wake = wake
        self._clock = clock
        with ExitStack() as stack:
            self._doors = open_doors(stack)
            self.parts = Assembly(cell, calibrations, self._doors, clock)
            self._loop = Loop(self._doors, self.parts, wake, poller, clock, napping)
            self._open = stack.pop_all()

    # --- from start to end -----------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `wake.stop`."""
        self.start()
        while not self._wake.stop:
            self.turn()

    def start(self) -> None:
        """Settle what a crash left behind, then cameras and recipe."""
        sockets = self._cell.config.sockets
        log.info(
            "cell=%s configuration=%s poses=%s commands=%s verdicts=%s",
            *(self._cell.config.cell, self._cell.configuration_id),
            *(sockets.poses, sockets.commands, sockets.verdicts),
        )
        journal = self._doors.journal
        log.info("journal: signed by %s, head=%s", journal.public_key, journal.head)
        journal.note(configured(self._cell))
        keys = keys_changed(self._cell.config, journal.last_detail(Kind.KEYS, LISTED))
        if keys is not None:
            journal.note(keys)
        self.parts.runner.book.close_crashed()
        self._doors.evidence.start()
        self.parts.reoffer.again(self._clock.monotonic_ns())
        self._doors.cameras.start(self._clock.monotonic_ns())
        if self._cell.config.recipes.default is not None:
            self.parts.station.prepare(self._cell.config.recipes.default, How.STARTED)

    def turn(self) -> None:
        """Once around the loop."""
        self._loop.turn()

    def close(self) -> bool:
        """Declare the open job, answer whoever waits, release everything; False: a thread hangs."""
        sd_notify("STOPPING=1")
        try:
            self._end_job()
            self.parts.station.go(Event.SHUTDOWN)
            self._loop.take_requests()  # who asked before the signal is answered too
            self.parts.desk.close()
            self.parts.heart.beat(self._clock.monotonic_ns())
            self._write_unwritten()
            ended = self._doors.relay.close()
            self._close_evidence()
        finally:
            self._open.close()
        if not ended:
            log.error("the inspection thread hangs; the process ends without it")
        return ended

    def _end_job(self) -> None:
        runner = self.parts.runner
        job = runner.job
        until_ns = self._clock.monotonic_ns() + FINISH_NS
        while job is not None and job.finishing and runner.job is job:
            if self._clock.monotonic_ns() > until_ns:
                break
            self.turn()
        if self._wake.stop:
            note = Note(Reason.SHUTDOWN, "the service was told to end during this job")
        else:
            note = Note(Reason.CRASHED, "the service broke during this job: see its log")
        runner.declare(note, self._clock.monotonic_ns())

    def _write_unwritten(self) -> None:
        try:
            self.parts.runner.book.write_unwritten()
        except ServiceError as error:
            log.error("a verdict stays without a record: %s", error)

    def _close_evidence(self) -> None:
        evidence = self._doors.evidence
        evidence.close()
        self._loop.tell_lost()
        self._doors.metrics.show_evidence(evidence.figures)
