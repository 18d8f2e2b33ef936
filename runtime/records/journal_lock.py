"""A lock that dies with the process, so that two services never share a journal."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from voxgate.runtime.errors import ServiceError


def lock_journal(path: Path) -> int:
    """Its descriptor; closing it lets others have the file. Raises ServiceError."""
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise ServiceError(
            f"{lock}: {error.strerror}: give the service a folder it may write to"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ServiceError(f"{path}: another voxgate serves this journal: stop it first") from error
    return descriptor
