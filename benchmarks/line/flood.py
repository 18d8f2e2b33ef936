"""A peer that floods, listed or not: `python -m voxgate.benchmarks.line.flood JSON`.

JSON: its settings as one object. As hostile as one thread of Python makes it: it never reads, never
waits, and connects again.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import zmq

KINDS = {
    "subscriptions": zmq.XSUB,
    "long subscriptions": zmq.XSUB,
    "upstream": zmq.XSUB,
    "looks": zmq.XSUB,
    "large": zmq.XSUB,
    "parts": zmq.DEALER,
    "parts up": zmq.XSUB,
    "parts of a pose": zmq.PUB,
    "parts of a frame": zmq.PUSH,
    "commands": zmq.DEALER,
    "poses": zmq.PUB,
}
LARGE = b"x" * 60_000
MANY = 3000  # parts of one message
REKNOCK_MS = 100


def _subscriptions(peer: zmq.Socket[bytes], number: int) -> None:
    peer.send(b"\x01%032d" % number, zmq.NOBLOCK)


def _long_subscriptions(peer: zmq.Socket[bytes], number: int) -> None:
    peer.send(b"\x01" + os.urandom(250), zmq.NOBLOCK)


def _upstream(peer: zmq.Socket[bytes], number: int) -> None:
    peer.send(b"x" * 200, zmq.NOBLOCK)


def _large(peer: zmq.Socket[bytes], number: int) -> None:
    peer.send(b"\x01" + os.urandom(60_000), zmq.NOBLOCK)


def _commands(peer: zmq.Socket[bytes], number: int) -> None:
    peer.send(b'{"command": "get_state", "request_id": "r%d"}' % number, zmq.NOBLOCK)


def _parts(first: bytes) -> Callable[[zmq.Socket[bytes], int], None]:
    """libzmq sends a message when its last part is there."""

    def send(peer: zmq.Socket[bytes], number: int) -> None:
        peer.send_multipart([first, *[LARGE] * MANY], zmq.NOBLOCK)

    return send


def _poses(peer: zmq.Socket[bytes], number: int) -> None:
    peer.send_multipart([b"pose", bytes(500)], zmq.NOBLOCK)


SENDERS = {
    "subscriptions": _subscriptions,
    "long subscriptions": _long_subscriptions,
    "upstream": _upstream,
    "looks": _subscriptions,
    "large": _large,
    "parts": _parts(b""),
    "parts up": _parts(b"\x01"),
    "parts of a pose": _parts(b"pose"),
    "parts of a frame": _parts(b"{}"),
    "commands": _commands,
    "poses": _poses,
}


def flood(kind: str, endpoint: str, seconds: float, keys: list[str]) -> int:
    """How many messages the socket took. keys: public, secret, and the box's public one."""
    deadline = time.monotonic() + seconds
    with zmq.Context() as context:
        context.linger = 0
        peer = context.socket(KINDS[kind])
        peer.sndhwm = 100_000
        if keys:
            peer.curve_publickey, peer.curve_secretkey, peer.curve_serverkey = (
                key.encode() for key in keys
            )
        peer.connect(endpoint)
        number = 0
        while time.monotonic() < deadline:
            with suppress(zmq.Again):
                SENDERS[kind](peer, number)
                number += 1
        return number


def half_open(endpoint: str, seconds: float, count: int) -> int:
    """Hold so many connections that say nothing, and open those again that are ended."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    held: list[socket.socket] = []
    opened = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if len(held) >= count:
            held.pop(0).close()
        with suppress(OSError):
            held.append(socket.create_connection((host, int(port)), 0.5))
            opened += 1
    return opened


def denied(endpoint: str, seconds: float, box: str, strangers: int) -> int:
    """Knock with keys that nobody listed: each socket tries again every REKNOCK_MS by itself."""
    with zmq.Context() as context:
        context.linger = 0
        for _ in range(strangers):
            peer = context.socket(zmq.DEALER)
            peer.reconnect_ivl = REKNOCK_MS
            peer.curve_publickey, peer.curve_secretkey = zmq.curve_keypair()
            peer.curve_serverkey = box.encode()
            peer.connect(endpoint)
        time.sleep(seconds)
    return round(strangers * seconds * 1000 / REKNOCK_MS)


def main() -> int:
    """Print how much was done."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    if "strangers" in settings:
        done = denied(**settings)
    else:
        done = half_open(**settings) if "count" in settings else flood(**settings)
    sys.stdout.write(f"{done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
