"""What the line's clocks knew when a recorded job began, read back."""

from __future__ import annotations

from functools import partial

from voxgate.runtime.common.strict_json import Fields, quoted
from voxgate.runtime.sync.camera_line import CameraState
from voxgate.runtime.sync.clock import ClockFit, ClockState
from voxgate.runtime.sync.synchronizer import SyncState

MAX_NS = (1 << 63) - 1
MAX_RECENT = 1000  # messages that a clock fit remembers
MAX_CORNERS = 64


def clocks_of(fields: Fields) -> SyncState:
    """Raises ValueError with the key that no clock of ours would have."""
    return SyncState(
        _clock(fields.object_at("camera")),
        _clock(fields.object_at("robot")),
        _stamp(fields, "last_stamp_ns"),
        _clock(fields.object_at("sensor")) if fields.has("sensor") else None,
        _stamp(fields, "sensor_stamp_ns"),
        _further(fields.object_at("further")) if fields.has("further") else {},
    )


def _further(fields: Fields) -> dict[str, CameraState]:
    """Of the cameras after the first, by name."""
    return {name: _camera(fields.object_at(name)) for name in fields.values}


def _camera(fields: Fields) -> CameraState:
    return CameraState(
        _clock(fields.object_at("camera")),
        _stamp(fields, "last_stamp_ns"),
        _clock(fields.object_at("sensor")) if fields.has("sensor") else None,
        _stamp(fields, "sensor_stamp_ns"),
    )


def _stamp(fields: Fields, key: str) -> int | None:
    return fields.integer(key, -MAX_NS, MAX_NS) if fields.has(key) else None


def _clock(fields: Fields) -> ClockState:
    whole = partial(_whole_in, fields)
    recent = _pairs(fields, "recent", MAX_RECENT)
    if not all(
        isinstance(number, int) and abs(number) <= MAX_NS for row in recent for number in row
    ):
        raise ValueError("recent must be whole nanoseconds")
    kept = fields.values.get("kept")
    if not isinstance(kept, list) or not all(isinstance(each, bool) for each in kept):
        raise ValueError("kept must be a list of true and false")
    state = ClockState(
        possible=tuple((float(x), float(y)) for x, y in _pairs(fields, "possible", MAX_CORNERS)),
        ref_ns=whole("ref_ns"),
        base_ns=whole("base_ns"),
        recent=tuple((int(a), int(b)) for a, b in recent),
        apart=whole("apart"),
        kept=tuple(kept),
        doubts=whole("doubts"),
        doubt_since_ns=whole("doubt_since_ns"),
        steps=whole("steps"),
    )
    ClockFit().resume(state)  # of other promises about delays than ours: refused here
    return state


def _whole_in(fields: Fields, key: str) -> int:
    return fields.integer(key, -MAX_NS, MAX_NS)


def _pairs(fields: Fields, key: str, most: int) -> list[tuple[float, float]]:
    """A list of two numbers each; whole ones stay whole."""
    rows = fields.values.get(key)
    if not isinstance(rows, list) or len(rows) > most:
        raise ValueError(f"{key} must be a list of at most {most} pairs")
    found = []
    for row in rows:
        fine = isinstance(row, list) and len(row) == 2
        if not fine or any(isinstance(n, bool) or not isinstance(n, int | float) for n in row):
            raise ValueError(f"{key} must hold pairs of numbers, got {quoted(row)}")
        if any(abs(n) > 1e300 for n in row):
            raise ValueError(f"{key} holds a number that is too large")
        found.append((row[0], row[1]))
    return found
