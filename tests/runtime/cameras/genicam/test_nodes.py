"""What a camera declares of itself is read as the standard means it. The features are faked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kits.features import Features, Node
from voxgate.runtime.cameras.genicam.nodes import coord3d_from_nodes, frame_id_bits_from_nodes
from voxgate.runtime.errors import CameraError
from voxgate.runtime.pixels.coord3d import depth_mm_from_planes

FOCAL_PX, BASELINE_M = 540.0, 0.065


def disparity(**changes: Any) -> dict[str, Any]:
    values = {
        "Scan3dOutputMode": "DisparityC",
        "Scan3dDistanceUnit": "Pixel",
        "Scan3dCoordinateScale": 0.0625,
        "Scan3dCoordinateOffset": 0.0,
        "Scan3dInvalidDataFlag": True,
        "Scan3dInvalidDataValue": 0.0,
        "Scan3dFocalLength": FOCAL_PX,
        "Scan3dBaseline": BASELINE_M,
    }
    return values | changes


def _z_mm(features: Features, count: int) -> float:
    model = coord3d_from_nodes(features, "camera cam0")
    return float(depth_mm_from_planes({"C": np.array([[count]], np.uint16)}, model)[0, 0])


@pytest.mark.parametrize("unit", ["Pixel", "Millimeter", "Meter", None])
def test_the_baseline_is_taken_for_the_distance_unit(unit: str | None) -> None:
    """SFNC: Scan3dBaseline is in m, whatever the unit of the distances."""
    z_mm = _z_mm(Features(**disparity(Scan3dDistanceUnit=unit)), 60 * 16)
    assert z_mm == pytest.approx(FOCAL_PX * BASELINE_M / 60 * 1000, rel=1e-6)


@pytest.mark.parametrize(("unit", "baseline"), [("mm", 65.0), ("m", 0.065), ("", 0.065)])
def test_a_unit_that_is_written_beside_the_baseline_is_ignored(unit: str, baseline: float) -> None:
    features = Features(**disparity(Scan3dBaseline=Node(baseline, unit=unit)))
    assert _z_mm(features, 60 * 16) == pytest.approx(585.0, rel=1e-6)


def test_the_offset_of_a_disparity_is_added_to_the_depth() -> None:
    features = Features(**disparity(Scan3dCoordinateOffset=20.0))
    assert _z_mm(features, 40 * 16) == pytest.approx(585.0, rel=1e-6)
    assert np.isnan(_z_mm(features, 0))


def test_the_focal_length_of_the_image_is_taken_for_that_of_the_disparity() -> None:
    """At half the resolution a disparity is half as large, and so is its focal length."""
    features = Features(
        {
            "Intensity": {"Scan3dFocalLength": 2 * FOCAL_PX, "Width": 1280},
            "Disparity": {"Scan3dFocalLength": FOCAL_PX, "Width": 640},
        },
        **{k: v for k, v in disparity().items() if k != "Scan3dFocalLength"},
    )
    assert _z_mm(features, 60 * 16) == pytest.approx(585.0, rel=1e-6)


def test_a_component_that_is_off_tells_of_the_one_that_is_on() -> None:
    features = Features(
        {
            "Range": {"Scan3dFocalLength": FOCAL_PX, "ComponentEnable": True},
            "Disparity": {"Scan3dFocalLength": 2 * FOCAL_PX, "ComponentEnable": False},
        },
        **{k: v for k, v in disparity().items() if k != "Scan3dFocalLength"},
    )
    assert _z_mm(features, 60 * 16) == pytest.approx(585.0, rel=1e-6)


def test_a_camera_that_does_not_call_it_disparity_gives_depth_in_pixels() -> None:
    features = Features(**{k: v for k, v in disparity().items() if k != "Scan3dOutputMode"})
    assert _z_mm(features, 60 * 16) == pytest.approx(585.0, rel=1e-6)


def test_disparity_without_a_baseline_is_served() -> None:
    features = Features(**{k: v for k, v in disparity().items() if k != "Scan3dBaseline"})
    with pytest.raises(CameraError, match="Scan3dBaseline: give coord3d with stereo"):
        coord3d_from_nodes(features, "camera cam0")


def test_calibrated_depth_in_pixels_is_served() -> None:
    features = Features(Scan3dOutputMode="CalibratedABC_Grid", Scan3dDistanceUnit="Pixel")
    with pytest.raises(CameraError, match="Scan3dDistanceUnit is Pixel"):
        coord3d_from_nodes(features, "camera cam0")


@pytest.mark.parametrize(
    ("features", "tl_type", "bits"),
    [
        (Features(DeviceTLType="GigEVision"), "Custom", 16),
        (Features(DeviceTLType="GigEVision", GevGVSPExtendedIDMode="On"), "GEV", 64),
        (Features(DeviceTLType="GigEVision", GevGVSPExtendedIDMode="Off"), "GEV", 16),
        (Features(DeviceTLType="USB3Vision"), "Mixed", None),
        (Features(), "GEV", 16),
        (Features(), "U3V", None),
        (Features(), "", None),
    ],
)
def test_the_transport_s_ids_are_guessed(features: Features, tl_type: str, bits: int) -> None:
    assert frame_id_bits_from_nodes(features, tl_type) == bits
