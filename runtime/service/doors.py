"""What a cell has open while it is served: files, sockets, cameras, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from voxgate.runtime.cameras.from_config import camera_settings
from voxgate.runtime.cameras.supervisor import CameraSupervisor
from voxgate.runtime.common.clock import Clock
from voxgate.runtime.common.endpoints import remove_socket_file
from voxgate.runtime.config.cameras import NetworkCamera
from voxgate.runtime.config.cell import Cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.jobs.part_inspector import Prepare
from voxgate.runtime.jobs.relay import Relay
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.records.no_evidence import Evidence
from voxgate.runtime.service.camera_user import launcher_of
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.station.health import Cameras
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.telemetry.metrics_server import MetricsServer
from voxgate.runtime.wire.door.connections import CutOff
from voxgate.runtime.wire.sockets import CellSockets, Envelope, Request


class Sockets(Protocol):
    """What the service needs of voxgate.runtime.wire.sockets.CellSockets."""

    @property
    def poses(self) -> Any: ...
    @property
    def commands(self) -> Any: ...
    @property
    def verdicts(self) -> Any: ...
    def take_pose(self) -> bytes: ...
    def waiting_poses(self) -> Iterator[bytes]: ...
    def take_requests(self) -> Iterator[Request]: ...
    def subscribed(self, topic: bytes) -> bool: ...
    def reply(self, envelope: Envelope, payload: bytes) -> bool: ...
    def publish(self, topic: bytes, payload: bytes) -> None: ...
    def is_looked_at(self, topic: bytes) -> bool: ...
    def show(self, topic: bytes, payload: bytes) -> None: ...
    def take_cut(self) -> list[CutOff]: ...


class CameraWorkers(Cameras, Protocol):
    """What the service needs of voxgate.runtime.cameras.supervisor.CameraSupervisor."""

    def fileno(self) -> int: ...
    def start(self, now_ns: int) -> None: ...
    def take_cut(self) -> list[CutOff]: ...
    def while_copying(self, meanwhile: Callable[[], None]) -> None: ...


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


def open_doors(
    stack: ExitStack,
    cell: Cell,
    calibrations: Mapping[str, Calibration],
    prepare: Prepare,
    evidence: Callable[[Wake], Evidence],
    wake: Wake,
    clock: Clock,
) -> Doors:
    """Everything that a cell's YAML asks for; the stack closes it. Raises VoxGateError."""
    config = cell.config
    peers = () if config.security is None else tuple(each.name for each in config.security.peers)
    metrics = Metrics(config.cell, tuple(camera.name for camera in config.devices), peers)
    metrics.budget.set(config.job.verdict_budget_ms / 1e3)
    journal = Journal(config.journal.path, clock)
    stack.callback(journal.close)
    access = None if config.security is None else config.security.access()
    sockets = CellSockets(config.sockets, access, metrics.peer_denied)
    stack.callback(sockets.close)
    threads: dict[str, Callable[[], bool]] = {"connections": lambda: sockets.guarded}
    if config.metrics.enabled:
        server = MetricsServer(metrics.registry, config.metrics)
        stack.callback(server.close)
        threads["metrics"] = lambda: server.alive
    cameras = CameraSupervisor(camera_settings(config, calibrations), launcher_of(config))
    stack.callback(_remove_frame_sockets, config)  # after the workers that bound them
    stack.callback(cameras.close)
    store = evidence(wake)
    relay = Relay(prepare, wake.call, config.job.queue_views, clock)
    return Doors(journal, sockets, cameras, store, relay, metrics, threads)


def _remove_frame_sockets(config: CellConfig) -> None:
    for camera in config.devices:
        if isinstance(camera, NetworkCamera):
            remove_socket_file(camera.endpoint)
