"""What a worker is told: ranges are checked, and the way through JSON changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.runtime.cameras.settings import (
    CameraSettings,
    GenicamSettings,
    NetworkSettings,
    NodeSetting,
    settings_from_json,
    settings_to_json,
)
from voxgate.runtime.pixels.coord3d import Coord3dModel, Coordinate, Stereo

NETWORK = NetworkSettings("tcp://127.0.0.1:5557")
PLAIN = GenicamSettings("/opt/vendor/driver.cti", "0815", exposure_us=1_000.0)
FULL = GenicamSettings(
    "/opt/vendor/driver.cti",
    "0815",
    nodes=(NodeSetting("ComponentSelector", "Range"), NodeSetting("ComponentEnable", True)),
    stream_nodes=(NodeSetting("StreamAuxiliaryBufferCount", 4),),
    timestamp="device",
    timestamp_node="ChunkTimestamp",
    timestamp_point="end",
    exposure_node="ChunkExposureTime",
    coord3d=Coord3dModel(c=Coordinate(0.0625, invalid=0.0), stereo=Stereo(1_000.0, 0.16)),
)


@pytest.mark.parametrize("source", [NETWORK, PLAIN, FULL], ids=["network", "plain", "full"])
def test_settings_change_on_their_way_to_the_worker(source: GenicamSettings) -> None:
    settings = CameraSettings("red", source, 640, 480, depth=True, silence_ms=500)
    assert settings_from_json(settings_to_json(settings)) == settings


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Red camera"},
        {"name": ""},
        {"width_px": 0},
        {"height_px": 100_000},
        {"slots": 1},
        {"heartbeat_ms": 1},
        {"backoff_max_ms": 10},
        {"silence_ms": 0},
        {"restarts": -1},
        {"frame_id_bits": 65},
    ],
    ids=str,
)
def test_a_camera_that_cannot_work_is_accepted(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"name": "red", "source": NETWORK, "width_px": 4, "height_px": 3}
    with pytest.raises(ValueError, match="got"):
        CameraSettings(**{**values, "depth": False, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"serial_number": ""},
        {"exposure_us": 1.0, "exposure_node": "ExposureTime"},
        {"exposure_us": None},
        {"exposure_us": -1.0},
        {"exposure_us": float("nan")},
        {"buffers": 3},
        {"timestamp_hz": 0},
        {"max_pause_ms": 0},
    ],
    ids=str,
)
def test_a_genicam_source_that_cannot_work_is_accepted(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"cti": "/a.cti", "serial_number": "1", "exposure_us": 1.0}
    with pytest.raises(ValueError, match=r"got|exactly one"):
        GenicamSettings(**{**values, **change})
