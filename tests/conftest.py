"""What several rooms of tests share: a folder for sockets, and the example bracket's recipe."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.repository import BRACKET, ROOT
from voxgate.sim.recipes import export_once


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a socket's path has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="vg-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def bracket_recipe() -> Path:
    """Folder of the recipe of examples/bracket/golden; kept in out/ until scan or code change."""
    return export_once(BRACKET / "golden", ROOT / "out" / "recipes")
