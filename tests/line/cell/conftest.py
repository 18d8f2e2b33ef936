"""The virtual cell before whatever box a module starts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voxgate.sim.box import Box
from voxgate.sim.cell_wires import wires_from_config
from voxgate.sim.demo.demo import wait_until_ready
from voxgate.sim.virtual_cell import VirtualCell


@pytest.fixture(scope="module")
def cell(box: Box) -> Iterator[VirtualCell]:
    """Ready to play."""
    with VirtualCell(wires_from_config(box.config)) as playing:
        wait_until_ready(box, playing)
        yield playing
