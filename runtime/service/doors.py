"""What a cell has open while it is served: files, sockets, cameras, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from voxgate.runtime.jobs.relay import Relay
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.records.no_evidence import Evidence
from voxgate.runtime.station.station import Cameras
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.sockets import Envelope, Request


class Sockets(Protocol):
    """What the service needs of voxgate.runtime.wire.sockets.CellSockets."""

    @property
    def poses(self) -> Any: ...
    @property
    def commands(self) -> Any: ...
    @property
    def verdicts(self) -> Any: ...
    def take_pose(self) -> bytes: ...
    def take_requests(self) -> Iterator[Request]: ...
    def subscribed(self, topic: bytes) -> bool: ...
    def reply(self, envelope: Envelope, payload: bytes) -> bool: ...
    def publish(self, topic: bytes, payload: bytes) -> None: ...


class CameraWorkers(Cameras, Protocol):
    """What the service needs of voxgate.runtime.cameras.supervisor.CameraSupervisor."""

    def fileno(self) -> int: ...
    def start(self, now_ns: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """Of one cell. threads: those that serve others, by name, and whether they live."""

    journal: Journal
    sockets: Sockets
    cameras: CameraWorkers
    evidence: Evidence
    relay: Relay
    metrics: Metrics
    threads: Mapping[str, Callable[[], bool]]
