"""The virtual camera through unmodified GenICam software: what it delivers, when, and its locks."""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from voxgate.runtime.cameras.genicam.nodes import GENICAM_ERRORS
from voxgate.runtime.cameras.settings import NodeSetting
from voxgate.runtime.errors import CameraError
from voxgate.sim.gentl.build import build
from voxgate.sim.gentl.features.table import BY_NAME
from voxgate.sim.gentl.spec import CameraSpec, Clock, Ptp, Timing, VirtualCameraError
from voxgate.sim.gentl.truth import Fate
from voxgate.sim.gentl.virtual_camera import VirtualCamera

pytestmark = needs_c_compiler
MS = 1_000_000
EXPOSURE_NS = 1_000_000
RANGE = (
    NodeSetting("ComponentSelector", "Range"),
    NodeSetting("ComponentEnable", True),
)


@pytest.fixture
def camera() -> Iterator[VirtualCamera]:
    with virtual.showing("cam", slots=2) as made:
        yield made


# what it is made of


def test_the_producer_needs_more_than_libc() -> None:
    names = Path(virtual.cti()).read_bytes()
    needed = [name for name in names.split(b"\0") if name.startswith(b"lib") and b".so" in name]
    assert {name.split(b".")[0] for name in needed} <= {b"libc", b"libm", b"libpthread"}


def test_a_function_of_the_standard_is_missing() -> None:
    """The 64 functions of GenTL 1.6; a consumer links all of them by name."""
    library = ctypes.CDLL(virtual.cti())
    groups = {
        "GC": "InitLib CloseLib GetInfo GetLastError GetPortInfo GetPortURL GetNumPortURLs "
        "GetPortURLInfo ReadPort WritePort ReadPortStacked WritePortStacked RegisterEvent "
        "UnregisterEvent",
        "Event": "GetData GetDataInfo GetInfo Flush Kill",
        "TL": "Open Close GetInfo GetNumInterfaces GetInterfaceID GetInterfaceInfo OpenInterface "
        "UpdateInterfaceList",
        "IF": "Close GetInfo GetNumDevices GetDeviceID UpdateDeviceList GetDeviceInfo OpenDevice "
        "GetParentTL",
        "Dev": "GetPort GetNumDataStreams GetDataStreamID OpenDataStream GetInfo Close GetParentIF",
        "DS": "AnnounceBuffer AllocAndAnnounceBuffer FlushQueue StartAcquisition StopAcquisition "
        "GetInfo GetBufferID Close RevokeBuffer QueueBuffer GetBufferInfo GetBufferChunkData "
        "GetParentDev GetNumBufferParts GetBufferPartInfo AnnounceCompositeBuffer "
        "GetBufferInfoStacked GetBufferPartInfoStacked GetNumFlows GetFlowInfo "
        "GetNumBufferSegments GetBufferSegmentInfo",
    }
    names = [prefix + name for prefix, group in groups.items() for name in group.split()]
    assert len(names) == 64
    assert [name for name in names if not hasattr(library, name)] == []


@pytest.mark.nightly
def test_the_producer_is_built_again_for_nothing(tmp_path: Path) -> None:
    first = build(tmp_path)
    made_ns = first.stat().st_mtime_ns
    assert build(tmp_path).stat().st_mtime_ns == made_ns


# what it delivers


def test_a_triggered_frame_shows_another_picture(camera: VirtualCamera) -> None:
    with virtual.opened(virtual.settings(camera, *virtual.LINE, *RANGE)) as source:
        for slot in (1, 0, 1):
            camera.fire(slot=slot)
            frame = virtual.frame(source)
            assert np.array_equal(frame.image, virtual.grey(slot))
            assert frame.depth_mm is not None
            counts = virtual.depth(slot)
            assert np.array_equal(np.isnan(frame.depth_mm), counts == 0)
            seen = counts != 0
            assert np.allclose(frame.depth_mm[seen], counts[seen] * 0.05)


@pytest.mark.parametrize("pixels", ["Mono8", "Mono12", "Mono16", "RGB8"])
def test_a_grey_picture_changes_with_the_pixel_format(camera: VirtualCamera, pixels: str) -> None:
    nodes = (
        *virtual.LINE,
        NodeSetting("ComponentSelector", "Intensity"),
        NodeSetting("PixelFormat", pixels),
    )
    with virtual.opened(virtual.settings(camera, *nodes)) as source:
        camera.fire()
        assert np.array_equal(virtual.frame(source).image, virtual.grey(0))


def test_the_colours_of_a_bayer_picture_are_shifted() -> None:
    colours = np.random.default_rng(5).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    spec = virtual.spec("bayer", intensity="RGB8", range_format=None)
    with VirtualCamera(spec) as camera, virtual.acquirer(camera) as acquirer:
        camera.show(0, colours)
        node_map = acquirer.remote_device.node_map
        node_map.PixelFormat.value = "BayerRG8"
        node_map.OffsetX.value, node_map.OffsetY.value = (0, 0)
        node_map.AcquisitionFrameRate.value = 100.0
        acquirer.start()
        with acquirer.fetch(timeout=10) as buffer:
            mosaic = buffer.payload.components[0].data.reshape(48, 64).copy()
    assert np.array_equal(mosaic[0::2, 0::2], colours[0::2, 0::2, 0])
    assert np.array_equal(mosaic[0::2, 1::2], colours[0::2, 1::2, 1])
    assert np.array_equal(mosaic[1::2, 0::2], colours[1::2, 0::2, 1])
    assert np.array_equal(mosaic[1::2, 1::2], colours[1::2, 1::2, 2])


def test_a_window_of_the_sensor_is_sheared(camera: VirtualCamera) -> None:
    window = {"Width": 20, "Height": 10, "OffsetX": 6, "OffsetY": 4}
    nodes = [NodeSetting(name, value) for name, value in window.items()]
    own = replace(
        virtual.settings(camera, *virtual.LINE, *nodes, *RANGE), width_px=20, height_px=10
    )
    with virtual.opened(own) as source:
        camera.fire()
        frame = virtual.frame(source)
    assert np.array_equal(frame.image, virtual.grey(0)[4:14, 6:26])
    assert frame.depth_mm is not None
    assert np.array_equal(np.isnan(frame.depth_mm), virtual.depth(0)[4:14, 6:26] == 0)


@pytest.mark.parametrize("with_rays", [False, True])
def test_a_cloud_does_not_lie_on_the_rays_of_its_pixels(with_rays: bool) -> None:
    """Coord3D_ABC32f from counts of depth; no return is 0, 0, 0."""
    columns, rows = np.meshgrid(np.arange(64), np.arange(48))
    pinhole = np.stack([(columns - 32) / 50, (rows - 24) / 50], axis=2)
    rays = (pinhole + 0.01).astype(np.float32) if with_rays else None
    spec = virtual.spec("cloud", rays=rays)
    with VirtualCamera(spec) as camera, virtual.acquirer(camera) as acquirer:
        camera.show(0, virtual.grey(0), virtual.depth(0))
        node_map = acquirer.remote_device.node_map
        node_map.ComponentSelector.value = "Range"
        node_map.ComponentEnable.value = True
        node_map.PixelFormat.value = "Coord3D_ABC32f"
        node_map.ComponentSelector.value = "Confidence"
        node_map.ComponentEnable.value = True
        node_map.Scan3dCoordinateSelector.value = "CoordinateC"
        assert node_map.Scan3dCoordinateScale.value == 1.0
        acquirer.start()
        with acquirer.fetch(timeout=10) as buffer:
            parts = {part.data_format: part.data.copy() for part in buffer.payload.components}
    cloud = parts["Coord3D_ABC32f"].reshape(48, 64, 3)
    counts = virtual.depth(0)
    z = (counts * np.float64(0.05))[..., None]
    expected = np.concatenate([(pinhole + 0.01 * with_rays) * z, z], axis=2)
    expected[counts == 0] = 0.0
    assert np.allclose(cloud, expected, rtol=1e-6, atol=1e-4)
    assert np.array_equal(parts["Confidence8"].reshape(48, 64), np.where(counts == 0, 0, 255))


def test_counts_of_depth_differ_from_the_cloud_they_were_made_of() -> None:
    cloud = np.random.default_rng(3).uniform(200, 900, (48, 64, 3)).astype(np.float32)
    cloud[::7] = np.nan
    spec = virtual.spec("counts", range_format="Coord3D_ABC32f", has_confidence=True)
    with VirtualCamera(spec) as camera:
        camera.show(0, virtual.grey(0), cloud, virtual.grey(9))
        nodes = (*virtual.LINE, *RANGE, NodeSetting("PixelFormat", "Coord3D_C16"))
        with virtual.opened(virtual.settings(camera, *nodes)) as source:
            camera.fire()
            depth_mm = virtual.frame(source).depth_mm
    assert depth_mm is not None
    assert np.array_equal(np.isnan(depth_mm), np.isnan(cloud[..., 2]))
    assert np.nanmax(np.abs(depth_mm - cloud[..., 2])) <= 0.0251


# when


def test_the_exposure_begins_when_the_thread_wakes_up(camera: VirtualCamera) -> None:
    """The stamp is that of the trigger, however late anybody looked."""
    delay = NodeSetting("TriggerDelay", 250.0)
    with virtual.opened(virtual.settings(camera, *virtual.LINE, delay)) as source:
        stamps = []
        for ahead_ns in (0, 3 * MS, 7 * MS):
            fired_ns = camera.fire(time.monotonic_ns() + ahead_ns)
            frame = virtual.frame(source)
            latency_ns = camera.spec.timing.trigger_latency_ns
            assert camera.truths()[-1].t_start_ns == fired_ns + 250_000 + latency_ns
            stamps.append(frame.t_device_ns - fired_ns)
            assert frame.t_arrival_ns >= fired_ns + EXPOSURE_NS + camera.spec.timing.readout_ns
    assert stamps == [camera.spec.clock.offset_ns + 255_000] * 3


def test_a_trigger_before_the_start_belongs_to_the_first_job(camera: VirtualCamera) -> None:
    camera.fire(slot=1)
    with virtual.opened(virtual.settings(camera)) as source:
        camera.fire(slot=0)
        assert np.array_equal(virtual.frame(source).image, virtual.grey(0))
        assert source.take() is None


def test_a_trigger_within_the_readout_makes_a_frame(camera: VirtualCamera) -> None:
    """Nothing but the event, and no frame id, tells of it: FrameTriggerMissed."""
    with virtual.opened(virtual.settings(camera)) as source:
        first_ns = camera.fire()
        camera.fire(first_ns + 2 * MS)
        camera.fire(first_ns + 20 * MS)
        assert [virtual.frame(source).frame_id for _ in range(2)] == [1, 2]
    assert camera.counts.missed_triggers == 1


@pytest.mark.parametrize(("edge", "count"), [("RisingEdge", 1), ("FallingEdge", 1), ("AnyEdge", 2)])
def test_the_wrong_edge_of_the_line_triggers(camera: VirtualCamera, edge: str, count: int) -> None:
    short = (NodeSetting("ExposureTime", 100.0), NodeSetting("TriggerActivation", edge))
    spec = replace(camera.spec, serial=virtual.serial("edge"), timing=Timing(readout_ns=0))
    with VirtualCamera(spec) as other:
        other.show(0, virtual.grey(0), virtual.depth(0))
        with virtual.opened(virtual.settings(other, *virtual.LINE, *short)) as source:
            fired_ns = other.fire()
            for _ in range(count):
                virtual.frame(source)
            late_ns = MS if edge == "FallingEdge" else 0
            assert other.truths()[0].t_start_ns == fired_ns + late_ns + 5_000


def test_a_free_running_camera_keeps_no_rate(camera: VirtualCamera) -> None:
    nodes = (NodeSetting("AcquisitionFrameRate", 100.0), NodeSetting("ExposureTime", 1000.0))
    with virtual.opened(virtual.settings(camera, *nodes)) as source:
        frames = [virtual.frame(source) for _ in range(8)]
    assert [frame.frame_id for frame in frames] == list(range(1, 9))
    steps = np.diff([frame.t_device_ns for frame in frames])
    assert steps.min() == 10 * MS


def test_the_readout_does_not_limit_the_rate(camera: VirtualCamera) -> None:
    nodes = (NodeSetting("AcquisitionFrameRate", 1000.0), NodeSetting("ExposureTime", 3000.0))
    with virtual.opened(virtual.settings(camera, *nodes)) as source:
        steps = np.diff([virtual.frame(source).t_device_ns for _ in range(5)])
    assert steps.min() >= 5 * MS


def test_a_software_trigger_is_lost(camera: VirtualCamera) -> None:
    with virtual.acquirer(camera) as acquirer:
        node_map = acquirer.remote_device.node_map
        with pytest.raises(GENICAM_ERRORS):
            node_map.TriggerSoftware.execute()  # no trigger is awaited
        node_map.TriggerMode.value = "On"
        node_map.TriggerSource.value = "Software"
        acquirer.start()
        for number in (1, 2, 3):
            node_map.TriggerSoftware.execute()
            with acquirer.fetch(timeout=10) as buffer:
                assert buffer.module.frame_id == number


@pytest.mark.parametrize(("mode", "count"), [("SingleFrame", 1), ("MultiFrame", 3)])
def test_more_frames_come_than_were_asked_for(camera: VirtualCamera, mode: str, count: int) -> None:
    nodes = (
        NodeSetting("AcquisitionMode", mode),
        NodeSetting("AcquisitionFrameCount", 3),
        NodeSetting("AcquisitionFrameRate", 200.0),
    )
    with virtual.opened(virtual.settings(camera, *nodes)) as source:
        for _ in range(count):
            virtual.frame(source)
        time.sleep(0.1)  # twenty periods
        assert source.take() is None


# stamps, chunks, events


def test_chunks_tell_of_another_frame(camera: VirtualCamera) -> None:
    chunks = (
        NodeSetting("ChunkModeActive", True),
        NodeSetting("ExposureTime", 700.0),
        *RANGE,
    )
    own = virtual.settings(
        camera,
        *virtual.LINE,
        *chunks,
        exposure_us=None,
        exposure_node="ChunkExposureTime",
        timestamp_node="ChunkTimestamp",
    )
    with virtual.opened(own) as source:
        for number in (1, 2, 3):
            camera.fire()
            frame = virtual.frame(source)
            truth = camera.truths()[-1]
            assert (frame.frame_id, frame.exposure_ns) == (number, 700_000)
            assert frame.t_device_ns == truth.t_device_ns


def test_an_event_is_not_told(camera: VirtualCamera) -> None:
    heard: list[int] = []
    with virtual.acquirer(camera, ENABLE_EVENT_MONITOR=True) as acquirer:
        node_map = acquirer.remote_device.node_map
        for name in ("ExposureEnd", "FrameTriggerMissed"):
            node_map.EventSelector.value = name
            node_map.EventNotification.value = "On"

        def hear(node: Any, _context: object = None) -> None:
            # also called when the node map ends; what is raised here would abort the process
            with contextlib.suppress(*GENICAM_ERRORS):
                heard.append(node.value)

        for name in ("EventExposureEndFrameID", "EventFrameTriggerMissedTimestamp"):
            acquirer.remote_device.register_node_callback(node_name=name, callback=hear)
        for node in virtual.LINE:
            getattr(node_map, node.name).value = node.value
        acquirer.start()
        fired_ns = camera.fire()
        missed_ns = camera.fire(fired_ns + MS)
        virtual.wait_until(lambda: len(heard) >= 2)
        told = set(heard)
    assert told == {1, missed_ns + camera.spec.clock.offset_ns}


def test_a_latched_time_is_not_of_the_latch(camera: VirtualCamera) -> None:
    with virtual.acquirer(camera) as acquirer:
        node_map = acquirer.remote_device.node_map
        before_ns = time.monotonic_ns()
        node_map.TimestampLatch.execute()
        after_ns = time.monotonic_ns()
        latched_ns = node_map.TimestampLatchValue.value - camera.spec.clock.offset_ns
        assert before_ns <= latched_ns <= after_ns
        node_map.TimestampReset.execute()
        node_map.TimestampLatch.execute()
        assert 0 <= node_map.TimestampLatchValue.value < 10**9


def test_the_clock_does_not_drift_as_told() -> None:
    clock = Clock(offset_ns=5_000_000_000, drift_ppm=200_000.0)
    with VirtualCamera(virtual.spec("drift", clock=clock)) as camera:
        camera.show(0, virtual.grey(0), virtual.depth(0))
        with virtual.opened(virtual.settings(camera)) as source:
            stamps, fired = [], []
            for _ in range(2):
                fired.append(camera.fire())
                stamps.append(virtual.frame(source).t_device_ns)
                time.sleep(0.05)
    ratio = (stamps[1] - stamps[0]) / (fired[1] - fired[0])
    assert ratio == pytest.approx(1.2, abs=1e-6)


def test_ptp_is_slave_at_once_and_stamps_are_not_the_master_s(camera: VirtualCamera) -> None:
    ptp = Ptp(settle_ns=150 * MS, residual_ns=700)
    spec = replace(camera.spec, serial=virtual.serial("ptp"), ptp=ptp)
    with VirtualCamera(spec) as other, virtual.acquirer(other) as acquirer:
        other.show(0, virtual.grey(0), virtual.depth(0))
        node_map = acquirer.remote_device.node_map

        def status() -> str:
            node_map.PtpDataSetLatch.execute()
            return str(node_map.PtpStatus.value)

        assert status() == "Disabled"
        node_map.PtpEnable.value = True
        assert status() in ("Initializing", "Listening")
        virtual.wait_until(lambda: status() == "Slave")
        assert abs(node_map.PtpOffsetFromMaster.value) <= 1_000
        node_map.TriggerMode.value, node_map.TriggerSource.value = ("On", "Line1")
        acquirer.start()
        fired_ns = other.fire()
        with acquirer.fetch(timeout=10) as buffer:
            stamp_ns = buffer.timestamp_ns
        with pytest.raises(GENICAM_ERRORS):
            node_map.TimestampReset.execute()  # it is the master's time
        other.set_ptp(status="Master")
        assert status() == "Master"
    assert abs(stamp_ns - fired_ns - 5_000 - ptp.master_minus_host_ns) <= 1_000


# registers


def test_the_layout_may_change_while_it_streams(camera: VirtualCamera) -> None:
    with virtual.opened(virtual.settings(camera)) as source:
        node_map = source._device.acquirer.remote_device.node_map
        for name, value in (("Width", 32), ("PixelFormat", "Mono16"), ("ChunkModeActive", True)):
            with pytest.raises(GENICAM_ERRORS):
                getattr(node_map, name).value = value
        node_map.ExposureTime.value = 2000.0  # not the layout: free
    assert camera.register("Width") == virtual.WIDTH_PX


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ("Width", 66),
        ("Width", 1),
        ("ExposureTime", 0.5),
        ("ExposureTime", 2e7),
        ("AcquisitionFrameRate", 0.0),
        ("PixelFormat", "Coord3D_C16"),
        ("DeviceTemperature", 20.0),
    ],
)
def test_an_impossible_value_is_taken(camera: VirtualCamera, node: str, value: Any) -> None:
    with pytest.raises(CameraError, match=f"cannot set {node}"):
        _open_with(camera, NodeSetting(node, value))


def test_a_camera_without_3d_offers_it() -> None:
    with (
        VirtualCamera(virtual.spec("flat", range_format=None)) as flat,
        pytest.raises(CameraError, match="cannot set ComponentSelector"),
    ):
        _open_with(flat, *RANGE)


def _open_with(camera: VirtualCamera, *nodes: NodeSetting) -> None:
    with virtual.opened(virtual.settings(camera, *nodes)):
        pass


def test_a_user_set_is_forgotten(camera: VirtualCamera) -> None:
    with virtual.acquirer(camera) as acquirer:
        node_map = acquirer.remote_device.node_map
        node_map.ExposureTime.value = 1234.0
        node_map.UserSetSelector.value = "UserSet1"
        node_map.UserSetSave.execute()
        node_map.UserSetSelector.value = "Default"
        node_map.UserSetLoad.execute()
        assert node_map.ExposureTime.value == 5000.0
        with pytest.raises(GENICAM_ERRORS):
            node_map.UserSetSave.execute()  # the factory's own
        node_map.UserSetDefault.value = "UserSet1"
        node_map.DeviceUserID.value = "left camera"
        node_map.DeviceReset.execute()
        assert node_map.ExposureTime.value == 1234.0
        assert node_map.DeviceUserID.value == "left camera"


def test_a_second_process_could_take_the_camera_away(camera: VirtualCamera) -> None:
    with virtual.in_use(camera), pytest.raises(CameraError, match="cannot be opened"):
        _open_with(camera)
    _open_with(camera)


# what a camera cannot be


@pytest.mark.parametrize(
    "changes",
    [
        {"serial": ""},
        {"serial": "../x"},
        {"width_px": 1},
        {"baseline_m": 0.1},
        {"range_divisor": 2},
        {"interfaces": (2,)},
        {"slots": 65},
        {"intensity": "Mono10"},
        {"range_format": "Coord3D_A16"},
        {"rays": np.zeros((2, 2, 2), np.float32)},
    ],
)
def test_an_impossible_camera_is_made(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"serial": "x", "width_px": 64, "height_px": 48}
    with pytest.raises(VirtualCameraError):
        CameraSpec(**(values | changes))


def test_two_cameras_share_a_serial_number(camera: VirtualCamera) -> None:
    with pytest.raises(VirtualCameraError, match="lives already"):
        VirtualCamera(camera.spec)


def test_a_picture_of_another_size_is_shown(camera: VirtualCamera) -> None:
    with pytest.raises(VirtualCameraError, match="intensity must have 3072 bytes"):
        camera.show(0, virtual.grey(0)[:10], virtual.depth(0))
    with pytest.raises(VirtualCameraError, match="depth must have 6144 bytes, got none"):
        camera.show(0, virtual.grey(0))
    with pytest.raises(VirtualCameraError, match="slots are 0 to 3"):
        camera.fire(slot=4)


def test_a_register_stands_elsewhere_for_python(camera: VirtualCamera) -> None:
    with virtual.acquirer(camera) as acquirer:
        node_map = acquirer.remote_device.node_map
        for name in ("Width", "ExposureTime", "DeviceSerialNumber", "PixelFormat"):
            value = getattr(node_map, name).value
            held = camera.register(name, 1 if name == "PixelFormat" else 0)
            words = {entry.value: entry.name for entry in BY_NAME[name].entries}
            assert (words[int(held)] if words else held) == value


def test_cameras_of_one_box_share_a_clock_or_a_picture() -> None:
    """Three at once in one consumer, each with its own clock, exposure and pictures."""
    with contextlib.ExitStack() as stack:
        cameras = []
        for number in range(3):
            clock = Clock(offset_ns=(number + 1) * 10**12)
            spec = virtual.spec(f"of{number}", clock=clock, seed=number)
            cameras.append(stack.enter_context(VirtualCamera(spec)))
            cameras[-1].show(0, virtual.grey(number), virtual.depth(number))
        harvester = virtual.Harvester()
        stack.callback(harvester.reset)
        harvester.add_file(virtual.cti())
        harvester.update()
        acquirers = [harvester.create(virtual.place_of(harvester, camera)) for camera in cameras]
        for number, acquirer in enumerate(acquirers):
            node_map = acquirer.remote_device.node_map
            node_map.TriggerMode.value, node_map.TriggerSource.value = ("On", "Line1")
            node_map.ExposureTime.value = 500.0 * (number + 1)
            acquirer.start()
        t_ns = time.monotonic_ns() + MS
        for camera in cameras:
            camera.fire(t_ns)
        for number, acquirer in enumerate(acquirers):
            with acquirer.fetch(timeout=10) as buffer:
                image = buffer.payload.components[0].data.reshape(virtual.grey(0).shape)
                assert np.array_equal(image, virtual.grey(number))
                assert buffer.timestamp_ns == t_ns + 5_000 + (number + 1) * 10**12
            acquirer.stop()
            acquirer.destroy()


def test_a_frame_without_a_buffer_is_not_counted(camera: VirtualCamera) -> None:
    nodes = (NodeSetting("AcquisitionFrameRate", 500.0), NodeSetting("ExposureTime", 10.0))
    with virtual.opened(virtual.settings(camera, *nodes, buffers=4)) as source:
        virtual.wait_until(lambda: camera.counts.lost >= 3)
        ids = [virtual.frame(source).frame_id for _ in range(5)]
    assert ids[:4] == [1, 2, 3, 4]  # the oldest are kept, and the gap shows in the ids
    assert ids[4] > 5
    assert Fate.NO_BUFFER in {truth.fate for truth in camera.truths()}


def test_the_newest_frame_waits_behind_old_ones(camera: VirtualCamera) -> None:
    nodes = (NodeSetting("AcquisitionFrameRate", 500.0), NodeSetting("ExposureTime", 10.0))
    own = virtual.settings(camera, *nodes, buffers=4, buffer_handling="NewestOnly")
    with virtual.opened(own) as source:
        virtual.wait_until(lambda: camera.counts.delivered >= 20)
        assert virtual.frame(source).frame_id >= 19
