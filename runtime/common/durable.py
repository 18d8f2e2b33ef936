"""What must be on the disk, and whether it can be put there."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_writable(folder: Path) -> None:
    """Raises OSError where nothing can be put into `folder`, there or not: ask before long work."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    with TemporaryDirectory(dir=there, prefix="."):
        pass
