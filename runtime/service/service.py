"""Opens what a cell needs, serves it, and leaves nothing behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack

import zmq

from voxgate.runtime.cameras.from_config import camera_settings
from voxgate.runtime.cameras.supervisor import CameraSupervisor
from voxgate.runtime.common.clock import Clock
from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.config.cameras import NetworkCamera
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.config.fields import remove_socket_file
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.jobs.relay import Relay
from voxgate.runtime.jobs.worker import Prepare
from voxgate.runtime.nouns import How, Note, Reason
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.records.no_evidence import Evidence
from voxgate.runtime.service.assembly import Assembly
from voxgate.runtime.service.doors import Doors
from voxgate.runtime.service.loop import Loop
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.station.state import Event
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.telemetry.metrics_server import MetricsServer
from voxgate.runtime.telemetry.sd_notify import sd_notify
from voxgate.runtime.wire.sockets import CellSockets

log = logging.getLogger(__name__)

FINISH_NS = 1000 * NS_PER_MS  # at SIGTERM, for a verdict that is being made


class Service:
    """All that is open while a cell is served. Raises ServiceError and leaves nothing open."""

    def __init__(
        self,
        cell: Cell,
        calibration: Calibration,
        prepare: Prepare,
        wake: Wake,
        evidence: Callable[[Wake], Evidence],
        clock: Clock,
    ) -> None:
        self._cell = cell
        self._wake = wake
        self._clock = clock
        with ExitStack() as stack:
            self._doors = self._open_doors(stack, calibration, prepare, evidence)
            self._parts = Assembly(cell, calibration, self._doors, clock)
            self._loop = Loop(self._doors, self._parts, wake, zmq.Poller(), clock)
            self._open = stack.pop_all()

    def _open_doors(
        self,
        stack: ExitStack,
        calibration: Calibration,
        prepare: Prepare,
        evidence: Callable[[Wake], Evidence],
    ) -> Doors:
        config = self._cell.config
        metrics = Metrics(config.cell, tuple(camera.name for camera in config.cameras))
        metrics.budget.set(config.job.verdict_budget_ms / 1e3)
        journal = Journal(config.journal.path, self._clock)
        stack.callback(journal.close)
        access = None if config.security is None else config.security.access()
        sockets = CellSockets(config.sockets, access, metrics.peer_denied)
        stack.callback(sockets.close)
        threads: dict[str, Callable[[], bool]] = {"connections": lambda: sockets.guarded}
        if config.metrics.enabled:
            server = MetricsServer(metrics.registry, config.metrics)
            stack.callback(server.close)
            threads["metrics"] = lambda: server.alive
        cameras = CameraSupervisor(camera_settings(config, calibration))
        stack.callback(self._remove_frame_sockets)  # after the workers that bound them
        stack.callback(cameras.close)
        store = evidence(self._wake)
        relay = Relay(prepare, self._wake.call, config.job.queue_views, self._clock)
        return Doors(journal, sockets, cameras, store, relay, metrics, threads)

    def _remove_frame_sockets(self) -> None:
        for camera in self._cell.config.cameras:
            if isinstance(camera, NetworkCamera):
                remove_socket_file(camera.endpoint)

    # --- from start to end -----------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `wake.stop`."""
        sockets = self._cell.config.sockets
        log.info(
            "cell=%s configuration=%s poses=%s commands=%s verdicts=%s",
            *(self._cell.config.cell, self._cell.configuration_id),
            *(sockets.poses, sockets.commands, sockets.verdicts),
        )
        self._parts.runner.book.close_crashed()
        self._doors.evidence.start()
        self._parts.reoffer.again(self._clock.monotonic_ns())
        self._doors.cameras.start(self._clock.monotonic_ns())
        if self._cell.config.recipes.default is not None:
            self._parts.station.prepare(self._cell.config.recipes.default, How.STARTED)
        while not self._wake.stop:
            self._loop.turn()

    def close(self) -> bool:
        """Declare the open job, answer whoever waits, release everything; False: a thread hangs."""
        sd_notify("STOPPING=1")
        try:
            self._end_job()
            self._parts.station.go(Event.SHUTDOWN)
            self._loop.take_requests()  # who asked before the signal is answered too
            self._parts.desk.close()
            self._parts.heart.beat(self._clock.monotonic_ns())
            self._write_unwritten()
            ended = self._doors.relay.close()
            self._close_evidence()
        finally:
            self._open.close()
        if not ended:
            log.error("the inspection thread hangs; the process ends without it")
        return ended

    def _end_job(self) -> None:
        runner = self._parts.runner
        job = runner.job
        until_ns = self._clock.monotonic_ns() + FINISH_NS
        while job is not None and job.finishing and runner.job is job:
            if self._clock.monotonic_ns() > until_ns:
                break
            self._loop.turn()
        if self._wake.stop:
            note = Note(Reason.SHUTDOWN, "the service was told to end during this job")
        else:
            note = Note(Reason.CRASHED, "the service broke during this job: see its log")
        runner.declare(note, self._clock.monotonic_ns())

    def _write_unwritten(self) -> None:
        try:
            self._parts.runner.book.write_unwritten()
        except ServiceError as error:
            log.error("a verdict stays without a record: %s", error)

    def _close_evidence(self) -> None:
        evidence = self._doors.evidence
        evidence.close()
        self._loop.tell_lost()
        self._doors.metrics.show_evidence(evidence.figures)
