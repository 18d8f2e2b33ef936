"""Which part of the service hears which: everything between the open doors and the loop."""

from __future__ import annotations

from collections.abc import Mapping

from voxgate.runtime.common.clock import Clock
from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.jobs.intake import Intake
from voxgate.runtime.jobs.job_runner import JobRunner
from voxgate.runtime.jobs.verdict_book import VerdictBook
from voxgate.runtime.service.doors import Doors
from voxgate.runtime.service.heart import Heart
from voxgate.runtime.service.pictures import Pictures
from voxgate.runtime.station.desk import Desk
from voxgate.runtime.station.reoffer import Offers, Reoffer
from voxgate.runtime.station.state import Event
from voxgate.runtime.station.station import Station
from voxgate.runtime.sync.stamps import sensor_stamps, stamps
from voxgate.runtime.sync.synchronizer import Synchronizer
from voxgate.runtime.telemetry.faults import Faults
from voxgate.runtime.wire.published import FaultCode
from voxgate.runtime.wire.verdict import VerdictMessage


class Assembly:
    """The parts of one cell's service, each made once and told of the others."""

    def __init__(
        self, cell: Cell, calibrations: Mapping[str, Calibration], doors: Doors, clock: Clock
    ) -> None:
        config, metrics, publish = cell.config, doors.metrics, doors.sockets.publish
        sync = Synchronizer(
            calibrations,
            config.sync.max_gap_ns,
            stamps=stamps(config),
            sensor_stamps=sensor_stamps(config),
        )
        self.intake = Intake(sync, metrics)
        self.faults = Faults(config.cell, publish, metrics)
        book = VerdictBook(
            *(cell, doors.journal, doors.evidence, metrics, publish),
            on_decided=self._decided,
            on_journal_failed=self._journal_failed,
            clock=clock,
        )
        self.runner = JobRunner(config.job, book, doors.relay, self.intake, self.faults, metrics)
        believed = Clock(clock.monotonic_ns, doors.journal.latest_utc)  # of what expires
        self.station = Station(
            *(cell, doors.cameras, doors.relay, self.faults, metrics, self.runner),
            good=doors.journal.good_recipes(),
            clock=believed,
        )
        self.pictures = Pictures(config.cell, doors.sockets)
        self.heart = Heart(self.station, self.intake, doors, self.faults)
        self.desk = Desk(
            self.station, doors.sockets.reply, metrics, self.heart.count_open, believed
        )
        offers = Offers(config.job.reoffer_ms * NS_PER_MS, config.job.reoffer_times)
        self.reoffer = Reoffer(config.cell, offers, doors.journal, publish, metrics, clock)

    def _decided(self, verdict: VerdictMessage, now_ns: int) -> None:
        self.heart.decided(verdict)
        self.station.go(Event.DECIDED)
        self.desk.decided(verdict)
        self.reoffer.decided(verdict.result_id, now_ns)

    def _journal_failed(self, why: str, now_ns: int) -> None:
        self.station.fail(FaultCode.JOURNAL, why, now_ns)
