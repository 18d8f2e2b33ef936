"""A cell's YAML reaches the camera worker: a value that got lost on the way would be a default."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.kits import rig
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.from_config import camera_settings
from voxgate.runtime.cameras.settings import (
    CameraSettings,
    GenicamSettings,
    NetworkSettings,
    settings_from_json,
    settings_to_json,
)
from voxgate.runtime.config.cameras import (
    Camera,
    CameraSection,
    Coord3dSection,
    GenicamCamera,
    NetworkCamera,
)
from voxgate.runtime.config.fields import Section
from voxgate.runtime.config.sections import CellConfig, Journal, Recipes, Sockets
from voxgate.runtime.errors import ConfigError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.pixels.coord3d import Coord3dModel, Coordinate, Stereo

CALIBRATION = Calibration.load(ROOT / "examples/bracket/calibration.json")
SOCKETS = Sockets(
    poses="ipc:///tmp/poses", commands="ipc:///tmp/commands", verdicts="ipc:///tmp/verdicts"
)
GENICAM = {"source": "genicam", "producer": "/a.cti", "serial_number": "1", "exposure_us": 900.0}


def _settings(**values: Any) -> CameraSettings:
    camera: Camera = TypeAdapter(Camera).validate_python({"name": "cam0", **values}, strict=False)
    config = CellConfig(
        schema_version=1,
        cell="test",
        is_simulated=True,
        calibration=Path("calibration.json"),
        recipes=Recipes(folder=Path("recipes")),
        cameras=(camera,),
        sockets=SOCKETS,
        journal=Journal(path=Path("journal.sqlite")),
    )
    (settings,) = camera_settings(config, {camera.name: CALIBRATION})
    return settings


def _cell(sensor: Camera | None) -> CellConfig:
    camera: Camera = TypeAdapter(Camera).validate_python(
        {"name": "cam0", "source": "network", "endpoint": "ipc:///tmp/a"}
    )
    return CellConfig(
        schema_version=1,
        cell="test",
        is_simulated=True,
        calibration=Path("calibration.json"),
        recipes=Recipes(folder=Path("recipes")),
        cameras=(camera,),
        sensor=sensor,
        sockets=SOCKETS,
        journal=Journal(path=Path("journal.sqlite")),
    )


SENSOR = NetworkCamera(name="sensor0", source="network", endpoint="ipc:///tmp/b")


def _settings_of(config: CellConfig, known: Calibration) -> list[CameraSettings]:
    return camera_settings(config, {config.cameras[0].name: known})


def test_frames_of_a_sensor_are_held_against_the_camera_s_size() -> None:
    camera, sensor = _settings_of(_cell(SENSOR), rig.calibration())
    assert (camera.width_px, camera.height_px, camera.depth) == (320, 240, False)
    assert (sensor.width_px, sensor.height_px, sensor.depth) == (*rig.SENSOR_PX, True)
    assert (camera.device, sensor.device) == ("camera", "sensor")
    assert settings_from_json(settings_to_json(sensor)) == sensor


@pytest.mark.parametrize(
    ("sensor", "known", "said"),
    [
        (None, rig.calibration(), "name it under `sensor`"),
        (SENSOR, CALIBRATION, "knows of none: `voxgate calib sensor`"),
    ],
)
def test_depth_of_a_sensor_is_read_as_the_camera_s_or_the_other_way_round(
    sensor: Camera | None, known: Calibration, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        _settings_of(_cell(sensor), known)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("camera", r"cameras\[0\].serial_number: 1: .* is of 2: mount that one"),
        ("sensor", r"sensor.serial_number: 1: .* is of 2: mount that one"),
    ],
)
def test_another_camera_than_the_calibrated_one_is_served(place: str, said: str) -> None:
    device: GenicamCamera = TypeAdapter(GenicamCamera).validate_python(
        {"name": place, **GENICAM}, strict=False
    )
    own = rig.document()
    (own if place == "camera" else own["sensor"])["serial_number"] = "2"
    known = rig.calibration_of(own)
    cell = _cell(SENSOR)
    cell = cell.model_copy(
        update={"cameras": (device,)} if place == "camera" else {"sensor": device}
    )
    with pytest.raises(ConfigError, match=said):
        _settings_of(cell, known)
    assert known.digest != rig.calibration().digest  # so that a recipe refuses it too


def test_two_cameras_sit_in_one_place() -> None:
    """A calibration that was copied to begin with, and left so."""
    told = [
        {"name": name, "source": "network", "endpoint": f"ipc:///tmp/{name}", "calibration": name}
        for name in ("left", "right")
    ]
    adapter: TypeAdapter[Camera] = TypeAdapter(Camera)
    cameras = tuple(adapter.validate_python(each, strict=False) for each in told)
    config = _cell(None).model_copy(update={"cameras": cameras})
    with pytest.raises(ConfigError, match="has every number of camera left's, as a copy has"):
        camera_settings(config, {"left": CALIBRATION, "right": replace(CALIBRATION)})


def test_a_serial_number_that_no_frame_tells_is_ignored() -> None:
    own = rig.document()
    own["sensor"]["serial_number"] = "2"
    with pytest.raises(ConfigError, match="frames by network tell none"):
        _settings_of(_cell(SENSOR), rig.calibration_of(own))


def _genicam(**values: Any) -> GenicamSettings:
    source = _settings(**GENICAM, **values).source
    assert isinstance(source, GenicamSettings)
    return source


def test_a_vendor_s_3d_is_read_with_another_model_than_the_cell_s() -> None:
    given = {
        "a": {"invalid": -1.0},
        "b": {"invalid": -2.0},
        "c": {"scale": 0.0625, "offset": 3.0, "invalid": 65535.0},
        "unit_mm": 1000.0,
        "zero_is_invalid": False,
        "min_confidence": 7.0,
        "stereo": {"focal_px": 1081.0, "baseline": 0.16},
    }
    assert _genicam(coord3d=given).coord3d == Coord3dModel(
        Coordinate(invalid=-1.0),
        Coordinate(invalid=-2.0),
        Coordinate(0.0625, 3.0, 65535.0),
        1000.0,
        zero_is_invalid=False,
        min_confidence=7.0,
        stereo=Stereo(1081.0, 0.16),
    )


def test_an_empty_3d_section_is_the_cautious_model_and_none_asks_the_camera() -> None:
    assert _genicam(coord3d={}).coord3d == Coord3dModel()
    assert _genicam().coord3d is None


@pytest.mark.parametrize(
    "given",
    [
        {"c": {"scale": 0.0}},
        {"c": {"scale": float("nan")}},
        {"a": {"scale": 2.0}},
        {"unit_mm": 0.0},
        {"min_confidence": -1.0},
        {"stereo": {"focal_px": 1000.0}},
        {"stereo": {"focal_px": 1000.0, "baseline": 0.0}},
    ],
    ids=str,
)
def test_a_3d_model_that_cannot_be_is_accepted(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Coord3dSection.model_validate(given)


def test_a_value_of_the_cell_does_not_reach_its_worker() -> None:
    common = {"slots": 5, "start_ms": 700, "heartbeat_ms": 600, "silence_ms": 40, "restarts": 3}
    more = {"restart_window_s": 50, "backoff_ms": 11, "backoff_max_ms": 99, "frame_id_bits": 16}
    settings = _settings(source="network", endpoint="ipc:///tmp/frames", **common, **more)
    assert {name: getattr(settings, name) for name in (common | more)} == common | more
    assert settings.source == NetworkSettings("ipc:///tmp/frames")
    own = {"max_pause_ms": 9, "buffers": 7, "timestamp": "arrival", "timestamp_point": "end"}
    source = _genicam(**own)
    assert {name: getattr(source, name) for name in own} == own


def test_a_frame_without_depth_is_let_through() -> None:
    assert _settings(source="network", endpoint="ipc:///tmp/frames").depth


@pytest.mark.parametrize(
    ("section", "settings"), [(CameraSection, CameraSettings), (GenicamCamera, GenicamSettings)]
)
def test_a_default_of_the_cell_differs_from_the_worker_s(
    section: type[Section], settings: type[Any]
) -> None:
    told = {field.name: field.default for field in fields(settings)}
    for name, field in section.model_fields.items():
        if not field.is_required() and told.get(name, MISSING) is not MISSING:
            assert field.default == told[name], name
