"""Asks a running cell by its own sockets, as any peer does, and hears what it publishes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import zmq

from voxgate.runtime.common.text import one_line
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ConfigError, ServiceError
from voxgate.runtime.wire.asking import ask
from voxgate.runtime.wire.commands import CommandMessage
from voxgate.runtime.wire.curve import peer_context, public_key_of
from voxgate.runtime.wire.fields import MalformedMessage, Message
from voxgate.runtime.wire.published import (
    MISSED_HEARTBEATS,
    HeartbeatMessage,
    PictureMessage,
    heartbeat_topic,
    picture_topic,
    verdict_topic,
)
from voxgate.runtime.wire.replies import Refused, Reply
from voxgate.runtime.wire.verdict import VerdictMessage

log = logging.getLogger(__name__)

ANSWER_MS = 5_000  # the box answers within milliseconds, or is not there
ANYWHERE = ("//*:", "//0.0.0.0:", "//[::]:")
LOOK_MS = 1_000
Said = HeartbeatMessage | VerdictMessage
Published = TypeVar("Published", bound=Message)


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
        self._context = peer_context(
            key, _box_key(config, key), is_ipv6="[" in config.sockets.commands
        )

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
            try:
                reply = ask(socket, command, answer_ms)
            except MalformedMessage as error:
                raise RemoteError(
                    f"{endpoint} answers what is not understood: {error}: is it of another version?"
                ) from error
        if reply is None:
            raise RemoteError(f"no answer at {endpoint}: {self._why_silent()}")
        return _granted(reply)

    def listen(self) -> Iterator[Said | None]:
        """Heartbeats and verdicts as they come, to the client's end. None: nobody knows how it
        stands, for three heartbeats are missing, or what came is not understood, as of a newer box.
        """
        cell, sockets = self._config.cell, self._config.sockets
        kinds: dict[bytes, type[HeartbeatMessage] | type[VerdictMessage]] = {
            heartbeat_topic(cell): HeartbeatMessage,
            verdict_topic(cell): VerdictMessage,
        }
        return self._hear(sockets.verdicts, kinds, MISSED_HEARTBEATS * sockets.heartbeat_ms)

    def look(self) -> Iterator[PictureMessage | None]:
        """What the cameras see, as it comes, to the client's end; None: a while there was nothing.

        Raises ConfigError for a cell that publishes no pictures.
        """
        endpoint = self._config.sockets.pictures
        if endpoint is None:
            raise ConfigError("the cell publishes no pictures: give sockets.pictures in its YAML")
        kinds = {picture_topic(self._config.cell): PictureMessage}
        return self._hear(endpoint, kinds, LOOK_MS)

    def _hear(
        self, endpoint: str, kinds: Mapping[bytes, type[Published]], most_ms: int
    ) -> Iterator[Published | None]:
        """Messages of these topics; None: so long there was none, or one is not understood."""
        with self._context.socket(zmq.SUB) as socket:
            for topic in kinds:
                socket.subscribe(topic)
            socket.connect(reachable(endpoint))
            while not socket.closed:
                heard = None
                with _until_closed(socket):
                    heard = socket.recv_multipart() if socket.poll(most_ms) else None
                yield None if heard is None else _understood(heard, kinds)

    def _why_silent(self) -> str:
        if self._config.security is None:
            return "is the cell served? `systemctl status voxgate`, or `voxgate run` it"
        return "is the cell served, and may this key's peer send commands (`roles`)?"


def reachable(endpoint: str) -> str:
    """Where to connect to what was bound: every address of the box is also its loopback."""
    for anywhere in ANYWHERE:
        endpoint = endpoint.replace(anywhere, "//[::1]:" if "[" in anywhere else "//127.0.0.1:")
    return endpoint


@contextmanager
def _until_closed(socket: zmq.Socket[bytes]) -> Iterator[None]:
    """Another thread may end the client, and every socket with it."""
    try:
        yield
    except zmq.ZMQError:
        if not socket.closed:
            raise


def _understood(message: list[bytes], kinds: Mapping[bytes, type[Published]]) -> Published | None:
    """One that was published; None where it is none of these, and the log says why."""
    try:
        topic, body = message
        return kinds[topic].model_validate_json(body)
    except (ValueError, KeyError) as error:
        log.warning("the box says what is not understood: %s", one_line(error))
        return None


def _box_key(config: CellConfig, key: Path | None) -> bytes | None:
    """Who must answer; None: whoever does."""
    if config.security is None:
        if key is not None:
            raise ConfigError("the cell has plain sockets: leave --key out")
        return None
    if key is None:
        raise ConfigError(
            "the cell asks its peers for keys: --key FILE of `voxgate keys peer`, "
            "with the roles commands and verdicts"
        )
    return public_key_of(Path(config.security.secret_key), beside=key)


def _granted(reply: Reply) -> Reply:
    if isinstance(reply, Refused):
        raise RefusedError(reply)
    return reply
