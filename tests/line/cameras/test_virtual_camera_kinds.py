"""Cameras of other kinds through the whole stack: ids of 16 bits, padded and packed lines, and
producers that answer little.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler
from voxgate.runtime.cameras.frame_gate import FrameGate
from voxgate.runtime.cameras.settings import NodeSetting
from voxgate.sim.gentl.link import Fault, Silent
from voxgate.sim.gentl.virtual_camera import VirtualCamera

pytestmark = needs_c_compiler
RANGE = (
    NodeSetting("ComponentSelector", "Range"),
    NodeSetting("ComponentEnable", True),
    NodeSetting("PixelFormat", "Coord3D_C16"),
    NodeSetting("ComponentSelector", "Intensity"),
)


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


@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize("pixel_format", ["Mono8", "Mono12", "Mono12p", "Mono12Packed", "RGB8"])
def test_padded_or_packed_lines_are_shifted(pixel_format: str, padding: int) -> None:
    with (
        virtual.showing("lines", line_padding=padding) as camera,
        virtual.opened(virtual.settings(camera, *_format(pixel_format))) as source,
    ):
        camera.fire()
        frame = virtual.frame(source)
    np.testing.assert_array_equal(frame.image, virtual.grey(0))


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


def test_a_stranger_without_a_serial_number_keeps_ours_from_opening() -> None:
    stranger = virtual.spec("stranger", silent=(Silent.SERIAL,))
    with (
        VirtualCamera(stranger),
        virtual.showing("ours") as camera,
        virtual.opened(virtual.settings(camera)) as source,
    ):
        camera.fire()
        np.testing.assert_array_equal(virtual.frame(source).image, virtual.grey(0))
