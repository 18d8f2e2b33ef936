"""The shared-memory ring: what is read is what was written, whole, or an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kits.own_traces import named_memory
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.ring import Ring, RingError, RingShape, SlotLedger, ring_file
from voxgate.runtime.nouns import Device, Frame

SHAPE = RingShape(slots=3, width_px=7, height_px=5, depth=True)


def _frame(frame_id: int, depth: bool = True) -> Frame:
    values = np.random.default_rng(frame_id)
    depth_mm = values.normal(500, 1, (5, 7)).astype(np.float32)
    depth_mm[0, frame_id % 7] = np.nan
    return Frame(
        camera="red",
        frame_id=frame_id,
        t_device_ns=-(2**62) + frame_id,
        t_arrival_ns=2**62 + frame_id,
        exposure_ns=8_000_000,
        image=values.integers(0, 256, (5, 7), dtype=np.uint8),
        depth_mm=depth_mm if depth else None,
    )


def _assert_same(one: Frame, other: Frame) -> None:
    assert (one.frame_id, one.t_device_ns, one.t_arrival_ns, one.exposure_ns) == (
        other.frame_id,
        other.t_device_ns,
        other.t_arrival_ns,
        other.exposure_ns,
    )
    np.testing.assert_array_equal(one.image, other.image)
    assert (one.depth_mm is None) == (other.depth_mm is None)
    if one.depth_mm is not None and other.depth_mm is not None:
        np.testing.assert_array_equal(one.depth_mm, other.depth_mm)


def test_a_picture_in_colour_loses_a_colour_in_its_slot() -> None:
    shape = RingShape(slots=2, width_px=7, height_px=5, depth=True, colour=True)
    colour = np.random.default_rng(5).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    fd = ring_file(shape, "colour")
    ring = Ring(fd, shape)
    try:
        for slot in (0, 1):  # the next slot's header lies behind all three
            ring.write(slot, slot, replace(_frame(slot), image=colour + np.uint8(slot)))
        for slot in (0, 1):
            read = ring.read(slot, slot, "red")
            _assert_same(read, replace(_frame(slot), image=colour + np.uint8(slot)))
        with pytest.raises(RingError, match=r"holds \(5, 7, 3\), got an image of \(5, 7\)"):
            ring.write(0, 2, _frame(2))
    finally:
        ring.close()
        os.close(fd)


@pytest.fixture
def fd() -> Iterator[int]:
    fd = ring_file(SHAPE, "test")
    yield fd
    os.close(fd)


@pytest.fixture
def ring(fd: int) -> Iterator[Ring]:
    ring = Ring(fd, SHAPE)
    yield ring
    ring.close()


def test_a_frame_changes_on_its_way(ring: Ring) -> None:
    for slot in range(SHAPE.slots):
        ring.write(slot, slot + 1, _frame(slot))
    for slot in range(SHAPE.slots):
        _assert_same(ring.read(slot, slot + 1, "red"), _frame(slot))


def test_depth_of_an_earlier_frame_is_read_for_one_without(ring: Ring) -> None:
    ring.write(0, 1, _frame(1))
    ring.write(0, 2, _frame(2, depth=False))
    assert ring.read(0, 2, "red").depth_mm is None


def test_a_frame_that_was_read_changes_when_its_slot_is_used_again(ring: Ring) -> None:
    ring.write(0, 1, _frame(1))
    taken = ring.read(0, 1, "red")
    ring.write(0, 2, _frame(2))
    _assert_same(taken, _frame(1))


def test_a_slot_written_out_of_turn_is_believed(ring: Ring) -> None:
    ring.write(0, 1, _frame(1))
    ring.write(0, 2, _frame(2))
    with pytest.raises(RingError, match="holds frame 2"):
        ring.read(0, 1, "red")


def test_a_frame_overwritten_during_the_copy_is_believed(ring: Ring) -> None:
    """A writer that ignores ownership runs beside the reader: torn frames must not come through."""
    stop = threading.Event()

    def vandal() -> None:
        number = 1
        while not stop.is_set():
            number += 1
            ring.write(0, number, _frame(number % 50))

    ring.write(0, 1, _frame(1))
    thread = threading.Thread(target=vandal)
    thread.start()
    try:
        for _ in range(300):
            number = ring._header(ring._start(0))[0]
            try:
                frame = ring.read(0, number, "red")
            except RingError:
                continue
            _assert_same(frame, _frame(frame.frame_id))
    finally:
        stop.set()
        thread.join()


def test_a_frame_of_the_wrong_size_is_written_into_the_next_slot(ring: Ring) -> None:
    wide = Frame("red", 1, 1, 1, 1, np.zeros((5, 8), np.uint8))
    with pytest.raises(RingError, match="holds"):
        ring.write(0, 1, wide)
    with pytest.raises(RingError, match="slots 0 to 2"):
        ring.write(3, 1, _frame(1))


def test_frames_get_lost_between_two_processes(fd: int, ring: Ring) -> None:
    """The other process writes all slots and is killed; everything stays readable."""
    code = (
        "import os, sys, signal; sys.path[:] = sys.argv[2].split(os.pathsep)\n"
        "from tests.runtime.cameras.test_ring import SHAPE, _frame\n"
        "from voxgate.runtime.cameras.ring import Ring\n"
        "ring = Ring(int(sys.argv[1]), SHAPE)\n"
        "for slot in range(3): ring.write(slot, slot + 1, _frame(slot))\n"
        "ring.beat(12345)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = os.pathsep.join([str(ROOT), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", code, str(fd), path], pass_fds=[fd], check=False, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    assert ring.last_beat_ns == 12345
    for slot in range(SHAPE.slots):
        _assert_same(ring.read(slot, slot + 1, "red"), _frame(slot))
    assert named_memory(os.getpid()) == set()  # or the killed one had left its name behind


@pytest.mark.slow
def test_a_beat_is_seen_half_written(fd: int, ring: Ring) -> None:
    """Read while another process writes: a 0 in between would have a healthy worker killed."""
    code = (
        "import os, sys; sys.path[:] = sys.argv[2].split(os.pathsep)\n"
        "from tests.runtime.cameras.test_ring import SHAPE\n"
        "from voxgate.runtime.cameras.ring import Ring\n"
        "ring = Ring(int(sys.argv[1]), SHAPE)\n"
        "for beat in range(1, 500_001): ring.beat(beat)\n"
    )
    path = os.pathsep.join([str(ROOT), *sys.path])
    with subprocess.Popen([sys.executable, "-c", code, str(fd), path], pass_fds=[fd]) as writer:
        last = 0
        while last < 500_000 and writer.poll() is None:
            beat = ring.last_beat_ns
            assert beat >= last
            last = beat
    assert writer.returncode == 0


def test_a_broken_worker_shrinks_the_memory_under_the_parent(fd: int) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 4096)


def test_closing_fails_while_a_frame_is_still_in_use(fd: int) -> None:
    ring = Ring(fd, SHAPE)
    ring.write(0, 1, _frame(1))
    frame = ring.read(0, 1, "red")
    ring.close()
    _assert_same(frame, _frame(1))


@given(st.lists(st.booleans(), max_size=60))
def test_a_full_ring_overwrites_an_unread_frame(steps: list[bool]) -> None:
    """Whatever the order of writes and reads, a slot has one owner; full means None."""
    ledger, unread = SlotLedger(3), list[int]()
    for write in steps:
        if write:
            slot = ledger.take()
            assert (slot is None) == (len(unread) == 3)
            assert slot not in unread
            unread += [] if slot is None else [slot]
        elif unread:
            ledger.give_back(unread.pop(0))


def test_slots_that_no_job_needed_take_memory() -> None:
    """A service that keeps up has a frame or two in the ring, however many fit."""
    ledger, used = SlotLedger(16), set[int]()
    for _ in range(40):
        slot = ledger.take()
        assert slot is not None
        used.add(slot)
        ledger.give_back(slot)
    assert len(used) == 1


def test_blank_pictures_of_a_sensor_take_memory_each(ring: Ring) -> None:
    blank = np.zeros((SHAPE.height_px, SHAPE.width_px), np.uint8)
    for slot, picture in enumerate((blank, blank, blank + np.uint8(7))):
        ring.write(slot, slot + 1, replace(_frame(slot), image=picture))
    first, second, shown = (ring.read(slot, slot + 1, "s", Device.SENSOR) for slot in range(3))
    assert first.image is second.image
    assert not first.image.any()
    assert (shown.image == 7).all()
    cameras = [ring.read(slot, slot + 1, "c") for slot in (0, 1)]
    assert cameras[0].image is not cameras[1].image


def test_a_slot_given_back_twice_is_handed_out_twice() -> None:
    ledger = SlotLedger(2)
    slot = ledger.take()
    assert slot is not None
    ledger.give_back(slot)
    with pytest.raises(RingError, match="had not been handed out"):
        ledger.give_back(slot)


@given(st.integers(2, 64), st.integers(1, 500), st.integers(1, 500), st.booleans())
def test_slots_overlap(slots: int, width: int, height: int, depth: bool) -> None:
    shape = RingShape(slots, width, height, depth)
    assert shape.slot_bytes >= 64 + width * height * (5 if depth else 1)
    assert shape.slot_bytes % 4096 == 0
    assert shape.total_bytes >= slots * shape.slot_bytes + 8
