"""A person calibrates on pictures whose rows were exposed one after another, and nobody said so."""

from __future__ import annotations

import pytest

from voxgate.runtime.cameras.genicam.probe import FeatureRow, remarks


def shutter(mode: str) -> list[FeatureRow]:
    return [
        FeatureRow("AcquisitionControl", "ExposureTime", "RW", "5000.0", ""),
        FeatureRow("AcquisitionControl", "SensorShutterMode", "RW", mode, "Global | Rolling"),
    ]


@pytest.mark.parametrize("mode", ["Rolling", "GlobalReset"])
def test_rolling_shutter_is_said_where_the_camera_says_it(mode: str) -> None:
    assert f"SensorShutterMode is {mode}" in remarks(shutter(mode))[0]


def test_global_shutter_needs_no_word() -> None:
    assert remarks(shutter("Global")) == []
    assert remarks(shutter("")) == []  # not available now
    assert remarks(shutter("Global")[:1]) == []
