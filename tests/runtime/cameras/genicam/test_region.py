"""A picture from elsewhere on the chip is one through another lens: the camera is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kits import rig
from tests.kits.features import Features
from voxgate.runtime.cameras.genicam.region import check_region
from voxgate.runtime.cameras.settings import CameraSettings, NetworkSettings, NodeSetting
from voxgate.runtime.errors import CalibrationError, CameraError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.region import Region

SOURCE = NetworkSettings("ipc:///tmp/frames")
SET_UP = CameraSettings("cam0", SOURCE, 64, 48, depth=True, offset_x_px=8, offset_y_px=4, binning=2)
AS_CALIBRATED = {"OffsetX": 8, "OffsetY": 4, "BinningHorizontal": 2, "BinningVertical": 2}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"OffsetX": 0}, "OffsetX is 0, the calibration is of 8"),
        ({"OffsetY": 6}, "OffsetY is 6, the calibration is of 4"),
        ({"BinningHorizontal": 1}, "binning horizontal is 1, the calibration is of 2"),
        ({"DecimationVertical": 2}, "binning vertical is 4, the calibration is of 2"),
        ({"ReverseX": True, "ReverseY": False}, "mirrored"),
    ],
)
def test_another_part_of_the_chip_is_read_than_was_calibrated(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(CameraError, match=said):
        check_region(Features(**AS_CALIBRATED | changed), SET_UP, "cam0")


def test_the_calibrated_part_of_the_chip_is_refused_or_not_watched() -> None:
    kept = check_region(Features(**AS_CALIBRATED), SET_UP, "cam0")
    assert kept == (NodeSetting("OffsetX", 8), NodeSetting("OffsetY", 4))
    whole = CameraSettings("cam0", SOURCE, 64, 48, depth=True)
    assert check_region(Features(), whole, "cam0") == ()


def test_a_calibration_s_region_is_lost_or_ignored() -> None:
    own = rig.document()
    own["region"] = {"offset_x": 16}
    own["sensor"]["region"] = {"offset_y": 2, "binning": 2}
    known = Calibration.from_text(json.dumps(own))
    assert (known.region, known.of_depth.region) == (Region(16, 0, 1), Region(0, 2, 2))
    own["region"] = {"offset": 16}
    with pytest.raises(CalibrationError, match=r"region\.offset: region has offset_x"):
        Calibration.from_text(json.dumps(own))
