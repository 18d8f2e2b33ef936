"""Could an endpoint be bound here? Asked by binding it for a moment, which nobody hears."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.common.endpoints import host_of

_IPC = "ipc://"


@dataclass(frozen=True, slots=True)
class Taken:
    """Why an endpoint cannot be bound, and what shows more. in_use: somebody else serves it."""

    why: str
    do: str
    in_use: bool = False


def why_taken(endpoint: str) -> Taken | None:
    """None: it is free. endpoint: tcp://HOST:PORT or ipc:///PATH."""
    if endpoint.startswith(_IPC):
        return _ipc(Path(endpoint.removeprefix(_IPC)))
    host = host_of(endpoint) or ""
    return _tcp("" if host == "*" else host, int(endpoint.rpartition(":")[2]))


def _tcp(host: str, port: int) -> Taken | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # as libzmq binds: a connection that was closed a moment ago is not in the way
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except socket.gaierror:
            return Taken(f"{host} is no name of this machine", "ip -brief address")
        except OSError as error:
            return _words(error, host, port)
    return None


def _words(error: OSError, host: str, port: int) -> Taken:
    if error.errno == errno.EADDRINUSE:
        return Taken(f"port {port} is in use", f"sudo ss -ltnp 'sport = :{port}'", in_use=True)
    if error.errno == errno.EADDRNOTAVAIL:
        return Taken(f"no interface of this machine has {host}", "ip -brief address")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Taken(f"port {port} is for root", "choose a port from 1024 in the cell's YAML")
    return Taken(f"port {port}: {os.strerror(error.errno or 0)}", "ip -brief address")


def _ipc(path: Path) -> Taken | None:
    if not os.access(path.parent, os.W_OK | os.X_OK):
        what = "may not be written by this user" if path.parent.is_dir() else "is not there"
        return Taken(f"{path.parent} {what}", f"name another folder than {path.parent}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return None  # nobody, or a file that a dead service left: binding removes it
    return Taken(f"{path} is in use", f"sudo ss -xlp 'src {path}'", in_use=True)
