"""What a station needs of its cameras, and how each stands, in the words of the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from voxgate.runtime.cameras.restart_rule import Phase
from voxgate.runtime.cameras.supervisor import CameraCounters, CameraFault, CameraStatus
from voxgate.runtime.nouns import Frame
from voxgate.runtime.wire.fields import CameraHealth, CameraStanding
from voxgate.runtime.wire.verdict_message import cut

_STANDINGS = {
    Phase.STARTING: CameraStanding.STARTING,
    Phase.RUNNING: CameraStanding.STREAMING,
    Phase.DYING: CameraStanding.LOST,
    Phase.DOWN: CameraStanding.LOST,
    Phase.GIVEN_UP: CameraStanding.GIVEN_UP,
}


class Cameras(Protocol):
    """What the station needs of runtime.cameras.supervisor.CameraSupervisor."""

    @property
    def ready(self) -> bool: ...
    @property
    def armed(self) -> bool: ...
    def arm(self, now_ns: int) -> None: ...
    def poll(self, now_ns: int) -> list[Frame | CameraFault]: ...
    def reset(self, now_ns: int) -> None: ...
    def counters(self, name: str) -> CameraCounters: ...
    def status(self, name: str) -> CameraStatus: ...


def cameras_stand(names: Sequence[str], known: Cameras) -> tuple[CameraHealth, ...]:
    """Each camera of `names`, with the starts of its worker beyond the first."""
    return tuple(_health(name, known.status(name), known.counters(name).restarts) for name in names)


def _health(name: str, status: CameraStatus, restarts: int) -> CameraHealth:
    detail = status.detail or status.lost
    return CameraHealth(
        name=name, standing=_STANDINGS[status.phase], restarts=restarts, detail=cut(detail)
    )
