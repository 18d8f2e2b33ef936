"""A machine that is made for a test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A folder that machines see too: their /tmp is their own."""
    folder = Path(tempfile.mkdtemp(prefix="voxgate-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)
