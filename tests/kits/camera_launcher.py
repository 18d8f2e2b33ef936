"""Stands where systemd starts a camera's process for each connection to the socket file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kits.cell_kit import until
from tests.kits.repository import ROOT

GUARDIAN = (sys.executable, "-I", "-m", "voxgate.runtime.cameras.guardian")
ACCEPTS = "00010000"  # among the flags of /proc/net/unix
UNIT = ROOT / "systemd/voxgate-camera@.service"


@contextmanager
def launcher(
    file: Path, command: tuple[str, ...] = GUARDIAN, log: int | None = None
) -> Iterator[Path]:
    """Listens at `file`, as voxgate-camera.socket; `command`: its service's."""
    listen = ("systemd-socket-activate", "--seqpacket", "--accept", "--inetd", "-l", str(file))
    # its standard output would be the connection too
    words = ("sh", "-c", 'exec "$@" >&2', "sh", *command)
    process = subprocess.Popen([*listen, *words], cwd=ROOT, stderr=log or subprocess.DEVNULL)
    try:
        until(lambda: _listens(file), "a socket that listens")
        file.chmod(0o666)
        yield file
    finally:
        process.terminate()
        process.wait()


def _listens(file: Path) -> bool:
    """A socket's file is there before anybody is accepted."""
    rows = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    return any(f" {ACCEPTS} " in row and row.endswith(f" {file}") for row in rows)


def sandboxed(folder: Path) -> tuple[str, ...]:
    """The guardian as a user of its own, in its unit's sandbox; each in a folder below `folder`."""
    kit = f"{sys.executable} -m tests.kits.sandbox {UNIT}"
    script = (
        f'own=$(mktemp -d {folder}/camera.XXXX) && chmod 777 "$own" && '
        f'PYTHONPATH={ROOT} exec unshare --mount --propagation private {kit} "$own" -- "$@"'
    )
    return ("sh", "-c", script, "sh", *GUARDIAN)
