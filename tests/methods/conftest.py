"""Without torch nothing in here can be collected: `make test-export` installs and runs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.kits.small_scan import small_bracket
from voxgate.export.golden.golden import Golden, load_golden

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None else []


@pytest.fixture(scope="session")
def small_scans() -> Path:
    """golden, good and bad at 200 x 150 px."""
    return small_bracket()


@pytest.fixture(scope="session")
def small_golden(small_scans: Path) -> Golden:
    return load_golden(small_scans / "golden")
