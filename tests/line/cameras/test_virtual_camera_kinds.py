"""Cameras of other kinds through the stack: ids of 16 bits, padded and packed lines, disparity,
two network cards, producers that answer little.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from tests.kits.packer import PACKINGS, packed_image
from voxgate.runtime.cameras.frame_gate import FrameGate
from voxgate.runtime.cameras.settings import NodeSetting
from voxgate.runtime.cameras.setup import CameraSetup
from voxgate.runtime.errors import CameraError
from voxgate.sim.gentl.link import Fault, Silent
from voxgate.sim.gentl.spec import INTERFACES, Lens
from voxgate.sim.gentl.virtual_camera import VirtualCamera

pytestmark = needs_c_compiler
RANGE = (
    NodeSetting("ComponentSelector", "Range"),
    NodeSetting("ComponentEnable", True),
    NodeSetting("PixelFormat", "Coord3D_C16"),
    NodeSetting("ComponentSelector", "Intensity"),
)


def _grey(camera: VirtualCamera) -> npt.NDArray[np.uint8]:
    return virtual.grey(0, camera.spec.width_px, camera.spec.height_px)


def _format(name: str) -> tuple[NodeSetting, ...]:
    return (NodeSetting("PixelFormat", name), *virtual.LINE)


def test_a_frame_is_lost_where_a_gige_camera_s_ids_begin_again() -> None:
    """Found out by what the producer says of its transport: nothing is set."""
    with (
        virtual.showing("ids", frame_id_bits=16) as camera,
        virtual.opened(virtual.settings(camera)) as source,
    ):
        gate = FrameGate(virtual.settings(camera), source.frame_id_bits)
        camera.commit(Fault.ID_JUMP, 65_532)
        seen, faults = [], []
        for _ in range(5):
            camera.fire()
            frame = virtual.frame(source)
            accepted, found = gate.check(frame)
            assert accepted
            seen.append(frame.frame_id)
            faults += found
    assert seen == [65_533, 65_534, 65_535, 1, 2]
    assert faults == []


@pytest.mark.parametrize(("first", "jumps"), [(65_530, [0, 2, 0, 1]), (65_534, [3, 0])])
def test_frames_that_are_lost_where_ids_begin_again_are_not_counted(
    first: int, jumps: list[int]
) -> None:
    with (
        virtual.showing("lost", frame_id_bits=16) as camera,
        virtual.opened(virtual.settings(camera)) as source,
    ):
        gate = FrameGate(virtual.settings(camera), source.frame_id_bits)
        lost = 0
        for jump in (first - 1, *jumps):
            camera.commit(Fault.ID_JUMP, jump)
            camera.fire()
            lost += sum(fault.count for fault in gate.check(virtual.frame(source))[1])
    assert lost == sum(jumps)


PACKED = ("Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed")
ODD = {"width_px": 61, "height_px": 47}


@pytest.mark.parametrize("size", [{}, ODD], ids=["even", "odd"])
@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize("pixel_format", ["Mono8", "Mono10", "Mono12", *PACKED, "RGB8"])
def test_padded_or_packed_lines_are_shifted(
    pixel_format: str, padding: int, size: dict[str, int]
) -> None:
    with (
        virtual.showing("lines", line_padding=padding, **size) as camera,
        virtual.opened(virtual.settings(camera, *_format(pixel_format))) as source,
    ):
        camera.fire()
        frame = virtual.frame(source)
    np.testing.assert_array_equal(frame.image, _grey(camera))


def _region(width: int, height: int, x: int, y: int) -> tuple[NodeSetting, ...]:
    names = ("Width", "Height", "OffsetX", "OffsetY")
    return tuple(map(NodeSetting, names, (width, height, x, y)))


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("pixel_format", PACKED)
def test_a_region_of_packed_lines_begins_elsewhere(pixel_format: str, padding: int) -> None:
    with virtual.showing("region", line_padding=padding) as camera:
        own = virtual.settings(camera, *_region(33, 21, 6, 4), *_format(pixel_format))
        with virtual.opened(replace(own, width_px=33, height_px=21)) as source:
            camera.fire()
            frame = virtual.frame(source)
    np.testing.assert_array_equal(frame.image, _grey(camera)[4:25, 6:39])


@pytest.mark.parametrize("size", [{}, ODD], ids=["even", "odd"])
@pytest.mark.parametrize("pixel_format", ["BayerRG12p", "BayerRG12Packed"])
def test_packed_colours_are_exchanged(pixel_format: str, size: dict[str, int]) -> None:
    packed, whole = (_colours(name, size).astype(int) for name in (pixel_format, "BayerRG8"))
    assert np.abs(packed - whole).max() <= 1


def _colours(pixel_format: str, size: dict[str, int]) -> npt.NDArray[np.uint8]:
    own = virtual.spec("bayer", intensity="RGB8", range_format=None, line_padding=2, **size)
    colours = np.random.default_rng(5).integers(0, 256, (own.height_px, own.width_px, 3))
    with (
        VirtualCamera(own) as camera,
        virtual.opened(virtual.settings(camera, *_format(pixel_format))) as source,
    ):
        camera.show(0, colours.astype(np.uint8))
        camera.fire()
        return virtual.frame(source).image


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("pixel_format", PACKED)
def test_the_virtual_camera_packs_as_no_other_does(pixel_format: str, padding: int) -> None:
    """Its own bytes, against those of the tests' packer."""
    own = virtual.spec("bytes", intensity="Mono16", range_format=None, line_padding=padding, **ODD)
    bits = PACKINGS[pixel_format.removeprefix("Mono")].bits
    values = np.random.default_rng(8).integers(0, 1 << bits, (47, 61))
    with VirtualCamera(own) as camera, virtual.acquirer(camera) as acquirer:
        camera.show(0, (values << (16 - bits)).astype(np.uint16))
        acquirer.remote_device.node_map.PixelFormat.value = pixel_format
        acquirer.start()
        buffer = acquirer.fetch(timeout=10, is_raw=True)
        lines = bytes(buffer.raw_buffer[: buffer.size_filled])
        acquirer.data_streams[0].module.queue_buffer(buffer, False)
    packed = packed_image(values.tolist(), pixel_format.removeprefix("Mono"), padding)
    assert _without(lines, padding) == _without(packed, padding)


def _without(lines: bytes, padding: int) -> bytes:
    """What a camera writes behind a line is its own affair."""
    if not padding:
        return lines
    return np.frombuffer(lines, np.uint8).reshape(47, -1)[:, :-padding].tobytes()


def test_padded_depth_is_shifted() -> None:
    with (
        virtual.showing("depth", line_padding=3) as camera,
        virtual.opened(virtual.settings(camera, *RANGE, *virtual.LINE)) as source,
    ):
        camera.fire()
        frame = virtual.frame(source)
    counts = virtual.depth(0).astype(np.float32)
    expected = np.where(counts > 0, counts * np.float32(0.05), np.float32(np.nan))
    assert frame.depth_mm is not None
    np.testing.assert_allclose(frame.depth_mm, expected, rtol=1e-6)
    np.testing.assert_array_equal(frame.image, virtual.grey(0))


DISPARITY = (
    NodeSetting("ComponentSelector", "Disparity"),
    NodeSetting("ComponentEnable", True),
)
FOCAL_PX, BASELINE_M, STEP_PX = 540.0, 0.065, 0.0625


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("divisor", [1, 2, 3])
@pytest.mark.parametrize("pixel_format", ["Coord3D_C16", "Coord3D_C12p"])
@pytest.mark.parametrize("size", [{}, ODD], ids=["even", "odd"])
def test_disparity_is_taken_for_a_distance(
    pixel_format: str, divisor: int, padding: int, size: dict[str, int]
) -> None:
    """SFNC: the baseline is in m; focal length and disparity are in pixels of their component."""
    stereo: dict[str, Any] = {"range_divisor": divisor, "baseline_m": BASELINE_M, **size}
    lens = Lens(FOCAL_PX, 32.0, 24.0)
    nodes = (*DISPARITY, NodeSetting("PixelFormat", pixel_format), *virtual.LINE)
    with (
        virtual.showing(
            "stereo", lens=lens, range_scale_mm=STEP_PX, line_padding=padding, **stereo
        ) as camera,
        virtual.opened(virtual.settings(camera, *nodes)) as source,
    ):
        camera.fire()
        frame = virtual.frame(source)
    coarser = 16 if pixel_format.endswith("12p") else 1
    counts = virtual.depth(0, camera.spec.range_shape()) // coarser
    with np.errstate(divide="ignore"):
        z_mm = FOCAL_PX / divisor * BASELINE_M * 1000 / (counts * coarser * STEP_PX)
    z_mm[counts == 0] = np.nan
    assert frame.depth_mm is not None
    np.testing.assert_allclose(frame.depth_mm, _on_image(z_mm, divisor, camera), rtol=1e-6)
    np.testing.assert_array_equal(frame.image, _grey(camera))


def test_the_disparity_of_a_region_lies_elsewhere_on_the_image() -> None:
    stereo: dict[str, Any] = {"range_divisor": 2, "baseline_m": BASELINE_M}
    lens = Lens(FOCAL_PX, 32.0, 24.0)
    with virtual.showing("part", lens=lens, range_scale_mm=STEP_PX, **stereo) as camera:
        nodes = (*DISPARITY, *_region(40, 20, 8, 4), *virtual.LINE)
        own = replace(virtual.settings(camera, *nodes), width_px=40, height_px=20)
        with virtual.opened(own) as source:
            camera.fire()
            frame = virtual.frame(source)
    counts = virtual.depth(0, (24, 32)).astype(float)
    counts[counts == 0] = np.nan
    z_mm = FOCAL_PX / 2 * BASELINE_M * 1000 / (counts * STEP_PX)
    assert frame.depth_mm is not None
    np.testing.assert_allclose(frame.depth_mm, _on_image(z_mm, 2, camera)[4:24, 8:48], rtol=1e-6)


def _on_image(z_mm: npt.NDArray[Any], divisor: int, camera: VirtualCamera) -> npt.NDArray[Any]:
    """Each pixel repeated; an image that is no multiple ends in pixels without depth."""
    whole = np.full((camera.spec.height_px, camera.spec.width_px), np.nan)
    for row, column in np.ndindex(*whole.shape):
        place = (row // divisor, column // divisor)
        if place[0] < z_mm.shape[0] and place[1] < z_mm.shape[1]:
            whole[row, column] = z_mm[place]
    return whole


def test_a_disparity_of_the_setup_is_not_switched_on() -> None:
    """As a cell declares it: by its components, without a node of its own."""
    setup = CameraSetup(components=(("Intensity", "Mono10p"), ("Disparity", "Coord3D_C16")))
    with virtual.showing(
        "declared", range_divisor=2, baseline_m=BASELINE_M, range_scale_mm=STEP_PX
    ) as camera:
        own = replace(virtual.settings(camera, *virtual.LINE, setup=setup), depth=True)
        with virtual.opened(own) as source:
            camera.fire()
            frame = virtual.frame(source)
    assert frame.depth_mm is not None
    assert np.array_equal(np.isnan(frame.depth_mm[::2, ::2]), virtual.depth(0, (24, 32)) == 0)
    np.testing.assert_array_equal(frame.image, _grey(camera))


EVERYTHING = (Silent.WIDTH, Silent.HEIGHT, Silent.PIXELFORMAT, Silent.PAYLOADTYPE)


@pytest.mark.parametrize(
    "silent",
    [*((each,) for each in EVERYTHING), EVERYTHING],
    ids=[*(each.name for each in EVERYTHING), "everything"],
)
def test_a_producer_that_answers_little_loses_every_frame(silent: tuple[Silent, ...]) -> None:
    with (
        virtual.showing("silent", silent=silent) as camera,
        virtual.opened(virtual.settings(camera, *_format("Mono12p"))) as source,
    ):
        camera.fire()
        frame = virtual.frame(source)
    np.testing.assert_array_equal(frame.image, virtual.grey(0))


BOTH = (0, 1)


@pytest.mark.parametrize("ways", [(0,), (1,), BOTH])
@pytest.mark.parametrize("interface", [None, *INTERFACES, "Shared memory, the other way"])
def test_a_stranger_or_a_second_network_card_keeps_ours_from_opening(
    interface: str | None, ways: tuple[int, ...]
) -> None:
    """Listed on both interfaces, and beside it a camera that tells no serial number."""
    with (
        VirtualCamera(virtual.spec("stranger", silent=(Silent.SERIAL,), interfaces=ways)),
        virtual.showing("ours", interfaces=BOTH) as camera,
        virtual.opened(virtual.settings(camera, interface=interface)) as source,
    ):
        camera.fire()
        np.testing.assert_array_equal(virtual.frame(source).image, virtual.grey(0))


def test_an_interface_that_does_not_reach_the_camera_is_not_named() -> None:
    seen = re.escape(f"sees it on ['{INTERFACES[1]}'], not on {INTERFACES[0]}")
    with (
        virtual.showing("behind", interfaces=(1,)) as camera,
        pytest.raises(CameraError, match=seen),
        virtual.opened(virtual.settings(camera, interface=INTERFACES[0])),
    ):
        pass


def test_a_camera_in_use_is_opened_over_its_other_interface() -> None:
    """It is one camera, whichever way it is reached."""
    with virtual.showing("used", interfaces=BOTH) as camera, virtual.in_use(camera):
        for interface in (None, *INTERFACES):
            with (
                pytest.raises(CameraError, match="cannot be opened"),
                virtual.opened(virtual.settings(camera, interface=interface)),
            ):
                pass
