"""GenICam in one process, against the simulator of the genicam wheel (a foreign GenTL producer)."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.kits import viky, virtual
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.frame_gate import FaultKind, FrameGate, SourceFault
from voxgate.runtime.cameras.genicam import frame_maker, proof
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS, read_node
from voxgate.runtime.cameras.genicam.producer import check_producer
from voxgate.runtime.cameras.genicam.source import GenicamSource
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings, NodeSetting
from voxgate.runtime.errors import CameraError
from voxgate.runtime.nouns import Frame

DEADLINE_S = 30.0


def _with_source(settings: CameraSettings, **changes: Any) -> CameraSettings:
    assert isinstance(settings.source, GenicamSettings)
    return replace(settings, source=replace(settings.source, **changes))


def _next(source: GenicamSource) -> Frame | SourceFault:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        item = source.take()
        if item is not None:
            return item
        time.sleep(0.0005)
    raise AssertionError(f"no frame in {DEADLINE_S} s")


def _frame(source: GenicamSource) -> Frame:
    item = _next(source)
    assert isinstance(item, Frame), item
    return item


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.002)


# what is opened


def test_a_missing_producer_is_zero_cameras(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no file with an absolute path"):
        check_producer(str(tmp_path / "gone.cti"))
    with pytest.raises(CameraError, match="no file with an absolute path"):
        check_producer("viky.cti")


def test_a_file_that_is_no_library_is_loaded(tmp_path: Path) -> None:
    fake = tmp_path / "text.cti"
    fake.write_text("not a library")
    with pytest.raises(CameraError, match="does not load on this machine"):
        check_producer(str(fake))


def test_another_library_crashes_the_process() -> None:
    """harvesters calls into whatever loads. numpy's own library is surely there."""
    library = next(Path(np.__file__).parent.rglob("*.so"))
    with pytest.raises(CameraError, match="no GenTL producer"):
        check_producer(str(library))


def test_a_wrong_serial_number_opens_another_camera() -> None:
    settings = _with_source(viky.camera(), serial_number="4711")
    with (
        pytest.raises(CameraError, match=r"sees the serial numbers \['0', '1', '2'\]"),
        virtual.opened(settings),
    ):
        pass


def test_an_importer_s_warning_filters_are_changed() -> None:
    code = (
        "import warnings, numpy; warnings.simplefilter('error')\n"
        "before = list(warnings.filters)\n"
        "import voxgate.runtime.cameras.genicam.source\n"
        "assert warnings.filters == before, warnings.filters\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


def test_ctrl_c_destroys_the_acquirer() -> None:
    before = signal.getsignal(signal.SIGINT)
    with virtual.opened(viky.camera()):
        assert signal.getsignal(signal.SIGINT) is before


def test_the_genicam_cache_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, a process killed while it loads an XML makes every later one hang."""
    monkeypatch.setenv("GENICAM_CACHE_V3_5", "/nowhere")
    with virtual.opened(viky.camera()):
        assert not [name for name in os.environ if name.startswith("GENICAM_CACHE")]


# what is set


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            NodeSetting("AcquisitionFrameRate", 33.3),
            r"AcquisitionFrameRate was set to 33.3 but .* 33",
        ),
        (NodeSetting("AcquisitionFrameRate", 900.0), "cannot set AcquisitionFrameRate to 900.0"),
        (NodeSetting("ExposureTime", 100.0), "cannot set ExposureTime to 100.0"),
        (NodeSetting("AcquisitionMode", "SingleFrame"), "cannot set AcquisitionMode"),
        (NodeSetting("PixelFormat", 8), "cannot set PixelFormat to 8"),
    ],
    ids=["rounded", "out of range", "missing", "read only", "wrong type"],
)
def test_a_setting_the_camera_does_not_hold_is_believed(node: NodeSetting, message: str) -> None:
    settings = _with_source(viky.camera(), nodes=(*viky.nodes(50.0), node))
    with pytest.raises(CameraError, match=message) as caught, virtual.opened(settings):
        pass
    assert "\n" not in str(caught.value)


def test_a_buffer_mode_that_is_not_offered_is_ignored() -> None:
    settings = _with_source(viky.camera(), buffer_handling="NewestFirst")
    with (
        pytest.raises(CameraError, match="cannot set StreamBufferHandlingMode"),
        virtual.opened(settings),
    ):
        pass


def test_a_camera_of_another_size_starts() -> None:
    with (
        pytest.raises(CameraError, match=r"Width and Height are \(100.0, 100.0\)"),
        virtual.opened(replace(viky.camera(), width_px=120)),
    ):
        pass


# what is delivered


@pytest.mark.parametrize("pixels", ["Mono8", "RGBa8"])
def test_an_image_is_empty_or_sheared(pixels: str) -> None:
    settings = _with_source(viky.camera(), nodes=viky.nodes(50.0, pixels=pixels))
    with virtual.opened(settings) as source:
        frame = _frame(source)
    assert frame.image.shape == (viky.SIZE_PX, viky.SIZE_PX)
    assert len(np.unique(frame.image)) > 1
    assert frame.depth_mm is None


def test_the_parts_of_a_cloud_are_mixed_up() -> None:
    """viky sends A = column, B = row, C = height as three parts: C from A would be a ramp. It shows
    a box on a ground of height 0, which is no return."""
    with virtual.opened(viky.camera(depth=True)) as source:
        depth_mm = _frame(source).depth_mm
    assert depth_mm is not None
    assert depth_mm.shape == (viky.SIZE_PX, viky.SIZE_PX)
    box_mm = depth_mm[np.isfinite(depth_mm)]
    assert len(box_mm) == viky.BOX_PX**2
    assert len(np.unique(box_mm)) == 1


def test_a_missing_device_clock_is_time_zero() -> None:
    settings = _with_source(viky.camera(), timestamp="device")
    with virtual.opened(settings) as source:
        fault = _next(source)
    assert isinstance(fault, SourceFault)
    assert fault.kind is FaultKind.UNSYNCED
    assert "timestamp: arrival" in fault.detail


def test_arrival_is_taken_for_the_start_of_exposure() -> None:
    with virtual.opened(viky.camera()) as source:
        before_ns = time.monotonic_ns()
        frames = [_frame(source) for _ in range(3)]
    for frame in frames:
        assert frame.t_arrival_ns - frame.t_device_ns == frame.exposure_ns == 500_000
        assert before_ns < frame.t_arrival_ns < time.monotonic_ns()


def test_chunks_of_another_buffer_are_read() -> None:
    """The exposure is read from a chunk: viky's only number there counts the ball's bounces."""
    settings = _with_source(
        viky.camera(rate_hz=200.0), exposure_us=None, exposure_node="ChunkNrBounces"
    )
    with virtual.opened(settings) as source:
        bounces = [_frame(source).exposure_ns // 1_000 for _ in range(200)]
    assert bounces == sorted(bounces)
    assert bounces[-1] > bounces[0]


def test_a_missing_exposure_is_zero() -> None:
    settings = _with_source(viky.camera(), exposure_us=None, exposure_node="ChunkExposureTime")
    with virtual.opened(settings) as source:
        fault = _next(source)
    assert isinstance(fault, SourceFault)
    assert "exposure cannot be read from ChunkExposureTime" in fault.detail


# the traps


def test_waiting_for_a_frame_stops_every_thread() -> None:
    """Trap 1: `fetch` holds the GIL while it waits. A probe thread must run on beside us.

    With the default fetch it runs at a sixth of its pace, with a patient one not at all.
    """
    ticks, stop = [0], threading.Event()

    def probe() -> None:
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.001)

    read_end, write_end = os.pipe()
    with virtual.opened(viky.camera(rate_hz=1.0)) as source:
        thread = threading.Thread(target=probe)
        thread.start()
        try:
            alone = _pace(ticks, lambda: time.sleep(0.3))
            beside = _pace(ticks, lambda: _poll(source, read_end, 0.6))
        finally:
            stop.set()
            thread.join()
            os.close(read_end)
            os.close(write_end)
    assert beside > alone / 2


def _poll(source: GenicamSource, fd: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if source.take() is None:
            source.wait(fd, 0.05)


def _pace(ticks: list[int], do: Callable[[], None]) -> float:
    """Ticks per second while `do` runs."""
    count, start = ticks[0], time.monotonic()
    do()
    return (ticks[0] - count) / (time.monotonic() - start)


def test_the_longest_poll_is_as_long_as_a_frame_takes() -> None:
    """Trap 2: nothing in `take` waits for a frame, so no timeout of the library can be too long."""
    with virtual.opened(viky.camera(rate_hz=2.0)) as source:
        _frame(source)
        empty = sum(source.take() is None for _ in range(200))
    assert empty >= 198  # 200 polls at 2 Hz: none of them waited for the next frame


def test_an_overrun_delivers_old_frames_as_new() -> None:
    """Trap 3, stamped by arrival: what waited while the worker stood still is refused."""
    with virtual.opened(viky.camera(rate_hz=100.0, max_pause_ms=50)) as source:
        last_id = _frame(source).frame_id
        _wait_until(lambda: source._device.waiting() >= 7)
        time.sleep(0.06)
        fault = _next(source)
        assert isinstance(fault, SourceFault)
        assert fault.kind is FaultKind.AGED
        assert fault.count >= 7
        frame = _frame(source)
        assert frame.frame_id > last_id + fault.count


def test_an_overrun_goes_unseen() -> None:
    """Trap 3: eight old frames, then a silent jump. Only the frame id tells, so it is checked."""
    settings = viky.camera(rate_hz=100.0)
    with virtual.opened(settings) as source:
        gate = FrameGate(settings)
        frames: list[Frame] = []
        faults: list[SourceFault] = []

        def ten_lost() -> bool:
            _wait_until(lambda: source._device.waiting() >= 7)
            time.sleep(0.3)  # the camera goes on and throws away what finds no buffer
            came = [_frame(source) for _ in range(12)]
            frames.extend(came)
            faults.extend(fault for frame in came for fault in gate.check(frame)[1])
            return sum(fault.count for fault in faults) >= 10

        _wait_until(ten_lost)
    assert [fault.kind for fault in faults] == [FaultKind.LOST] * len(faults)
    lost = sum(fault.count for fault in faults)
    assert frames[-1].frame_id - frames[0].frame_id + 1 == len(frames) + lost


def test_draining_leaves_an_old_frame_behind() -> None:
    with virtual.opened(viky.camera(rate_hz=100.0)) as source:
        _wait_until(lambda: source._device.waiting() >= 7)
        count, last_id = source.drain()
        assert count >= 7
        assert last_id is not None
        assert _frame(source).frame_id > last_id


def test_a_frame_changes_when_its_buffer_is_filled_again() -> None:
    """Trap 4: numpy views of a buffer show the next frame once it is queued."""
    with virtual.opened(viky.camera(rate_hz=200.0, depth=True)) as source:
        first = _frame(source)
        image = first.image.copy()
        later = [_frame(source) for _ in range(3 * 8)]
    np.testing.assert_array_equal(first.image, image)
    assert any(not np.array_equal(frame.image, image) for frame in later)
    assert first.image.base is None or not isinstance(first.image.base, bytes)


def test_an_exception_while_reading_a_buffer_leaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traps 5 and 6: every kind of failure, more often than there are buffers, and frames go on."""
    errors = [
        ValueError("unknown format"),
        GENICAM_ERRORS[0]("from gentl"),
        GENICAM_ERRORS[1]("from genapi", "file", 1),
    ]

    def broken(*_: object) -> object:
        raise errors[broken_count[0] % 3]

    broken_count = [0]
    with virtual.opened(viky.camera(rate_hz=200.0)) as source:
        with monkeypatch.context() as patch:
            patch.setattr(frame_maker, "components_from_buffer", broken)
            for n in range(3 * 8):
                broken_count[0] = n
                fault = _next(source)
                assert isinstance(fault, SourceFault)
                assert fault.kind is FaultKind.INVALID
        for _ in range(3 * 8):
            _frame(source)


def test_a_feature_of_either_exception_tree_ends_the_worker() -> None:
    """Trap 5: gentl and genapi have no common root; a missing feature is None in both."""
    with virtual.opened(viky.camera()) as source:
        node_map = source._device.acquirer.remote_device.node_map
        assert read_node(node_map, "NoSuchFeature") is None
        assert read_node(node_map, "ChunkScan3dCoordinateScale") is None  # no buffer attached
        assert read_node(node_map, "AcquisitionFrameRate") == 50.0


def test_every_reopening_leaks_the_node_map() -> None:
    """Trap 7: a finalizer of the library keeps the acquirer and the remote node map for ever."""
    with virtual.opened(viky.camera()) as source:
        _frame(source)
        acquirer = source._device.acquirer
        node_map = acquirer.remote_device.node_map
        references = [weakref.ref(kept) for kept in (acquirer, node_map, source._device.harvester)]
        del acquirer, node_map
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]


@pytest.mark.nightly
def test_memory_grows_with_every_reopening() -> None:
    """Trap 7, weighed: 0.37 MB per cycle without the cure.

    The allocator takes 10 MB within the first seventy, and then no more.
    """
    process, settling, cycles = psutil.Process(), 80, 100
    before = 0
    for cycle in range(settling + cycles):
        with virtual.opened(viky.camera()) as source:
            _frame(source)
        before = process.memory_info().rss if cycle < settling else before
    assert (process.memory_info().rss - before) / 1e6 < 0.1 * cycles


def test_a_dead_link_is_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 8: it says nothing, but a feature cannot be read; then the whole process ends."""
    with virtual.opened(viky.camera(rate_hz=4.0)) as source:
        _frame(source)
        monkeypatch.setattr(proof, "LINK_CHECK_NS", 0)

        class Dead:
            def __getattr__(self, name: str) -> object:
                raise GENICAM_ERRORS[0]("cable out")

        monkeypatch.setattr(type(source._device.acquirer.remote_device), "node_map", Dead())
        with pytest.raises(CameraError, match="link is lost: cable out"):
            _next(source)
        monkeypatch.undo()  # closing needs it


def test_fetches_that_always_fail_are_repeated_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with virtual.opened(viky.camera(rate_hz=200.0)) as source:
        _frame(source)

        def fail(**_: object) -> None:
            raise GENICAM_ERRORS[0]("transport")

        monkeypatch.setattr(source._device.acquirer, "try_fetch", fail)
        with pytest.raises(CameraError, match="5 fetches in a row failed"):
            _next(source)


def test_a_producer_that_does_not_count_its_buffers_delivers_none() -> None:
    with virtual.opened(viky.camera()) as source:
        source._device.counts_waiting = False
        assert [_frame(source).frame_id for _ in range(3)] == [1, 2, 3]


def test_waiting_for_the_camera_makes_the_parent_wait() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"!")
    with virtual.opened(viky.camera(rate_hz=4.0)) as source:
        source.wait(read_end, 3_600.0)  # returns at once: the link speaks
        assert select.select([read_end], [], [], 0)[0]
    os.close(read_end)
    os.close(write_end)
