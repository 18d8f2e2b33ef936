"""How coordinates are to be read; there when somebody delivers 3D."""

from __future__ import annotations

from voxgate.sim.gentl.features.feature import Feature
from voxgate.sim.gentl.features.rows import boolean, choice, floating, words

_SCAN3D = "Scan3dControl"

SCAN3D: tuple[Feature, ...] = (
    choice(
        "Scan3dOutputMode",
        _SCAN3D,
        "Organised; calibrated, or a disparity",
        words(["CalibratedABC_Grid", "CalibratedC", "DisparityC"]),
        "RO",
        available="Has3d",
    ),
    choice(
        "Scan3dDistanceUnit",
        _SCAN3D,
        "Of the coordinates",
        words(["Millimeter", "Pixel"]),
        "RO",
        available="Has3d",
    ),
    choice(
        "Scan3dCoordinateSystem",
        _SCAN3D,
        "Axes",
        words(["Cartesian"]),
        "RO",
        available="Has3d",
    ),
    choice(
        "Scan3dCoordinateSystemReference",
        _SCAN3D,
        "x right, y down, z along the lens",
        words(["Anchor"]),
        "RO",
        available="Has3d",
    ),
    choice(
        "Scan3dCoordinateSelector",
        _SCAN3D,
        "Which axis",
        words(["CoordinateA", "CoordinateB", "CoordinateC"]),
        available="Has3d",
    ),
    floating(
        "Scan3dCoordinateScale",
        _SCAN3D,
        "mm or px of one count",
        selector="Scan3dCoordinateSelector",
        available="Has3d",
    ),
    floating(
        "Scan3dCoordinateOffset",
        _SCAN3D,
        "mm or px at count 0",
        selector="Scan3dCoordinateSelector",
        available="Has3d",
    ),
    boolean(
        "Scan3dInvalidDataFlag",
        _SCAN3D,
        "A count means: no return",
        "RO",
        selector="Scan3dCoordinateSelector",
        available="Has3d",
    ),
    floating(
        "Scan3dInvalidDataValue",
        _SCAN3D,
        "That count",
        selector="Scan3dCoordinateSelector",
        available="Has3d",
    ),
    floating(
        "Scan3dFocalLength",
        _SCAN3D,
        "Of the lens, in pixels of the component",
        unit="px",
        selector="ComponentSelector",
        available="Has3d",
    ),
    floating(
        "Scan3dPrincipalPointU",
        _SCAN3D,
        "Column of the component",
        unit="px",
        selector="ComponentSelector",
        available="Has3d",
    ),
    floating(
        "Scan3dPrincipalPointV",
        _SCAN3D,
        "Line of the component",
        unit="px",
        selector="ComponentSelector",
        available="Has3d",
    ),
    floating("Scan3dBaseline", _SCAN3D, "Between the lenses", unit="m", available="HasDisparity"),
)
