"""ZeroMQ's authentication protocol (RFC 27): what libzmq asks about a peer, and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from zmq.utils import z85

VERSION = b"1.0"
ENDPOINT = "inproc://zeromq.zap.01"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Knock:
    """A peer that has proved to own `key` (Z85). role: the domain of the socket it knocks at."""

    request_id: bytes
    role: str
    address: str
    key: str


def parse_knock(frames: list[bytes]) -> Knock | None:
    """What libzmq asks; None: nothing that this box answers with yes."""
    if len(frames) != 7 or frames[0] != VERSION or frames[5] != b"CURVE":
        return None
    _, request_id, domain, address, _, _, key = frames
    if len(key) != KEY_BYTES:
        return None
    return Knock(
        request_id,
        domain.decode("ascii", "replace"),
        address.decode("ascii", "replace"),
        z85.encode(key).decode("ascii"),
    )


def admission(knock: Knock, name: str) -> list[bytes]:
    """Come in. name: stands as User-Id beside each message of this connection."""
    return [VERSION, knock.request_id, b"200", b"OK", name.encode(), b""]


def refusal(frames: list[bytes]) -> list[bytes]:
    """Stay out."""
    request_id = frames[1] if len(frames) > 1 else b""
    return [VERSION, request_id, b"400", b"NO ACCESS", b"", b""]
