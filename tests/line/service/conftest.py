"""A served cell, for tests of what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.cell_kit import ServiceProcess, write_cell
from tests.kits.robot_kit import Robot
from voxgate.runtime.wire.fields import State


@pytest.fixture
def cell(folder: Path) -> Path:
    """The YAML of a cell, and nobody who serves it."""
    return write_cell(folder)


@pytest.fixture
def robot(folder: Path, cell: Path) -> Iterator[Robot]:
    """Of a cell that is served and READY."""
    service = ServiceProcess(cell).start()
    try:
        with Robot(folder) as robot:
            robot.send_poses()
            robot.wait_for(State.READY)
            robot.send_poses_for_a_while()
            yield robot
    finally:
        service.kill_if_left()
