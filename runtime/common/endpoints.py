"""Addresses of sockets: tcp on a host and port, or ipc through a file."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path

_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.*-]+):(?P<port>[0-9]{1,5})")
_IPC_PREFIX = "ipc://"
_KNOCK_S = 1.0
_IPC = re.compile(r"ipc:///[^\s@]{1,90}")  # the kernel takes 107 bytes


def host_of(endpoint: str) -> str | None:
    """The host of a tcp endpoint without brackets; None for ipc."""
    match = _TCP.fullmatch(endpoint)
    return match["host"].strip("[]") if match else None


def remove_socket_file(endpoint: str) -> None:
    """libzmq leaves the file of an ipc endpoint behind when it is closed."""
    if endpoint.startswith(_IPC_PREFIX):
        Path(endpoint.removeprefix(_IPC_PREFIX)).unlink(missing_ok=True)


def is_loopback(host: str | None) -> bool:
    """Whether only this machine can reach `host`; None (ipc) is this machine."""
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuses(endpoint: str) -> bool:
    """Whether nobody listens there; False also where that cannot be known at once."""
    host = host_of(endpoint)
    try:
        if host is None:
            with socket.socket(socket.AF_UNIX) as knock:
                knock.connect(endpoint.removeprefix(_IPC_PREFIX))
        else:
            here = "localhost" if host == "*" else host
            socket.create_connection((here, int(endpoint.rpartition(":")[2])), _KNOCK_S).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        return False
    return False


def checked_endpoint(value: str) -> str:
    """The same, if it is one. Raises ValueError."""
    match = _TCP.fullmatch(value)
    if match and 1 <= int(match["port"]) <= 65535:
        return value
    if _IPC.fullmatch(value):
        return value
    raise ValueError(
        f"{value!r} is no endpoint: tcp://HOST:PORT (port 1 to 65535) or ipc:///PATH is allowed"
    )
