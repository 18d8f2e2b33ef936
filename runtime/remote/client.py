"""Asks a running cell by its own sockets, as any peer does, and hears what it publishes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import zmq

from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ConfigError, ServiceError
from voxgate.runtime.wire.commands import CommandMessage
from voxgate.runtime.wire.curve import load_key_pair, public_key_of
from voxgate.runtime.wire.published import HeartbeatMessage, heartbeat_topic, verdict_topic
from voxgate.runtime.wire.replies import Refused, Reply, parse_reply
from voxgate.runtime.wire.verdict import VerdictMessage

NS_PER_MS = 1_000_000
MISSED_HEARTBEATS = 3  # of which a robot takes the part for not passed
ANSWER_MS = 5_000  # the box answers within milliseconds, or is not there
ANYWHERE = ("//*:", "//0.0.0.0:", "//[::]:")
Said = HeartbeatMessage | VerdictMessage


class RemoteError(ServiceError):
    """The cell does not answer, or refuses."""


class RefusedError(RemoteError):
    """The cell refuses. reply: as it said so."""

    def __init__(self, reply: Refused) -> None:
        super().__init__(f"refused ({reply.code.value}): {reply.detail}; it is {reply.state.value}")
        self.reply = reply


class Client:
    """Of one cell. key: secret file of one of its peers, where the cell asks for keys.

    Raises ConfigError when a key is missing or not wanted, KeyFileError when it cannot be used.
    """

    def __init__(self, config: CellConfig, key: Path | None = None) -> None:
        self._config = config
        shown = _keys(config, key)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.setsockopt(zmq.IPV6, "[" in config.sockets.commands)
        self._context.setsockopt(zmq.LINGER, 0)
        for option, value in shown.items():
            self._context.setsockopt(option, value)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.destroy(linger=0)

    def next_id(self) -> str:
        """For a command: no other program of this machine has it."""
        return f"shell-{os.getpid()}-{time.monotonic_ns()}"

    def ask(self, command: CommandMessage, answer_ms: int = ANSWER_MS) -> Reply:
        """The answer to this command. Raises RemoteError for none, RefusedError for a refusal."""
        endpoint = reachable(self._config.sockets.commands)
        with self._context.socket(zmq.DEALER) as socket:
            socket.connect(endpoint)
            socket.send(command.to_json())
            deadline_ns = time.monotonic_ns() + answer_ms * NS_PER_MS
            while (left_ms := (deadline_ns - time.monotonic_ns()) // NS_PER_MS) > 0:
                if not socket.poll(left_ms):
                    break
                reply = parse_reply(socket.recv())
                if reply.request_id == command.request_id:
                    return _granted(reply)
        raise RemoteError(f"no answer at {endpoint}: {self._why_silent()}")

    def listen(self) -> Iterator[Said | None]:
        """Heartbeats and verdicts as they come, without end; None: three heartbeats are missing."""
        cell = self._config.cell
        most_ms = MISSED_HEARTBEATS * self._config.sockets.heartbeat_ms
        with self._context.socket(zmq.SUB) as socket:
            for topic in (heartbeat_topic(cell), verdict_topic(cell)):
                socket.subscribe(topic)
            socket.connect(reachable(self._config.sockets.verdicts))
            while True:
                if not socket.poll(most_ms):
                    yield None
                    continue
                topic, body = socket.recv_multipart()
                kind = VerdictMessage if topic == verdict_topic(cell) else HeartbeatMessage
                yield kind.model_validate_json(body)

    def _why_silent(self) -> str:
        if self._config.security is None:
            return "is the cell served? `systemctl status voxgate`, or `voxgate run` it"
        return "is the cell served, and may this key's peer send commands (`roles`)?"


def reachable(endpoint: str) -> str:
    """Where to connect to what was bound: every address of the box is also its loopback."""
    for anywhere in ANYWHERE:
        endpoint = endpoint.replace(anywhere, "//[::1]:" if "[" in anywhere else "//127.0.0.1:")
    return endpoint


def _keys(config: CellConfig, key: Path | None) -> dict[int, bytes]:
    """Socket options: who asks, and who must answer."""
    if config.security is None:
        if key is not None:
            raise ConfigError("the cell has plain sockets: leave --key out")
        return {}
    if key is None:
        raise ConfigError(
            "the cell asks its peers for keys: --key FILE of `voxgate keys peer`, "
            "with the roles commands and verdicts"
        )
    own, box = load_key_pair(key), public_key_of(Path(config.security.secret_key), beside=key)
    return {
        zmq.CURVE_PUBLICKEY: own.public,
        zmq.CURVE_SECRETKEY: own.secret,
        zmq.CURVE_SERVERKEY: box,
    }


def _granted(reply: Reply) -> Reply:
    if isinstance(reply, Refused):
        raise RefusedError(reply)
    return reply
