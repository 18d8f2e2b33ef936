"""What the rooms of tests share: marks by folder, a folder for sockets, the bracket's recipe."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main
from hypothesis import settings

from tests.kits.repository import BRACKET, ROOT
from tests.kits.small_scan import small_bracket
from voxgate.sim.recipes import export_once

# a tenth of a second for every command that is tried in this process
typer.main.get_command = cache(typer.main.get_command)

# how long an example takes says how busy the machine is; at night many are tried
settings.register_profile("by day", deadline=None, max_examples=30)
settings.register_profile("at night", deadline=None, max_examples=300)
settings.load_profile("at night" if os.environ.get("VOXGATE_EXAMPLES") == "many" else "by day")

HERE = Path(__file__).parent
REAL_TIME = (HERE / "line", HERE / "box")
"""Folders of tests with real processes in real time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the folders of real time hold."""
    for item in items:
        if in_real_time(item.path):
            item.add_marker(pytest.mark.line)


@cache
def in_real_time(file: Path) -> bool:
    """Whether a file of tests lies in one of these folders."""
    return any(folder in file.parents for folder in REAL_TIME)


def pytest_sessionstart() -> None:
    """Look for no garbage while thousands of tests are collected: none of that is thrown away."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What tests leave behind is looked for again, and not among the thousands themselves."""
    gc.freeze()
    gc.enable()


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


@pytest.fixture(scope="session")
def small_recipe() -> Path:
    """Folder of the recipe of small_bracket()/golden, kept likewise: to be read, never written."""
    return export_once(small_bracket() / "golden", ROOT / "out" / "recipes")
