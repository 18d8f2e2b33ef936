"""What the kernel knows of a connection that another thread owns: who, how many bytes; and its end.

libzmq reads and closes its connections on a thread of its own and tells their file descriptors. A
number may be somebody else's by the time we look, so that each is held against the kernel's own
number of the socket (SO_COOKIE), which is never used twice.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import termios
from contextlib import suppress
from dataclasses import dataclass

SO_COOKIE = 57
TCP_INFO_BYTES = 136
BYTES_RECEIVED_AT = 128  # tcpi_bytes_received in struct tcp_info, since Linux 4.1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end. address: as libzmq gives it in Peer-Address; place: for people."""

    cookie: int
    address: str
    place: str
    is_tcp: bool


def caller_of(descriptor: int) -> Caller | None:
    """Who is connected there; None when it is no connection (any more)."""
    try:
        own = os.dup(descriptor)
    except OSError:
        return None
    try:
        with socket.socket(fileno=own) as connection:
            return _caller(connection)
    except OSError:
        with suppress(OSError):  # no socket: nothing has closed it
            os.close(own)
        return None


def _caller(connection: socket.socket) -> Caller:
    cookie = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
    if connection.family == socket.AF_UNIX:
        pid, user, group = _credentials(connection)
        place = f"process {pid} of this machine"
        return Caller(cookie, f"localhost:{user}:{group}:{pid}", place, False)
    address = connection.getpeername()[0]
    return Caller(cookie, address, address, True)


def received_bytes(descriptor: int, caller: Caller) -> int | None:
    """Over TCP: everything that came so far. None: the connection is gone."""
    info = _option(descriptor, socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    if info is None or len(info) < TCP_INFO_BYTES or _cookie(descriptor) != caller.cookie:
        return None
    (received,) = struct.unpack_from("=Q", info, BYTES_RECEIVED_AT)
    return int(received)


def unread_bytes(descriptor: int, caller: Caller) -> int | None:
    """What came and nobody has read yet. None: the connection is gone."""
    if _cookie(descriptor) != caller.cookie:
        return None
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), "little")
    except OSError:
        return None


def cut_off(descriptor: int, caller: Caller) -> None:
    """End the connection both ways; libzmq finds it ended and closes it."""
    with suppress(OSError):  # it is closed already
        own = os.dup(descriptor)  # from here on the number cannot become another's
        try:
            if _cookie(own) == caller.cookie:
                _LIBC.shutdown(own, socket.SHUT_RDWR)
        finally:
            os.close(own)


def _cookie(descriptor: int) -> int | None:
    cookie = _option(descriptor, socket.SOL_SOCKET, SO_COOKIE, 8)
    return None if cookie is None else int.from_bytes(cookie, "little")


def _option(descriptor: int, level: int, name: int, size: int) -> bytes | None:
    """getsockopt(2) by number: a socket object would close what is not ours."""
    buffer = ctypes.create_string_buffer(size)
    length = ctypes.c_uint(size)
    failed = _LIBC.getsockopt(descriptor, level, name, buffer, ctypes.byref(length))
    return None if failed else buffer.raw[: length.value]


def _credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Of the process that connected: pid, user, group."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, user, group = struct.unpack("=iII", found)
    return pid, user, group
