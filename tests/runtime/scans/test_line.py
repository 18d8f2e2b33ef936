"""What a recording says of its line is what the line did; what it cannot have done is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.errors import ScanError
from voxgate.runtime.scans.line import Line
from voxgate.runtime.sync.stamps import Stamps

LINES = [
    Line(Settings(), {"": Stamps()}),
    Line(
        Settings(Limits(coverage_min=0.9, drift_max_mm=1), threads=4), {"": Stamps(on_arrival=True)}
    ),
    Line(Settings(max_gap_ns=5_000_000, backend="tensorrt"), {"": Stamps(shared_ns=200_000)}),
]


@pytest.mark.parametrize("line", LINES)
def test_a_replay_goes_by_other_settings_than_its_line(line: Line) -> None:
    written = json.loads(json.dumps(line.values()))
    assert Line.recorded(written) == line


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"limits": {"coverage_min": 0.1}}, "the recorded limits: coverage_min"),
        ({"limits": {"nothing_max": 1}}, "the recorded limits: nothing_max"),
        ({"max_gap_ns": 0}, "max_gap_ns.*give --config"),
        ({"threads": "two"}, "threads.*give --config"),
        ({"backend": 3}, "backend.*give --config"),
    ],
)
def test_settings_that_no_line_can_have_are_replayed(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ScanError, match=told):
        Line.recorded({**LINES[2].values(), **change})
