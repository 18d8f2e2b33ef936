"""`voxgate run`: opens what a cell needs, turns the loop, leaves nothing behind.

The loop sleeps in one poll: commands, poses, cameras, the inspection thread, signals. Nothing in it
blocks but the journal's write, which must be on disk before a verdict may be heard.
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import zmq

from voxgate.runtime.cameras.from_config import camera_settings
from voxgate.runtime.cameras.supervisor import CameraSupervisor
from voxgate.runtime.config.cameras import NetworkCamera
from voxgate.runtime.config.cell import Cell, load_cell
from voxgate.runtime.config.fields import remove_socket_file
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.jobs.intake import Intake
from voxgate.runtime.jobs.job_runner import JobRunner
from voxgate.runtime.jobs.relay import Relay
from voxgate.runtime.jobs.worker import Prepare
from voxgate.runtime.nouns import How, Note, Reason
from voxgate.runtime.records.evidence_store import EvidenceStore
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.station.desk import Desk
from voxgate.runtime.station.prepare import preparer
from voxgate.runtime.station.reoffer import Offers, Reoffer
from voxgate.runtime.station.state import Event
from voxgate.runtime.station.station import Station
from voxgate.runtime.sync.stamps import stamps
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.telemetry.faults import Faults
from voxgate.runtime.telemetry.logs import set_up
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.telemetry.metrics_server import MetricsServer
from voxgate.runtime.telemetry.sd_notify import Notifier, sd_notify
from voxgate.runtime.telemetry.vitals import Vitals
from voxgate.runtime.wire.fields import MOST_UNACKNOWLEDGED, State
from voxgate.runtime.wire.published import FaultCode, HeartbeatMessage, heartbeat_topic, offer_topic
from voxgate.runtime.wire.sockets import CellSockets
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import cut

log = logging.getLogger(__name__)

NS_PER_MS = 1_000_000
CAMERA_POLL_NS = 100 * NS_PER_MS  # the supervisor's own deadlines
FINISH_NS = 1000 * NS_PER_MS  # at SIGTERM, for a verdict that is being made
SWITCH_S = 0.001  # the loop stamps poses while the inspection thread computes


def run_service(config: Path) -> int:
    """Serve the cell in `config` until SIGTERM or SIGINT; the exit code.

    Raises ConfigError, CalibrationError, ServiceError: one line, nothing was started.
    """
    cell = load_cell(config)
    set_up(cell.config.log.level)
    calibration = Calibration.load(cell.config.calibration)
    if calibration.forced:
        log.warning(
            "%s: written by --force although %s missed its limits",
            cell.config.calibration,
            ", ".join(calibration.forced),
        )
    return serve(cell, calibration, preparer(cell.config, calibration))


def serve(
    cell: Cell,
    calibration: Calibration,
    prepare: Prepare,
    evidence: Callable[[Wake], EvidenceStore] | None = None,
) -> int:
    """Serve with `prepare` as the maker of inspectors; ends by signal. Raises ServiceError.

    evidence: makes another store of recordings than the configuration's.
    """
    sys.setswitchinterval(SWITCH_S)
    wake = Wake()
    try:
        wake.on_signals()
        store = None if evidence is None else evidence(wake)
        service = Service(cell, calibration, prepare, wake, store)
        try:
            service.run()
        finally:
            clean = service.close()
    finally:
        wake.close()
    return 0 if clean else 1


def _store(config: CellConfig, wake: Wake) -> EvidenceStore | None:
    """The recordings that the configuration asks for."""
    if config.evidence is None or not config.evidence.enabled:
        return None
    try:
        part = PartFiles.beside(config.calibration)
    except OSError as error:
        raise ServiceError(f"{config.calibration}: {error.strerror}") from error
    return EvidenceStore.of(config.evidence, part, wake.call)


class Service:
    """All that is open while a cell is served. Raises ServiceError and leaves nothing open."""

    def __init__(
        self,
        cell: Cell,
        calibration: Calibration,
        prepare: Prepare,
        wake: Wake,
        evidence: EvidenceStore | None = None,
    ) -> None:
        config = cell.config
        self._cell = cell
        self._wake = wake
        self._metrics = Metrics(config.cell, tuple(camera.name for camera in config.cameras))
        self._metrics.budget.set(config.job.verdict_budget_ms / 1e3)
        with ExitStack() as stack:
            self._journal = Journal(config.journal.path)
            stack.callback(self._journal.close)
            access = None if config.security is None else config.security.access()
            self._sockets = CellSockets(config.sockets, access, self._metrics.peer_denied)
            stack.callback(self._sockets.close)
            self._server: MetricsServer | None = None
            if config.metrics.enabled:
                self._server = MetricsServer(self._metrics.registry, config.metrics)
                stack.callback(self._server.close)
            self._cameras = CameraSupervisor(camera_settings(config, calibration))
            stack.callback(self._remove_frame_sockets)  # after the workers that bound them
            stack.callback(self._cameras.close)
            self._evidence = evidence if evidence is not None else _store(config, wake)
            self._relay = Relay(prepare, wake.call, config.job.queue_views)
            self._assemble(calibration)
            self._open = stack.pop_all()

    def _assemble(self, calibration: Calibration) -> None:
        config = self._cell.config
        max_gap_ns = int(config.sync.max_gap_ms * NS_PER_MS)
        sync = Synchronizer(calibration, max_gap_ns, stamps=stamps(config))
        self._intake = Intake(sync, self._metrics)
        self._faults = Faults(config.cell, self._sockets.publish, self._metrics)
        self._runner = JobRunner(
            cell=self._cell,
            journal=self._journal,
            worker=self._relay,
            intake=self._intake,
            faults=self._faults,
            metrics=self._metrics,
            publish=self._sockets.publish,
            on_decided=self._decided,
            on_journal_failed=self._journal_failed,
            evidence=self._evidence,
        )
        self._station = Station(
            *(self._cell, self._cameras, self._relay, self._faults, self._metrics, self._runner),
            good=self._journal.good_recipes(),
        )
        self._desk = Desk(self._station, self._sockets.reply, self._metrics, self._count_open)
        job = config.job
        self._reoffer = Reoffer(
            config.cell,
            Offers(job.reoffer_ms * NS_PER_MS, job.reoffer_times),
            *(self._journal, self._sockets.publish, self._metrics),
        )
        self._open_verdicts: tuple[int, str | None] = (0, None)
        self._poller = zmq.Poller()
        sockets = self._sockets
        for source in (
            sockets.commands,
            sockets.poses,
            sockets.verdicts,
            self._cameras,
            self._wake,
        ):
            self._poller.register(source, zmq.POLLIN)
        self._heartbeats = 0
        self._next_heartbeat_ns = 0
        self._next_camera_ns = 0
        self._due_ns = 0
        self._notifier = Notifier()
        self._vitals = Vitals()
        self._jobs = 0
        self._last: VerdictMessage | None = None
        self._offer_topic = offer_topic(config.cell)

    # --- from start to end -----------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `wake.stop`."""
        sockets = self._cell.config.sockets
        log.info(
            "cell=%s configuration=%s poses=%s commands=%s verdicts=%s",
            *(self._cell.config.cell, self._cell.configuration_id),
            *(sockets.poses, sockets.commands, sockets.verdicts),
        )
        self._runner.close_crashed()
        if self._evidence is not None:
            self._evidence.start()
        self._reoffer.again(time.monotonic_ns())
        self._cameras.start(time.monotonic_ns())
        if self._cell.config.recipes.default is not None:
            self._station.prepare(self._cell.config.recipes.default, How.STARTED)
        while not self._wake.stop:
            self._turn()

    def close(self) -> bool:
        """Declare the open job, answer whoever waits, release everything; False: a thread hangs."""
        sd_notify("STOPPING=1")
        try:
            self._end_job()
            self._station.go(Event.SHUTDOWN)
            self._take_requests()  # who asked before the signal is answered too
            self._desk.close()
            self._beat(time.monotonic_ns())
            self._write_unwritten()
            ended = self._relay.close()
            self._close_evidence()
        finally:
            self._open.close()
        if not ended:
            log.error("the inspection thread hangs; the process ends without it")
        return ended

    def _close_evidence(self) -> None:
        if self._evidence is None:
            return
        self._evidence.close()
        self._tell_lost()
        self._metrics.show_evidence(self._evidence.figures)

    def _remove_frame_sockets(self) -> None:
        for camera in self._cell.config.cameras:
            if isinstance(camera, NetworkCamera):
                remove_socket_file(camera.endpoint)

    def _end_job(self) -> None:
        job = self._runner.job
        until_ns = time.monotonic_ns() + FINISH_NS
        while job is not None and job.finishing and self._runner.job is job:
            if time.monotonic_ns() > until_ns:
                break
            self._turn()
        if self._wake.stop:
            note = Note(Reason.SHUTDOWN, "the service was told to end during this job")
        else:
            note = Note(Reason.CRASHED, "the service broke during this job: see its log")
        self._runner.declare(note, time.monotonic_ns())

    def _write_unwritten(self) -> None:
        try:
            self._runner.write_unwritten()
        except ServiceError as error:
            log.error("a verdict stays without a record: %s", error)

    # --- one turn --------------------------------------------------------------------------------

    def _turn(self) -> None:
        ready = dict(self._poller.poll(self._sleep_ms()))
        if self._sockets.poses in ready:
            now_ns = time.monotonic_ns()
            self._intake.stash_pose(self._sockets.take_pose(), now_ns)
            if len(ready) == 1 and self._runner.job is None and now_ns < self._due_ns:
                return
        self._settle_poses()
        now_ns = time.monotonic_ns()
        if self._cameras.fileno() in ready or now_ns >= self._next_camera_ns:
            self._take_frames(now_ns)
        if self._wake.fileno() in ready:
            self._wake.drain()
            for event in self._relay.take():
                self._station.worker_event(event, time.monotonic_ns())
            self._tell_lost()
        if self._sockets.commands in ready:
            self._take_requests()
        self._desk.tick(time.monotonic_ns())
        self._station.tick(time.monotonic_ns())
        if self._sockets.verdicts in ready and self._sockets.subscribed(self._offer_topic):
            self._reoffer.again(time.monotonic_ns())
        self._reoffer.tick(time.monotonic_ns())
        if now_ns >= self._next_heartbeat_ns:
            self._look_after(now_ns)
        self._due_ns = min(
            self._next_camera_ns,
            self._next_heartbeat_ns,
            self._station.wake_ns(),
            self._desk.wake_ns(),
            self._reoffer.wake_ns(),
        )

    def _sleep_ms(self) -> int:
        # a millisecond is zmq's finest: rounded up, or the last one would be a busy loop
        return max(0, -((time.monotonic_ns() - self._due_ns) // NS_PER_MS))

    def _settle_poses(self) -> None:
        for note in self._intake.settle():
            self._station.pose_note(note, time.monotonic_ns())

    def _take_requests(self) -> None:
        for request in self._sockets.take_requests():
            self._desk.take(request, time.monotonic_ns())

    def _take_frames(self, now_ns: int) -> None:
        self._next_camera_ns = now_ns + CAMERA_POLL_NS
        for event in self._cameras.poll(now_ns):
            self._station.camera_event(event, now_ns)

    # --- now and then ----------------------------------------------------------------------------

    def _look_after(self, now_ns: int) -> None:
        self._next_heartbeat_ns = now_ns + self._cell.config.sockets.heartbeat_ms * NS_PER_MS
        self._station.look_after(now_ns)
        self._intake.show_clocks()
        self._show_disk()
        if self._evidence is not None:
            self._metrics.show_evidence(self._evidence.figures)
        self._beat(now_ns)
        self._announce(now_ns)

    def _tell_lost(self) -> None:
        """Evidence that was promised and could not be written: a fault that stops nothing."""
        for lost in () if self._evidence is None else self._evidence.take():
            now_ns = time.monotonic_ns()
            self._faults.tell(FaultCode.EVIDENCE, lost.detail, now_ns, lost.job_id)

    def _show_disk(self) -> None:
        try:
            free = shutil.disk_usage(self._cell.config.journal.path.parent).free
        except OSError:
            return  # the journal itself will say so
        self._metrics.disk_free.set(free)

    def _beat(self, now_ns: int) -> None:
        station = self._station
        count, oldest = self._count_open()
        heartbeat = HeartbeatMessage(
            seq=self._heartbeats,
            t_host_ns=now_ns,
            heartbeat_ms=self._cell.config.sockets.heartbeat_ms,
            state=station.state,
            recipe=station.changeover.label,
            preparing=station.preparing,
            is_fallback=station.recipe is not None and station.changeover.fallback is not None,
            job_id=None if self._runner.job is None else self._runner.job.job_id,
            is_simulated=self._cell.config.is_simulated,
            unacknowledged=count,
            oldest_unacknowledged=oldest,
            error=None if station.complaint is None else cut(station.complaint),
        )
        self._heartbeats += 1
        self._metrics.heartbeats.inc()
        self._sockets.publish(heartbeat_topic(self._cell.config.cell), heartbeat.to_json())

    def _count_open(self) -> tuple[int, str | None]:
        """Verdicts without an acknowledgement; what was known last when the file fails."""
        with suppress(ServiceError):
            self._open_verdicts = self._journal.count_unacknowledged(MOST_UNACKNOWLEDGED)
        self._metrics.unacknowledged.set(self._open_verdicts[0])
        return self._open_verdicts

    def _announce(self, now_ns: int) -> None:
        """Tell systemd how it goes; ready once a recipe is proven, or none will be."""
        station = self._station
        proven = station.recipe is not None or station.preparing is None
        started = station.state is not State.PREOPERATIONAL and proven
        stuck = self._vitals.stuck(self._relay.pulses(), now_ns, self._missing())
        self._notifier.tell(ready=started, alive=not stuck, status=self._status(stuck))

    def _missing(self) -> tuple[str, ...]:
        threads = {"connections": self._sockets.guarded}
        if self._server is not None:
            threads["metrics"] = self._server.alive
        return tuple(name for name, alive in threads.items() if not alive)

    def _status(self, stuck: tuple[str, ...]) -> str:
        """One line for whoever types `systemctl status`."""
        station = self._station
        if stuck:
            return f"{station.state.value}: no progress: {', '.join(stuck)}"
        recipe = station.recipe
        broken = station.state in (State.ERROR, State.PREOPERATIONAL) or recipe is None
        if station.complaint is not None and broken:
            return f"{station.state.value}: {station.complaint}"
        if recipe is None and station.preparing is not None:
            return f"{station.state.value}: proving recipe {station.preparing}"
        served = "no recipe" if recipe is None else f"{recipe.label} on {recipe.backend}"
        last = "" if self._last is None else f", the last {self._last.outcome.value}"
        return f"{station.state.value}: {served}, {self._jobs} jobs{last}{self._aside()}"

    def _aside(self) -> str:
        """What else there is to know of recipes while one serves."""
        station = self._station
        if station.changeover.fallback is not None:
            return f"; FALLBACK, not the recipe of the configuration: {station.changeover.fallback}"
        if station.preparing is not None:
            return f"; {station.preparing} is being prepared"
        return "" if station.error is None else f"; {station.error}"

    # --- heard from below ------------------------------------------------------------------------

    def _decided(self, verdict: VerdictMessage, now_ns: int) -> None:
        self._jobs += 1
        self._last = verdict
        self._station.go(Event.DECIDED)
        self._desk.decided(verdict)
        self._station.take_over(now_ns)
        self._reoffer.decided(verdict.result_id, now_ns)

    def _journal_failed(self, why: str, now_ns: int) -> None:
        self._station.fail(FaultCode.JOURNAL, why, now_ns)
