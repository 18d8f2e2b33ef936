"""The robot's side of the box, on a page: publish the pose, ask for a job, believe nothing else.

What a robot program does with it:

    robot.ask(PrepareRecipe(request_id=robot.next_id(), recipe="bracket"))
    robot.ask(StartJob(request_id=robot.next_id(), job_id="j1", part_id="p1"))
    ...                                   move, trigger the camera at every viewpoint
    answer = robot.ask(StopJob(request_id=robot.next_id(), job_id="j1"))
    if robot.may_pass(answer.result, "j1"): ...

The part goes on only if `may_pass` says so: a PASS, from a box whose heart still beats.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import zmq

from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.wire.asking import ask
from voxgate.runtime.wire.commands import Command
from voxgate.runtime.wire.published import (
    MISSED_HEARTBEATS,
    HeartbeatMessage,
    heartbeat_topic,
    verdict_topic,
)
from voxgate.runtime.wire.replies import Reply
from voxgate.runtime.wire.verdict import VerdictMessage
from voxgate.sim.field.wires import Wires

NS_PER_MS = 1_000_000


class RobotError(VoxGateError):
    """The box did not answer in time; the part in hand is not passed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A published verdict and when it arrived here, host monotonic clock."""

    verdict: VerdictMessage
    t_ns: int


class Robot:
    """Commands, and an ear on verdicts and heartbeats. One thread, no callbacks."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], wires: Wires) -> None:
        self._topics = {
            verdict_topic(wires.cell): self._hear_verdict,
            heartbeat_topic(wires.cell): self._hear_heartbeat,
        }
        self._commands = context.socket(zmq.DEALER)
        self._news = context.socket(zmq.SUB)
        for topic in self._topics:
            self._news.subscribe(topic)
        for socket, endpoint in ((self._commands, wires.commands), (self._news, wires.verdicts)):
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(endpoint)
        self._ids = (f"r{number}" for number in itertools.count(1))
        self._beat: HeartbeatMessage | None = None
        self._beat_ns = 0
        self.verdicts: dict[str, Heard] = {}

    def next_id(self) -> str:
        """A request id that was not used before."""
        return next(self._ids)

    def ask(self, command: Command, timeout_ms: int = 5000) -> Reply:
        """Send a command and wait for its own answer. Raises RobotError when there is none."""
        reply = ask(self._commands, command, timeout_ms, self._news, self._hear)
        if reply is None:
            raise RobotError(
                f"no answer to {command.command} within {timeout_ms} ms: is the box running?"
            )
        return reply

    def may_pass(self, verdict: VerdictMessage | None, job_id: str) -> bool:
        """Whether the part may go on: PASS of this very job, and the box is still there."""
        if verdict is None or verdict.job_id != job_id or verdict.outcome.value != "PASS":
            return False
        return self.box_is_alive()

    def box_is_alive(self) -> bool:
        """Whether a heartbeat was heard within the last three periods."""
        self.listen(0)
        if self._beat is None:
            return False
        silent_ns = time.monotonic_ns() - self._beat_ns
        return silent_ns <= MISSED_HEARTBEATS * self._beat.heartbeat_ms * NS_PER_MS

    @property
    def heartbeat(self) -> HeartbeatMessage | None:
        """The last heartbeat heard."""
        return self._beat

    def listen(self, timeout_ms: int, also: int | None = None) -> None:
        """Hear what is published; return at once if something was, or when `also` is readable."""
        poller = zmq.Poller()
        poller.register(self._news, zmq.POLLIN)
        if also is not None:
            poller.register(also, zmq.POLLIN)
        poller.poll(timeout_ms)
        self._hear()

    def _hear(self) -> None:
        now_ns = time.monotonic_ns()
        while self._news.poll(0):
            topic, body = self._news.recv_multipart()
            self._topics[topic](body, now_ns)

    def _hear_verdict(self, body: bytes, now_ns: int) -> None:
        verdict = VerdictMessage.model_validate_json(body)
        self.verdicts.setdefault(verdict.job_id, Heard(verdict, now_ns))

    def _hear_heartbeat(self, body: bytes, now_ns: int) -> None:
        self._beat, self._beat_ns = HeartbeatMessage.model_validate_json(body), now_ns

    def close(self) -> None:
        """Disconnect."""
        self._commands.close()
        self._news.close()
