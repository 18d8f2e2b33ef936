"""Every fault on command, and what the runtime makes of it; either side killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.frame_gate import FaultKind, FrameGate, SourceFault
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS
from voxgate.runtime.cameras.genicam.source import GenicamSource
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings, NodeSetting
from voxgate.runtime.cameras.supervisor import CameraFault, CameraSupervisor
from voxgate.runtime.errors import CameraError
from voxgate.runtime.nouns import Frame, Reason
from voxgate.sim.gentl.link import FOLDER, PREFIX, Fault
from voxgate.sim.gentl.virtual_camera import VirtualCamera

pytestmark = needs_c_compiler
IO_ERROR, ABORT, DENIED = -1010, -1012, -1005


@pytest.fixture
def camera() -> Iterator[VirtualCamera]:
    with virtual.showing("fault", slots=4) as made:
        yield made


class Gated:
    """A source and the gate behind it, as in the worker: what a frame is and what is wrong."""

    def __init__(self, source: GenicamSource, camera: VirtualCamera) -> None:
        self._source = source
        self._camera = camera
        self._gate = FrameGate(virtual.settings(camera))

    def shoot(self, slot: int = 0) -> tuple[Frame | None, list[SourceFault]]:
        """One trigger: the frame if it is delivered, and every fault told with it."""
        self._camera.fire(slot=slot)
        item = virtual.take(self._source)
        virtual.wait_until(lambda: not self._camera.exposing)
        time.sleep(0.003)  # until the readout is over: the next trigger must not be missed
        if isinstance(item, SourceFault):
            return None, [item]
        delivered, faults = self._gate.check(item)
        return (item if delivered else None), faults


@pytest.fixture
def gated(camera: VirtualCamera) -> Iterator[Gated]:
    with virtual.opened(virtual.settings(camera)) as source:
        made = Gated(source, camera)
        assert made.shoot() != (None, [])
        yield made


def _kinds(faults: list[SourceFault]) -> list[FaultKind]:
    return [fault.kind for fault in faults]


# frames


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.INCOMPLETE, FaultKind.INCOMPLETE),
        (Fault.ID_REPEAT, FaultKind.INVALID),
        (Fault.STAMP_ZERO, FaultKind.UNSYNCED),
        (Fault.STALE, FaultKind.UNSYNCED),
        (Fault.UNKNOWN_FORMAT, FaultKind.INVALID),
    ],
)
def test_a_bad_frame_is_delivered(
    gated: Gated, camera: VirtualCamera, fault: Fault, kind: FaultKind
) -> None:
    camera.commit(fault)
    frame, faults = gated.shoot(1)
    assert frame is None
    assert kind in _kinds(faults)
    frame, _ = gated.shoot(2)  # once is once
    assert frame is not None
    assert np.array_equal(frame.image, virtual.grey(2))


def test_a_jump_of_the_frame_id_is_not_counted(gated: Gated, camera: VirtualCamera) -> None:
    camera.commit(Fault.ID_JUMP, 7)
    frame, faults = gated.shoot(1)
    assert frame is not None
    assert [(fault.kind, fault.count) for fault in faults] == [(FaultKind.LOST, 7)]


def test_a_clock_that_goes_back_is_believed(gated: Gated, camera: VirtualCamera) -> None:
    camera.commit(Fault.STAMP_BACK_NS, 10**9)
    camera.commit(Fault.STAMP_BACK)
    frame, faults = gated.shoot(1)
    assert frame is None
    assert _kinds(faults) == [FaultKind.UNSYNCED]


def test_a_stale_frame_shows_the_new_picture(gated: Gated, camera: VirtualCamera) -> None:
    """Only its stamp tells: the content is that of the frame before, under a new id."""
    gated.shoot(3)
    camera.commit(Fault.STALE)
    camera.fire(slot=1)
    item = virtual.take(gated._source)
    assert isinstance(item, Frame)
    assert np.array_equal(item.image, virtual.grey(3))
    truths = camera.truths()
    assert item.t_device_ns == truths[-2].t_device_ns
    assert item.frame_id == truths[-2].frame_id + 1


def test_a_missed_trigger_uses_a_frame_id(gated: Gated, camera: VirtualCamera) -> None:
    first, _ = gated.shoot(0)
    camera.commit(Fault.MISSED)
    camera.fire(slot=1)
    virtual.wait_until(lambda: camera.counts.missed_triggers == 1)
    second, faults = gated.shoot(2)
    assert first is not None
    assert second is not None
    assert (second.frame_id - first.frame_id, faults) == (1, [])
    assert np.array_equal(second.image, virtual.grey(2))


def test_a_stalled_camera_says_so(gated: Gated, camera: VirtualCamera) -> None:
    camera.commit(Fault.STALL, -1)
    camera.fire(slot=1)
    time.sleep(0.05)
    assert gated._source.take() is None
    assert camera.counts.missed_triggers == 0
    camera.forgive()
    assert gated.shoot(2)[0] is not None


def test_a_clock_that_was_set_or_drifts_shows_the_time_before(
    gated: Gated, camera: VirtualCamera
) -> None:
    before, _ = gated.shoot(0)
    camera.set_clock(step_ns=-(10**9), drift_ppm=100_000.0)
    after, faults = gated.shoot(1)
    assert before is not None
    assert after is None
    assert _kinds(faults) == [FaultKind.UNSYNCED]
    assert camera.truths()[-1].t_device_ns < before.t_device_ns


# the link


def test_a_slow_register_write_stops_the_frames(gated: Gated, camera: VirtualCamera) -> None:
    node_map = gated._source._device.acquirer.remote_device.node_map
    camera.commit(Fault.SLOW_WRITE_MS, 120)
    camera.fire(slot=1)
    started = time.monotonic()
    node_map.ExposureTime.value = 900.0
    assert time.monotonic() - started >= 0.12
    assert isinstance(gated._source.take(), Frame)  # it came meanwhile


@pytest.mark.parametrize("error", [IO_ERROR, ABORT])
def test_a_failing_wait_hangs_the_source(gated: Gated, camera: VirtualCamera, error: int) -> None:
    camera.commit(Fault.EVENT_ERROR, error)
    camera.fire()
    virtual.wait_until(lambda: camera.counts.delivered >= 2)
    with pytest.raises(CameraError, match="fetches in a row failed"):
        virtual.wait_until(lambda: gated._source.take() is not None)
    camera.forgive()


def test_a_dead_link_is_a_quiet_camera(
    gated: Gated, camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.runtime.cameras.genicam.proof.LINK_CHECK_NS", 0)
    camera.commit(Fault.PORT_ERROR, IO_ERROR)
    with pytest.raises(CameraError, match=r"link is lost: .*-1010"):
        virtual.wait_until(lambda: gated._source.take() is not None)
    camera.forgive()


def test_a_camera_of_somebody_else_is_opened(camera: VirtualCamera) -> None:
    camera.commit(Fault.OPEN_ERROR, DENIED)
    with (
        pytest.raises(CameraError, match=r"cannot be opened: .*-1005"),
        virtual.opened(virtual.settings(camera)),
    ):
        pass


def test_a_camera_that_is_gone_is_listed(camera: VirtualCamera) -> None:
    camera.unplug()
    with (
        pytest.raises(CameraError, match="sees the serial numbers"),
        virtual.opened(virtual.settings(camera)),
    ):
        pass
    camera.plug_in()
    with virtual.opened(virtual.settings(camera)) as source:
        camera.fire()
        virtual.frame(source)


@pytest.mark.parametrize("identity", [None, "another"])
def test_a_camera_that_came_back_goes_on_without_being_opened(
    gated: Gated, camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch, identity: str | None
) -> None:
    monkeypatch.setattr("voxgate.runtime.cameras.genicam.proof.LINK_CHECK_NS", 0)
    camera.unplug()
    camera.plug_in(identity and virtual.serial(identity))
    with pytest.raises(CameraError, match="link is lost"):
        virtual.wait_until(lambda: gated._source.take() is not None)
    _as_if_never_gone(camera)
    gated._source.close()
    camera.plug_in()
    if identity is None:
        with virtual.opened(virtual.settings(camera)) as again:
            camera.fire()
            virtual.frame(again)
    else:
        with (
            pytest.raises(CameraError, match=f"'{virtual.serial('another')}'"),
            virtual.opened(virtual.settings(camera)),
        ):
            pass


def test_a_rebooted_camera_is_taken_for_a_quiet_one(
    gated: Gated, camera: VirtualCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registers answer, the link lives, no frame ever comes: only the settings tell."""
    monkeypatch.setattr("voxgate.runtime.cameras.genicam.proof.LINK_CHECK_NS", 0)
    camera.reboot()
    with pytest.raises(CameraError, match=r"Trigger\w+ is no longer .*: the camera was restarted"):
        virtual.wait_until(lambda: gated._source.take() is not None)
    assert camera.register("TriggerMode") == 0
    gated._source.close()
    with virtual.opened(virtual.settings(camera)) as again:
        camera.fire()
        assert virtual.frame(again).t_device_ns < 10**10  # its clock began anew


def _as_if_never_gone(camera: VirtualCamera) -> None:
    """A process that holds a dead link cannot let it go (harvesters): the runtime ends it, a test
    revives the link.
    """
    camera._set("session", 1)


# both sides killed

_CONSUMER = """
import sys
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings, NodeSetting
from voxgate.runtime.cameras.genicam.source import GenicamSource
own = GenicamSettings(sys.argv[1], sys.argv[2], exposure_us=1000.0,
                      nodes=(NodeSetting("AcquisitionFrameRate", 100.0),))
settings = CameraSettings("cam0", own, 64, 48, False)
source = GenicamSource(settings, own)
source.open()
while source.take() is None: pass
print("streams", flush=True)
while True: source.take()
"""

_WRITER = """
import sys, time
from tests.kits import virtual
from voxgate.sim.gentl.virtual_camera import VirtualCamera
camera = VirtualCamera(virtual.spec("killed"))
camera.show(0, virtual.grey(0), virtual.depth(0))
print(camera.spec.serial, flush=True)
time.sleep(600)
"""


@contextmanager
def _python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that is killed at the latest when the test ends."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_killed_consumer_keeps_the_camera(camera: VirtualCamera) -> None:
    with _python(_CONSUMER, virtual.cti(), camera.spec.serial) as consumer:
        assert _first_line(consumer) == "streams"
        with (
            pytest.raises(CameraError, match=r"cannot be opened: .*-1005"),
            virtual.opened(virtual.settings(camera)),
        ):
            pass
        consumer.kill()
    assert camera.acquiring  # nobody told it to stop
    with virtual.opened(virtual.settings(camera)) as source:  # and it can be had at once
        camera.fire(slot=2)
        frame = virtual.frame(source)
        assert (frame.frame_id, frame.image.tolist()) == (1, virtual.grey(2).tolist())


def test_a_killed_writer_leaves_memory_or_a_living_camera_behind() -> None:
    """The worker that had it open says so and ends; both are gone from shared memory."""
    with _python(_WRITER) as writer:
        serial = _first_line(writer)
        file = FOLDER / f"{PREFIX}{serial}"
        own = GenicamSettings(virtual.cti(), serial, nodes=virtual.LINE, exposure_us=1000.0)
        size = (virtual.WIDTH_PX, virtual.HEIGHT_PX)
        with CameraSupervisor([CameraSettings("cam0", own, *size, False)]) as cameras:
            found: list[CameraFault] = []

            def lost() -> bool:
                events = cameras.poll(time.monotonic_ns())
                found.extend(event for event in events if isinstance(event, CameraFault))
                return bool(found)

            virtual.wait_until(lambda: not lost() and cameras.ready, 60.0)
            os.kill(writer.pid, signal.SIGKILL)
            virtual.wait_until(lost, 20.0)
    assert found[0].note.reason is Reason.CAMERA_LOST
    assert "link is lost" in found[0].note.detail
    virtual.wait_until(lambda: not file.exists())


def test_an_orphan_is_listed(camera: VirtualCamera) -> None:
    """A file whose owner is gone, and whose guard too: the next list removes it."""
    orphan = FOLDER / f"{PREFIX}{virtual.serial('orphan')}"
    orphan.write_bytes((FOLDER / f"{PREFIX}{camera.spec.serial}").read_bytes())
    with virtual.opened(virtual.settings(camera)):
        pass
    assert not orphan.exists()


def test_anything_stays_in_shared_memory() -> None:
    before = {file.name for file in FOLDER.iterdir()}
    with VirtualCamera(virtual.spec("tidy")) as camera, virtual.opened(virtual.settings(camera)):
        assert (FOLDER / f"{PREFIX}{camera.spec.serial}").exists()
    after = {file.name for file in FOLDER.iterdir() if virtual.serial("tidy") in file.name}
    assert after - before == set()


def test_a_closed_camera_can_be_read(camera: VirtualCamera) -> None:
    with virtual.acquirer(camera) as acquirer:
        camera.unplug()
        with pytest.raises(GENICAM_ERRORS):
            acquirer.remote_device.node_map.Width.value  # noqa: B018  the access is the test
        camera.plug_in()
        with pytest.raises(GENICAM_ERRORS):
            acquirer.remote_device.node_map.Width.value  # noqa: B018  still the old session
        _as_if_never_gone(camera)


def test_a_setting_survives_a_consumer(camera: VirtualCamera) -> None:
    exposure = NodeSetting("ExposureTime", 4321.0)
    with virtual.opened(virtual.settings(camera, *virtual.LINE, exposure)):
        pass
    assert camera.register("ExposureTime") == 4321.0
    assert not camera.acquiring
