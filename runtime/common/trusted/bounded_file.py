"""A file's content, if it is a file: no pipe that never ends, no device, no more than expected."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

CHUNK_BYTES = 1 << 20


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Raises OSError: not there, no regular file, or larger than that."""
    # a pipe without a writer would be waited for
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no regular file")
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes} bytes")
    return content


def sha256_of(path: Path) -> str:
    """Of a file of any size. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
