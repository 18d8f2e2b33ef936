"""Replies, one for every command: built here, counted, put on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voxgate import __version__
from voxgate.runtime.station.station import Station
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.commands import Command
from voxgate.runtime.wire.fields import MalformedMessage
from voxgate.runtime.wire.replies import (
    Done,
    DoneCommand,
    RefusalCode,
    Refused,
    Reply,
    ResultReply,
    StateReply,
)
from voxgate.runtime.wire.sockets import Envelope
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.runtime.wire.verdict_message import cut

SOMEBODY_HERE = "this machine"
"""Who asks over plain sockets: any program of this machine."""


class Send(Protocol):
    """Puts a reply on the wire; False when the asker is gone."""

    def __call__(self, envelope: Envelope, payload: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A command, and where its reply goes. peer: who sent it; None where peers have no keys."""

    envelope: Envelope
    command: Command
    peer: str | None = None

    @property
    def who(self) -> str:
        """For records."""
        return SOMEBODY_HERE if self.peer is None else self.peer


class Answers:
    """Of one station; every reply tells its state."""

    def __init__(self, station: Station, send: Send, metrics: Metrics) -> None:
        self._station = station
        self._send = send
        self._metrics = metrics

    def done(self, asked: Asked, command: DoneCommand) -> None:
        """It was carried out."""
        self._answer(
            asked,
            Done(request_id=asked.command.request_id, state=self._station.state, command=command),
        )

    def refuse(self, asked: Asked, code: RefusalCode, detail: str) -> None:
        """It was not done, and why."""
        self._answer(
            asked,
            Refused(
                request_id=asked.command.request_id,
                state=self._station.state,
                code=code,
                detail=cut(detail),
            ),
        )

    def result(self, asked: Asked, verdict: VerdictMessage) -> None:
        """The verdict that was asked for."""
        self._answer(
            asked,
            ResultReply(
                request_id=asked.command.request_id, state=self._station.state, result=verdict
            ),
        )

    def state(self, asked: Asked, unacknowledged: int, oldest: str | None) -> None:
        """How the station stands."""
        station = self._station
        fallback = station.changeover.fallback
        self._answer(
            asked,
            StateReply(
                request_id=asked.command.request_id,
                state=station.state,
                cell=station.cell.config.cell,
                recipe=station.changeover.label,
                preparing=station.preparing,
                rollback=station.changeover.before,
                fallback=None if fallback is None else cut(fallback),
                configuration_id=station.cell.configuration_id,
                is_simulated=station.cell.config.is_simulated,
                job_id=station.runner.job_id,
                error=None if station.error is None else cut(station.error),
                cameras=station.cameras_stand(),
                unacknowledged=unacknowledged,
                oldest_unacknowledged=oldest,
                version=__version__,
            ),
        )

    def malformed(self, envelope: Envelope, error: MalformedMessage, peer: str | None) -> None:
        """What came is no command."""
        self._metrics.peer_failed(peer)
        self._metrics.commands.labels("malformed", "false").inc()
        reply = Refused(
            request_id=error.request_id,
            state=self._station.state,
            code=RefusalCode.MALFORMED,
            detail=str(error),
        )
        self._send(envelope, reply.to_json())

    def _answer(self, asked: Asked, reply: Reply) -> None:
        ok = "false" if isinstance(reply, Refused) else "true"
        self._metrics.commands.labels(asked.command.command, ok).inc()
        self._send(asked.envelope, reply.to_json())
