"""By what a service was set up: the whole of what `configuration_id` in a verdict stands for."""

from __future__ import annotations

import hashlib

from voxgate.runtime.config.cell import Cell
from voxgate.runtime.records.chain import Event, Kind


def configured(cell: Cell) -> Event:
    """The YAML and the calibration as they were read, for the journal."""
    content = hashlib.sha256(cell.document.encode()).hexdigest()
    return Event(Kind.CONFIGURATION, cell.configuration_id, detail=cell.document, content=content)
