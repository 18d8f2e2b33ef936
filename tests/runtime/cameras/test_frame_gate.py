"""Lost, doubled, reordered and foreign frames are named; nothing else is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.runtime.cameras.frame_gate import REASONS, FaultKind, FrameGate
from voxgate.runtime.cameras.settings import CameraSettings, NetworkSettings
from voxgate.runtime.nouns import Frame

SETTINGS = CameraSettings("red", NetworkSettings("ipc:///nowhere"), 4, 3, depth=False)


def _frame(frame_id: int, t_device_ns: int | None = None, width: int = 4) -> Frame:
    t_ns = frame_id * 1_000 + 10**12 if t_device_ns is None else t_device_ns
    return Frame("red", frame_id, t_ns, t_ns, 0, np.zeros((3, width), np.uint8))


def _run(gate: FrameGate, ids: list[int]) -> list[tuple[bool, list[FaultKind]]]:
    results = [gate.check(_frame(i, 10**15 + n)) for n, i in enumerate(ids)]
    return [(accepted, [fault.kind for fault in faults]) for accepted, faults in results]


OK: tuple[bool, list[FaultKind]] = (True, [])
LOST = (True, [FaultKind.LOST])
BAD = (False, [FaultKind.INVALID])


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([5, 6, 7], [OK, OK, OK]),
        ([5, 8, 9], [OK, LOST, OK]),
        ([5, 5, 6], [OK, BAD, OK]),
        ([5, 7, 6, 8], [OK, LOST, BAD, OK]),
        ([500, 1, 2], [OK, BAD, OK]),  # the sender restarted: one fault, then its numbers count
    ],
    ids=["in order", "gap", "doubled", "reordered", "restarted"],
)
def test_an_id_out_of_order_passes(ids: list[int], expected: object) -> None:
    assert _run(FrameGate(SETTINGS), ids) == expected


def test_a_gap_is_counted_as_one_frame() -> None:
    gate = FrameGate(SETTINGS)
    gate.check(_frame(10))
    _, faults = gate.check(_frame(18))
    assert [(fault.count, fault.detail) for fault in faults] == [
        (7, "7 frames lost between frame ids 10 and 18")
    ]


GIGE_IDS = {
    "in order": ([65_534, 65_535, 1, 2], [OK, OK, OK, OK]),
    "the last of a round is missing": ([65_533, 65_534, 1], [OK, OK, LOST]),
    "the first of a round is missing": ([65_535, 2], [OK, LOST]),
    "doubled": ([65_535, 1, 1, 2], [OK, OK, BAD, OK]),
    "reordered over the end": ([65_534, 1, 65_535, 2], [OK, LOST, BAD, OK]),
    "0 comes": ([65_535, 0, 1], [OK, BAD, OK]),
    "the producer counts on": ([65_535, 65_536, 65_537, 65_540], [OK, OK, OK, LOST]),
}


@pytest.mark.parametrize("case", GIGE_IDS)
@pytest.mark.parametrize("said_by", ["the settings", "the device"])
def test_a_frame_is_invented_where_16_bit_ids_begin_again(case: str, said_by: str) -> None:
    """GigE Vision 1.x, block id: 1 to 65,535, then 1 again."""
    ids, expected = GIGE_IDS[case]
    if said_by == "the device":
        assert _run(FrameGate(SETTINGS, frame_id_bits=16), ids) == expected
    else:
        assert _run(FrameGate(replace(SETTINGS, frame_id_bits=16)), ids) == expected


@pytest.mark.slow
@pytest.mark.nightly  # by day its wrap alone, below
def test_every_16_bit_id_of_a_long_run_is_in_order() -> None:
    gate = FrameGate(SETTINGS, frame_id_bits=16)
    ids = [n % 65_535 + 1 for n in range(70_000)]
    assert all(result == OK for result in _run(gate, ids))


def test_a_producer_s_own_count_from_0_is_no_frame() -> None:
    """Behind a GigE Vision device, whose own ids never are 0."""
    ids = [0, 1, 2]
    assert _run(FrameGate(SETTINGS, frame_id_bits=16), ids) == [OK, OK, OK]
    assert _run(FrameGate(replace(SETTINGS, frame_id_bits=16)), ids) == [BAD, OK, OK]


def test_the_settings_are_overruled_by_what_the_device_says() -> None:
    gate = FrameGate(replace(SETTINGS, frame_id_bits=64), frame_id_bits=16)
    assert _run(gate, [65_535, 1]) == [OK, BAD]


def test_a_wrap_is_accepted_where_none_is_declared() -> None:
    assert _run(FrameGate(SETTINGS), [65_535, 0]) == [OK, BAD]
    assert _run(FrameGate(SETTINGS), [65_535, 1]) == [OK, BAD]


def test_drained_frames_are_reported_lost() -> None:
    gate = FrameGate(SETTINGS)
    gate.check(_frame(5))
    gate.seen(9)
    assert gate.check(_frame(10)) == (True, [])


def test_a_new_job_of_a_scan_player_is_a_fault() -> None:
    gate = FrameGate(SETTINGS)
    gate.check(_frame(2_011))
    gate.restart()
    assert gate.check(_frame(2_000)) == (True, [])


@pytest.mark.parametrize("t_device_ns", [10**12, 10**12 - 1, 0])
def test_a_clock_that_stands_still_or_goes_back_passes(t_device_ns: int) -> None:
    gate = FrameGate(SETTINGS)
    gate.check(_frame(1, 10**12))
    accepted, faults = gate.check(_frame(2, t_device_ns))
    assert not accepted
    assert [fault.kind for fault in faults] == [FaultKind.UNSYNCED]
    assert gate.check(_frame(3, t_device_ns + 5)) == (True, [])


def test_a_frame_of_another_size_passes() -> None:
    accepted, faults = FrameGate(SETTINGS).check(_frame(1, width=5))
    assert not accepted
    assert faults[0].detail == "frame 1 is 5 x 3, expected 4 x 3 pixels"


def test_missing_depth_passes_where_it_is_needed() -> None:
    accepted, faults = FrameGate(replace(SETTINGS, depth=True)).check(_frame(1))
    assert not accepted
    assert faults[0].kind is FaultKind.NO_DEPTH


@given(st.sets(st.integers(0, 200), min_size=2, max_size=200), st.integers(0, 2**64 - 1))
def test_a_lost_frame_is_not_counted(kept: set[int], start: int) -> None:
    """Any subset of a numbered stream, from any start, wrapping or not: delivered + lost = sent."""
    ids = [(start + i) % 2**64 for i in sorted(kept)]
    gate = FrameGate(SETTINGS)
    lost = 0
    for n, frame_id in enumerate(ids):
        accepted, faults = gate.check(_frame(frame_id, 10**15 + n))
        assert accepted
        lost += sum(fault.count for fault in faults)
    assert lost + len(kept) == max(kept) - min(kept) + 1


def test_a_kind_of_fault_has_no_reason_for_the_verdict() -> None:
    assert set(REASONS) == set(FaultKind)


@pytest.mark.parametrize("colour", [True, False])
def test_a_picture_of_as_many_colours_as_the_cell_does_not_say_passes(colour: bool) -> None:
    gate = FrameGate(replace(SETTINGS, colour=colour))
    grey = _frame(1)
    coloured = replace(_frame(2), image=np.zeros((3, 4, 3), np.uint8))
    right, wrong = (coloured, grey) if colour else (grey, coloured)
    accepted, (fault,) = gate.check(replace(wrong, frame_id=1))
    assert not accepted
    assert fault.kind is FaultKind.INVALID
    assert "the cell says `colour:" in fault.detail
    assert gate.check(replace(right, frame_id=2, t_device_ns=10**15))[0]
