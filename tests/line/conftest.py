"""Real processes in real time: a busy neighbour would be a fault of the line, so they run alone."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what this folder holds."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.line)
