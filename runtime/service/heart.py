"""What the service says of itself now and then: heartbeat, gauges, one line for systemd."""

from __future__ import annotations

import shutil
from contextlib import suppress

from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.jobs.intake import Intake
from voxgate.runtime.records.journal import Retention
from voxgate.runtime.service.doors import Doors
from voxgate.runtime.service.peers import CutPeers
from voxgate.runtime.station.station import Station
from voxgate.runtime.telemetry.faults import Faults
from voxgate.runtime.telemetry.sd_notify import Notifier
from voxgate.runtime.telemetry.vitals import Vitals
from voxgate.runtime.wire.fields import MOST_UNACKNOWLEDGED, State
from voxgate.runtime.wire.published import HeartbeatMessage, heartbeat_topic
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import cut

HOUSE_NS = (
    1_000_000_000  # how often the files are looked after; a beat comes several times a second
)


class Heart:
    """Beats every heartbeat_ms; what it tells it asks of the others."""

    def __init__(self, station: Station, intake: Intake, doors: Doors, faults: Faults) -> None:
        self.due_ns = 0
        self._house_ns = 0
        self._peers = CutPeers(faults, doors.metrics)
        self._station = station
        self._intake = intake
        self._doors = doors
        self._config = station.cell.config
        self._topic = heartbeat_topic(self._config.cell)
        journal = self._config.journal
        self._retention = Retention(journal.max_rows, journal.max_age_s)
        self._beats = 0
        self._open_verdicts: tuple[int, str | None] = (0, None)
        self._notifier = Notifier()
        self._vitals = Vitals()
        self._jobs = 0
        self._last: VerdictMessage | None = None

    def decided(self, verdict: VerdictMessage) -> None:
        """One more job has its verdict."""
        self._jobs += 1
        self._last = verdict

    def tick(self, now_ns: int) -> None:
        """Look after everything, if it is time."""
        if now_ns < self.due_ns:
            return
        self.due_ns = now_ns + self._config.sockets.heartbeat_ms * NS_PER_MS
        self._station.look_after(now_ns)
        self._intake.show_clocks()
        for door in (self._doors.sockets, self._doors.cameras):
            self._peers.note(door.take_cut(), now_ns)
        if now_ns >= self._house_ns:
            self._house_ns = now_ns + HOUSE_NS
            self._keep_house()
        self.beat(now_ns)
        self._announce(now_ns)

    def beat(self, now_ns: int) -> None:
        """Publish one heartbeat."""
        station = self._station
        count, oldest = self.count_open()
        heartbeat = HeartbeatMessage(
            seq=self._beats,
            t_host_ns=now_ns,
            heartbeat_ms=self._config.sockets.heartbeat_ms,
            state=station.state,
            recipe=station.changeover.label,
            preparing=station.preparing,
            is_fallback=station.recipe is not None and station.changeover.fallback is not None,
            job_id=station.runner.job_id,
            is_simulated=self._config.is_simulated,
            cameras=station.cameras_stand(),
            unacknowledged=count,
            oldest_unacknowledged=oldest,
            journal_head=self._journal_head(),
            error=None if station.complaint is None else cut(station.complaint),
        )
        self._beats += 1
        self._doors.metrics.heartbeats.inc()
        self._doors.sockets.publish(self._topic, heartbeat.to_json())

    def _journal_head(self) -> str | None:
        with suppress(ServiceError):
            return self._doors.journal.head
        return None

    def count_open(self) -> tuple[int, str | None]:
        """Verdicts without an acknowledgement; what was known last when the file fails."""
        with suppress(ServiceError):
            self._open_verdicts = self._doors.journal.count_unacknowledged(MOST_UNACKNOWLEDGED)
        self._doors.metrics.unacknowledged.set(self._open_verdicts[0])
        return self._open_verdicts

    def _keep_house(self) -> None:
        self._show_disk()
        self._doors.metrics.show_evidence(self._doors.evidence.figures)
        self._forget()

    def _forget(self) -> None:
        """A few verdicts beyond the journal's limits, while no part is inspected."""
        if self._station.runner.job_id is None:
            with suppress(ServiceError):  # it will say so where a verdict depends on it
                self._doors.journal.forget(self._retention)

    def _show_disk(self) -> None:
        try:
            free = shutil.disk_usage(self._config.journal.path.parent).free
        except OSError:
            return  # the journal itself will say so
        self._doors.metrics.disk_free.set(free)

    # --- systemd ---------------------------------------------------------------------------------

    def _announce(self, now_ns: int) -> None:
        """Tell systemd how it goes; ready once a recipe is proven, or none will be."""
        station = self._station
        proven = station.recipe is not None or station.preparing is None
        started = station.state is not State.PREOPERATIONAL and proven
        missing = tuple(name for name, alive in self._doors.threads.items() if not alive())
        stuck = self._vitals.stuck(self._doors.relay.pulses(), now_ns, missing)
        self._notifier.tell(ready=started, alive=not stuck, status=self._status(stuck))

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
