"""A calibration that could put a pixel in the wrong place must not load."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kits import rig
from tests.kits.repository import ROOT
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.rays import Rays

EXAMPLE = ROOT / "examples" / "bracket" / "calibration.json"


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(EXAMPLE.read_text())
    return document


def _load(tmp_path: Path, document: object) -> Calibration:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(document))
    return Calibration.load(path)


def test_the_example_is_read_as_it_stands() -> None:
    calibration = Calibration.load(EXAMPLE)
    assert (calibration.part, calibration.width_px, calibration.height_px) == ("bracket", 800, 600)
    assert calibration.camera_matrix[0, 0] == 1196.4749437174783
    assert calibration.distortion.shape == (5,)
    assert calibration.depth_unit_mm == 0.05
    assert (calibration.camera_tick_hz, calibration.readout_ns) == (1_000_000_000, 18_000_000)
    assert len(calibration.planned) == 12


def test_camera_is_placed_through_hand_eye_and_fixture() -> None:
    calibration = Calibration.load(EXAMPLE)
    part_from_camera = calibration.planned[3]
    base_from_flange = (
        calibration.mounting.part @ part_from_camera @ np.linalg.inv(calibration.mounting.camera)
    )
    np.testing.assert_allclose(
        calibration.part_from_camera(base_from_flange), part_from_camera, atol=1e-9
    )


@pytest.mark.parametrize(
    ("tick_hz", "ticks", "ns"),
    [(1_000_000_000, 3024652362693, 3024652362693), (125_000_000, 7, 56), (3, 2, 666_666_667)],
)
def test_ticks_become_ns_without_losing_digits(
    tmp_path: Path, tick_hz: int, ticks: int, ns: int
) -> None:
    document = _document()
    document["timing"]["camera_tick_hz"] = tick_hz
    assert _load(tmp_path, document).ns_from_ticks(ticks) == ns


def _changed(keys: tuple[str | int, ...], value: object) -> dict[str, Any]:
    document = _document()
    at: Any = document
    for key in keys[:-1]:
        at = at[key]
    if value is Ellipsis:
        del at[keys[-1]]
    else:
        at[keys[-1]] = value
    return document


MIRROR = np.diag([1.0, 1.0, -1.0, 1.0]).tolist()
HALVED = [[598.0, 0.0, 199.5], [0.0, 598.0, 149.5], [0.0, 0.0, 1.0]]
STRETCHED = np.diag([1.0, 1.0, 1.2, 1.0]).tolist()


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("K",), ..., "K is missing"),
        (("K", 0, 0), -1196.0, "fx, fy > 0"),
        (("K", 0, 2), 4000.0, "principal point"),
        (("K", 0, 2), "400", "K must be 3 x 3 finite numbers"),
        (("K",), HALVED, "K seems to be of pictures of some 400 x 300 px"),
        (("distortion",), [0.0] * 4, "distortion must be 5 finite numbers"),
        (("image_size", "width"), 800.5, "image_size.width must be a whole number"),
        (("image_size", "height"), 0, "image_size.height must be a whole number from 1"),
        (("units", "depth_unit_mm"), 0.0, "units.depth_unit_mm must be a number"),
        (("units", "length"), "m", 'units.length must be "mm"'),
        (("T_flange_cam",), MIRROR, "T_flange_cam: a transform must not mirror"),
        (("T_base_part",), STRETCHED, "T_base_part: the rotation"),
        (("timing", "camera_tick_hz"), True, "timing.camera_tick_hz must be a whole number"),
        (("timing", "frame_readout_s"), -0.1, "timing.frame_readout_s must be a number"),
        (("views", 2, "view"), 7, "views[2].view must be 2"),
        (("views", 1), 3, "views[1] must be an object"),
        (("views", 1, "T_part_cam_nominal"), STRETCHED, "views[1].T_part_cam_nominal"),
        (("part",), "", "part must be a text"),
        (("schema_version",), 2, "schema_version 2 is unknown"),
        (("units", "angle"), "deg", 'units.angle must be "rad"'),
        # said and not acted on would be a pixel in the wrong place
        (("T_cam_sensor",), np.eye(4).tolist(), "T_cam_sensor says that depth comes from a sensor"),
        (("sensor",), {"K": 1}, "T_cam_sensor must stand once"),
        (("sensor",), {"light": 5}, "sensor.light is not served"),
        (("lens_model",), "pinhole", "lens_model must be brown, rational, fisheye"),
        (("lens_model",), "fisheye", "distortion must be 4 finite numbers"),
        (("cameras",), [{}, {}], "one calibration for each camera"),
        (("T_base_cam",), np.eye(4).tolist(), "T_base_cam is of another mounting"),
        (("rolling_shutter_s",), 0.02, '"rolling_shutter_s" is no key of a calibration'),
    ],
)
def test_a_wrong_value_is_one_line_with_file_and_key(
    tmp_path: Path, keys: tuple[str | int, ...], value: object, said: str
) -> None:
    with pytest.raises(CalibrationError) as caught:
        _load(tmp_path, _changed(keys, value))
    message = str(caught.value)
    assert said in message
    assert "calibration.json: " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[1, 2]", "expected a JSON object"),
        ('{"part": NaN}', "must be finite, got NaN"),
        ('{"part": 1e999}', "must be finite, got 1e999"),
        ('{"part": "a", "part": "b"}', 'the key "part" stands twice'),
        ('{\n"part": }', "not JSON: Expecting value at line 2"),
        ("[" * 100_000, "not JSON"),
        ("\udcff", "utf-8"),
    ],
)
def test_what_is_not_a_json_object_of_finite_numbers_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CalibrationError, match=said) as caught:
        Calibration.load(path)
    assert "\n" not in str(caught.value)


def test_missing_huge_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no such file"):
        Calibration.load(tmp_path / "calibration.json")
    with pytest.raises(CalibrationError, match="cannot be read"):
        Calibration.load(tmp_path)
    huge = tmp_path / "huge.json"
    huge.write_bytes(b" " * (1 << 21))
    with pytest.raises(CalibrationError, match="larger than"):
        Calibration.load(huge)


def test_a_part_of_the_chip_is_taken_for_another_size_of_picture(tmp_path: Path) -> None:
    region = {"offset_x": 400, "offset_y": 300}
    _load(tmp_path, _changed(("K",), HALVED) | {"region": region})


def test_digest_follows_every_number_that_places_a_pixel_and_no_other(tmp_path: Path) -> None:
    original = _load(tmp_path, _document()).digest
    for keys, value in (
        (("K", 0, 0), 1196.4749437174785),
        (("K", 1, 2), 301.0),
        (("distortion", 4), 0.0),
        (("T_flange_cam", 0, 3), -61.0),
        (("T_base_part", 2, 3), 107.0),
        (("units", "depth_unit_mm"), 0.1),
        (("image_size", "width"), 801),
    ):
        assert _load(tmp_path, _changed(keys, value)).digest != original, keys
    same = copy.deepcopy(_document())
    same["title"] = "another title"
    same["views"] = []
    same["T_base_part"][3][0] = -0.0
    assert _load(tmp_path, same).digest == original


def test_a_reduced_picture_looks_elsewhere_than_the_camera() -> None:
    """The middle of a block is where its one pixel looks."""
    known = Calibration.load(EXAMPLE)
    whole, reduced = Rays.from_calibration(known), Rays.from_calibration(known.reduced(3))
    assert reduced.x.shape == (200, 266)
    assert np.allclose(reduced.x, whole.x[1::3, 1:798:3], atol=1e-6)
    assert np.allclose(reduced.y, whole.y[1::3, 1:798:3], atol=1e-6)
    assert known.reduced(3).digest == known.digest


def _rig(**changes: object) -> dict[str, Any]:
    found = rig.document()
    found["sensor"] |= changes
    return found


MOVED = (rig.camera_from_sensor() + np.eye(4, k=3) * 0.5).tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {"T_cam_sensor": MOVED},
        {"K": [[421.0, 0, 153.0], [0, 420.0, 108.0], [0, 0, 1]]},
        {"distortion": [0.0] * 5},
        {"image_size": {"width": 301, "height": 220}},
        {"depth_unit_mm": 0.1},
        {"lens_model": "fisheye", "distortion": [0.0] * 4},
    ],
)
def test_another_sensor_is_another_calibration(tmp_path: Path, changes: dict[str, object]) -> None:
    assert _load(tmp_path, _rig(**changes)).digest != _load(tmp_path, _rig()).digest


def test_depth_in_the_cameras_unit_beside_a_sensor_is_refused(tmp_path: Path) -> None:
    document = _rig()
    document["units"]["depth_unit_mm"] = 0.05
    with pytest.raises(CalibrationError, match=r"units.depth_unit_mm beside a sensor"):
        _load(tmp_path, document)


def test_sensor_is_placed_through_the_camera_that_it_hangs_beside(tmp_path: Path) -> None:
    document = _rig()
    pose = document["sensor"].pop("T_cam_sensor")  # beside it, as `calib sensor` writes it
    whole, parted = _load(tmp_path, _rig()), _load(tmp_path, document | {"T_cam_sensor": pose})
    assert whole.digest == parted.digest
    base_from_flange = Calibration.load(EXAMPLE).planned[3]  # any pose will do
    np.testing.assert_allclose(
        whole.of_depth.part_from_camera(base_from_flange),
        whole.part_from_camera(base_from_flange) @ rig.camera_from_sensor(),
        atol=1e-9,
    )
