"""Each vendor's way of sending 3D, and of saying that there was none, becomes mm and NaN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kits.packer import PACKINGS, packed_image
from voxgate.runtime.pixels.coord3d import (
    Coord3dModel,
    Coordinate,
    Plane,
    Stereo,
    confidence_from_bytes,
    depth_mm_from_planes,
    is_coordinate_format,
    planes_from_bytes,
)

NAN = float("nan")
# a 2 x 3 grid: x, y and z in mm; the last point has no return
X = np.array([[10, 11, 12], [13, 14, 15]], dtype=np.float32)
Y = np.array([[20, 21, 22], [23, 24, 25]], dtype=np.float32)
Z = np.array([[500, 501, 502], [503, 504, 505]], dtype=np.float32)
XYZ = np.stack([X, Y, Z], axis=2)
EXPECTED = Z.copy()
EXPECTED[1, 2] = np.nan


def _bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), dtype=np.uint8)


def _with_last(array: npt.NDArray[Any], value: float) -> npt.NDArray[Any]:
    changed: npt.NDArray[Any] = array.copy()
    changed[1, 2] = value
    return changed


@dataclass(frozen=True)
class Vendor:
    """The parts a sensor sends, and how its cell is configured."""

    name: str
    parts: list[tuple[str, npt.NDArray[Any]]]
    model: Coord3dModel


# Gocator: 16-bit heights around the middle of the range, 0 means no point
GOCATOR_STEP_MM = 0.5
gocator_counts = _with_last((Z / GOCATOR_STEP_MM + 32768).astype(np.uint16), 0)
# rc_visard: disparity in 1/16 px, f = 1000 px, b = 0.16 m
RC_FOCAL_PX, RC_BASELINE_M = 1000.0, 0.16
RC_DEPTHS_M = np.array([[0.5, 0.64, 0.8], [1.0, 1.6, 2.0]], dtype=np.float32)
rc_counts = _with_last((RC_FOCAL_PX * RC_BASELINE_M / RC_DEPTHS_M / 0.0625).astype(np.uint16), 0)

HELIOS = Coordinate(0.25, 0.0, 65535.0)
VENDORS = [
    Vendor(
        "Basler blaze, ABC32f interleaved, 0 in all three",
        [("Coord3D_ABC32f", _with_last(XYZ, 0))],
        Coord3dModel(),
    ),
    Vendor(
        "Ensenso, ABC32f interleaved, NaN",
        [("Coord3D_ABC32f", _with_last(XYZ, NAN))],
        Coord3dModel(),
    ),
    Vendor(
        "one infinite coordinate",
        [("Coord3D_ABC32f", _with_last(XYZ, float("inf")))],
        Coord3dModel(),
    ),
    Vendor(
        "viky, planar as three parts",
        [
            ("Coord3D_A32f", _with_last(X, 0)),
            ("Coord3D_B32f", _with_last(Y, 0)),
            ("Coord3D_C32f", _with_last(Z, 0)),
        ],
        Coord3dModel(),
    ),
    Vendor(
        "planar in one part",
        [("Coord3D_ABC32f_Planar", np.stack([X, Y, _with_last(Z, NAN)]))],
        Coord3dModel(),
    ),
    Vendor(
        "flagged value in C only, not representable exactly",
        [("Coord3D_ABC32f", np.stack([X, Y, _with_last(Z, -9999.9)], axis=2))],
        Coord3dModel(c=Coordinate(invalid=-9999.9)),
    ),
    Vendor(
        "flagged value in A",
        [("Coord3D_ABC32f", np.stack([_with_last(X, -1), Y, Z], axis=2))],
        Coord3dModel(a=Coordinate(invalid=-1)),
    ),
    Vendor(
        "metres",
        [("Coord3D_ABC32f", _with_last(XYZ / 1000, NAN))],
        Coord3dModel(unit_mm=1000.0),
    ),
    Vendor(
        "LUCID Helios, ABC16 at 0.25 mm, flagged 65535",
        [("Coord3D_ABC16", _with_last(XYZ * 4, 65535).astype(np.uint16))],
        Coord3dModel(HELIOS, HELIOS, HELIOS),
    ),
    Vendor(
        "SICK Ranger, AC16 planar",
        [("Coord3D_AC16_Planar", np.stack([X, _with_last(Z, 0)]).astype(np.uint16))],
        Coord3dModel(c=Coordinate(invalid=0.0)),
    ),
    Vendor(
        "AC16 interleaved",
        [("Coord3D_AC16", np.stack([X, _with_last(Z, 0)], axis=2).astype(np.uint16))],
        Coord3dModel(c=Coordinate(invalid=0.0)),
    ),
    Vendor(
        "blaze Coord3D_C16 with scale and offset, undeclared 0",
        [("Coord3D_C16", _with_last((Z - 100) * 10, 0).astype(np.uint16))],
        Coord3dModel(c=Coordinate(0.1, 100.0)),
    ),
    Vendor(
        "LMI Gocator heights, 0",
        [("Coord3D_C16", gocator_counts)],
        Coord3dModel(c=Coordinate(GOCATOR_STEP_MM, -32768 * GOCATOR_STEP_MM, 0.0)),
    ),
    Vendor(
        "C32f, NaN",
        [("Coord3D_C32f", _with_last(Z, NAN))],
        Coord3dModel(),
    ),
    Vendor(
        "Confidence8 of 0",
        [("Coord3D_ABC32f", XYZ), ("Confidence8", _with_last(np.full((2, 3), 9, np.uint8), 0))],
        Coord3dModel(),
    ),
    Vendor(
        "Confidence16 below the configured limit",
        [
            ("Coord3D_ABC32f", XYZ),
            ("Confidence16", _with_last(np.full((2, 3), 900, np.uint16), 499)),
        ],
        Coord3dModel(min_confidence=500),
    ),
]


def _read(parts: list[tuple[str, npt.NDArray[Any]]]) -> tuple[dict[str, Plane], Plane | None]:
    planes: dict[str, Plane] = {}
    confidence = None
    for name, array in parts:
        if is_coordinate_format(name):
            planes |= planes_from_bytes(name, _bytes(array), 3, 2)
        else:
            confidence = confidence_from_bytes(name, _bytes(array), 3, 2)
    return planes, confidence


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_vendor_s_invalid_is_taken_for_a_depth(vendor: Vendor) -> None:
    planes, confidence = _read(vendor.parts)
    depth_mm = depth_mm_from_planes(planes, vendor.model, confidence)
    assert depth_mm.dtype == np.float32
    np.testing.assert_allclose(depth_mm, EXPECTED, rtol=1e-5)


def test_disparity_is_taken_for_depth() -> None:
    model = Coord3dModel(
        c=Coordinate(0.0625), unit_mm=1000.0, stereo=Stereo(RC_FOCAL_PX, RC_BASELINE_M)
    )
    planes, _ = _read([("Coord3D_C16", rc_counts)])
    depth_mm = depth_mm_from_planes(planes, model)
    expected_mm = _with_last(RC_DEPTHS_M * 1000, NAN)
    np.testing.assert_allclose(depth_mm, expected_mm, rtol=2e-3)


@pytest.mark.parametrize(("bits", "values"), [(12, [0xABC, 0x123, 0xFFF]), (10, [1, 0x3FF, 0x2A5])])
def test_packed_coordinates_are_misread(bits: int, values: list[int]) -> None:
    packed = sum(value << (bits * i) for i, value in enumerate(values))
    data = np.frombuffer(packed.to_bytes(8, "little"), dtype=np.uint8)
    planes = planes_from_bytes(f"Coord3D_C{bits}p", data, 3, 1)
    assert planes["C"].tolist() == [values]


def test_a_true_zero_in_one_coordinate_is_thrown_away() -> None:
    planes = planes_from_bytes("Coord3D_ABC32f", _bytes(np.array([[[0, 0, 7]]], np.float32)), 1, 1)
    assert depth_mm_from_planes(planes, Coord3dModel()).tolist() == [[7.0]]


def test_zero_is_kept_where_the_sensor_means_it() -> None:
    planes = planes_from_bytes("Coord3D_C16", np.zeros(2, np.uint8), 1, 1)
    model = Coord3dModel(c=Coordinate(1.0, 50.0), zero_is_invalid=False)
    assert depth_mm_from_planes(planes, model).tolist() == [[50.0]]


@pytest.mark.parametrize("z_mm", [0.0, -0.0, -1.0, -500.0, -np.inf])
def test_what_lies_behind_the_sensor_is_taken_for_surface(z_mm: float) -> None:
    """Some mark no return in z alone: x and y of the ray are sent all the same."""
    cloud = np.array([[[3, 4, z_mm], [3, 4, 7]]], np.float32)
    planes = planes_from_bytes("Coord3D_ABC32f", _bytes(cloud), 2, 1)
    np.testing.assert_equal(depth_mm_from_planes(planes, Coord3dModel()), [[NAN, 7.0]])


def test_counts_that_an_offset_brings_to_zero_are_taken_for_surface() -> None:
    planes = planes_from_bytes("Coord3D_C16", _bytes(np.array([[100, 5000]], np.uint16)), 2, 1)
    depth_mm = depth_mm_from_planes(planes, Coord3dModel(c=Coordinate(0.5, -50.0)))
    np.testing.assert_equal(depth_mm, [[NAN, 2450.0]])


def test_a_short_or_foreign_part_is_read_anyway() -> None:
    with pytest.raises(ValueError, match="needs 12 bytes, got 8"):
        planes_from_bytes("Coord3D_C16", np.zeros(8, np.uint8), 3, 2)
    with pytest.raises(ValueError, match="Coord3D_ABCY16 is not"):
        planes_from_bytes("Coord3D_ABCY16", np.zeros(64, np.uint8), 2, 2)
    with pytest.raises(ValueError, match="Confidence2p is not"):
        confidence_from_bytes("Confidence2p", np.zeros(64, np.uint8), 2, 2)


@pytest.mark.parametrize("packing", ["8", "16", "10p", "12p"])
@pytest.mark.parametrize("letters", ["C", "AC", "ABC"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize("width", [4, 7])
def test_packed_coordinates_with_line_padding_are_shifted(
    packing: str, letters: str, planar: bool, padding: int, width: int
) -> None:
    bits = PACKINGS[packing].bits
    random = np.random.default_rng(width + padding)
    values = random.integers(0, 1 << bits, (3, width, len(letters)))
    lines = np.moveaxis(values, 2, 0).reshape(-1, width) if planar else values.reshape(3, -1)
    data = np.frombuffer(packed_image(lines.tolist(), packing, padding) + b"more", np.uint8)
    name = f"Coord3D_{letters}{packing}{'_Planar' if planar else ''}"
    planes = planes_from_bytes(name, data, width, 3, padding)
    for place, letter in enumerate(letters):
        np.testing.assert_array_equal(planes[letter], values[:, :, place])


@pytest.mark.parametrize("padding", [0, 1])
def test_a_bit_of_confidence_is_read_from_its_neighbour(padding: int) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 11))
    run = bits.reshape(1, -1) if padding == 0 else bits
    lines = [np.packbits(line.astype(bool), bitorder="little").tobytes() for line in run]
    data = np.frombuffer(b"".join(line + b"\xa5" * padding for line in lines), np.uint8)
    read = confidence_from_bytes("Confidence1p", data, 11, 3, padding)
    np.testing.assert_array_equal(read, bits)


def test_components_of_different_size_are_combined() -> None:
    planes: dict[str, Plane] = {"C": np.ones((2, 3), np.float32)}
    with pytest.raises(ValueError, match="one shape"):
        depth_mm_from_planes(planes, Coord3dModel(), np.ones((3, 2), np.uint8))


def test_depth_is_made_up_from_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="depth needs coordinate C"):
        depth_mm_from_planes({"A": np.ones((1, 1), np.float32)}, Coord3dModel())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Coordinate(scale=0.0),
        lambda: Coordinate(scale=NAN),
        lambda: Coordinate(offset=float("inf")),
        lambda: Stereo(0.0, 1.0),
        lambda: Coord3dModel(unit_mm=0.0),
    ],
)
def test_a_model_that_cannot_be_is_accepted(make: Any) -> None:
    with pytest.raises(ValueError, match=r"positive|finite"):
        make()


@given(st.binary(min_size=24, max_size=24), st.sampled_from(["Coord3D_C32f", "Coord3D_ABC16"]))
def test_any_bytes_give_a_finite_depth_or_nan(data: bytes, pixel_format: str) -> None:
    width, height = (3, 2) if pixel_format == "Coord3D_C32f" else (2, 2)
    planes = planes_from_bytes(pixel_format, np.frombuffer(data, np.uint8), width, height)
    depth_mm = depth_mm_from_planes(planes, Coord3dModel())
    assert depth_mm.shape == (height, width)
    assert not np.isinf(depth_mm).any()
