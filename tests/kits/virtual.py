"""Virtual cameras for tests: the producer, built once, and harvesters on it."""

from __future__ import annotations

import fcntl
import functools
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.kits.repository import ROOT
from voxgate.runtime.cameras.frame_gate import SourceFault
from voxgate.runtime.cameras.genicam.binding import Harvester, ParameterKey, ParameterSet
from voxgate.runtime.cameras.genicam.device import release_acquirer
from voxgate.runtime.cameras.genicam.nodes import DEPTH_COMPONENTS, GENICAM_ERRORS
from voxgate.runtime.cameras.genicam.source import GenicamSource
from voxgate.runtime.cameras.settings import CameraSettings, GenicamSettings, NodeSetting
from voxgate.runtime.nouns import Frame
from voxgate.sim.gentl.build import build
from voxgate.sim.gentl.link import FOLDER, PREFIX
from voxgate.sim.gentl.spec import CameraSpec, Clock, Lens, Timing
from voxgate.sim.gentl.virtual_camera import VirtualCamera

__all__ = ["Harvester", "ParameterKey", "ParameterSet"]

WIDTH_PX, HEIGHT_PX = 64, 48
DEADLINE_S = 60.0
F_OFD_SETLK = 37
RUN = secrets.token_hex(4)
PROMPT = Timing(readout_ns=2_000_000, latency_ns=100_000, latency_jitter_ns=0)
LINE = (
    NodeSetting("TriggerSelector", "FrameStart"),
    NodeSetting("TriggerMode", "On"),
    NodeSetting("TriggerSource", "Line1"),
    NodeSetting("ExposureTime", 1000.0),
)


@functools.cache
def cti() -> str:
    """The producer of this working tree, compiled if it is not yet."""
    return str(build(ROOT / "out" / "gentl"))


def serial(name: str) -> str:
    """A serial number that no other test process uses: shared memory is the machine's.

    A process of that number may have been there before, or be in another namespace.
    """
    return f"{name}-{RUN}"


def spec(name: str, **changes: Any) -> CameraSpec:
    """A small camera with 3D whose frames come a few milliseconds after the trigger."""
    values: dict[str, Any] = {
        "width_px": WIDTH_PX,
        "height_px": HEIGHT_PX,
        "range_format": "Coord3D_C16",
        "range_scale_mm": 0.05,
        "lens": Lens(50.0, 32.0, 24.0),
        "timing": PROMPT,
        "clock": Clock(),
    }
    return CameraSpec(serial(name), **(values | changes))


def grey(seed: int = 0, width: int = WIDTH_PX, height: int = HEIGHT_PX) -> npt.NDArray[np.uint8]:
    """A picture that no other seed makes."""
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)


def depth(seed: int = 0, shape: tuple[int, int] = (HEIGHT_PX, WIDTH_PX)) -> npt.NDArray[np.uint16]:
    """Counts of depth with some pixels that had no return."""
    random = np.random.default_rng(1000 + seed)
    counts = random.integers(1000, 60_000, shape).astype(np.uint16)
    counts[random.random(counts.shape) < 0.1] = 0
    return counts


def settings(camera: VirtualCamera, *nodes: NodeSetting, **source: Any) -> CameraSettings:
    """What a worker would be told to open this camera with Line1 as its trigger."""
    values: dict[str, Any] = {"exposure_us": 1000.0, "buffers": 8} | source
    own = GenicamSettings(cti(), camera.spec.serial, nodes=nodes or LINE, **values)
    return CameraSettings(
        "cam0",
        own,
        camera.spec.width_px,
        camera.spec.height_px,
        any(node.value in DEPTH_COMPONENTS for node in nodes),
        start_ms=60_000,
        heartbeat_ms=30_000,
    )


@contextmanager
def showing(name: str, slots: int = 1, **more: Any) -> Iterator[VirtualCamera]:
    """A camera with a picture and its depth in each of so many slots; more: as for `spec`."""
    with VirtualCamera(spec(name, **more)) as camera:
        for slot in range(slots):
            own = camera.spec
            image = grey(slot, own.width_px, own.height_px)
            camera.show(slot, image, depth(slot, own.range_shape()))
        yield camera


@contextmanager
def in_use(camera: VirtualCamera) -> Iterator[None]:
    """Control is a lock on the file; another opening of it stands for another process."""
    with (FOLDER / f"{PREFIX}{camera.spec.serial}").open("r+b") as other:
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0)
        fcntl.fcntl(other, F_OFD_SETLK, lock)
        yield


@contextmanager
def opened(camera_settings: CameraSettings) -> Iterator[GenicamSource]:
    """The runtime's own source on a camera, in this process."""
    assert isinstance(camera_settings.source, GenicamSettings)
    source = GenicamSource(camera_settings, camera_settings.source)
    try:
        source.open()
        yield source
    finally:
        source.close()


def take(source: GenicamSource) -> Frame | SourceFault:
    """The next frame or fault."""
    found: list[Frame | SourceFault] = []

    def came() -> bool:
        item = source.take()
        if item is not None:
            found.append(item)
        return item is not None

    wait_until(came)
    return found[0]


def frame(source: GenicamSource) -> Frame:
    """The next frame; a fault in its place fails the test."""
    item = take(source)
    assert isinstance(item, Frame), item
    return item


def wait_until(condition: Callable[[], bool], timeout_s: float = DEADLINE_S) -> None:
    """Polls; fails the test when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.0005)


@contextmanager
def acquirer(camera: VirtualCamera, **parameters: Any) -> Iterator[Any]:
    """harvesters' own acquirer on the camera, as an integrator would use it."""
    harvester = Harvester()
    harvester.add_file(cti())
    harvester.update()
    config = ParameterSet(
        {getattr(ParameterKey, key): value for key, value in parameters.items()}
        | {ParameterKey.NUM_BUFFERS_FOR_FETCH_CALL: 4}
    )
    acquired = harvester.create(place_of(harvester, camera), config=config)
    try:
        yield acquired
    finally:
        let_go(harvester, acquired)


def place_of(harvester: Any, camera: VirtualCamera) -> int:
    """Its place in the harvester's list, whatever cameras of other tests come and go meanwhile.

    harvesters keeps a camera that answers no more among those that have the serial number.
    """
    for place, info in enumerate(harvester.device_info_list):
        with suppress(*GENICAM_ERRORS):
            if info.serial_number == camera.spec.serial:
                return place
    raise AssertionError(f"{camera.spec.serial} is not listed")


def let_go(harvester: Any, acquired: Any) -> None:
    """Without the leak of harvesters #502."""
    release_acquirer(harvester, acquired)
    harvester.reset()
