"""A buffer of a producer that answers little is read where the camera's features tell the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.kits.features import Features
from tests.kits.packer import packed_image
from voxgate.runtime.cameras.genicam.binding import dict_by_ints, gentl
from voxgate.runtime.cameras.genicam.buffer import (
    Announced,
    announced_from_nodes,
    components_from_buffer,
    frame_id,
)
from voxgate.runtime.pixels.coord3d import Coord3dModel, Coordinate

PFNC = {name: value for value, name in dict_by_ints.items()}
IMAGE, MULTI_PART = 1, 10
WIDTH, HEIGHT = 7, 5
GREY = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
CAMERA = Announced(WIDTH, HEIGHT, "Mono8")


class Told:
    """A buffer or part of so many answers; to every other question there is none."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        if name in self._answers:
            return self._answers[name]
        raise gentl.NotImplementedException(name)


def _buffer(data: bytes, **changes: Any) -> Told:
    answers = {
        "raw_buffer": data,
        "size_filled": len(data),
        "payload_type": IMAGE,
        "width": WIDTH,
        "height": HEIGHT,
        "pixel_format": PFNC["Mono8"],
    } | changes
    return Told(**{name: value for name, value in answers.items() if value is not None})


SILENT = ("payload_type", "width", "height", "pixel_format", "size_filled")


@pytest.mark.parametrize(
    "silent", [*((name,) for name in SILENT), SILENT], ids=[*SILENT, "everything"]
)
def test_what_the_producer_does_not_answer_loses_the_frame(silent: tuple[str, ...]) -> None:
    buffer = _buffer(GREY.tobytes(), **dict.fromkeys(silent))
    np.testing.assert_array_equal(
        components_from_buffer(buffer, CAMERA).picture(colour=False), GREY
    )


@pytest.mark.parametrize("silent", ["width", "height", "pixel_format"])
def test_a_size_of_0_is_believed(silent: str) -> None:
    buffer = _buffer(GREY.tobytes(), **{silent: 0})
    np.testing.assert_array_equal(
        components_from_buffer(buffer, CAMERA).picture(colour=False), GREY
    )


def test_a_height_that_is_told_as_delivered_only_loses_the_frame() -> None:
    buffer = _buffer(GREY.tobytes(), height=0, delivered_image_height=HEIGHT)
    np.testing.assert_array_equal(components_from_buffer(buffer).picture(colour=False), GREY)


def test_a_picture_of_which_nobody_tells_the_size_is_guessed() -> None:
    buffer = _buffer(GREY.tobytes(), width=None)
    with pytest.raises(ValueError, match="neither producer nor camera tells"):
        components_from_buffer(buffer)


def test_another_payload_is_taken_for_an_image() -> None:
    with pytest.raises(ValueError, match="payload type 6 carries no image"):
        components_from_buffer(_buffer(GREY.tobytes(), payload_type=6), CAMERA)


def test_a_producer_that_numbers_no_frames_is_believed() -> None:
    assert frame_id(_buffer(b"")) is None
    assert frame_id(_buffer(b"", frame_id=0)) == 0


def test_the_camera_s_own_size_is_not_asked_for() -> None:
    features = Features(Width=WIDTH, Height=HEIGHT, PixelFormat="Mono8")
    assert announced_from_nodes(features) == CAMERA
    assert announced_from_nodes(Features()) == Announced()


def test_the_size_of_the_disparity_is_taken_for_that_of_the_image() -> None:
    features = Features(
        {
            "Disparity": {"Width": 3, "Height": 2, "PixelFormat": "Coord3D_C16"},
            "Intensity": {"Width": WIDTH, "Height": HEIGHT, "PixelFormat": "Mono8"},
        }
    )
    assert announced_from_nodes(features) == CAMERA


@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("packing", ["8", "10p", "12p", "10Packed", "12Packed"])
def test_the_padding_of_a_buffer_is_ignored(padding: int, packing: str) -> None:
    shift = 0 if packing == "8" else int(packing[:2]) - 8
    data = packed_image((GREY.astype(int) << shift).tolist(), packing, padding)
    buffer = _buffer(data, pixel_format=PFNC[f"Mono{packing}"], padding_x=padding)
    np.testing.assert_array_equal(components_from_buffer(buffer).picture(colour=False), GREY)


# multi-part


def _parts(depth: npt.NDArray[np.uint16], told: bool, **depth_part: Any) -> Told:
    image = Told(
        width=8, height=6, data_format=PFNC["Mono8"], data_offset=0, x_offset=0, y_offset=0
    )
    height, width = depth.shape
    answers = {"width": width, "height": height, "data_offset": 64} | depth_part
    disparity = Told(data_format=PFNC["Coord3D_C16"], **answers)
    data = bytes(64) + depth.tobytes()
    more = {"payload_type": MULTI_PART} if told else {}
    return Told(raw_buffer=data, size_filled=len(data), parts=(image, disparity), **more)


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_disparity_of_half_the_resolution_is_refused(told: bool) -> None:
    counts = np.arange(100, 112, dtype=np.uint16).reshape(3, 4)
    parts = components_from_buffer(_parts(counts, told))
    depth_mm = parts.depth_mm(Coord3dModel(c=Coordinate(0.5)))
    assert depth_mm is not None
    np.testing.assert_array_equal(depth_mm, counts.repeat(2, axis=0).repeat(2, axis=1) * 0.5)
    assert parts.picture(colour=False).shape == depth_mm.shape


def test_a_region_of_depth_lands_elsewhere() -> None:
    counts = np.full((5, 6), 300, np.uint16)
    parts = components_from_buffer(_parts(counts, True, x_offset=2, y_offset=1))
    depth_mm = parts.depth_mm(Coord3dModel())
    assert depth_mm is not None
    assert np.isnan(depth_mm[0]).all()
    assert np.isnan(depth_mm[:, :2]).all()
    assert (depth_mm[1:, 2:] == 300).all()
