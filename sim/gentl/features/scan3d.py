"""How coordinates are to be read; there when somebody delivers 3D."""

from __future__ import annotations

from voxgate.sim.gentl.features.feature import Entry, Feature
from voxgate.sim.gentl.features.rows import boolean, choice, floating, words

_SCAN3D = "Scan3dControl"

SCAN3D: tuple[Feature, ...] = (
    choice(
        "Scan3dOutputMode",
        _SCAN3D,
        "Organised, calibrated",
        (Entry("CalibratedABC_Grid", 0), Entry("CalibratedC", 1)),
        "RO",
        available="HasRange",
    ),
    choice(
        "Scan3dDistanceUnit",
        _SCAN3D,
        "Of the coordinates",
        words(["Millimeter"]),
        "RO",
        available="HasRange",
    ),
    choice(
        "Scan3dCoordinateSystem",
        _SCAN3D,
        "Axes",
        words(["Cartesian"]),
        "RO",
        available="HasRange",
    ),
    choice(
        "Scan3dCoordinateSystemReference",
        _SCAN3D,
        "x right, y down, z along the lens",
        words(["Anchor"]),
        "RO",
        available="HasRange",
    ),
    choice(
        "Scan3dCoordinateSelector",
        _SCAN3D,
        "Which axis",
        words(["CoordinateA", "CoordinateB", "CoordinateC"]),
        available="HasRange",
    ),
    floating(
        "Scan3dCoordinateScale",
        _SCAN3D,
        "mm of one count",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    floating(
        "Scan3dCoordinateOffset",
        _SCAN3D,
        "mm at count 0",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    boolean(
        "Scan3dInvalidDataFlag",
        _SCAN3D,
        "A count means: no return",
        "RO",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    floating(
        "Scan3dInvalidDataValue",
        _SCAN3D,
        "That count",
        selector="Scan3dCoordinateSelector",
        available="HasRange",
    ),
    floating("Scan3dFocalLength", _SCAN3D, "Of the lens", unit="px", available="HasRange"),
    floating("Scan3dPrincipalPointU", _SCAN3D, "Column", unit="px", available="HasRange"),
    floating("Scan3dPrincipalPointV", _SCAN3D, "Line", unit="px", available="HasRange"),
)
