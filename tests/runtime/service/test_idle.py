"""What a service does that nobody asks anything: as little as it can, on a clock the test turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kits.stepped_cell import SteppedCell
from voxgate.runtime.records.journal import Journal

IDLE_S = 10


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[SteppedCell]:
    cell = SteppedCell(tmp_path, sockets={"heartbeat_ms": 200})
    yield cell
    cell.end()


def test_the_journal_is_read_at_every_heartbeat(
    cell: SteppedCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty verdicts each time, where there are some."""
    forgets: list[int] = []
    monkeypatch.setattr(Journal, "forget", lambda *_: forgets.append(0))
    cell.run_for(IDLE_S)
    assert IDLE_S - 1 <= len(forgets) <= IDLE_S + 1
