"""A command and its own answer, as every peer of a box waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import zmq

from voxgate.runtime.common.timings import NS_PER_MS
from voxgate.runtime.wire.commands import CommandMessage
from voxgate.runtime.wire.replies import Reply, parse_reply


def ask(
    commands: zmq.Socket[bytes],
    command: CommandMessage,
    timeout_ms: int,
    news: zmq.Socket[bytes] | None = None,
    on_news: Callable[[], None] = lambda: None,
) -> Reply | None:
    """Send it and wait for the answer to it; answers to others are passed over. None: in time there
    was none.

    commands: a DEALER that is connected. news: a socket that must not wait meanwhile; `on_news`
    reads it. Raises MalformedMessage for an answer that is none.
    """
    poller = zmq.Poller()
    poller.register(commands, zmq.POLLIN)
    if news is not None:
        poller.register(news, zmq.POLLIN)
    commands.send(command.to_json())
    deadline_ns = time.monotonic_ns() + timeout_ms * NS_PER_MS
    while (left_ms := (deadline_ns - time.monotonic_ns()) // NS_PER_MS) > 0:
        ready = dict(poller.poll(left_ms))
        if news in ready:
            on_news()
        if commands in ready:
            reply = parse_reply(commands.recv())
            if reply.request_id == command.request_id:
                return reply
    return None
