"""A file in shared memory that has a name only while its owner lives."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

from voxgate.sim.gentl.link import FOLDER
from voxgate.sim.gentl.spec import VirtualCameraError

WHILE_ALIVE = 'read -r _; rm -f -- "$1"'  # the pipe ends when its writer does, however it ends


def create(path: Path, size: int) -> int:
    """A file without its name yet, locked for as long as this process lives."""
    fd = os.open(FOLDER, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        os.close(fd)
        raise VirtualCameraError(
            f"{path}: {size / 1e6:.0f} MB of shared memory are not to be had: {error}"
        ) from error
    return fd


def publish(fd: int, path: Path) -> None:
    """Give the finished file its name; raises VirtualCameraError when another has it."""
    _sweep(path)
    # only with a folder's descriptor does Python ask for the link to be followed
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{fd}", path.name, dst_dir_fd=folder)
    except FileExistsError as error:
        raise VirtualCameraError(
            f"{path.name}: a camera with this serial number lives already"
        ) from error
    finally:
        os.close(folder)


def _sweep(path: Path) -> None:
    """Remove a file whose owner is dead."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        pass  # it lives
    finally:
        os.close(fd)


def guard(path: Path) -> subprocess.Popen[bytes]:
    """A shell that outlives us by a moment and removes the file: also after `kill -9`."""
    return subprocess.Popen(
        ["/bin/sh", "-c", WHILE_ALIVE, "sh", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def dismiss(guard: subprocess.Popen[bytes]) -> None:
    guard.kill()
    guard.wait()
    if guard.stdin is not None:
        guard.stdin.close()
