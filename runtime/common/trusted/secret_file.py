"""A secret is read only where nobody else can read or change it."""

from __future__ import annotations

import stat
from pathlib import Path

from voxgate.runtime.errors import KeyFileError

SHARED = stat.S_IWGRP | stat.S_IRWXO  # its owner and its group may read it, no more


def refuse_shared(path: Path) -> None:
    """Raises KeyFileError for a file that others may read, OSError when it is not there."""
    if path.stat().st_mode & SHARED:
        raise KeyFileError(f"{path}: others may read or change this secret: chmod 600 {path}")
